//! Whether the verifier of this program was proven to detect faults. Until it is, no card is begun.
//!
//! ```text
//!                         proven                         a shift begins
//!   Unproven (start) ──────────────▶ Proven ◀──────────────────────────▶ BeingProven: cards wait
//!      │  │ ▲                           ▲                                  │   │
//!      │  │ └── never again             │ proven, when it is tried again   │   │
//!      │  └────────────────────────▶ Impossible: a fault of the station ◀──┘   │
//!      │        it cannot be tried                                             │
//!      └───────────────────────────▶ Missed: for the rest of this run ◀────────┘
//! ```
//! Cards under way go on while the verifier is proven anew. If it then missed a fault, none of them passes.

#[cfg(test)]
use super::{AttemptNumber, Standing, StationSettings};
use super::{Effect, Station};
use crate::station::types::outcome::StationFault;
use crate::station::types::prover::{MissedFault, ProverObstacle, ProverReport, ProverVerdict, UnprovenVerifier};
use crate::station::types::record::Entry;

/// What is known of the verifier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Verifier {
    /// The station has started, and nothing is known yet.
    #[default]
    Unproven,
    /// It detects faults.
    Proven,
    /// It did when it was tried last, and is being tried again.
    BeingProven,
    /// It could not be tried.
    Impossible(ProverObstacle),
    /// It missed a fault. A later proof of the same run does not take that back: what failed once may fail again with the next card.
    Missed(MissedFault),
}

impl Station {
    /// A report about the proof of the prover.
    pub(super) fn prover_reported(&mut self, report: ProverReport) -> Vec<Effect> {
        if matches!(self.verifier, Verifier::Missed(_)) {
            return Vec::new();
        }
        let (verifier, entry) = match report {
            ProverReport::Begun => {
                // An obstacle is shown until the verifier is proven: each further trial is no news.
                if self.verifier == Verifier::Proven {
                    self.verifier = Verifier::BeingProven;
                }
                return Vec::new();
            }
            ProverReport::Ended { time, verdict: ProverVerdict::Proven(proof) } => {
                (Verifier::Proven, Some(Entry::VerifierProven { time, proof }))
            }
            ProverReport::Ended { time, verdict: ProverVerdict::Missed(missed) } => {
                (Verifier::Missed(missed.clone()), Some(Entry::VerifierMissed { time, missed }))
            }
            ProverReport::Ended { time, verdict: ProverVerdict::Impossible(obstacle) } => {
                // Once until it is proven, however often it is tried: the log may be on the same disk, and cannot take more.
                let is_new = !matches!(self.verifier, Verifier::Impossible(_));
                (Verifier::Impossible(obstacle.clone()), is_new.then_some(Entry::VerifierUnproven { time, obstacle }))
            }
        };
        self.verifier = verifier;
        self.distrust_slots();
        entry.map(|entry| Effect::Record(Box::new(entry))).into_iter().collect()
    }

    /// A station of a test whose verifier is proven already.
    #[cfg(test)]
    pub(crate) fn new_proven(settings: StationSettings, next_attempt: AttemptNumber, standing: Standing) -> Self {
        Self { verifier: Verifier::Proven, ..Self::new(settings, next_attempt, standing) }
    }

    /// The verifier was proven, and is not being tried again.
    pub(super) fn is_verifier_proven(&self) -> bool {
        self.verifier == Verifier::Proven
    }

    /// Why no image may be written, as a sentence: the verifier missed a fault, or could not be tried.
    pub(super) fn verifier_sentence(&self) -> Option<String> {
        match &self.verifier {
            Verifier::Unproven | Verifier::Proven | Verifier::BeingProven => None,
            Verifier::Impossible(obstacle) => Some(obstacle.sentence()),
            Verifier::Missed(missed) => Some(missed.sentence()),
        }
    }

    /// Why no card may pass, not even one under way; `None` if the verifier has not missed a fault.
    pub(super) fn verifier_fault(&self) -> Option<StationFault> {
        if let Verifier::Missed(missed) = &self.verifier { Some(StationFault::Internal { message: missed.what() }) } else { None }
    }

    /// The state for people and programs; `None` for a proven verifier.
    pub(super) fn unproven_verifier(&self) -> Option<UnprovenVerifier> {
        match self.verifier {
            Verifier::Proven => None,
            Verifier::Unproven | Verifier::BeingProven => Some(UnprovenVerifier::BeingProven),
            Verifier::Impossible(_) => Some(UnprovenVerifier::Impossible),
            Verifier::Missed(_) => Some(UnprovenVerifier::MissedFault),
        }
    }
}

#[cfg(test)]
mod cases;
