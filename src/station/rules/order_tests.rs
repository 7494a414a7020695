//! Tests of orders and commands with a whole line of slots.

use proptest::prelude::*;

use super::tests::{at, ended, seen, visit};
use super::{Effect, End, Event, Station};
use crate::station::status::sign::{OperatorAction, Sign};
use crate::station::testing::{armed_by, image, proof, survey};
use crate::station::types::outcome::{Effort, Failure, Outcome, Refusal};
use crate::station::types::record::{AttemptNumber, ClosedBox, Entry, Plan, Receipt};
use crate::station::types::request::{Command, Denied, Target, Who};
use crate::station::types::settings::{Configuration, Policy, SlotSettings, StationSettings};
use crate::station::types::standing::Standing;

/// A station of sixteen slots; everything around it answers at once, except the threads of cards.
pub(super) struct Line {
    pub(super) station: Station,
    pub(super) now: u64,
    next_diskseq: u64,
    pub(super) threads: Vec<(AttemptNumber, Plan)>,
    closed: Vec<(Plan, Outcome)>,
    /// Every box of an order that was closed.
    pub(super) boxes: Vec<ClosedBox>,
    /// The disk takes its time: receipts come only on request.
    slow_disk: bool,
    owed: Vec<Receipt>,
    answers: Vec<Result<(), Denied>>,
}

fn port(slot: usize) -> String {
    format!("p{slot}")
}

impl Line {
    fn new(slots: usize, recheck_done: bool) -> Self {
        Self::going_on(slots, recheck_done, None, Standing::default())
    }

    /// A station that starts with the requests in its log.
    pub(super) fn going_on(slots: usize, recheck_done: bool, box_size: Option<u32>, standing: Standing) -> Self {
        let settings = StationSettings {
            name: "line".to_owned(),
            settle: std::time::Duration::ZERO,
            flash_present: false,
            first_off: false,
            recheck_done,
            box_size,
        };
        let slots = (0..slots).map(|slot| SlotSettings {
            name: format!("A{slot}"),
            ports: vec![crate::station::port::Port(port(slot))],
            model: "acme/box".to_owned(),
            policy: Policy::default(),
        });
        let configuration = Configuration {
            station: settings.clone(),
            slots: slots.collect(),
            armed: vec![image()],
            unarmed: Vec::new(),
            distrusted: Vec::new(),
            by: armed_by(),
        };
        let station = Station::new_proven(settings, 1, standing);
        let mut line = Self {
            station,
            now: 0,
            next_diskseq: 1,
            threads: Vec::new(),
            closed: Vec::new(),
            boxes: Vec::new(),
            slow_disk: false,
            owed: Vec::new(),
            answers: Vec::new(),
        };
        line.tell(Event::Configure(Box::new(configuration)));
        line
    }

    pub(super) fn tell(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.station.apply(at(self.now), event) {
                match effect {
                    Effect::Identify(card) => events.push(Event::Identified { visit: card.visit, card: Some(card) }),
                    Effect::Survey(card) => {
                        let mut survey = survey(&card.port.0, card.visit.diskseq);
                        let visit = card.visit;
                        survey.card = *card;
                        events.push(Event::Surveyed { visit, survey: Some(Box::new(survey)) });
                    }
                    Effect::Record(entry) => {
                        if let Entry::AttemptClosed { attempt, outcome, .. } = &*entry {
                            self.closed.push((attempt.plan.clone(), outcome.clone()));
                        }
                        if let Entry::BoxClosed { closed, .. } = &*entry {
                            self.boxes.push(*closed);
                        }
                        match entry.receipt() {
                            Some(receipt) if self.slow_disk => self.owed.push(receipt),
                            receipt => events.extend(receipt.map(Event::Recorded)),
                        }
                    }
                    Effect::RecordAsked { request, .. } => events.push(Event::Recorded(Receipt::Asked(request))),
                    Effect::Start(attempt) => self.threads.push((attempt.number, attempt.plan)),
                    Effect::Cancel(_) | Effect::Restage { .. } => {}
                    Effect::Answer { answer, .. } => self.answers.push(answer),
                }
            }
        }
    }

    pub(super) fn ask(&mut self, command: Command) -> Result<(), Denied> {
        self.tell(Event::Asked { request: 1, by: Who { uid: 0, name: "root".to_owned() }, command });
        self.answers.pop().expect("every question is answered")
    }

    pub(super) fn order(&mut self, count: u32) -> Result<(), Denied> {
        self.ask(Command::StartOrder { model: "acme/box".to_owned(), count, name: None, work_order: None })
    }

    /// Puts another card into a slot, replacing the one that may be there.
    pub(super) fn put_in(&mut self, slot: usize) {
        if let Some(card) = self.station.slots[slot].present.clone() {
            self.tell(Event::Gone { visit: card.visit, with_device: false });
        }
        let mut seen = seen(&port(slot), self.next_diskseq);
        if let Event::Seen { card, .. } = &mut seen {
            card.serial = Some(format!("S-{}", self.next_diskseq));
        }
        self.tell(seen);
        self.next_diskseq += 1;
        self.wait();
    }

    fn wait(&mut self) {
        self.now += 2000;
        self.tell(Event::Tick);
    }

    pub(super) fn end(&mut self, thread: usize, end: End) {
        let (attempt, plan) = self.threads.remove(thread % self.threads.len());
        // A card that may only be read is never written, so it never passes.
        let end = match (plan, end) {
            (Plan::RecheckOnly(why), End::Verified(_)) => End::Refused(why),
            (_, end) => end,
        };
        self.tell(ended(attempt, end));
        self.wait();
    }

    /// A thread does not return from the kernel in time; later it does, with any result.
    fn stall(&mut self, thread: usize) {
        let (attempt, _) = self.threads[thread % self.threads.len()];
        self.tell(Event::Stalled { attempt, waited: std::time::Duration::from_secs(60), on_image: false, effort: Effort::default() });
        self.end(thread, End::Verified(proof()));
    }

    /// One more entry is on disk.
    fn deliver(&mut self, which: usize) {
        if !self.owed.is_empty() {
            let receipt = self.owed.remove(which % self.owed.len());
            self.tell(Event::Recorded(receipt));
        }
    }

    pub(super) fn passed(&self) -> usize {
        self.closed.iter().filter(|(_, outcome)| outcome.is_good()).count()
    }

    fn sign(&self, slot: usize) -> Sign {
        self.station.view(at(self.now)).slots[slot].sign.clone()
    }
}

#[test]
fn the_last_cards_of_an_order_wait_for_those_under_way_and_take_their_place_if_one_fails() {
    let mut line = Line::new(3, false);
    line.order(2).expect("it begins");
    (0..3).for_each(|slot| line.put_in(slot));
    assert_eq!(line.threads.len(), 2, "two are wanted and two are made");
    assert_eq!(line.sign(2), Sign::OrderUnderWay { count: 2 });
    line.end(0, End::Failed(Failure::Changed));
    assert_eq!(line.sign(2), Sign::Writing, "one failed, so the third is needed");
    line.end(0, End::Verified(proof()));
    line.end(0, End::Verified(proof()));
    assert_eq!(line.passed(), 2);
    line.put_in(0);
    assert_eq!(line.sign(0), Sign::Refused(Refusal::OrderComplete { count: 2 }));
    line.tell(Event::Gone { visit: visit(line.next_diskseq - 1), with_device: false });
    let view = line.station.view(at(line.now));
    assert_eq!((&view.slots[0].sign, view.slots[0].call), (&Sign::OrderComplete { count: 2 }, OperatorAction::Nothing));
    assert_eq!(view.models[0].order.as_ref().map(|order| (order.passed, order.count, order.under_way)), Some((2, 2, 0)));
}

#[test]
fn an_order_that_is_stopped_frees_the_slots_and_an_open_one_is_not_replaced_by_chance() {
    let mut line = Line::new(1, false);
    line.order(1).expect("it begins");
    assert!(matches!(line.order(5), Err(Denied::OrderOpen { .. })), "the open one says so");
    line.put_in(0);
    line.end(0, End::Verified(proof()));
    line.order(5).expect("a complete one makes room for the next");
    line.ask(Command::StopOrder { model: "acme/box".to_owned() }).expect("it can be stopped");
    assert_eq!(line.ask(Command::StopOrder { model: "acme/box".to_owned() }), Err(Denied::NoOrder { model: "acme/box".to_owned() }));
    line.put_in(0);
    assert_eq!(line.sign(0), Sign::Writing);
    assert_eq!(line.order(0), Err(Denied::OrderOfNothing));
    let unknown = line.ask(Command::StartOrder { model: "acme/bok".to_owned(), count: 1, name: None, work_order: None });
    assert!(unknown.is_err_and(|denied| denied.to_string().contains("acme/box")), "the error names those there are");
}

#[test]
fn a_finished_card_is_done_again_and_counted_once_also_when_the_order_is_complete() {
    let mut line = Line::new(1, true);
    line.order(2).expect("it begins");
    line.put_in(0);
    assert_eq!(line.sign(0), Sign::Rechecking, "a card is looked at before it is erased");
    line.end(0, End::Verified(proof()));
    for _ in 0..5 {
        line.put_in(0);
        line.end(0, End::Rechecked(proof()));
        let view = line.station.view(at(line.now));
        assert_eq!((&view.slots[0].sign, view.slots[0].call), (&Sign::Done, OperatorAction::TakeGood));
        assert_eq!((view.today.passed, view.models[0].order.as_ref().map(|order| order.passed)), (1, Some(1)), "counted once");
    }
    line.put_in(0);
    line.end(0, End::Verified(proof()));
    line.put_in(0);
    line.end(0, End::Rechecked(proof()));
    let complete = Refusal::OrderComplete { count: 2 };
    let (plan, outcome) = line.closed.last().expect("it was closed");
    assert_eq!((plan, outcome), (&Plan::RecheckOnly(complete), &Outcome::Rechecked(proof())), "and nothing may be written then");
}

#[test]
fn a_slot_that_somebody_disarmed_begins_no_card_and_finishes_the_one_it_has() {
    let mut line = Line::new(2, false);
    line.put_in(0);
    let slot = Target::Slot("A0".to_owned());
    let disarm = Command::Disarm { target: slot.clone(), reason: Some("bent contacts".to_owned()) };
    line.ask(disarm.clone()).expect("it can be disarmed");
    line.end(0, End::Verified(proof()));
    assert_eq!(line.sign(0), Sign::Passed);
    line.put_in(0);
    assert_eq!(line.sign(0), Sign::Refused(Refusal::NoArmedImage));
    line.tell(Event::Gone { visit: visit(line.next_diskseq - 1), with_device: false });
    assert_eq!(line.sign(0), Sign::Disarmed("disarmed by root: bent contacts".to_owned()));
    line.put_in(1);
    assert_eq!(line.sign(1), Sign::Writing, "the others go on");
    line.ask(Command::Arm { target: slot.clone() }).expect("it can be armed again");
    assert_eq!(line.sign(0), Sign::Empty);
    assert_eq!(line.ask(Command::Arm { target: slot.clone() }), Err(Denied::NotDisarmed(slot)));
    line.tell(Event::LogHealth(Some("disk full".to_owned())));
    assert_eq!(line.ask(disarm), Err(Denied::LogFault), "what cannot be written down does not happen");
}

#[test]
fn a_slot_that_is_looked_for_winks_for_half_a_minute() {
    let mut line = Line::new(1, false);
    line.ask(Command::Identify { slot: "A0".to_owned() }).expect("it is there");
    let winks = |line: &Line, later: u64| line.station.view(at(line.now + later)).slots[0].identify;
    assert!(winks(&line, 29_000) && !winks(&line, 30_000));
    let unknown = line.ask(Command::Identify { slot: "B0".to_owned() });
    assert_eq!(unknown, Err(Denied::NoSuchSlot { slot: "B0".to_owned(), known: vec!["A0".to_owned()] }));
}

proptest! {
    /// Whatever fails, leaves, stalls or is put in, however long the disk takes: never one card too many, and never a slot that waits
    /// forever.
    #[test]
    fn an_order_is_met_exactly_whatever_happens_to_its_cards(
        count in 1_u32..30,
        choices in proptest::collection::vec((0_usize..16, 0_usize..9), 1..300),
        slow_disk: bool,
    ) {
        let mut line = Line::new(16, true);
        line.order(count).expect("it begins");
        line.slow_disk = slow_disk;
        let wanted = usize::try_from(count).expect("it is small");
        for (which, what) in choices {
            match what {
                0 | 1 => line.put_in(which),
                2 if !line.threads.is_empty() => line.end(which, End::Verified(proof())),
                3 if !line.threads.is_empty() => line.end(which, End::Failed(Failure::Changed)),
                4 if !line.threads.is_empty() => line.end(which, End::Rechecked(proof())),
                5 => {
                    if let Some(card) = line.station.slots[which].present.clone() {
                        line.tell(Event::Gone { visit: card.visit, with_device: false });
                    }
                }
                6 | 7 => line.deliver(which),
                8 if !line.threads.is_empty() => line.stall(which),
                _ => line.wait(),
            }
            prop_assert!(line.passed() <= wanted, "never one too many");
        }
        // From here on every card is good, and is taken out when it is done.
        line.slow_disk = false;
        while !line.owed.is_empty() {
            line.deliver(0);
        }
        line.wait();
        while line.passed() < wanted {
            let before = line.passed();
            (0..16).for_each(|slot| line.put_in(slot));
            while !line.threads.is_empty() {
                line.end(0, End::Verified(proof()));
            }
            prop_assert!(line.passed() > before, "good cards bring the order forward");
        }
        prop_assert_eq!(line.passed(), wanted);
    }
}

#[test]
fn a_receipt_that_comes_twice_counts_once() {
    let mut line = Line::new(1, false);
    line.order(2).expect("it begins");
    line.put_in(0);
    let attempt = line.threads[0].0;
    line.end(0, End::Verified(proof()));
    line.tell(Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(line.station.view(at(0)).models[0].order.as_ref().map(|order| order.passed), Some(1));
}

#[test]
fn whoever_asks_is_told_when_it_is_on_disk_and_not_before() {
    let mut line = Line::new(1, false);
    let by = Who { uid: 0, name: "root".to_owned() };
    let command = Command::Disarm { target: Target::Slot("A0".to_owned()), reason: None };
    let effects = line.station.apply(at(0), Event::Asked { request: 7, by, command });
    assert!(matches!(effects.as_slice(), [Effect::RecordAsked { request: 7, .. }]), "{effects:?}");
    assert!(matches!(line.sign(0), Sign::Disarmed(_)), "it holds at once");
    let effects = line.station.apply(at(1), Event::Recorded(Receipt::Asked(7)));
    assert_eq!(effects, [Effect::Answer { request: 7, answer: Ok(()) }]);
}
