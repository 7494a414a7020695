//! The simulated engine: a thread for each card, which truly writes and reads the simulated card.

use std::time::Duration;

use crate::floor::{Contents, Fault, image_of};
use crate::plant::Plant;
use crate::random::{Random, stream};
use crate::station::armed::Zeroes;
use crate::station::outcome::{Act, CacheFlush, CardHead, Damage, Effort, Failure, MappedProof, Proof, ReadBack, Refusal, StationFault};
use crate::station::record::{Attempt, Plan, Step};
use crate::station::units::Bytes;
use crate::station::{End, Event};
use crate::world::{Claim, What, World};

/// Milliseconds without progress after which a thread has stalled.
const STALL: u64 = 3000;

/// How far a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Opening,
    Rechecking,
    Flushing,
    WritingFirst,
    WritingLast,
    ReadingBack,
    FinishingFirst,
    FinishingLast,
    /// The card, or the image's disk, does not answer.
    Hanging,
}

/// The thread of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) number: u64,
    pub(crate) visit: usize,
    pub(crate) slot: String,
    /// The configurations that had taken effect when it started.
    pub(crate) reloads: u32,
    image: u8,
    span: Bytes,
    is_mapped: bool,
    plan: Plan,
    pub(crate) stage: Stage,
    began: u64,
    until: u64,
    /// The number of the wake-up that counts.
    turn: u32,
    is_cancelled: bool,
    pub(crate) is_stalled: bool,
    /// It hangs because of the station's own disk.
    on_image: bool,
    has_written: bool,
    random: Random,
}

impl Thread {
    fn step(&self) -> Step {
        match self.stage {
            Stage::Rechecking => Step::Rechecking,
            Stage::ReadingBack => Step::ReadingBack,
            Stage::FinishingFirst | Stage::FinishingLast => Step::Finishing,
            Stage::Opening if self.plan != Plan::Write => Step::Rechecking,
            Stage::Opening | Stage::Flushing | Stage::WritingFirst | Stage::WritingLast | Stage::Hanging => Step::Writing,
        }
    }
}

impl World {
    /// Starts the thread of this attempt.
    pub(crate) fn start_thread(&mut self, attempt: &Attempt) {
        let Some(visit) = self.visits.iter().position(|visit| visit.kernel == attempt.card.visit) else { return };
        let Some(armed) = attempt.image.as_ref() else { return };
        let mut random = stream(self.visits[visit].salt, 100 + self.visits[visit].surveys);
        let wait = random.between(5, 80);
        let thread = Thread {
            number: attempt.number,
            visit,
            slot: attempt.slot.clone(),
            reloads: self.daemon.as_ref().map_or(0, |daemon| daemon.reloads),
            image: image_of(armed.digest),
            span: armed.span,
            is_mapped: armed.zeroes == Zeroes::Skip,
            plan: attempt.plan.clone(),
            stage: Stage::Opening,
            began: self.now,
            until: self.now + wait,
            turn: 0,
            is_cancelled: false,
            is_stalled: false,
            on_image: false,
            has_written: false,
            random,
        };
        if let Some(daemon) = &mut self.daemon {
            daemon.threads.push(thread);
        }
        self.in_daemon(wait, What::Wake { number: attempt.number, turn: 0 });
    }

    fn thread(&mut self, number: u64) -> Option<&mut Thread> {
        self.daemon.as_mut()?.threads.iter_mut().find(|thread| thread.number == number)
    }

    /// The thread goes on at the latest after this time, if nothing holds it.
    fn hurry(&mut self, number: u64, after: u64) {
        let now = self.now;
        let Some(thread) = self.thread(number) else { return };
        if thread.stage == Stage::Hanging || thread.until <= now + after {
            return;
        }
        thread.turn += 1;
        thread.until = now + after;
        let turn = thread.turn;
        self.in_daemon(after, What::Wake { number, turn });
    }

    pub(crate) fn cancel_thread(&mut self, number: u64) {
        let Some(thread) = self.thread(number) else { return };
        thread.is_cancelled = true;
        let after = thread.random.between(1, 100);
        self.hurry(number, after);
    }

    /// The card of a visit has left: its thread gets errors.
    pub(crate) fn disturb_thread(&mut self, visit: usize) {
        let Some(daemon) = &mut self.daemon else { return };
        let Some(thread) = daemon.threads.iter_mut().find(|thread| thread.visit == visit) else { return };
        let number = thread.number;
        if thread.stage != Stage::Hanging {
            let after = thread.random.between(1, 250);
            self.hurry(number, after);
        } else if !thread.random.chance(100) {
            // The kernel ends its requests; sometimes it does not.
            thread.turn += 1;
            let (turn, after) = (thread.turn, thread.random.between(0, 5000));
            self.in_daemon(after, What::Wake { number, turn });
        }
    }

    fn next_stage(&mut self, number: u64, stage: Stage) {
        let now = self.now;
        let Some(thread) = self.thread(number) else { return };
        let most = match stage {
            Stage::Rechecking | Stage::ReadingBack => 900,
            Stage::WritingFirst | Stage::WritingLast => 700,
            _ => 60,
        };
        let wait = thread.random.between(10, most);
        if thread.step() != Step::Writing || stage != Stage::WritingLast {
            thread.began = now;
        }
        thread.stage = stage;
        thread.until = now + wait;
        thread.turn += 1;
        let turn = thread.turn;
        self.in_daemon(wait, What::Wake { number, turn });
    }

    fn hang(&mut self, number: u64, seconds: u64, on_image: bool) {
        let now = self.now;
        let Some(thread) = self.thread(number) else { return };
        (thread.stage, thread.began, thread.on_image) = (Stage::Hanging, now, on_image);
        thread.turn += 1;
        let turn = thread.turn;
        if seconds > 0 {
            self.in_daemon(seconds * 1000, What::Wake { number, turn });
        }
    }

    /// A thread has done what it was doing.
    pub(crate) fn wake(&mut self, number: u64, turn: u32) {
        let Some(thread) = self.thread(number).filter(|thread| thread.turn == turn) else { return };
        let (visit, stage, image, plan) = (thread.visit, thread.stage, thread.image, thread.plan.clone());
        let (is_cancelled, span) = (thread.is_cancelled, thread.span);
        let luck = thread.random.below(1000);
        let card = self.visits[visit].card;
        if self.on_bus[self.visits[visit].place] != Some(visit) {
            return self.end_thread(number, End::Gone);
        }
        if is_cancelled {
            return self.end_thread(number, End::Cancelled);
        }
        let fault = self.cards[card].fault;
        let at = Bytes(span.0 / 2);
        let io = |act| End::Failed(Failure::Io { act, at, span, errno: Some(5) });
        match stage {
            Stage::Opening if self.cards[card].mounted => self.end_thread(number, End::Refused(Refusal::Busy)),
            Stage::Opening if luck < 3 && !self.is_cured => {
                self.end_thread(number, End::StationFault(StationFault::Internal { message: "no memory".to_owned() }));
            }
            Stage::Opening if plan != Plan::Write => self.next_stage(number, Stage::Rechecking),
            Stage::Opening => self.next_stage(number, Stage::Flushing),
            Stage::Rechecking if self.holds_image(card, image) && fault == Fault::None => self.end_proven(number, true),
            Stage::Rechecking => match plan {
                Plan::RecheckOnly(refusal) => self.end_thread(number, End::Refused(refusal)),
                Plan::Write | Plan::WriteUnlessDone => self.next_stage(number, Stage::Flushing),
            },
            Stage::Flushing if self.cards[card].flees_flush && !self.fled.contains(&card) => self.flee(number, visit),
            Stage::Flushing => {
                if self.plant == Some(Plant::EngineLies) && luck < 125 {
                    return self.end_proven(number, false);
                }
                self.begin_writing(number, card);
                self.next_stage(number, Stage::WritingFirst);
            }
            Stage::WritingFirst if fault == Fault::Writes => self.end_thread(number, io(Act::Writing)),
            Stage::WritingFirst if fault == Fault::Ignores => self.end_thread(number, End::Failed(Failure::WriteIgnored { at: Bytes(0) })),
            Stage::WritingFirst => match fault {
                Fault::Hangs(seconds) => self.hang(number, seconds, false),
                _ if luck < 4 && !self.is_cured => self.hang(number, luck * 4, true),
                _ => self.next_stage(number, Stage::WritingLast),
            },
            Stage::WritingLast if self.copies[usize::from(image)].is_damaged => {
                let end = if self.plant == Some(Plant::EngineBlamesCard) {
                    io(Act::Writing)
                } else {
                    End::StationFault(StationFault::Image { at, errno: (luck % 2 == 0).then_some(5) })
                };
                self.end_thread(number, end);
            }
            Stage::WritingLast => self.next_stage(number, Stage::ReadingBack),
            Stage::ReadingBack if fault == Fault::Reads => self.end_thread(number, io(Act::Reading)),
            Stage::ReadingBack if fault == Fault::Mismatch => {
                self.end_thread(number, End::Failed(Failure::Mismatch { at, expected: 1, found: 0, damage: Damage::Zeroes }));
            }
            Stage::ReadingBack if fault == Fault::Lies => self.end_thread(number, End::Failed(Failure::FalseCapacity { at, holds: None })),
            Stage::ReadingBack => self.next_stage(number, Stage::FinishingFirst),
            Stage::FinishingFirst => {
                self.cards[card].contents = Contents::Image(image);
                self.next_stage(number, Stage::FinishingLast);
            }
            Stage::FinishingLast => self.end_proven(number, false),
            // A request that took too long ends with an error; one of the station's disk goes on.
            Stage::Hanging if self.thread(number).is_some_and(|thread| thread.on_image && !thread.is_stalled) => {
                self.next_stage(number, Stage::WritingLast);
            }
            Stage::Hanging => self.end_thread(number, io(Act::Writing)),
        }
    }

    fn begin_writing(&mut self, number: u64, card: usize) {
        (self.cards[card].contents, self.cards[card].good_for) = (Contents::Half, None);
        if let Some(thread) = self.thread(number) {
            thread.has_written = true;
        }
    }

    /// A stick that is asked to flush leaves the bus, and comes back.
    fn flee(&mut self, number: u64, visit: usize) {
        let (card, place) = (self.visits[visit].card, self.visits[visit].place);
        self.fled.push(card);
        let away = self.salt_of(visit, 7).between(200, 1500);
        // Nothing was written to it: it is put in as before.
        self.visits[visit].was_sent_away = true;
        self.leave_bus(place, true);
        if let Some(thread) = self.thread(number) {
            thread.turn += 1;
            let (turn, after) = (thread.turn, thread.random.between(1, 200));
            self.in_daemon(after, What::Wake { number, turn });
        }
        self.arrives(away, place, Some(self.now + away), self.visits[visit].salt ^ 1, false);
    }

    fn end_proven(&mut self, number: u64, is_recheck: bool) {
        let Some(thread) = self.thread(number) else { return };
        let (digest, bytes) = (crate::floor::digest_of(thread.image), if thread.is_mapped { Bytes(5) } else { thread.span });
        let back = ReadBack { digest, bytes };
        let end = match (thread.is_mapped, is_recheck) {
            (true, _) => {
                let Some(proof) = MappedProof::conclude(&back, digest, bytes) else { return };
                if is_recheck { End::RecheckedMapped(proof) } else { End::VerifiedMapped(proof) }
            }
            (false, _) => {
                let Some(proof) = Proof::conclude(back, digest, bytes) else { return };
                if is_recheck { End::Rechecked(proof) } else { End::Verified(proof) }
            }
        };
        let visit = thread.visit;
        if let Some(daemon) = &mut self.daemon {
            daemon.claims.push(Claim { attempt: number, visit, is_changed: false });
        }
        self.end_thread(number, end);
    }

    fn end_thread(&mut self, number: u64, end: End) {
        let Some(daemon) = &mut self.daemon else { return };
        let Some(place) = daemon.threads.iter().position(|thread| thread.number == number) else { return };
        let thread = daemon.threads.remove(place);
        // A device of a kind that left the bus once is not asked again.
        let fled = thread.stage == Stage::Flushing && end == End::Gone && self.visits[thread.visit].was_sent_away;
        let effort = Effort {
            head: if thread.has_written { CardHead::Tombstone } else { CardHead::Untouched },
            flush: fled.then_some(CacheFlush::Unanswered),
            ..Effort::default()
        };
        self.send(0, Event::Ended { attempt: number, end, effort });
    }

    /// What the threads report at a tick: progress, and silence.
    pub(crate) fn reports_of_threads(&mut self) -> Vec<Event> {
        let now = self.now;
        let Some(daemon) = &mut self.daemon else { return Vec::new() };
        let mut events = Vec::with_capacity(daemon.threads.len());
        for thread in &mut daemon.threads {
            let (passed, whole) = (now.saturating_sub(thread.began), thread.until.saturating_sub(thread.began).max(1));
            let done = if thread.stage == Stage::Hanging { 1 } else { thread.span.0 * passed.min(whole) / whole };
            events.push(Event::Advanced { attempt: thread.number, step: thread.step(), done: Bytes(done), of: thread.span });
            if thread.stage == Stage::Hanging && !thread.is_stalled && passed >= STALL {
                thread.is_stalled = true;
                let waited = Duration::from_millis(passed);
                events.push(Event::Stalled { attempt: thread.number, waited, on_image: thread.on_image, effort: Effort::default() });
            }
        }
        events
    }
}
