//! Units, and every conversion between integer widths the crate makes.
//!
//! A count of bytes and a byte's offset on a card are both [`Bytes`]: an offset is the count of the bytes before it.

use std::fmt;
use std::time::Duration;

/// One KiB in bytes.
pub(crate) const KIB: u64 = 1 << 10;
/// One MiB in bytes.
pub(crate) const MIB: u64 = 1 << 20;

/// The unit of `/sys/block/*/size`, whatever the disk's own logical block is (kernel, `Documentation/ABI/stable/sysfs-block`).
const SYSFS_SECTOR: u64 = 512;

/// A count of bytes, or the offset behind that many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    /// The size that sysfs gives in its own sectors of 512 bytes; `None` where it would not fit 64 bits.
    #[must_use]
    pub(crate) fn from_sysfs_sectors(sectors: u64) -> Option<Self> {
        sectors.checked_mul(SYSFS_SECTOR).map(Self)
    }
}

impl fmt::Display for Bytes {
    /// As printed on a card's label: decimal units, one digit behind the point, rounded down, so that a card is never shown larger than it
    /// is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const STEPS: [(u64, &str); 4] = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
        match STEPS.iter().find(|(step, _)| self.0 >= *step) {
            Some((step, unit)) => write!(f, "{}.{} {unit}", self.0 / step, self.0 % step / (step / 10)),
            None => write!(f, "{} B", self.0),
        }
    }
}

/// A moment on the station's own monotonic clock, counted from the start of the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Duration);

impl Moment {
    /// The time since `earlier`; `None` if it lies ahead.
    #[must_use]
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A buffer's length as a count of bytes.
#[must_use]
pub(crate) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length in memory fits 64 bits")
}

/// A count of bytes as a length in memory. For lengths bounded by a buffer; more than the address space holds is a bug.
#[must_use]
pub(crate) fn to_usize(count: u64) -> usize {
    usize::try_from(count).expect("a count bounded by a buffer fits the address space")
}

/// A duration in seconds, for people and for the log.
#[must_use]
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// A count for arithmetic with fractions: exact below 2⁵³, and the nearest possible above.
#[must_use]
pub(crate) fn to_f64(count: u64) -> f64 {
    let half = |bits: u64| f64::from(u32::try_from(bits & 0xffff_ffff).expect("half of 64 bits"));
    half(count >> 32) * 4_294_967_296.0 + half(count)
}

/// Bytes a second over `elapsed`, rounded down; `None` before any time has passed.
#[must_use]
pub(crate) fn rate(bytes: Bytes, elapsed: Duration) -> Option<Bytes> {
    let nanos = elapsed.as_nanos();
    if nanos == 0 {
        return None;
    }
    u64::try_from(u128::from(bytes.0) * 1_000_000_000 / nanos).ok().map(Bytes)
}

/// `value` rounded up to a multiple of `step`, a power of two or not; `None` if that would not fit.
#[must_use]
pub(crate) fn round_up(value: u64, step: u64) -> Option<u64> {
    value.checked_next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_on_a_label_and_never_larger_than_they_are() {
        assert_eq!(Bytes(7_999_999_999).to_string(), "7.9 GB");
        assert_eq!(Bytes(15_931_539_456).to_string(), "15.9 GB");
        assert_eq!(Bytes(999).to_string(), "999 B");
        assert_eq!(Bytes(134_217_728).to_string(), "134.2 MB");
    }

    #[test]
    fn a_count_keeps_its_value_among_fractions() {
        for count in [0, 1, 4_294_967_295, 4_294_967_296, (1 << 53) - 1] {
            assert_eq!(format!("{}", to_f64(count)), count.to_string());
        }
    }

    #[test]
    fn a_rate_needs_time_and_survives_large_counts() {
        assert_eq!(rate(Bytes(10), Duration::ZERO), None);
        assert_eq!(rate(Bytes(1 << 62), Duration::from_secs(1)), Some(Bytes(1 << 62)));
        assert_eq!(rate(Bytes(30 * MIB), Duration::from_millis(1500)), Some(Bytes(20 * MIB)));
    }
}
