//! Tests of every state that a station with two slots of one reader can reach, and of random walks far beyond.
//!
//! A [`World`] is a station with its surroundings: the cards in the slots, the entries that wait for the disk, the running threads. Its
//! names (of visits, attempts, times) grow without end, but the station's behaviour depends only on which of them are equal. So a state is
//! hashed with names in the order of their appearance, and the walk over all states ends.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use proptest::prelude::*;

use super::loss::{Left, Loss, RETURNS_WITHIN, Returned};
use super::slot::{Phase, Slot};
use super::tests::{at, ended, gone, seen, station, visit};
use super::*;
use crate::station::status::sign::{Hold, OperatorAction, Sign};
use crate::station::status::station_call::StationCall;
use crate::station::testing::{proof, survey};
use crate::station::types::card::{Card, Visit};
use crate::station::types::outcome::{Effort, Failure, Outcome, Refusal};
use crate::station::types::prover::{MissedFault, ProverObstacle, ProverReport, ProverVerdict, ProvingTime, Said, VerifierProof};
use crate::station::types::record::Attempt;
use crate::station::types::request::{Command, Who};

/// Two LUNs of one reader.
const PORTS: [&str; 2] = ["pci-1/usb3-2/lun-0", "pci-1/usb3-2/lun-1"];

/// Longer than settling, than the time in which cards leave together, and than the time in which one comes back by itself.
const A_WHILE: u64 = 3000;

#[derive(Clone, Debug)]
struct World {
    /// Devices may leave the bus with their cards and come back by themselves.
    blinks: bool,
    station: Station,
    now: u64,
    next_diskseq: u64,
    /// The card in each slot, by `DISKSEQ`.
    inserted: [Option<u64>; 2],
    /// The last report to the station about each slot.
    told: [Option<u64>; 2],
    /// The device of the slot's card left the bus since the last report, and came back by itself.
    blinked: [bool; 2],
    /// Cards that came back by themselves after they had been begun, finished or held: none of them may be begun.
    untouchable: HashSet<u64>,
    surveys: Vec<Card>,
    /// Receipts that the log still owes, oldest first.
    unrecorded: VecDeque<Receipt>,
    /// Attempts whose thread runs.
    threads: Vec<(AttemptNumber, Visit)>,
    /// Attempts with a start and no closing entry.
    open: Vec<AttemptNumber>,
    /// Attempts that passed and whose row is on disk; those that wait for it are in `passing`.
    proven: Vec<AttemptNumber>,
    passing: Vec<AttemptNumber>,
    /// The newest attempt that was closed: an attempt is closed once.
    closed: HashSet<AttemptNumber>,
    /// Attempts whose cards were written to after their proof.
    changed: Vec<AttemptNumber>,
}

/// The possible moves. Everything that concerns a slot names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Insert(usize),
    TakeOut(usize),
    /// The card in the slot leaves the bus with its device, and is back at once.
    Blink(usize),
    /// The watch reports the card in the slot: for the first time, late, or once more.
    Tell(usize),
    Wait,
    Survey {
        found: bool,
        admitted: bool,
    },
    Record,
    End(usize, Ending),
    Stall(usize),
    /// Another program writes to the card of this attempt, whatever happened to the card.
    Change(AttemptNumber),
    LogFails,
    LogRecovers,
    /// A shift begins, and the verifier is proven anew.
    ProverBegins,
    /// What came of that, or of a further trial.
    ProverEnds(Proving),
    /// Somebody asks for a restart when the last card is out.
    Restart,
    Stop,
    Nonsense,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Verified,
    Refused,
    Failed,
    Gone,
    Cancelled,
}

/// What comes of a proof of the prover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proving {
    Proven,
    Missed,
    Impossible,
}

const ENDINGS: [Ending; 5] = [Ending::Verified, Ending::Refused, Ending::Failed, Ending::Gone, Ending::Cancelled];

impl World {
    fn new(blinks: bool) -> Self {
        Self {
            blinks,
            station: station(&[("A1", PORTS[0]), ("A2", PORTS[1])]),
            now: 0,
            next_diskseq: 1,
            inserted: [None; 2],
            told: [None; 2],
            blinked: [false; 2],
            untouchable: HashSet::new(),
            surveys: Vec::new(),
            unrecorded: VecDeque::new(),
            threads: Vec::new(),
            open: Vec::new(),
            proven: Vec::new(),
            passing: Vec::new(),
            closed: HashSet::new(),
            changed: Vec::new(),
        }
    }

    /// Every move that is possible now. Outstanding answers are limited, like the daemon's threads and queues.
    fn moves(&self) -> Vec<Move> {
        let mut moves = vec![Move::Wait, Move::Nonsense];
        for slot in 0..2 {
            moves.push(if self.inserted[slot].is_none() { Move::Insert(slot) } else { Move::TakeOut(slot) });
            if self.blinks && self.inserted[slot].is_some() && self.inserted[slot] == self.told[slot] {
                moves.push(Move::Blink(slot));
            }
            moves.push(Move::Tell(slot));
        }
        if !self.surveys.is_empty() {
            for (found, admitted) in [(true, true), (true, false), (false, false)] {
                moves.push(Move::Survey { found, admitted });
            }
        }
        if !self.unrecorded.is_empty() && self.station.log_fault.is_none() {
            moves.push(Move::Record);
        }
        for thread in 0..self.threads.len() {
            moves.extend(ENDINGS.map(|ending| Move::End(thread, ending)));
            moves.push(Move::Stall(thread));
        }
        // A claim is kept from the proof on, and a write to its card is reported once.
        let shown = self.station.slots.iter().filter_map(|slot| match &slot.phase {
            Phase::Recording { attempt, outcome } | Phase::Finished { attempt, outcome } if outcome.is_proven() => Some(attempt.number),
            _ => None,
        });
        moves.extend(shown.map(Move::Change));
        moves.push(if self.station.log_fault.is_none() { Move::LogFails } else { Move::LogRecovers });
        match self.station.verifier {
            Verifier::Proven => moves.push(Move::ProverBegins),
            Verifier::BeingProven | Verifier::Impossible(_) => {
                moves.extend([Proving::Proven, Proving::Missed, Proving::Impossible].map(Move::ProverEnds));
            }
            Verifier::Unproven | Verifier::Missed(_) => {}
        }
        if !self.station.stopping {
            moves.push(Move::Stop);
        }
        if self.station.restart.is_none() {
            moves.push(Move::Restart);
        }
        moves
    }

    fn make(&mut self, choice: Move) {
        match choice {
            Move::Insert(slot) => {
                self.inserted[slot] = Some(self.next_diskseq);
                self.next_diskseq += 1;
            }
            Move::TakeOut(slot) => (self.inserted[slot], self.blinked[slot]) = (None, false),
            Move::Blink(slot) => {
                (self.inserted[slot], self.blinked[slot]) = (Some(self.next_diskseq), true);
                self.next_diskseq += 1;
            }
            Move::Tell(slot) => {
                let blinked = std::mem::take(&mut self.blinked[slot]);
                if let Some(before) = self.told[slot].filter(|before| self.inserted[slot] != Some(*before)) {
                    // Only an attempt that is still waited for may be begun after it blinked.
                    let waited_for =
                        matches!(self.station.slots[slot].phase, Phase::Settling { .. } | Phase::Surveying { .. } | Phase::Empty)
                            && self.station.slots[slot].returned.is_none();
                    let another = self.station.slots[slot].phase.attempt().is_some_and(|attempt| attempt.card.visit != visit(before));
                    let was_untouchable = self.untouchable.remove(&before);
                    if blinked && (was_untouchable || !(waited_for || another || self.station.slots[slot].phase == Phase::OutOfService)) {
                        self.untouchable.extend(self.inserted[slot]);
                    }
                    self.tell(Event::Gone { visit: visit(before), with_device: blinked });
                }
                if let Some(diskseq) = self.inserted[slot] {
                    let back = Event::Seen {
                        card: Box::new(crate::station::testing::card(PORTS[slot], diskseq)),
                        before: None,
                        with_device: Some(Duration::ZERO),
                    };
                    self.tell(if blinked { back } else { seen(PORTS[slot], diskseq) });
                }
                self.told[slot] = self.inserted[slot];
            }
            Move::Wait => {
                self.now += A_WHILE;
                self.tell(Event::Tick);
            }
            Move::Survey { found, admitted } => {
                let card = self.surveys.remove(0);
                let mut answer = survey(&card.port.0, card.visit.diskseq);
                answer.card.write_protected = !admitted;
                self.tell(Event::Surveyed { visit: card.visit, survey: found.then(|| Box::new(answer)) });
            }
            Move::Record => {
                let receipt = self.unrecorded.pop_front().expect("there is one");
                if let Receipt::Closed(number) = receipt
                    && let Some(place) = self.passing.iter().position(|passing| *passing == number)
                {
                    self.proven.push(self.passing.remove(place));
                }
                self.tell(Event::Recorded(receipt));
            }
            Move::End(thread, ending) => {
                let (attempt, _) = self.threads.remove(thread);
                let end = match ending {
                    Ending::Verified => End::Verified(proof()),
                    Ending::Refused => End::Refused(Refusal::Busy),
                    Ending::Failed => End::Failed(Failure::Changed),
                    Ending::Gone => End::Gone,
                    Ending::Cancelled => End::Cancelled,
                };
                self.tell(ended(attempt, end));
            }
            Move::Stall(thread) => {
                let (attempt, _) = self.threads[thread];
                self.tell(Event::Stalled { attempt, waited: Duration::from_secs(90), on_image: false, effort: Effort::default() });
            }
            Move::Change(attempt) => {
                self.changed.push(attempt);
                self.tell(Event::Changed { attempt, sectors: 8 });
            }
            Move::LogFails => self.tell(Event::LogHealth(Some("disk full".to_owned()))),
            Move::LogRecovers => self.tell(Event::LogHealth(None)),
            Move::ProverBegins => self.tell(Event::Prover(ProverReport::Begun)),
            Move::ProverEnds(proving) => {
                let verdict = match proving {
                    Proving::Proven => ProverVerdict::Proven(VerifierProof { direct: true, planted: 17, took: Duration::ZERO }),
                    Proving::Missed => ProverVerdict::Missed(MissedFault { planted: None, said: Said::NotDone }),
                    Proving::Impossible => ProverVerdict::Impossible(ProverObstacle::Internal { message: String::new() }),
                };
                self.tell(Event::Prover(ProverReport::Ended { time: ProvingTime::Shift, verdict }));
            }
            Move::Restart => {
                let by = Who { uid: 0, name: "root".to_owned() };
                self.tell(Event::Asked { request: 0, by, command: Command::Restart });
            }
            Move::Stop => self.tell(Event::Stop),
            Move::Nonsense => {
                let before = self.station.clone();
                self.tell(ended(9999, End::Verified(proof())));
                self.tell(gone(9999));
                self.tell(Event::Changed { attempt: 9999, sectors: 8 });
                self.tell(Event::Recorded(Receipt::Started(9999)));
                self.tell(Event::Recorded(Receipt::Closed(9999)));
                self.tell(Event::Recorded(Receipt::Changed(9999)));
                self.tell(Event::Surveyed { visit: visit(9999), survey: None });
                self.tell(seen("elsewhere", 9999));
                assert_eq!(self.station, before, "an event that does not fit changes nothing");
            }
        }
    }

    fn tell(&mut self, event: Event) {
        for effect in self.station.apply(at(self.now), event) {
            match effect {
                Effect::Survey(card) => self.surveys.push(*card),
                Effect::Identify(card) => panic!("every card here is known when it is seen: {card:?}"),
                Effect::Record(entry) => {
                    match &*entry {
                        Entry::AttemptStarted(attempt) => {
                            assert!(self.station.restart.is_none(), "nothing is begun in a station that is to restart");
                            assert_eq!(self.station.verifier, Verifier::Proven, "nothing is begun before the verifier is proven");
                            self.open.push(attempt.number);
                        }
                        Entry::AttemptClosed { attempt, outcome, .. } => {
                            assert!(self.closed.insert(attempt.number), "no attempt is closed twice");
                            self.open.retain(|open| *open != attempt.number);
                            if outcome.is_good() {
                                let missed = matches!(self.station.verifier, Verifier::Missed(_));
                                assert!(!missed, "no card passes by a verifier that missed a fault");
                                self.passing.push(attempt.number);
                            }
                        }
                        Entry::AttemptChanged { attempt, .. } => {
                            assert!(self.closed.contains(&attempt.number), "what changed was closed before");
                        }
                        _ => {}
                    }
                    self.unrecorded.extend(entry.receipt());
                }
                Effect::Start(attempt) => {
                    assert!(!self.station.stopping, "nothing starts in a station that stops");
                    assert!(!matches!(self.station.verifier, Verifier::Missed(_)), "nothing starts behind a missed fault");
                    assert!(!self.untouchable.contains(&attempt.card.visit.diskseq), "what came back by itself is not begun");
                    let started = Receipt::Started(attempt.number);
                    assert!(!self.unrecorded.contains(&started), "the start is on disk before the thread starts");
                    assert!(self.threads.iter().all(|(_, visit)| *visit != attempt.card.visit), "no card has two threads");
                    self.threads.push((attempt.number, attempt.card.visit));
                }
                Effect::RecordAsked { request, .. } => self.unrecorded.push_back(Receipt::Asked(request)),
                Effect::Cancel(_) | Effect::Answer { .. } | Effect::Restage { .. } => {}
            }
        }
        self.check();
    }

    /// The properties, each a sentence.
    fn check(&self) {
        let view = self.station.view(at(self.now));
        for (slot, shown) in self.station.slots.iter().zip(&view.slots) {
            if shown.sign == Sign::Passed {
                assert!(shown.attempt.is_some_and(|attempt| self.proven.contains(&attempt)), "never green before the row is recorded");
                assert!(shown.attempt.is_some_and(|attempt| !self.changed.contains(&attempt)), "never green and changed");
            }
            assert!(shown.call != OperatorAction::TakeGood || view.fault.is_none(), "nothing is green while the station has a fault");
            if let Phase::Finished { attempt, outcome } = &slot.phase {
                let another = slot.present.as_ref().is_some_and(|card| card.visit != attempt.card.visit);
                assert!(!another, "the lamp never speaks of another card");
                assert!(slot.present.is_some() || matches!(outcome, Outcome::Pulled(_)), "only PULLED outlives its card");
            }
            let threads = self
                .threads
                .iter()
                .filter(|(number, _)| slot.phase.attempt().is_some_and(|attempt| attempt.number == *number) || slot.stuck == Some(*number));
            assert!(threads.count() <= 1, "no slot runs two jobs");
        }
        if self.station.restart.is_some() {
            let takes = view.slots.iter().any(|slot| slot.call == OperatorAction::PutIn);
            assert!(!takes, "no slot of a station that is to restart looks as if it took a card");
        }
        if self.station.may_restart(at(self.now)) {
            let is_green = view.slots.iter().any(|slot| slot.call == OperatorAction::TakeGood);
            assert!(self.station.is_idle() && self.threads.is_empty() && !is_green, "a restart loses no card, and no green one");
        }
        let waits = |slot: &super::slot::Slot| matches!(slot.phase, Phase::Finished { .. } | Phase::Held(_));
        match view.call() {
            StationCall::Well => assert!(!self.station.slots.iter().any(waits), "nobody is wanted only while no card waits"),
            StationCall::Wanted => assert!(self.station.slots.iter().any(waits), "somebody is wanted only where a card waits"),
            StationCall::Fault => {}
        }
        let is_out = self.station.slots.iter().any(|slot| slot.phase == Phase::OutOfService);
        let is_distrusted = matches!(self.station.verifier, Verifier::Impossible(_) | Verifier::Missed(_));
        let has_fault = self.station.log_fault.is_some() || is_out || is_distrusted;
        assert_eq!(view.call() == StationCall::Fault, has_fault, "the station's lamp shows a fault where there is one, and nowhere else");
        assert!(self.threads.len() <= 2, "every thread belongs to a slot");
        for attempt in &self.open {
            let held = self.station.slots.iter().any(|slot| slot.phase.attempt().is_some_and(|own| own.number == *attempt));
            assert!(held, "an attempt without a closing entry is some slot's work, so that it will get one");
        }
    }

    /// Lets all begun attempts end.
    fn settle(mut self) {
        self.make(Move::LogRecovers);
        if !self.station.stopping {
            self.make(Move::Stop);
        }
        for _ in 0..8 {
            while !self.threads.is_empty() {
                self.make(Move::End(0, Ending::Cancelled));
            }
            self.make(Move::Wait);
            while !self.unrecorded.is_empty() {
                self.make(Move::Record);
            }
        }
        assert!(self.station.is_idle(), "a stopped station comes to rest");
        assert!(self.open.is_empty(), "every started attempt gets exactly one closing event");
    }

    /// With names that depend only on the order of their appearance.
    fn canonical(&self) -> u64 {
        let mut world = self.clone();
        let mut names = Names::default();
        let mut hasher = DefaultHasher::new();
        for row in &mut world.station.rows.0 {
            // Asked only whether a survey that is under way was asked before.
            let misses = |(place, slot): (usize, &Slot)| match (&slot.phase, row.durable_at) {
                (Phase::Surveying { since, .. }, Some(durable_at)) if *since <= durable_at => 1 << place,
                _ => 0,
            };
            let missed: u64 = self.station.slots.iter().enumerate().map(misses).sum();
            row.durable_at = row.durable_at.map(|_| at(missed));
            names.attempt(&mut row.attempt);
            match &mut row.receipt {
                Receipt::Started(number) | Receipt::Closed(number) | Receipt::Changed(number) | Receipt::Asked(number) => {
                    names.number(number);
                }
            }
        }
        for slot in &mut world.station.slots {
            if let Some(card) = &mut slot.present {
                names.visit(&mut card.visit);
            }
            // A card that left before the last wait is no longer compared with anything.
            slot.loss = slot.loss.take().filter(|loss| at(world.now).since(loss.at) <= RETURNS_WITHIN).map(|mut loss| {
                // Used only for cards that come back by themselves.
                if !world.blinks {
                    loss.left = Left::Waiting;
                }
                names.left(&mut loss.left);
                loss.card.visit = visit(0);
                Loss { at: at(0), visit: visit(0), ..loss }
            });
            if let Some(Returned { left, card }) = &mut slot.returned {
                names.left(left);
                card.visit = visit(0);
            }
            // Counted, but never used in a decision.
            slot.returns = slot.returns.min(1);
            match &mut slot.phase {
                Phase::Settling { visit, since, .. } => {
                    names.visit(visit);
                    *since = at(0);
                }
                Phase::Surveying { visit, since, .. } => {
                    names.visit(visit);
                    *since = at(0);
                }
                Phase::Opening { attempt } | Phase::Recording { attempt, .. } | Phase::Finished { attempt, .. } => names.attempt(attempt),
                Phase::Leaving { attempt, since, .. } => {
                    names.attempt(attempt);
                    *since = at(0);
                }
                Phase::Busy { attempt, work } => {
                    names.attempt(attempt);
                    (work.step_began, work.last_heard) = (at(0), at(0));
                }
                Phase::Held(hold) => Names::hold(hold),
                Phase::Empty | Phase::OutOfService => {}
            }
            if let Some((visit, _)) = &mut slot.held_later {
                names.visit(visit);
            }
            if let Some(visit) = &mut slot.given_up {
                names.visit(visit);
            }
            if let Some(stuck) = &mut slot.stuck {
                names.number(stuck);
            }
        }
        world.station.next_attempt = 0;
        if let Some(asked) = &mut world.station.restart {
            // Asked only whether it is long ago.
            asked.quiet_since = asked.quiet_since.map(|since| at(u64::from(at(world.now).since(since) >= Duration::from_millis(A_WHILE))));
        }
        // Two slots need more failed cards than any walk makes to be told apart.
        assert!(world.station.standing.quarantines.is_empty(), "no walk closes a slot");
        world.station.failures = Failures::default();
        // Counted, but never used in a decision.
        world.station.today = DayCount::default();
        // Of these, only a card that a slot shows as proven is ever reported, and it is in the slot.
        world.station.proven = Proven::default();
        for diskseq in world.inserted.iter_mut().chain(&mut world.told).flatten() {
            names.diskseq(diskseq);
        }
        let untouchable = self.inserted.map(|diskseq| diskseq.is_some_and(|diskseq| self.untouchable.contains(&diskseq)));
        (untouchable, world.blinked).hash(&mut hasher);
        for card in &mut world.surveys {
            names.visit(&mut card.visit);
        }
        for receipt in &mut world.unrecorded {
            match receipt {
                Receipt::Started(number) | Receipt::Closed(number) | Receipt::Changed(number) | Receipt::Asked(number) => {
                    names.number(number);
                }
            }
        }
        for (number, visit) in &mut world.threads {
            names.number(number);
            names.visit(visit);
        }
        // Of all passes, only those still shown or still waiting can matter.
        let shown: Vec<AttemptNumber> = self
            .station
            .slots
            .iter()
            .filter_map(|slot| slot.phase.attempt())
            .map(|attempt| attempt.number)
            .filter(|number| self.proven.contains(number))
            .collect();
        (world.station, world.inserted, world.told, world.surveys, world.unrecorded, world.threads).hash(&mut hasher);
        (shown.len(), self.passing.len(), self.open.len()).hash(&mut hasher);
        hasher.finish()
    }
}

/// New names for old ones, in the order they are met.
#[derive(Default)]
struct Names {
    visits: Vec<u64>,
    attempts: Vec<AttemptNumber>,
}

impl Names {
    fn name(known: &mut Vec<u64>, value: &mut u64) {
        let place = known.iter().position(|before| before == value).unwrap_or_else(|| {
            known.push(*value);
            known.len() - 1
        });
        *value = crate::station::units::to_u64(place);
    }

    fn diskseq(&mut self, diskseq: &mut u64) {
        Self::name(&mut self.visits, diskseq);
    }

    fn visit(&mut self, visit: &mut Visit) {
        Self::name(&mut self.visits, &mut visit.diskseq);
    }

    fn number(&mut self, number: &mut AttemptNumber) {
        Self::name(&mut self.attempts, number);
    }

    fn left(&mut self, left: &mut Left) {
        match left {
            Left::Finished { attempt, .. } => self.attempt(attempt),
            Left::Held(hold) => Self::hold(hold),
            Left::Waiting | Left::Begun | Left::Found => {}
        }
    }

    /// The number of returns is counted, but never used in a decision.
    fn hold(hold: &mut Hold) {
        if let Hold::Returned { times } = hold {
            *times = 1;
        }
    }

    fn attempt(&mut self, attempt: &mut Attempt) {
        self.number(&mut attempt.number);
        self.visit(&mut attempt.card.visit);
    }
}

/// Walks to every state that can be reached by the moves `allowed`, and checks the properties in each.
fn explore(blinks: bool, allowed: impl Fn(Move) -> bool) -> usize {
    let mut seen = HashSet::new();
    let mut waiting = VecDeque::from([World::new(blinks)]);
    seen.insert(World::new(blinks).canonical());
    while let Some(world) = waiting.pop_front() {
        for choice in world.moves().into_iter().filter(|choice| allowed(*choice)) {
            let mut next = world.clone();
            next.make(choice);
            // A survey that is never answered while cards come and go: the daemon has a thread for each, and the walk needs no more.
            if next.surveys.len() <= 2 && seen.insert(next.canonical()) {
                next.clone().settle();
                waiting.push_back(next);
            }
        }
    }
    seen.len()
}

#[test]
fn in_every_state_one_slot_can_reach_the_lamp_tells_the_truth() {
    let second_slot = |choice| matches!(choice, Move::Insert(1) | Move::TakeOut(1) | Move::Blink(1) | Move::Tell(1));
    let states = explore(true, |choice| !second_slot(choice));
    println!("one slot: {states} states");
    assert!(states > 500, "the walk was cut short: {states} states");
}

#[test]
fn in_every_state_two_slots_of_one_reader_can_reach_the_lamps_tell_the_truth() {
    // The log's faults, proofs of the prover, stops, stalls and cards that come back by themselves are explored with one slot; here the subject is what slots
    // share.
    let states = explore(false, |choice| {
        !matches!(
            choice,
            Move::LogFails
                | Move::ProverBegins
                | Move::Restart
                | Move::Stop
                | Move::Stall(_)
                | Move::Nonsense
                | Move::End(_, Ending::Refused | Ending::Cancelled)
        )
    });
    println!("two slots: {states} states");
    assert!(states > 10_000, "the walk was cut short: {states} states");
}

proptest! {
    #[test]
    fn over_any_sequence_the_lamps_tell_the_truth_and_every_attempt_is_closed_once(choices in proptest::collection::vec(any::<u16>(), 1..500)) {
        let mut world = World::new(true);
        for choice in choices {
            let moves = world.moves();
            world.make(moves[usize::from(choice) % moves.len()]);
        }
        world.settle();
    }
}
