//! Tests of orders with cards that come back: pulled between proof and row, found done, failed later, moved from slot to slot.

use proptest::prelude::*;

use super::tests::{at, ended};
use super::{Effect, End, Event, Station};
use crate::station::status::sign::Sign;
use crate::station::status::view::DayCount;
use crate::station::testing::{armed_by, image, proof, survey};
use crate::station::types::armed::{Armed, DeviceModel, ModelProof};
use crate::station::types::card::{Cid, Identity};
use crate::station::types::order::OrderNumber;
use crate::station::types::outcome::{Counted, Failure, Outcome, OutcomeWord, Refusal};
use crate::station::types::past::{Ended, Past, Rows};
use crate::station::types::port::Port;
use crate::station::types::record::{Attempt, AttemptNumber, Entry, Plan, Receipt};
use crate::station::types::request::{Command, Who};
use crate::station::types::settings::{Configuration, Policy, SlotSettings, StationSettings};
use crate::station::types::standing::Standing;

/// A card with its own identity, wherever it is.
#[derive(Clone, Debug, Default)]
struct Own {
    holds_image: bool,
    slot: Option<usize>,
    diskseq: u64,
}

/// A station, its cards, and a log that answers like the real one.
struct Bench {
    station: Station,
    now: u64,
    next_diskseq: u64,
    cards: Vec<Own>,
    identified: Identity,
    /// Their maker gave them the same register.
    are_twins: bool,
    threads: Vec<Attempt>,
    log: Vec<(Attempt, Outcome)>,
}

fn cid(card: usize) -> Cid {
    Cid { raw: format!("{card:032x}"), ..Cid::default() }
}

impl Bench {
    fn new(slots: usize, cards: usize, identified: Identity) -> Self {
        let settings = StationSettings {
            name: "line".to_owned(),
            settle: std::time::Duration::ZERO,
            flash_present: false,
            first_off: false,
            recheck_done: true,
            box_size: None,
        };
        let mut bench = Self {
            station: Station::new_proven(settings, 1, Standing::default()),
            now: 0,
            next_diskseq: 1,
            cards: vec![Own::default(); cards],
            identified,
            are_twins: false,
            threads: Vec::new(),
            log: Vec::new(),
        };
        bench.configure(slots, true);
        bench
    }

    fn configure(&mut self, slots: usize, reuse: bool) {
        let slots = (0..slots).map(|slot| SlotSettings {
            name: format!("A{slot}"),
            ports: vec![Port(format!("p{slot}"))],
            model: "acme/box".to_owned(),
            policy: Policy { reuse, ..Policy::default() },
        });
        let configuration = Configuration {
            station: self.station.settings.clone(),
            slots: slots.collect(),
            armed: vec![image()],
            unarmed: Vec::new(),
            distrusted: Vec::new(),
            by: armed_by(),
        };
        self.tell(Event::Configure(Box::new(configuration)));
    }

    fn order(&mut self, count: u32) {
        let command = Command::StartOrder { model: "acme/box".to_owned(), count, name: None, work_order: None };
        self.tell(Event::Asked { request: 1, by: Who { uid: 0, name: "root".to_owned() }, command });
    }

    fn card_of(&self, diskseq: u64) -> usize {
        self.cards.iter().position(|card| card.diskseq == diskseq).unwrap_or(0)
    }

    fn seen(&self, slot: usize, card: usize) -> crate::station::card::Card {
        let mut seen = survey(&format!("p{slot}"), self.cards[card].diskseq).card;
        seen.identified = self.identified;
        seen.serial = Some(format!("S-{card}"));
        seen.cid = (self.identified == Identity::Cid).then(|| cid(if self.are_twins { 0 } else { card }));
        seen.partitioned = self.cards[card].holds_image;
        seen
    }

    fn past(&self, seen: &crate::station::card::Card) -> Past {
        let rows = || {
            self.log.iter().rev().filter_map(|(attempt, outcome)| {
                let ended = Ended {
                    outcome: outcome.word(),
                    image: attempt.image.as_ref().map(|image| image.digest.to_string()),
                    order: attempt.order,
                };
                (!matches!(ended.outcome.counts(), Counted::Again | Counted::Untouched)).then_some((attempt, ended))
            })
        };
        let of_card = || rows().filter(|(attempt, _)| attempt.card.is_same_as(seen));
        let bad = of_card().take_while(|(_, ended)| !ended.outcome.is_good());
        let left: Vec<OrderNumber> = bad.filter_map(|(attempt, ended)| attempt.leaves(&ended.outcome)).collect();
        let good = of_card().find(|(_, ended)| ended.outcome.is_good()).map(|(_, ended)| ended.unless_left(&left));
        let rows_of_card = Rows { newest: of_card().next().map(|(_, ended)| ended), good };
        match self.identified {
            Identity::Cid => Past::ByCid(rows_of_card),
            Identity::UsbSerial => Past::BySerial(rows_of_card),
            _ => Past::OfSlot(rows().find(|(attempt, _)| attempt.card.port == seen.port).map(|(_, ended)| ended)),
        }
    }

    fn tell(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.station.apply(at(self.now), event) {
                match effect {
                    Effect::Identify(card) => events.push(Event::Identified { visit: card.visit, card: Some(card) }),
                    Effect::Survey(card) => {
                        let mut found = survey(&card.port.0, card.visit.diskseq);
                        found.past = self.past(&card);
                        found.card = *card;
                        events.push(Event::Surveyed { visit: found.card.visit, survey: Some(Box::new(found)) });
                    }
                    Effect::Record(entry) => {
                        if let Entry::AttemptClosed { attempt, outcome, .. } = &*entry {
                            self.log.push(((**attempt).clone(), outcome.clone()));
                        }
                        events.extend(entry.receipt().map(Event::Recorded));
                    }
                    Effect::RecordAsked { request, .. } => events.push(Event::Recorded(Receipt::Asked(request))),
                    Effect::Start(attempt) => self.threads.push(*attempt),
                    Effect::Cancel(_) | Effect::Answer { .. } | Effect::Restage { .. } => {}
                }
            }
        }
    }

    fn wait(&mut self) {
        self.now += 2000;
        self.tell(Event::Tick);
    }

    fn take_out(&mut self, card: usize) {
        if let Some(slot) = self.cards[card].slot.take() {
            let visit = self.seen(slot, card).visit;
            self.tell(Event::Gone { visit, with_device: false });
        }
    }

    fn put_in(&mut self, card: usize, slot: usize) {
        self.take_out(card);
        if let Some(other) = self.cards.iter().position(|other| other.slot == Some(slot)) {
            self.take_out(other);
        }
        (self.cards[card].slot, self.cards[card].diskseq) = (Some(slot), self.next_diskseq);
        self.next_diskseq += 1;
        self.tell(Event::Seen { card: Box::new(self.seen(slot, card)), before: None, with_device: None });
        self.wait();
    }

    /// A card's thread ends: it finds the card done, or writes it well or badly; or it is cut off, all written or not.
    fn end(&mut self, thread: usize, well: bool) {
        let attempt = self.threads.remove(thread % self.threads.len());
        let card = self.card_of(attempt.card.visit.diskseq);
        let is_there = self.cards[card].slot.is_some() && self.cards[card].diskseq == attempt.card.visit.diskseq;
        let own = &mut self.cards[card];
        let end = match &attempt.plan {
            Plan::WriteUnlessDone | Plan::RecheckOnly(_) if own.holds_image && is_there => End::Rechecked(proof()),
            Plan::RecheckOnly(why) => End::Refused(why.clone()),
            _ => {
                own.holds_image = well;
                if well { End::Verified(proof()) } else { End::Failed(Failure::Changed) }
            }
        };
        self.tell(ended(attempt.number, end));
        self.wait();
    }

    fn passed(&self) -> u32 {
        self.station.view(at(self.now)).models[0].order.as_ref().map_or(0, |order| order.passed)
    }

    fn sign(&self, slot: usize) -> Sign {
        self.station.view(at(self.now)).slots[slot].sign.clone()
    }

    fn today(&self) -> DayCount {
        self.station.view(at(self.now)).today
    }

    /// The result of the order by the log alone: cards whose newest row is good and took a place in it.
    fn good_by_log(&self, order: OrderNumber) -> usize {
        let newest = |card: usize| {
            self.log
                .iter()
                .rev()
                .find(|(attempt, outcome)| {
                    attempt.card.cid.as_ref() == Some(&cid(card)) && !matches!(outcome.word().counts(), Counted::Again | Counted::Untouched)
                })
                .is_some_and(|(attempt, outcome)| outcome.is_good() && attempt.order == Some(order))
        };
        (0..self.cards.len()).filter(|card| newest(*card)).count()
    }

    /// The station starts anew with the contents of its log.
    fn start_again(&mut self, slots: usize) {
        let mut standing = self.station.standing.clone();
        for order in &mut standing.orders {
            let good = self.log.iter().filter(|(attempt, outcome)| outcome.is_good() && attempt.order == Some(order.number)).count();
            order.passed = u32::try_from(good).expect("it is small");
        }
        self.threads.clear();
        self.cards.iter_mut().for_each(|card| card.slot = None);
        self.station = Station::new_proven(self.station.settings.clone(), self.station.next_attempt, standing);
        self.configure(slots, true);
    }

    /// Its card leaves at the moment in which every byte of it is proven.
    fn pulled_as_it_was_proven(&mut self, card: usize) {
        self.take_out(card);
        let attempt = self.threads.remove(0);
        self.cards[card].holds_image = true;
        self.tell(ended(attempt.number, End::Verified(proof())));
        self.wait();
    }
}

#[test]
fn a_card_pulled_between_its_proof_and_its_row_takes_its_place_in_the_order_when_it_comes_back_done() {
    for identified in [Identity::Cid, Identity::UsbSerial, Identity::ReaderOnly, Identity::None] {
        let mut bench = Bench::new(2, 3, identified);
        bench.order(1);
        bench.put_in(0, 0);
        bench.pulled_as_it_was_proven(0);
        assert!(matches!(bench.sign(0), Sign::Pulled(_)));
        bench.put_in(0, 0);
        bench.end(0, true);
        assert_eq!((bench.sign(0), bench.passed()), (Sign::Done, 1), "{identified:?}: it is the one card of the order");
        assert_eq!(bench.today(), DayCount { passed: 1, failed: 1 });
        assert!(matches!(bench.log.last(), Some((attempt, Outcome::Found(_))) if attempt.order == Some(1)));
        bench.put_in(1, 1);
        bench.end(0, true);
        assert_eq!(bench.sign(1), Sign::Refused(Refusal::OrderComplete { count: 1 }), "{identified:?}");
        // However often it is rechecked, it counts once.
        for _ in 0..3 {
            bench.put_in(0, 0);
            bench.end(0, true);
            assert_eq!((bench.sign(0), bench.passed(), bench.today().passed), (Sign::Done, 1, 1), "{identified:?}");
        }
    }
}

#[test]
fn a_card_that_a_stop_or_a_crash_cut_off_after_its_last_byte_and_one_made_at_a_bench_count_once_and_no_card_is_made_too_many() {
    for identified in [Identity::Cid, Identity::UsbSerial, Identity::ReaderOnly] {
        let mut bench = Bench::new(2, 5, identified);
        bench.order(3);
        // A stop: its thread is told to end when all is written.
        bench.put_in(0, 0);
        bench.cards[0].holds_image = true;
        bench.tell(Event::Stop);
        let attempt = bench.threads.remove(0);
        bench.tell(ended(attempt.number, End::Cancelled));
        assert!(matches!(bench.log.last(), Some((_, Outcome::Interrupted))));
        bench.start_again(2);
        assert_eq!(bench.passed(), 0);
        bench.put_in(0, 0);
        bench.end(0, true);
        assert_eq!((bench.sign(0), bench.passed()), (Sign::Done, 1), "{identified:?}: it counts when it is found");
        // A crash: the log closes the begun attempts when it is opened again.
        bench.put_in(1, 0);
        bench.cards[1].holds_image = true;
        let attempt = bench.threads.remove(0);
        bench.log.push((attempt, Outcome::Interrupted));
        bench.start_again(2);
        assert_eq!(bench.passed(), 1, "{identified:?}: what was counted stays counted");
        bench.put_in(1, 0);
        bench.end(0, true);
        assert_eq!((bench.sign(0), bench.passed()), (Sign::Done, 2), "{identified:?}");
        // Made by `flashline flash`, in no log or in another one. A card that cannot be distinguished from others counts where it was made.
        bench.cards[2].holds_image = true;
        bench.put_in(2, 1);
        bench.end(0, true);
        let counts = identified != Identity::ReaderOnly;
        assert_eq!((bench.sign(1), bench.passed()), (Sign::Done, if counts { 3 } else { 2 }), "{identified:?}");
        if counts {
            bench.put_in(3, 0);
            bench.end(0, true);
            assert_eq!(bench.sign(0), Sign::Refused(Refusal::OrderComplete { count: 3 }), "{identified:?}");
            bench.start_again(2);
            bench.put_in(4, 0);
            bench.end(0, true);
            assert_eq!(bench.sign(0), Sign::Refused(Refusal::OrderComplete { count: 3 }), "{identified:?}: after a restart, too");
        }
    }
}

#[test]
fn each_card_of_an_order_names_the_work_order_it_is_made_for_and_no_other_card_does() {
    let mut bench = Bench::new(1, 2, Identity::Cid);
    bench.put_in(0, 0);
    bench.end(0, true);
    let command = Command::StartOrder { model: "acme/box".to_owned(), count: 1, name: None, work_order: Some("WO-4711".to_owned()) };
    bench.tell(Event::Asked { request: 1, by: Who { uid: 0, name: "root".to_owned() }, command });
    bench.put_in(1, 0);
    bench.end(0, true);
    let named: Vec<_> = bench.log.iter().map(|(attempt, _)| attempt.labels.work_order.as_deref()).collect();
    assert_eq!(named, [None, Some("WO-4711")]);
}

#[test]
fn a_done_card_that_never_counted_is_not_green_once_the_order_is_complete() {
    for (identified, reuse) in [(Identity::Cid, true), (Identity::UsbSerial, true), (Identity::Cid, false)] {
        let mut bench = Bench::new(2, 3, identified);
        bench.order(1);
        bench.put_in(0, 0);
        bench.pulled_as_it_was_proven(0);
        bench.put_in(1, 1);
        bench.end(0, true);
        assert_eq!((bench.sign(1), bench.passed()), (Sign::Passed, 1));
        bench.configure(2, reuse);
        bench.put_in(0, 0);
        bench.end(0, true);
        assert_eq!(bench.sign(0), Sign::Refused(Refusal::OrderComplete { count: 1 }), "{identified:?}, reuse {reuse}");
        bench.put_in(1, 0);
        bench.end(0, true);
        assert_eq!((bench.sign(0), bench.passed()), (Sign::Done, 1), "the one that counts is done");
    }
}

#[test]
fn a_card_that_counted_and_failed_later_counts_no_more_and_its_register_is_believed_where_a_serial_is_not() {
    for (identified, after) in [(Identity::Cid, [0, 1]), (Identity::UsbSerial, [1, 2])] {
        let mut bench = Bench::new(1, 2, identified);
        bench.order(3);
        bench.put_in(0, 0);
        bench.end(0, true);
        bench.cards[0].holds_image = false;
        bench.put_in(0, 0);
        bench.end(0, false);
        assert_eq!(bench.passed(), after[0], "{identified:?}: a stick with the same serial may be another one");
        bench.put_in(0, 0);
        bench.end(0, true);
        assert_eq!(bench.passed(), after[1], "{identified:?}");
    }
}

#[test]
fn cards_that_share_one_register_count_each_where_two_of_them_are_in_slots_at_once() {
    let mut bench = Bench::new(2, 4, Identity::Cid);
    bench.are_twins = true;
    bench.order(3);
    for (card, slot) in [(0, 0), (1, 1), (2, 0)] {
        bench.put_in(card, slot);
        bench.end(0, true);
    }
    assert_eq!(bench.passed(), 3, "the one that is in the other slot is no earlier life of this one");
    bench.put_in(3, 0);
    assert!(bench.threads.iter().all(|attempt| attempt.plan != Plan::WriteUnlessDone), "the order is complete: {:?}", bench.threads);
}

#[test]
fn a_card_that_left_its_order_with_the_bad_row_of_its_twin_leaves_it_once() {
    let mut bench = Bench::new(2, 2, Identity::Cid);
    bench.are_twins = true;
    bench.order(3);
    bench.put_in(0, 0);
    bench.end(0, true);
    bench.put_in(1, 0);
    bench.end(0, false);
    assert_eq!(bench.passed(), 0, "nobody can know that it is another card");
    bench.put_in(0, 1);
    bench.end(0, true);
    assert_eq!(bench.passed(), 1, "it is found as it was made");
}

#[test]
fn a_card_whose_row_is_on_its_way_to_the_disk_waits_in_another_slot_until_the_log_has_it() {
    let mut bench = Bench::new(2, 1, Identity::Cid);
    bench.order(2);
    bench.put_in(0, 0);
    bench.cards[0].holds_image = true;
    let attempt = bench.threads.remove(0);
    let effects = bench.station.apply(at(bench.now), ended(attempt.number, End::Verified(proof())));
    let Some(Effect::Record(entry)) = effects.into_iter().next() else { panic!("it is recorded") };
    bench.put_in(0, 1);
    assert_eq!((bench.sign(1), bench.threads.len()), (Sign::Preparing, 0), "nobody knows yet whether it counted");
    let Entry::AttemptClosed { attempt, outcome, .. } = *entry else { panic!("it ended") };
    let number: AttemptNumber = attempt.number;
    bench.log.push((*attempt, outcome));
    bench.tell(Event::Recorded(Receipt::Closed(number)));
    bench.wait();
    bench.end(0, true);
    assert_eq!((bench.sign(1), bench.passed()), (Sign::Done, 1));
}

#[test]
fn an_order_that_no_armed_model_answers_to_is_shown_and_the_reload_that_would_bring_it_about_is_known() {
    let mut bench = Bench::new(1, 1, Identity::Cid);
    bench.order(2);
    let device = DeviceModel {
        brand: "acme".to_owned(),
        model: "box-pro".to_owned(),
        series: "16".to_owned(),
        revision: 1,
        sha3_384: "dddd".to_owned(),
        sign_key: None,
    };
    let proven = Armed { model_proof: ModelProof::Proven(device), ..image() };
    let renamed = Armed { model: "acme/other".to_owned(), ..image() };
    for armed in [vec![proven.clone()], vec![renamed], Vec::new()] {
        assert_eq!(bench.station.orphaned_by(&armed).map(|order| order.model.as_str()), Some("acme/box"));
    }
    let skipped = Armed { zeroes: crate::station::armed::Zeroes::Skip, digest: crate::station::outcome::Digest([9; 32]), ..image() };
    assert_eq!(bench.station.orphaned_by(&[skipped]), None, "another image of the same model makes the rest of the order");
    bench.station.armed = vec![proven];
    let models = bench.station.view(at(bench.now)).models;
    let orders: Vec<_> = models.iter().map(|model| (model.device.as_str(), model.armed.is_some(), model.order.is_some())).collect();
    assert_eq!(orders, [("acme/box-pro", true, false), ("acme/box", false, true)], "nobody's order is shown with every status");
    assert_eq!(bench.station.orphaned_by(&[]), None, "what is nobody's already keeps no reload back");
}

#[test]
fn what_the_log_could_not_be_asked_counts_and_an_order_is_rather_short() {
    let known = Ended { outcome: OutcomeWord::Interrupted, image: Some(image().digest.to_string()), order: Some(1) };
    assert!(!Past::Unknown.has_counted(image().digest));
    assert!(Past::OfSlot(None).has_counted(image().digest));
    assert!(!Past::OfSlot(Some(known.clone())).has_counted(image().digest));
    let other = crate::station::outcome::Digest([8; 32]);
    assert!(Past::OfSlot(Some(known.clone())).has_counted(other), "the card that was cut off is of another image");
    let foreign = Ended { outcome: OutcomeWord::from("passed-in-another-way"), ..known };
    assert!(!Past::ByCid(Rows { newest: Some(foreign.clone()), good: None }).has_counted(image().digest), "an unknown word is no good row");
}

proptest! {
    /// Cards come, go and come back, are pulled with the whole image on them, fail, and are found done: by the log there are never more
    /// good ones than were ordered, the order counts as the log does, and it can always be completed.
    #[test]
    fn an_order_counts_each_card_once_however_often_it_comes_back(
        count in 1_u32..6,
        choices in proptest::collection::vec((0_usize..12, 0_usize..4, 0_usize..7), 1..200),
    ) {
        let mut bench = Bench::new(4, 12, Identity::Cid);
        bench.order(count);
        for (card, slot, what) in choices {
            match what {
                0..=2 => bench.put_in(card, slot),
                3 => bench.take_out(card),
                4 if !bench.threads.is_empty() => bench.end(card, false),
                5 | 6 if !bench.threads.is_empty() => bench.end(card, true),
                _ => bench.wait(),
            }
            let good = bench.good_by_log(1);
            prop_assert!(good <= usize::try_from(count).expect("it is small"), "never one too many");
            prop_assert_eq!(good, usize::try_from(bench.passed()).expect("it is small"), "the order and the log agree");
        }
        for turn in 0..40 {
            while !bench.threads.is_empty() {
                bench.end(0, true);
            }
            bench.put_in(turn % 12, turn % 4);
        }
        prop_assert_eq!(bench.passed(), count, "and it is met");
    }
}
