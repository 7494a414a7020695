//! Reads after a disk was closed and opened again: is what is read the newest?
//!
//! A reader that answers from a cache of its own makes every read-back worthless; a page cache that does not notice a direct write harms
//! only the other programs of the PC.

use std::io;

use super::facts::{Freshness, ReopenFacts};
use super::pattern::Pattern;
use super::trial::{HEAD, LEFT, Trial, TrialError, ask_to_flush};
use crate::device::aligned::AlignedBuf;
use crate::device::direct::CachedReader;
use crate::device::{BlockDevice, FlushAnswer, read_exact_at};
use crate::flash::gauge::Gauge;
use crate::flash::rules::Rules;
use crate::station::units::{Bytes, to_usize};

/// How a card is opened.
pub(crate) trait Place {
    /// A claimed card.
    type Device: BlockDevice;
    /// The card, opened by way of the page cache.
    type Cached: CachedRead;

    /// The port of the card.
    fn port(&self) -> &str;

    /// Claims the card again, under every rule of the first time.
    ///
    /// # Errors
    /// If it must not be written any more, or is not there.
    fn claim(&self) -> Result<Self::Device, TrialError>;

    /// Opens it as any other program does.
    ///
    /// # Errors
    /// The error of the kernel.
    fn open_cached(&self) -> io::Result<Self::Cached>;
}

/// Reads by way of the page cache.
pub(crate) trait CachedRead {
    /// Fills all of `into`.
    ///
    /// # Errors
    /// The error of the kernel.
    fn read(&self, at: Bytes, into: &mut [u8]) -> io::Result<()>;

    /// Makes the kernel forget the pages of the disk.
    ///
    /// # Errors
    /// The error of the kernel.
    fn forget(&self) -> io::Result<()>;
}

impl CachedRead for CachedReader {
    fn read(&self, at: Bytes, into: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(at, into)
    }

    fn forget(&self) -> io::Result<()> {
        self.forget_pages()
    }
}

/// Writes, closes, opens and reads the card by each way. Returns the card, claimed again. `flush` is the answer of `device` when it was
/// told to empty its cache.
///
/// # Errors
/// If the card cannot be claimed again, or writing fails.
pub(crate) fn reopened<P: Place>(
    place: &P,
    device: P::Device,
    flush: FlushAnswer,
    gauge: &Gauge,
    rules: &Rules,
    pattern: &mut Pattern,
) -> Result<(ReopenFacts, P::Device), TrialError> {
    let at = Bytes(HEAD);
    let mut buffer = AlignedBuf::zeroed(to_usize(LEFT)).map_err(TrialError::Own)?;
    leave_and_close(device, gauge, rules, pattern)?;
    // The kernel forgets all pages of a disk that nobody has open (`blkdev_put_whole` in `block/bdev.c`): this one stays open meanwhile.
    let reader = place.open_cached();
    let _first = reader.as_ref().map(|reader| reader.read(at, &mut buffer));
    leave_and_close(claim_again(place, flush, gauge, rules)?, gauge, rules, pattern)?;
    let read = reader.and_then(|reader| reader.read(at, &mut buffer));
    let cached = freshness(read, pattern, at, &buffer);
    let read = place.open_cached().and_then(|reader| reader.forget().and_then(|()| reader.read(at, &mut buffer)));
    let forgotten = freshness(read, pattern, at, &buffer);
    let mut device = claim_again(place, flush, gauge, rules)?;
    let read = read_exact_at(&mut device, at, &mut buffer).map_err(|(_, shortfall)| shortfall.into());
    let direct = freshness(read, pattern, at, &buffer);
    Ok((ReopenFacts { cached, forgotten, direct }, device))
}

/// Claims the card again, and tells its device to empty its cache, as the engine does with each card: only a device that has accepted this
/// since it was opened is told at every flush. A device that did not accept it at first is not asked again, because some hang or leave. After
/// an answer that says nothing about the device it goes on, as the engine does.
fn claim_again<P: Place>(place: &P, flush: FlushAnswer, gauge: &Gauge, rules: &Rules) -> Result<P::Device, TrialError> {
    let mut device = place.claim()?;
    if flush != FlushAnswer::Taken {
        return Ok(device);
    }
    match ask_to_flush(&mut device, place.port(), gauge, rules).answer {
        FlushAnswer::Taken | FlushAnswer::Refused | FlushAnswer::NotScsi | FlushAnswer::Unclear => Ok(device),
        FlushAnswer::Gone => Err(TrialError::Left { doing: "it was told to empty its cache" }),
        FlushAnswer::Stalled | FlushAnswer::Lost => {
            let source = io::Error::other("the device empties its cache on command, and gave no answer after it was opened again");
            Err(TrialError::Device { doing: "flushing", at: Bytes(0), source })
        }
    }
}

fn leave_and_close<D: BlockDevice>(mut device: D, gauge: &Gauge, rules: &Rules, pattern: &mut Pattern) -> Result<(), TrialError> {
    Trial::new(&mut device, gauge, rules, pattern)?.leave()
}

fn freshness(read: io::Result<()>, pattern: &Pattern, at: Bytes, buffer: &[u8]) -> Freshness {
    match read {
        Err(error) => Freshness::Failed(error.to_string()),
        Ok(()) if pattern.is_all_of(at, buffer) => Freshness::Newest,
        Ok(()) if pattern.before().is_any_of(at, buffer) => Freshness::Stale,
        Ok(()) => Freshness::Wrong,
    }
}

#[cfg(test)]
mod cases {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::device::ram::{Did, Fault, RamDevice};
    use crate::device::{Shortfall, Source};
    use crate::station::units::MIB;

    const PORT: &str = "pci-0000:00:1c.0/usb3-1/lun-0";

    /// A card that several openings share, in a reader with a cache that the kernel does not know: only an opening that was told to empty it
    /// does so at a flush.
    #[derive(Debug, Clone)]
    struct Shared {
        card: Rc<RefCell<RamDevice>>,
        in_cache: Rc<Cell<bool>>,
        is_told: bool,
    }

    impl Shared {
        fn holding(card: RamDevice) -> Self {
            Self { card: Rc::new(RefCell::new(card)), in_cache: Rc::default(), is_told: false }
        }
    }

    impl BlockDevice for Shared {
        fn length(&self) -> Bytes {
            self.card.borrow().length()
        }
        fn logical_block(&self) -> u32 {
            self.card.borrow().logical_block()
        }
        fn diskseq(&self) -> io::Result<u64> {
            self.card.borrow().diskseq()
        }
        fn write_from(&mut self, at: Bytes, source: Source<'_>) -> Result<usize, Shortfall> {
            self.in_cache.set(true);
            self.card.borrow_mut().write_from(at, source)
        }
        fn zero(&mut self, at: Bytes, length: Bytes) -> io::Result<()> {
            self.card.borrow_mut().zero(at, length)
        }
        fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> io::Result<usize> {
            self.card.borrow_mut().read_at(at, into)
        }
        fn flush(&mut self, patience: Duration) -> io::Result<()> {
            self.in_cache.set(self.in_cache.get() && !self.is_told);
            self.card.borrow_mut().flush(patience)
        }
        fn ask_to_flush(&mut self, patience: Duration) -> FlushAnswer {
            let answer = self.card.borrow_mut().ask_to_flush(patience);
            self.is_told = answer == FlushAnswer::Taken;
            answer
        }
        fn make(&self) -> Option<String> {
            // The kernel has no facts any more about a device that left.
            if self.departed() { None } else { self.card.borrow().make() }
        }
        fn sectors_written(&self) -> Option<u64> {
            self.card.borrow().sectors_written()
        }
        fn departed(&self) -> bool {
            self.card.borrow().departed()
        }
    }

    /// The pages of a kernel that keeps what was read first, if `stale`, until it is told to forget it.
    #[derive(Clone)]
    struct Pages {
        card: Shared,
        stale: bool,
        kept: Rc<RefCell<Option<Vec<u8>>>>,
    }

    impl Place for Pages {
        type Device = Shared;
        type Cached = Self;

        fn port(&self) -> &'static str {
            PORT
        }

        fn claim(&self) -> Result<Shared, TrialError> {
            Ok(Shared { is_told: false, ..self.card.clone() })
        }

        fn open_cached(&self) -> io::Result<Self> {
            Ok(self.clone())
        }
    }

    impl CachedRead for Pages {
        fn read(&self, at: Bytes, into: &mut [u8]) -> io::Result<()> {
            let card = self.card.card.borrow();
            let fresh = card.contents()[to_usize(at.0)..to_usize(at.0) + into.len()].to_vec();
            let mut kept = self.kept.borrow_mut();
            if !self.stale || kept.is_none() {
                *kept = Some(fresh);
            }
            into.copy_from_slice(kept.as_ref().expect("just put there"));
            Ok(())
        }

        fn forget(&self) -> io::Result<()> {
            *self.kept.borrow_mut() = None;
            Ok(())
        }
    }

    /// The card is opened again after it gave this answer to the flush command.
    fn reopened_after(card: &Shared, flush: FlushAnswer, stale: bool) -> Result<ReopenFacts, TrialError> {
        reopened_by(&rules(), card, flush, stale)
    }

    fn rules() -> Rules {
        Rules { stall: Duration::from_secs(90), flush_required: false, retries: 0, unanswered: Arc::default() }
    }

    fn reopened_by(rules: &Rules, card: &Shared, flush: FlushAnswer, stale: bool) -> Result<ReopenFacts, TrialError> {
        let slot = Pages { card: card.clone(), stale, kept: Rc::default() };
        let mut pattern = Pattern::fresh().expect("random");
        let first = Shared { is_told: flush == FlushAnswer::Taken, ..card.clone() };
        reopened(&slot, first, flush, &Gauge::default(), rules, &mut pattern).map(|(facts, _)| facts)
    }

    fn found(stale: bool) -> ReopenFacts {
        let card = Shared::holding(RamDevice::new(Bytes(8 * MIB), 512));
        reopened_after(&card, FlushAnswer::NotScsi, stale).expect("the card is good")
    }

    /// A card of 8 MiB whose device answers this when it is told to empty its cache.
    fn answering(answer: FlushAnswer) -> Shared {
        let mut card = RamDevice::new(Bytes(8 * MIB), 512);
        card.inject(Fault::FlushAnswer(answer));
        Shared::holding(card)
    }

    #[test]
    fn what_is_left_on_a_card_that_was_opened_again_is_on_its_medium_and_not_in_a_cache() {
        let card = answering(FlushAnswer::Taken);
        reopened_after(&card, FlushAnswer::Taken, false).expect("the card is good");
        assert!(!card.in_cache.get(), "the flush of each opening reaches the device");
        let did = card.card.borrow().did.clone();
        let after_closing = did.iter().skip_while(|did| **did != Did::Flush).nth(1);
        assert_eq!(after_closing, Some(&Did::Ask), "it is asked before it is written: {did:?}");
    }

    #[test]
    fn a_device_that_did_not_accept_the_flush_command_is_not_asked_again_when_it_is_opened_again() {
        for answer in [FlushAnswer::Refused, FlushAnswer::Stalled, FlushAnswer::Lost, FlushAnswer::Unclear] {
            let card = answering(answer);
            reopened_after(&card, answer, false).expect("the card is good");
            assert!(!card.card.borrow().did.contains(&Did::Ask), "{answer:?}");
        }
    }

    #[test]
    fn a_device_that_accepts_the_flush_command_only_once_ends_the_trial() {
        let ended = reopened_after(&answering(FlushAnswer::Stalled), FlushAnswer::Taken, false);
        assert!(matches!(ended, Err(TrialError::Device { doing: "flushing", .. })), "{ended:?}");
        let ended = reopened_after(&answering(FlushAnswer::Gone), FlushAnswer::Taken, false);
        assert!(matches!(ended, Err(TrialError::Left { .. })), "{ended:?}");
    }

    #[test]
    fn a_device_that_leaves_when_it_is_asked_again_is_remembered() {
        let (rules, card) = (rules(), answering(FlushAnswer::Gone));
        let make = card.make().expect("it is there");
        reopened_by(&rules, &card, FlushAnswer::Taken, false).expect_err("it left");
        assert!(rules.unanswered.knows(&make, PORT));
    }

    #[test]
    fn a_flush_that_fails_once_after_it_was_opened_again_ends_no_trial() {
        let ended = reopened_after(&answering(FlushAnswer::Unclear), FlushAnswer::Taken, false);
        assert!(ended.is_ok(), "{ended:?}");
    }

    #[test]
    fn the_newest_write_is_told_from_the_one_before_it_by_each_way_of_reading() {
        assert_eq!(found(false), ReopenFacts { cached: Freshness::Newest, forgotten: Freshness::Newest, direct: Freshness::Newest });
        assert_eq!(found(true), ReopenFacts { cached: Freshness::Stale, forgotten: Freshness::Newest, direct: Freshness::Newest });
    }

    #[test]
    fn data_of_nobody_is_wrong_and_an_error_is_kept() {
        let pattern = Pattern::fresh().expect("random");
        assert_eq!(freshness(Ok(()), &pattern, Bytes(0), &[0; 4096]), Freshness::Wrong);
        let failed = freshness(Err(io::Error::from_raw_os_error(5)), &pattern, Bytes(0), &[0; 4096]);
        assert!(matches!(failed, Freshness::Failed(why) if why.contains("os error 5")));
    }
}
