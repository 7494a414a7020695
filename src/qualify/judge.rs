//! What follows from the facts of a slot: whether a station may rely on it, and what an engineer must know. Touches nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::facts::{Check, Freshness, SlotFacts, Switching};
use crate::device::FlushAnswer;
use crate::device::mode_sense::CachingPage;
use crate::station::card::Identity;
use crate::station::units::{Bytes, KIB};
use crate::watch::polls::SEEN_WITHIN;
use crate::watch::sysfs::MediaPolling;

/// A card that is noticed later than this makes an operator put it in again.
const NOTICED_WITHIN: Duration = Duration::from_secs(3);
/// Below this length of a request no reader is fast.
const SHORT_REQUEST: u64 = 64 * KIB;

/// Whether a station may rely on a slot. The worst of all remarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fitness {
    /// Nothing speaks against it.
    Fit,
    /// It does what it must, and something about it is worse than it could be, or is not known.
    FitWithRemarks,
    /// What a station promises does not hold here.
    NotFit,
}

impl Fitness {
    /// The words for people.
    #[must_use]
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::FitWithRemarks => "fit, with remarks",
            Self::NotFit => "NOT FIT",
        }
    }
}

/// Something that an engineer must know of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// Whether it keeps the slot from being fit.
    pub fitness: Fitness,
    /// The word for programs; stable.
    pub code: &'static str,
    /// A sentence without its full stop.
    pub what: String,
    /// What to do.
    pub cure: Option<&'static str>,
}

/// Everything that follows from the facts of one slot.
#[must_use]
pub(crate) fn remarks(facts: &SlotFacts) -> Vec<Remark> {
    let mut remarks = Remarks(Vec::new());
    if let Some(trouble) = &facts.trouble {
        remarks.not_fit("trouble", format!("not everything could be measured: {}", trouble.what), "try another card; then another reader");
    }
    remarks.data(facts);
    remarks.flush(facts);
    remarks.requests(facts);
    remarks.medium(facts);
    remarks.polling(facts.polling);
    remarks.rest(facts);
    remarks.0
}

/// The worst of these remarks.
#[must_use]
pub(crate) fn fitness(remarks: &[Remark]) -> Fitness {
    remarks.iter().map(|remark| remark.fitness).max().unwrap_or(Fitness::Fit)
}

struct Remarks(Vec<Remark>);

impl Remarks {
    fn add(&mut self, fitness: Fitness, code: &'static str, what: impl Into<String>, cure: Option<&'static str>) {
        self.0.push(Remark { fitness, code, what: what.into(), cure });
    }

    fn not_fit(&mut self, code: &'static str, what: impl Into<String>, cure: &'static str) {
        self.add(Fitness::NotFit, code, what, Some(cure));
    }

    fn weak(&mut self, code: &'static str, what: impl Into<String>, cure: &'static str) {
        self.add(Fitness::FitWithRemarks, code, what, Some(cure));
    }

    fn note(&mut self, code: &'static str, what: impl Into<String>) {
        self.add(Fitness::Fit, code, what, None);
    }

    /// What a read-back stands on.
    fn data(&mut self, facts: &SlotFacts) {
        const OTHER_READER: &str = "do not use this reader for a station: what it reads back proves nothing";
        for speeds in [&facts.alone, &facts.together].into_iter().flatten() {
            if speeds.data != Check::Right {
                self.not_fit("wrong-data", "other data came back than was written", "try another card; then another reader");
            }
        }
        let Some(reopened) = &facts.reopened else { return };
        match &reopened.direct {
            Freshness::Newest => {}
            Freshness::Stale => self.not_fit("stale", "a disk that is opened again reads as it was before the last write", OTHER_READER),
            Freshness::Wrong => self.not_fit("wrong-data", "a disk that is opened again reads as nobody wrote it", OTHER_READER),
            Freshness::Failed(why) => {
                self.not_fit("unreadable", format!("a disk that is opened again cannot be read: {why}"), OTHER_READER);
            }
        }
        if reopened.direct == Freshness::Newest {
            if reopened.forgotten != Freshness::Newest {
                self.weak(
                    "stale-forgotten",
                    "reads through the page cache stay old although the kernel was told to forget its pages",
                    OTHERS,
                );
            } else if reopened.cached != Freshness::Newest {
                self.weak("stale-cache", "the kernel's page cache does not notice direct writes", OTHERS);
            }
        }
    }

    fn flush(&mut self, facts: &SlotFacts) {
        const CURE: &str = "set `[policy] flush = \"ask\"`, or use another reader";
        let Some(flush) = facts.flush else { return };
        match flush.answer {
            FlushAnswer::Taken | FlushAnswer::NotScsi => {}
            FlushAnswer::Refused if facts.caching == Some(CachingPage::WriteBack) => {
                self.weak("flush-contradiction", "the device shows a write cache, and does not know the command that empties it", CURE);
            }
            FlushAnswer::Refused => self.note("no-cache", "the device has no cache to empty"),
            FlushAnswer::Stalled => {
                self.weak("flush-silent", "the device does not answer when it is told to empty its cache", CURE);
            }
            FlushAnswer::Lost => self.weak("flush-resets", "the device is reset when it is told to empty its cache", CURE),
            FlushAnswer::Gone => self.weak("flush-leaves", "the device leaves the bus when it is told to empty its cache", CURE),
            FlushAnswer::Unclear => self.weak("flush-unclear", "the device reports a failure when it is told to empty its cache", CURE),
        }
    }

    fn requests(&mut self, facts: &SlotFacts) {
        let Some(requests) = &facts.requests else { return };
        if requests.longest == Bytes(0) {
            let why = requests.failed.as_ref().map_or("no reason is known", |(_, why)| why);
            self.not_fit(
                "no-request",
                format!("not even one block is written and read back: {why}"),
                "try another card; then another reader",
            );
        } else if let Some((length, why)) = &requests.failed {
            self.weak(
                "long-requests",
                format!("calls of {} kB fail ({why}); the longest that works has {} kB", length.0 / KIB, requests.longest.0 / KIB),
                "write the udev rule below into a file of /etc/udev/rules.d",
            );
        } else if facts.limits.now.is_some_and(|now| now.0 < SHORT_REQUEST) {
            self.weak("short-requests", "the kernel sends this reader short requests only, which is slow", "use another reader");
        }
        match &requests.last_alone {
            None | Some(Check::Right) => {}
            Some(Check::Wrong) => self.not_fit("last-block", "the card's last block does not hold what is written to it", LAST),
            Some(Check::Failed(why)) => self.not_fit("last-block", format!("the card's last block cannot be used: {why}"), LAST),
        }
        if requests.last_alone == Some(Check::Right) && requests.last_in_longer.as_ref().is_some_and(|check| *check != Check::Right) {
            self.weak(
                "last-block-alone",
                "the card's last block can be read alone, and not as the end of a longer request",
                "use another reader",
            );
        }
    }

    /// How the kernel notices that a card was taken out.
    fn medium(&mut self, facts: &SlotFacts) {
        const CURE: &str = "do not use this reader for a station: it would take one card for another";
        let Some(hands) = &facts.hands else {
            self.weak("no-hands", "whether a change of the card is noticed was not tried", "run the command without --no-hands");
            return;
        };
        let (Some(left), Some(back)) = (hands.left, hands.back) else {
            match hands.left {
                None => self.not_fit("not-noticed", "it was not noticed that the card was taken out, if it was", CURE),
                Some(_) => self.not_fit("not-back", "it was not noticed that the card was put in again, if it was", CURE),
            }
            return;
        };
        if hands.diskseq.is_none_or(|(before, after)| after <= before) {
            self.not_fit("diskseq", "the kernel does not count the card that was put in as another one (DISKSEQ)", CURE);
        }
        if !left.by_itself || !back.by_itself {
            self.not_fit("only-asked", "a change of the card is noticed only when the disk is opened", CURE);
        } else if let Some(slow) = [left.after, back.after].into_iter().flatten().max().filter(|after| *after > NOTICED_WITHIN) {
            self.weak("slow-change", format!("a change of the card is noticed after {:.1} s", slow.as_secs_f64()), POLLED);
        }
        if !hands.size_zero && !hands.disk_gone {
            self.note("fast-change", "the card was exchanged between two looks of the kernel: only DISKSEQ told");
        }
        match &hands.kept {
            Some(Check::Right) => {}
            Some(Check::Wrong) => self.not_fit(
                "lost-data",
                "what was written and flushed was not on the card after it was taken out",
                "do not use this reader or this kind of card: a flush does not bring data to the medium",
            ),
            Some(Check::Failed(why)) => {
                self.not_fit("unreadable", format!("the card cannot be read after it was put in again: {why}"), "try another card");
            }
            None => self.weak(
                "another-card",
                "another card was put in than was taken out",
                "run the command again, with one card for each slot",
            ),
        }
    }

    fn polling(&mut self, polling: MediaPolling) {
        match polling {
            MediaPolling::Unneeded => {}
            MediaPolling::Every(every) if every <= SEEN_WITHIN => {}
            MediaPolling::Every(every) => {
                self.weak(
                    "polled-seldom",
                    format!("the kernel asks this reader for its card only every {:.1} s", every.as_secs_f64()),
                    POLLED,
                );
            }
            MediaPolling::Never => self.weak("never-polled", "the kernel never asks this reader for its card", POLLED),
        }
    }

    fn rest(&mut self, facts: &SlotFacts) {
        match facts.card.identified {
            Identity::Cid | Identity::UsbSerial => {}
            Identity::ReaderOnly => self.note("reader-serial", "the serial is the reader's: rows of the log cannot tell its cards apart"),
            Identity::None => self.note("no-serial", "there is no serial: rows of the log cannot tell cards apart"),
        }
        if facts.link.as_deref().and_then(|speed| speed.parse::<f64>().ok()).is_some_and(|speed| speed < 480.0) {
            self.weak("slow-link", "the reader runs at the speed of USB 1", "use another cable, hub or socket");
        }
        match &facts.switching {
            Switching::NotOffered | Switching::Offered | Switching::Works { .. } | Switching::NoEffect | Switching::Refused(_) => {}
            Switching::Lost => self.weak(
                "switch-lost",
                "the reader did not come back after its port was switched off and on",
                "pull its plug and put it in again; do not switch this port",
            ),
        }
    }
}

const OTHERS: &str = "the station reads past this cache; do not judge a card by other programs of this PC";
const LAST: &str = "try another card; then another reader";
const POLLED: &str = "write the udev rules: flashline slots rules --write";

#[cfg(test)]
mod cases {
    use super::super::facts::{HandsFacts, Noticed, Trouble, TroubleKind};
    use super::super::testing::slot;
    use super::*;

    /// What is said of a slot that was spoiled, by its codes.
    fn codes(spoil: impl FnOnce(&mut SlotFacts)) -> (Fitness, Vec<&'static str>) {
        let mut facts = slot("A1", 0);
        spoil(&mut facts);
        let remarks = remarks(&facts);
        // What is no reader's fault is said of each.
        let codes = remarks.iter().map(|remark| remark.code).filter(|code| *code != "reader-serial").collect();
        (fitness(&remarks), codes)
    }

    #[test]
    fn a_good_slot_is_fit_and_nothing_is_said_against_it() {
        assert_eq!(codes(|_| {}), (Fitness::Fit, vec![]));
    }

    #[test]
    fn whatever_makes_a_read_back_worthless_makes_a_slot_unfit() {
        let reopened = |facts: &mut SlotFacts, direct| facts.reopened.as_mut().expect("measured").direct = direct;
        assert_eq!(codes(|facts| reopened(facts, Freshness::Stale)), (Fitness::NotFit, vec!["stale"]));
        assert_eq!(codes(|facts| reopened(facts, Freshness::Wrong)), (Fitness::NotFit, vec!["wrong-data"]));
        assert_eq!(codes(|facts| facts.alone.as_mut().expect("measured").data = Check::Wrong), (Fitness::NotFit, vec!["wrong-data"]));
        let hands = |facts: &mut SlotFacts, kept| facts.hands.as_mut().expect("done").kept = kept;
        assert_eq!(codes(|facts| hands(facts, Some(Check::Wrong))), (Fitness::NotFit, vec!["lost-data"]));
        assert_eq!(codes(|facts| hands(facts, None)), (Fitness::FitWithRemarks, vec!["another-card"]));
        assert_eq!(
            codes(|facts| facts.trouble = Some(Trouble { kind: TroubleKind::Left, what: "it left".to_owned() })),
            (Fitness::NotFit, vec!["trouble"])
        );
    }

    #[test]
    fn a_page_cache_that_stays_old_is_no_fault_of_the_reader() {
        let cached = |facts: &mut SlotFacts, cached, forgotten| {
            let reopened = facts.reopened.as_mut().expect("measured");
            (reopened.cached, reopened.forgotten) = (cached, forgotten);
        };
        let told = codes(|facts| cached(facts, Freshness::Stale, Freshness::Newest));
        assert_eq!(told, (Fitness::FitWithRemarks, vec!["stale-cache"]));
        let told = codes(|facts| cached(facts, Freshness::Stale, Freshness::Stale));
        assert_eq!(told, (Fitness::FitWithRemarks, vec!["stale-forgotten"]));
    }

    #[test]
    fn each_answer_to_a_flush_has_its_own_word_and_a_device_without_a_cache_is_fit() {
        let answer = |answer, page| {
            codes(|facts| {
                facts.caching = Some(page);
                facts.flush.as_mut().expect("asked").answer = answer;
            })
        };
        assert_eq!(answer(FlushAnswer::Refused, CachingPage::None), (Fitness::Fit, vec!["no-cache"]));
        assert_eq!(answer(FlushAnswer::Refused, CachingPage::WriteBack), (Fitness::FitWithRemarks, vec!["flush-contradiction"]));
        assert_eq!(answer(FlushAnswer::NotScsi, CachingPage::NotScsi), (Fitness::Fit, vec![]));
        for (silent, code) in [
            (FlushAnswer::Stalled, "flush-silent"),
            (FlushAnswer::Lost, "flush-resets"),
            (FlushAnswer::Gone, "flush-leaves"),
            (FlushAnswer::Unclear, "flush-unclear"),
        ] {
            assert_eq!(answer(silent, CachingPage::None), (Fitness::FitWithRemarks, vec![code]));
        }
    }

    #[test]
    fn a_change_of_the_card_that_is_not_noticed_or_not_counted_makes_a_slot_unfit() {
        let hands = |change: fn(&mut HandsFacts)| codes(|facts| change(facts.hands.as_mut().expect("done")));
        assert_eq!(hands(|hands| (hands.left, hands.back) = (None, None)), (Fitness::NotFit, vec!["not-noticed"]));
        assert_eq!(hands(|hands| hands.back = None), (Fitness::NotFit, vec!["not-back"]));
        assert_eq!(hands(|hands| hands.diskseq = Some((7, 7))), (Fitness::NotFit, vec!["diskseq"]));
        let asked = Some(Noticed { by_itself: false, after: None });
        let mut facts = slot("A1", 0);
        facts.hands.as_mut().expect("done").left = asked;
        assert_eq!(fitness(&remarks(&facts)), Fitness::NotFit);
        assert_eq!(hands(|hands| hands.size_zero = false), (Fitness::Fit, vec!["fast-change"]));
        let slow = |hands: &mut HandsFacts| hands.back = Some(Noticed { by_itself: true, after: Some(Duration::from_secs(4)) });
        assert_eq!(hands(slow), (Fitness::FitWithRemarks, vec!["slow-change"]));
        assert_eq!(codes(|facts| facts.hands = None), (Fitness::FitWithRemarks, vec!["no-hands"]));
    }

    #[test]
    fn requests_that_fail_are_named_by_their_length_and_one_that_never_works_makes_a_slot_unfit() {
        let requests = |facts: &mut SlotFacts, longest, failed: u64| {
            let requests = facts.requests.as_mut().expect("tried");
            (requests.longest, requests.failed) = (Bytes(longest), Some((Bytes(failed), "Input/output error".to_owned())));
        };
        let mut facts = slot("A1", 0);
        requests(&mut facts, 128 * KIB, 256 * KIB);
        let told = remarks(&facts);
        let what = &told.iter().find(|remark| remark.code == "long-requests").expect("it is told").what;
        assert!(what.contains("256 kB") && what.contains("128 kB") && what.contains("Input/output error"), "{what}");
        assert_eq!(fitness(&told), Fitness::FitWithRemarks);
        assert_eq!(codes(|facts| requests(facts, 0, 512)), (Fitness::NotFit, vec!["no-request"]));
        let last = |facts: &mut SlotFacts, alone, longer| {
            let requests = facts.requests.as_mut().expect("tried");
            (requests.last_alone, requests.last_in_longer) = (Some(alone), Some(longer));
        };
        assert_eq!(codes(|facts| last(facts, Check::Wrong, Check::Wrong)), (Fitness::NotFit, vec!["last-block"]));
        assert_eq!(codes(|facts| last(facts, Check::Right, Check::Wrong)), (Fitness::FitWithRemarks, vec!["last-block-alone"]));
    }

    #[test]
    fn a_reader_that_is_asked_too_seldom_or_runs_slowly_is_told_with_a_cure() {
        assert_eq!(codes(|facts| facts.polling = MediaPolling::Never), (Fitness::FitWithRemarks, vec!["never-polled"]));
        let seldom = MediaPolling::Every(Duration::from_secs(2));
        assert_eq!(codes(|facts| facts.polling = seldom), (Fitness::FitWithRemarks, vec!["polled-seldom"]));
        assert_eq!(codes(|facts| facts.link = Some("12".to_owned())), (Fitness::FitWithRemarks, vec!["slow-link"]));
        assert_eq!(codes(|facts| facts.switching = Switching::Lost), (Fitness::FitWithRemarks, vec!["switch-lost"]));
        let mut facts = slot("A1", 0);
        facts.polling = MediaPolling::Never;
        let told = remarks(&facts);
        assert!(told.iter().filter(|remark| remark.fitness > Fitness::Fit).all(|remark| remark.cure.is_some()), "{told:?}");
    }
}
