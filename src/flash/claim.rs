//! The claim: the exclusive right to erase one card. Every later step needs one.

use std::path::Path;
use std::sync::Arc;

use nix::libc;

use super::gauge::Gauge;
use super::rules::Rules;
use super::session::Session;
use super::tombstone::Tombstone;
use crate::device::BlockDevice;
use crate::device::direct::{DirectDevice, OpenError, has_left};
use crate::image::Staged;
use crate::image::map::PIECE;
use crate::station::End;
use crate::station::armed::Zeroes;
use crate::station::card::Card;
use crate::station::outcome::{Refusal, StationFault};
use crate::station::record::Attempt;
use crate::station::units::round_up;

/// A card with the exclusive right to erase it, and everything that is needed for that.
#[derive(Debug)]
pub(crate) struct Claim<'s, D> {
    pub(super) session: &'s mut Session<D>,
}

/// The directory in which the kernel makes nodes under its own names (devtmpfs).
const DEV: &str = "/dev";

/// Opens the card that was admitted, under its node.
///
/// # Errors
/// A refusal, or that the card has left, or that a stop was requested. Nothing was written.
pub(crate) fn open(card: &Card, gauge: &Gauge) -> Result<DirectDevice, End> {
    let node = Path::new(DEV).join(&card.kernel_name);
    DirectDevice::open(&node, card.visit, || gauge.is_cancelled()).map_err(|error| {
        tracing::debug!(error = &error as &dyn std::error::Error, "not claimed");
        if gauge.is_cancelled() { End::Cancelled } else { end_of(&error, || has_left(card.visit)) }
    })
}

/// The end of an attempt whose card could not be opened. A card that left meanwhile is neither another card nor refused: its neighbours may
/// have left with it. But a node may be missing, or a device offline, with its card still in the slot: then it was not pulled.
fn end_of(error: &OpenError, has_left: impl FnOnce() -> bool) -> End {
    let gone_or = |errno: i32| if has_left() { End::Gone } else { End::Refused(Refusal::CannotOpen { errno }) };
    match error {
        OpenError::Open { source, .. } => match source.raw_os_error() {
            Some(libc::EBUSY) => End::Refused(Refusal::Busy),
            Some(libc::EROFS) => End::Refused(Refusal::WriteProtected),
            Some(errno @ (libc::ENOENT | libc::ENODEV | libc::ENXIO | libc::ENOMEDIUM)) => gone_or(errno),
            // Out of descriptors or memory: this would happen to any card.
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => {
                End::StationFault(StationFault::Internal { message: format!("opening the card: {source}") })
            }
            errno => End::Refused(Refusal::CannotOpen { errno: errno.unwrap_or(libc::EIO) }),
        },
        OpenError::AnotherNode { .. } => gone_or(libc::ENOTBLK),
        OpenError::AnotherCard { .. } => End::Refused(Refusal::AnotherCard),
        OpenError::NoDiskSequence => End::Refused(Refusal::NoDiskSequence),
        OpenError::Locked { .. } => End::Refused(Refusal::Busy),
    }
}

impl<D: BlockDevice> Session<D> {
    /// Claims an opened card for one attempt with one image.
    ///
    /// # Errors
    /// If the open device cannot hold the image after all, or the kernel has no random numbers or no memory. Nothing was written.
    pub(super) fn begin(device: D, attempt: &Attempt, image: Arc<Staged>, gauge: Arc<Gauge>, rules: Rules) -> Result<Self, End> {
        let (capacity, needs) = (device.length(), image.span());
        let block = device.logical_block();
        let padded = round_up(needs.0, u64::from(block));
        if padded.is_none_or(|padded| padded > capacity.0) {
            return Err(End::Refused(Refusal::TooSmall { capacity, needs }));
        }
        if !PIECE.is_multiple_of(u64::from(block)) {
            return Err(End::Refused(Refusal::SectorSize { card: block, image: image.layout().block.unwrap_or(512) }));
        }
        let ours = |message: String| End::StationFault(StationFault::Internal { message });
        let tombstone = Tombstone::fresh(attempt.number).map_err(|error| ours(error.to_string()))?;
        let zeroes = attempt.image.as_ref().map_or_else(Zeroes::default, |armed| armed.zeroes);
        Self::new(device, attempt.card.visit, image, gauge, tombstone, zeroes, rules)
            .map_err(|error| ours(format!("memory for the card's buffers: {error}")))
    }
}

#[cfg(test)]
mod cases {
    use std::io;

    use super::*;

    #[test]
    fn a_station_without_a_descriptor_or_memory_to_open_a_card_with_says_that_it_is_its_own_fault() {
        for errno in [libc::EMFILE, libc::ENFILE, libc::ENOMEM] {
            let end = end_of(&OpenError::Open { node: "/dev/sdx".into(), source: io::Error::from_raw_os_error(errno) }, || false);
            assert!(
                matches!(&end, End::StationFault(StationFault::Internal { message }) if message.starts_with("opening the card: ")),
                "{end:?}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_card_that_left_before_it_was_opened_is_gone_and_not_refused() {
        let answer =
            |errno, left| end_of(&OpenError::Open { node: "/dev/sdx".into(), source: io::Error::from_raw_os_error(errno) }, || left);
        for errno in [libc::ENOENT, libc::ENODEV, libc::ENXIO, libc::ENOMEDIUM] {
            assert_eq!(answer(errno, true), End::Gone);
            let refused = End::Refused(Refusal::CannotOpen { errno });
            assert_eq!(answer(errno, false), refused, "nobody pulled a card that is still there, though its node is gone");
        }
        let another_node = |left| end_of(&OpenError::AnotherNode { node: "/dev/sdx".into() }, || left);
        assert_eq!(another_node(true), End::Gone);
        assert_eq!(another_node(false), End::Refused(Refusal::CannotOpen { errno: libc::ENOTBLK }));
        let answered = |errno| answer(errno, false);
        assert_eq!(answered(libc::EBUSY), End::Refused(Refusal::Busy));
        assert_eq!(answered(libc::EROFS), End::Refused(Refusal::WriteProtected));
        assert_eq!(answered(libc::EIO), End::Refused(Refusal::CannotOpen { errno: libc::EIO }));
        assert_eq!(end_of(&OpenError::AnotherCard { node: "/dev/sdx".into() }, || false), End::Refused(Refusal::AnotherCard));
    }
}
