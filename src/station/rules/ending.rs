//! An attempt ends: its outcome is decided, recorded, and only then shown.

use std::time::Duration;

use super::slot::{Phase, Slot};
use super::{Effect, End, Station};
use crate::station::types::outcome::{CacheFlush, CardHead, Effort, Failure, Outcome, Pull, Refusal, StationFault};
use crate::station::types::record::{Attempt, AttemptNumber, Entry, Plan, Step};
use crate::station::types::units::{Bytes, Moment};

/// The errno for a missing answer (`asm-generic/errno.h`).
const ETIMEDOUT: i32 = 110;

/// Cards of one reader or hub that leave within this time have one cause.
const LOST_TOGETHER: Duration = Duration::from_secs(1);

impl Station {
    /// Attempts whose card left are closed once it is known which cards left with it.
    pub(super) fn close_those_who_left(&mut self, now: Moment) -> Vec<Effect> {
        let waited = |slot: &Slot| matches!(slot.phase, Phase::Leaving { since, .. } if self.stopping || now.since(since) >= LOST_TOGETHER);
        let closing: Vec<(usize, Pull)> =
            (0..self.slots.len()).filter(|index| waited(&self.slots[*index])).map(|index| (index, self.why_it_left(index))).collect();
        let mut effects = Vec::new();
        for (index, pull) in closing {
            let slot = &mut self.slots[index];
            if let Phase::Leaving { attempt, effort, .. } = &slot.phase {
                let (attempt, effort) = (attempt.clone(), effort.clone());
                effects.extend(slot.close(attempt, Outcome::Pulled(pull), effort));
            }
        }
        effects
    }

    /// Alone, or with every other card of the largest device on which it hung?
    fn why_it_left(&self, index: usize) -> Pull {
        let Some(loss) = self.slots[index].loss.as_ref() else { return Pull::Taken };
        let upstream = loss.port.upstream();
        let together = upstream.iter().rev().find_map(|device| {
            let left = |slot: &Slot| {
                slot.loss.clone().filter(|other| {
                    let apart = other.at.since(loss.at).max(loss.at.since(other.at));
                    other.port.hangs_on(device) && apart <= LOST_TOGETHER
                })
            };
            // A card that is there again has left all the same. A card that is gone may have shown no medium a moment before its reader
            // left.
            let left_too = |slot: &Slot| left(slot).is_some_and(|other| other.with_device || slot.present.is_none());
            let on_it = |slot: &Slot| slot.present.as_ref().is_some_and(|card| card.port.hangs_on(device));
            let still_there = self.slots.iter().any(|slot| on_it(slot) && !left_too(slot));
            let slots: Vec<String> = self.slots.iter().filter(|slot| left_too(slot)).map(|slot| slot.settings.name.clone()).collect();
            let device_left = self.slots.iter().filter_map(left).any(|other| other.with_device);
            (device_left && !still_there && slots.len() > 1).then(|| Pull::ReaderLost { device: device.clone(), slots })
        });
        together.unwrap_or(Pull::Taken)
    }

    pub(super) fn advanced(&mut self, now: Moment, number: AttemptNumber, step: Step, done: Bytes, of: Bytes) {
        for slot in &mut self.slots {
            let Phase::Busy { attempt, work } = &mut slot.phase else { continue };
            if attempt.number != number {
                continue;
            }
            if work.step != step {
                work.step_began = now;
            }
            (work.step, work.done, work.of, work.last_heard) = (step, done, of, now);
        }
    }

    pub(super) fn ended(&mut self, now: Moment, number: AttemptNumber, end: End, effort: Effort) -> Vec<Effect> {
        // A verifier that missed a fault meanwhile proves nothing.
        let end = if end.is_proof() { self.verifier_fault().map_or(end, End::StationFault) } else { end };
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.stuck == Some(number)) {
            slot.stuck = None;
            if slot.phase == Phase::OutOfService {
                slot.restart_phase(now);
            }
            return Vec::new();
        }
        let Some(slot) = self.busy_with(number) else { return Vec::new() };
        let Phase::Busy { attempt, work } = &slot.phase else { return Vec::new() };
        let (mut attempt, gone) = (attempt.clone(), work.gone);
        // Findings about the image hold, whatever happened to the card.
        let fault = if let End::StationFault(fault) = &end { Some(fault.clone()) } else { None };
        let digest = attempt.image.as_ref().map(|image| image.digest);
        let outcome = outcome_of(end, gone);
        self.note_tries(&mut attempt, &outcome, &effort);
        let Some(slot) = self.busy_with(number) else { return Vec::new() };
        let mut effects = match outcome {
            Outcome::Pulled(_) => {
                if effort.flush == Some(CacheFlush::Unanswered) && effort.head == CardHead::Untouched {
                    slot.send_away(attempt.card.visit);
                }
                slot.phase = Phase::Leaving { attempt, effort, since: now };
                Vec::new()
            }
            outcome => {
                let outcome = once(&attempt, outcome);
                let effects = slot.close(attempt.clone(), outcome.clone(), effort);
                self.proven.remember(attempt, outcome);
                effects
            }
        };
        if let Some((digest, fault)) = digest.zip(fault) {
            effects.extend(self.distrust(digest, &fault));
        }
        effects
    }

    /// Its thread is given up: the attempt is closed now, and the slot accepts no card before the thread has returned.
    pub(super) fn stalled(&mut self, number: AttemptNumber, waited: Duration, on_image: bool, effort: Effort) -> Vec<Effect> {
        let Some(slot) = self.busy_with(number) else { return Vec::new() };
        let Phase::Busy { attempt, work } = &slot.phase else { return Vec::new() };
        let (mut attempt, at) = (attempt.clone(), work.done);
        slot.stuck = Some(number);
        let (digest, outcome) = (attempt.image.as_ref().map(|image| image.digest), outcome_of_stall(at, waited, on_image));
        self.note_tries(&mut attempt, &outcome, &effort);
        let Some(slot) = self.busy_with(number) else { return Vec::new() };
        let mut effects = slot.close(attempt, outcome.clone(), effort);
        if let (Some(digest), Outcome::StationFault(fault)) = (digest, &outcome) {
            effects.extend(self.distrust(digest, fault));
        }
        effects
    }

    fn busy_with(&mut self, number: AttemptNumber) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| matches!(&slot.phase, Phase::Busy { attempt, .. } if attempt.number == number))
    }

    pub(super) fn outcome_recorded(&mut self, now: Moment, number: AttemptNumber) -> Vec<Effect> {
        let Some(slot) =
            self.slots.iter_mut().find(|slot| matches!(&slot.phase, Phase::Recording { attempt, .. } if attempt.number == number))
        else {
            return Vec::new();
        };
        let Phase::Recording { attempt, outcome } = &slot.phase else { return Vec::new() };
        let (attempt, outcome) = (attempt.clone(), outcome.clone());
        // Counted by what its row says, until the log has its change, too.
        let in_row = self.proven.row_of_changed(number).unwrap_or(&outcome).clone();
        let (order, leaves) = (attempt.order, attempt.leaves(&in_row.word()));
        // A sign of a card that left and is there again would be of what it was before.
        let is_there = slot.still_holds(attempt.card.visit);
        if is_there || (slot.present.is_none() && matches!(outcome, Outcome::Pulled(_))) {
            slot.phase = Phase::Finished { attempt: attempt.clone(), outcome: outcome.clone() };
        } else {
            slot.restart_phase(now);
        }
        slot.given_up = None;
        self.slots.retain(|slot| !slot.retired || !slot.is_idle());
        self.today.add(&outcome.word());
        self.note_first_card(&attempt, &outcome);
        self.count_in_order(order, leaves, &in_row);
        let mut effects = self.close_box_with(order, number);
        effects.extend(self.count_written(&attempt, &outcome));
        effects
    }
}

impl Slot {
    pub(super) fn close(&mut self, attempt: Box<Attempt>, outcome: Outcome, effort: Effort) -> Vec<Effect> {
        self.phase = Phase::Recording { attempt: attempt.clone(), outcome: outcome.clone() };
        vec![Effect::Record(Box::new(Entry::AttemptClosed { attempt, outcome, effort }))]
    }
}

/// A card that already held its image counts once: when it was made, or else now. One that counts now takes its place in the order; if the
/// order has none left, it is refused like any other card.
fn once(attempt: &Attempt, outcome: Outcome) -> Outcome {
    let counted = attempt.image.as_ref().is_some_and(|image| attempt.past.has_counted(image.digest));
    match (outcome, &attempt.plan) {
        (Outcome::Rechecked(_) | Outcome::RecheckedMapped(_), Plan::RecheckOnly(why @ Refusal::OrderComplete { .. })) if !counted => {
            Outcome::Refused(why.clone())
        }
        (Outcome::Rechecked(proof), _) if !counted => Outcome::Found(proof),
        (Outcome::RecheckedMapped(proof), _) if !counted => Outcome::FoundMapped(proof),
        (outcome, _) => outcome,
    }
}

/// The outcome of an attempt that stopped at `at` and was given up. If it waited for the station's image, the card did not cause it.
#[must_use]
pub(crate) fn outcome_of_stall(at: Bytes, waited: Duration, on_image: bool) -> Outcome {
    if on_image {
        Outcome::StationFault(StationFault::Image { at, errno: Some(ETIMEDOUT) })
    } else {
        Outcome::Failed(Failure::Stalled { at, waited })
    }
}

/// The outcome for an end. A card that left while its lamp showed busy is pulled whatever its thread returned, because it was never shown
/// as green; only a refusal stays one, because then nothing was written.
#[must_use]
pub(crate) fn outcome_of(end: End, gone: bool) -> Outcome {
    match end {
        End::Refused(refusal) => Outcome::Refused(refusal),
        _ if gone => Outcome::Pulled(Pull::Taken),
        End::Gone => Outcome::Pulled(Pull::Taken),
        End::Verified(proof) => Outcome::Passed(proof),
        End::VerifiedMapped(proof) => Outcome::PassedMapped(proof),
        End::Rechecked(proof) => Outcome::Rechecked(proof),
        End::RecheckedMapped(proof) => Outcome::RecheckedMapped(proof),
        End::Failed(failure) => Outcome::Failed(failure),
        End::StationFault(fault) => Outcome::StationFault(fault),
        End::Cancelled => Outcome::Interrupted,
    }
}
