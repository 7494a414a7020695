//! A card that may hold the image already: read, and never written to.
//!
//! Its head tells whether reading it is worthwhile: the first MiB of an image and its backup partition table are only on a finished card,
//! because the head is written last. Then the whole span is read back past every cache, as after writing.

use super::claim::Claim;
use super::error::FlashError;
use super::session::{Session, bytes_of};
use super::verify::{Compared, Verified, compare_body, conclude, judge, no_values};
use crate::device::BlockDevice;
use crate::station::record::Step;
use crate::station::units::{Bytes, to_u64};

/// The result of reading a card.
#[derive(Debug)]
pub(crate) enum Rechecked<'s, D> {
    /// It holds every byte of the image.
    Done(Verified),
    /// It does not; it was not changed.
    Other(Claim<'s, D>),
}

/// Reads the head and, if it is the image's, the whole span.
///
/// # Errors
/// The card's error behind a head that is the image's; that it does not always return the same bytes; that a stop was requested. Nothing
/// was written. A head that cannot be read is not an error: such a card is not done.
pub(crate) fn recheck<D: BlockDevice>(claim: Claim<'_, D>) -> Result<Rechecked<'_, D>, FlashError> {
    let Claim { session } = claim;
    Ok(match look(session)? {
        Some(verified) => Rechecked::Done(verified),
        None => Rechecked::Other(Claim { session }),
    })
}

fn look<D: BlockDevice>(session: &mut Session<D>) -> Result<Option<Verified>, FlashError> {
    session.ask_identity()?;
    session.count_writes();
    let (head, body) = (session.runs(true), session.proven_runs());
    session.gauge.enter(Step::Rechecking, Bytes(bytes_of(&head).0 + bytes_of(&body).0));
    let mut values = no_values(session.image.map().len())?;
    for run in head {
        session.stop_if_cancelled()?;
        match session.read_once(run.at, run.padded) {
            Ok(()) => {}
            // A finished card can be read. Flash memory that lost its power during a write may be unreadable until it is written again.
            Err(error @ (FlashError::Io { .. } | FlashError::Short { .. })) if !error.is_want_of_memory() && !session.device.departed() => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        if !judge(&session.image, run, &session.data, &mut values) {
            return Ok(None);
        }
        session.gauge.advance(to_u64(run.length));
    }
    let found = match compare_body(session, &body) {
        Ok(Compared::Right(found)) => found,
        // Not this image, or not all of it: an older one, or a used card. It is written like any other.
        Ok(Compared::Dirt { .. })
        | Err(FlashError::Mismatch { .. } | FlashError::FalseCapacity { .. } | FlashError::WriteIgnored { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    for (value, found) in values.iter_mut().zip(found) {
        *value = value.or(found);
    }
    session.ask_identity()?;
    let verified = conclude(session, &values).map(Verified::rechecked);
    // An attempt that was given up until now stays given up: its row says so already.
    if verified.is_some() && !session.gauge.conclude() {
        return Err(FlashError::Cancelled);
    }
    Ok(verified)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::gauge::Gauge;
    use super::super::tests::{card, flash_opened, pattern, staged};
    use crate::device::ram::{Did, Fault, RamDevice};
    use crate::station::End;
    use crate::station::armed::Zeroes;
    use crate::station::outcome::{Act, Failure, Refusal};
    use crate::station::record::Plan;
    use crate::station::units::{MIB, to_usize};

    fn run(mut device: RamDevice, image: &[u8], plan: &Plan, zeroes: Zeroes) -> (End, RamDevice) {
        device.did.clear();
        let end = flash_opened(&mut device, 1, staged(image), zeroes, plan, Arc::new(Gauge::default()));
        (end, device)
    }

    fn finished(image: &[u8]) -> RamDevice {
        let (end, device) = run(card(8 * MIB, 512), image, &Plan::WriteUnlessDone, Zeroes::Prove);
        assert!(matches!(end, End::Verified(_)), "{end:?}");
        device
    }

    fn only_read(device: &RamDevice) -> bool {
        device.did.iter().all(|did| matches!(did, Did::Read { .. }))
    }

    #[test]
    fn a_finished_card_is_read_back_whole_and_not_one_byte_of_it_is_written() {
        let image = pattern(5 * MIB + 700);
        for plan in [Plan::WriteUnlessDone, Plan::RecheckOnly(Refusal::Partitioned)] {
            let before = finished(&image);
            let contents = before.contents().to_vec();
            let (end, after) = run(before, &image, &plan, Zeroes::Prove);
            let End::Rechecked(proof) = end else { panic!("{end:?}") };
            assert_eq!(proof.digest().0, *blake3::hash(&image).as_bytes());
            assert!(only_read(&after), "{:?}", after.did);
            assert_eq!(after.contents(), contents);
        }
    }

    #[test]
    fn a_card_with_the_right_head_and_one_wrong_byte_is_not_done_but_written_anew() {
        let image = pattern(5 * MIB);
        let mut device = finished(&image);
        device.contents_mut()[to_usize(4 * MIB) + 17] ^= 1;
        let (end, device) = run(device, &image, &Plan::WriteUnlessDone, Zeroes::Prove);
        assert!(matches!(end, End::Verified(_)), "{end:?}");
        assert_eq!(device.contents()[..image.len()], image);
    }

    #[test]
    fn a_card_that_may_only_be_rechecked_and_holds_something_else_is_refused_untouched() {
        let image = pattern(5 * MIB);
        let mut nearly = finished(&image);
        nearly.contents_mut()[to_usize(3 * MIB)] ^= 1;
        for device in [card(8 * MIB, 512), nearly] {
            let contents = device.contents().to_vec();
            let (end, device) = run(device, &image, &Plan::RecheckOnly(Refusal::Partitioned), Zeroes::Prove);
            assert_eq!(end, End::Refused(Refusal::Partitioned));
            assert!(only_read(&device), "{:?}", device.did);
            assert_eq!(device.contents(), contents);
        }
    }

    #[test]
    fn a_card_of_another_image_is_told_by_its_head_and_not_read_whole_first() {
        let mut other = pattern(5 * MIB);
        other[0] ^= 1;
        let (_, device) = run(finished(&pattern(5 * MIB)), &other, &Plan::WriteUnlessDone, Zeroes::Prove);
        let before_the_first_write = device.did.iter().take_while(|did| matches!(did, Did::Read { .. })).count();
        assert_eq!(before_the_first_write, 1, "{:?}", device.did);
    }

    #[test]
    fn a_finished_card_that_cannot_be_read_fails() {
        let image = pattern(5 * MIB);
        let mut device = finished(&image);
        device.inject(Fault::ReadError { at: 2 * MIB, errno: 5 });
        let (end, device) = run(device, &image, &Plan::WriteUnlessDone, Zeroes::Prove);
        assert!(matches!(end, End::Failed(Failure::Io { act: Act::Reading, errno: Some(5), .. })), "{end:?}");
        assert!(only_read(&device));
    }

    #[test]
    fn where_zeroes_are_skipped_a_finished_card_is_done_by_its_data_alone() {
        let mut image = pattern(6 * MIB);
        image[to_usize(2 * MIB)..to_usize(4 * MIB)].fill(0);
        let (end, device) = run(card(8 * MIB, 512), &image, &Plan::WriteUnlessDone, Zeroes::Skip);
        assert!(matches!(end, End::VerifiedMapped(_)), "{end:?}");
        let (end, device) = run(device, &image, &Plan::WriteUnlessDone, Zeroes::Skip);
        assert!(matches!(end, End::RecheckedMapped(_)), "{end:?}");
        assert!(only_read(&device));
        let (end, _) = run(device, &image, &Plan::WriteUnlessDone, Zeroes::Prove);
        assert!(matches!(end, End::Verified(_)), "what was skipped is not proven by that: {end:?}");
    }

    #[test]
    fn a_card_swapped_while_it_is_rechecked_is_never_done() {
        let image = pattern(5 * MIB);
        let done = finished(&image);
        for after in 0..2 {
            let mut device = card(8 * MIB, 512);
            device.contents_mut().copy_from_slice(done.contents());
            device.inject(Fault::SwapAfter(after));
            let (end, device) = run(device, &image, &Plan::WriteUnlessDone, Zeroes::Prove);
            assert_eq!(end, End::Gone, "swapped after call {after}");
            assert_eq!(device.written_after_swap(), 0);
        }
    }
}
