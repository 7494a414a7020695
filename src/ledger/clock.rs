//! The time of an event by the PC's clock, and the time that decisions about keys use.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The files by which systemd-timesyncd shows that it runs, and (`synchronized`) that it has set the clock
/// (`systemd-timesyncd.service(8)`).
const TIMESYNC: &str = "/run/systemd/timesync";

/// One moment on every clock of the PC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// UTC, in microseconds since 1970.
    pub at: i64,
    /// The kernel's id of this boot; empty if it has none.
    pub boot: String,
    /// Milliseconds since boot, suspend included.
    pub since_boot_ms: Option<u64>,
    /// The clock was set from the network; `None` if that is unknown.
    pub synced: Option<bool>,
}

impl Stamp {
    /// The stamp of this moment.
    #[must_use]
    pub(crate) fn now() -> Self {
        Self {
            at: utc_micros(),
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default(),
            since_boot_ms: fs::read_to_string("/proc/uptime").ok().and_then(|uptime| uptime_ms(&uptime)),
            synced: synced(Path::new(TIMESYNC)),
        }
    }
}

/// The time at which keys are judged, in microseconds since 1970: that of the clock, but never before the build of this program, nor before
/// the newest event of the flash log. A PC with an empty battery begins in 1970, when no key was valid yet and none had expired.
#[must_use]
pub(crate) fn believed(newest_event: Option<i64>) -> i64 {
    let built = env!("FLASHLINE_BUILT").parse::<i64>().unwrap_or(0).saturating_mul(1_000_000);
    utc_micros().max(built).max(newest_event.unwrap_or(0))
}

/// A clock before 1970 is set to 1970: it is wrong either way.
fn utc_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// `/proc/uptime` begins with the seconds of `CLOCK_BOOTTIME`, with two decimal places (`proc_uptime(5)`).
fn uptime_ms(text: &str) -> Option<u64> {
    let (seconds, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 1000 + hundredths.parse::<u64>().ok()? * 10)
}

fn synced(timesync: &Path) -> Option<bool> {
    timesync.is_dir().then(|| timesync.join("synchronized").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_read_to_the_hundredth() {
        assert_eq!(uptime_ms("5234.07 9000.00\n"), Some(5_234_070));
        assert_eq!(uptime_ms(""), None);
    }

    #[test]
    fn a_clock_nobody_vouches_for_is_neither_set_nor_unset() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(synced(&dir.path().join("absent")), None);
        assert_eq!(synced(dir.path()), Some(false));
        fs::write(dir.path().join("synchronized"), "").expect("a file");
        assert_eq!(synced(dir.path()), Some(true));
    }

    #[test]
    fn no_clock_is_believed_that_is_behind_the_program_or_its_log() {
        let built = env!("FLASHLINE_BUILT").parse::<i64>().expect("seconds") * 1_000_000;
        assert!(built > 1_700_000_000_000_000, "the program knows when it was built");
        assert!(believed(None) >= built);
        assert_eq!(believed(Some(i64::MAX)), i64::MAX, "a log that is ahead of the clock is believed");
    }

    #[test]
    fn now_knows_its_boot() {
        let stamp = Stamp::now();
        assert_eq!(stamp.boot.len(), 36);
        assert!(stamp.since_boot_ms > Some(0));
    }
}
