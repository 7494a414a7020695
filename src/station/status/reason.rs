//! The reason of a sign in parts: stable codes and their facts. Lamps, the control socket and other languages use these. The English
//! sentences are made from the same enums.

use super::sign::{Hold, Sign};
use crate::station::types::card::Use;
use crate::station::types::outcome::{Failure, Pull, Refusal, StationFault};
use crate::station::types::sizes::window;
use crate::station::types::suspect::Finding;

/// One fact of a reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// A number of bytes, or a place on a card.
    Bytes(u64),
    /// A number of things.
    Count(u64),
    /// A duration in seconds.
    Seconds(u64),
    /// An errno of the system.
    Errno(i32),
    /// A text: a path, a slot's name, a bus.
    Text(String),
}

/// A reason, as a code and its facts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reason {
    /// Stable; one of [`REASONS`].
    pub code: &'static str,
    /// By name, in the order of [`REASONS`].
    pub facts: Vec<(&'static str, Fact)>,
}

/// Every code of a reason, with the names of its facts. A translation of signs is complete when it has all of these.
pub const REASONS: &[(&str, &[&str])] = &[
    ("disarmed", &["why"]),
    ("too-many-failures", &["failed", "of", "others-failed", "others-of"]),
    ("present-at-start", &[]),
    ("slept", &[]),
    ("station-restarts", &[]),
    ("maintenance", &["by", "why"]),
    ("put-in-during-maintenance", &[]),
    ("came-back", &["times"]),
    ("recabled", &["at", "was", "is"]),
    ("order-under-way", &["count"]),
    ("order-complete", &["count"]),
    ("first-card-waits", &["card"]),
    ("first-card-under-way", &[]),
    ("no-armed-image", &[]),
    ("not-whole-disk", &[]),
    ("not-a-card", &["bus"]),
    ("not-sd", &["kind"]),
    ("mounted", &["where"]),
    ("swap", &["where"]),
    ("in-use", &["where"]),
    ("marked", &["where"]),
    ("station-disk", &["where"]),
    ("own-disk", &[]),
    ("write-protected", &[]),
    ("too-small", &["capacity", "needs"]),
    ("capacity-outside", &["capacity", "at-least", "at-most", "takes"]),
    ("sector-size", &["card", "image"]),
    ("partitioned", &[]),
    ("no-diskseq", &[]),
    ("another-card", &[]),
    ("unknown-use", &[]),
    ("locked", &[]),
    ("cannot-open", &["error"]),
    ("unflushed", &["make"]),
    ("write-error", &["at", "of", "error"]),
    ("read-error", &["at", "of", "error"]),
    ("flush-error", &["at", "of", "error"]),
    ("write-ignored", &["at"]),
    ("mismatch", &["at"]),
    ("false-capacity", &["at"]),
    ("stalled", &["at", "waited"]),
    ("unsteady", &["at"]),
    ("changed", &[]),
    ("station-image", &["at"]),
    ("station-internal", &["message"]),
    ("taken", &[]),
    ("reader-lost", &["device", "slots"]),
    ("thread-stuck", &[]),
    ("station-stopped", &[]),
    ("uncovered", &[]),
    ("written-after-proof", &["sectors"]),
];

/// Every code of a sign.
pub const SIGNS: [&str; 28] = [
    "empty",
    "restarting",
    "maintenance",
    "disarmed",
    "quarantined",
    "held",
    "order-complete",
    "order-under-way",
    "not-approved",
    "first-card-under-way",
    "preparing",
    "rechecking",
    "writing",
    "reading-back",
    "finishing",
    "recording",
    "passed",
    "passed-mapped",
    "done",
    "done-mapped",
    "failed",
    "failed-once",
    "refused",
    "pulled",
    "out-of-service",
    "interrupted",
    "changed",
    "station-fault",
];

/// The codes of signs that show the outcome of a card, and stay until the next.
pub(crate) const OUTCOMES: [&str; 11] = [
    "passed",
    "passed-mapped",
    "done",
    "done-mapped",
    "failed",
    "failed-once",
    "refused",
    "pulled",
    "interrupted",
    "changed",
    "station-fault",
];

impl Sign {
    /// The stable code for programs, one of [`SIGNS`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Restarting => "restarting",
            Self::Maintenance { .. } => "maintenance",
            Self::Disarmed(_) => "disarmed",
            Self::Quarantined(_) => "quarantined",
            Self::Held(_) => "held",
            Self::OrderComplete { .. } => "order-complete",
            Self::OrderUnderWay { .. } => "order-under-way",
            Self::NotApproved { .. } => "not-approved",
            Self::FirstCardUnderWay => "first-card-under-way",
            Self::Preparing => "preparing",
            Self::Rechecking => "rechecking",
            Self::Writing => "writing",
            Self::ReadingBack => "reading-back",
            Self::Finishing => "finishing",
            Self::Recording => "recording",
            Self::Passed => "passed",
            Self::PassedMapped => "passed-mapped",
            Self::Done => "done",
            Self::DoneMapped => "done-mapped",
            Self::Failed(_) => "failed",
            Self::FailedOnce(_) => "failed-once",
            Self::Refused(_) => "refused",
            Self::Pulled(_) => "pulled",
            Self::OutOfService => "out-of-service",
            Self::Interrupted => "interrupted",
            Self::Changed { .. } => "changed",
            Self::StationFault(_) => "station-fault",
        }
    }

    /// The reason, if the word alone does not tell it: in parts, for programs and other languages.
    #[must_use]
    pub fn why(&self) -> Option<Reason> {
        let reason = |code, facts: Vec<(&'static str, Fact)>| Some(Reason { code, facts });
        match self {
            Self::Disarmed(why) => reason("disarmed", vec![("why", Fact::Text(why.clone()))]),
            Self::Quarantined(finding) => reason("too-many-failures", of_finding(finding)),
            Self::Held(Hold::SinceStart) => reason("present-at-start", Vec::new()),
            Self::Held(Hold::Slept) => reason("slept", Vec::new()),
            Self::Restarting | Self::Held(Hold::StationRestarts) => reason("station-restarts", Vec::new()),
            Self::Maintenance { by, why } => reason("maintenance", vec![("by", Fact::Text(by.clone())), ("why", Fact::Text(why.clone()))]),
            Self::Held(Hold::Maintenance) => reason("put-in-during-maintenance", Vec::new()),
            Self::Held(Hold::Returned { times }) => reason("came-back", vec![("times", Fact::Count(u64::from(*times)))]),
            Self::OrderUnderWay { count } => reason("order-under-way", vec![("count", Fact::Count(u64::from(*count)))]),
            Self::OrderComplete { count } => reason("order-complete", vec![("count", Fact::Count(u64::from(*count)))]),
            Self::NotApproved { card } => reason("first-card-waits", vec![("card", Fact::Text(card.clone()))]),
            Self::FirstCardUnderWay => reason("first-card-under-way", Vec::new()),
            Self::Refused(refusal) => reason(refusal.code(), of_refusal(refusal)),
            Self::Failed(failure) | Self::FailedOnce(failure) => reason(failure.code(), of_failure(failure)),
            Self::Pulled(Pull::Taken) => reason("taken", Vec::new()),
            Self::Pulled(Pull::ReaderLost { device, slots }) => {
                reason("reader-lost", vec![("device", Fact::Text(device.clone())), ("slots", Fact::Text(slots.join(" ")))])
            }
            Self::OutOfService => reason("thread-stuck", Vec::new()),
            Self::Interrupted => reason("station-stopped", Vec::new()),
            Self::Changed { sectors } => reason("written-after-proof", vec![("sectors", Fact::Count(*sectors))]),
            Self::StationFault(fault) => reason(fault.code(), of_fault(fault)),
            Self::Empty
            | Self::Preparing
            | Self::Writing
            | Self::ReadingBack
            | Self::Rechecking
            | Self::Finishing
            | Self::Recording
            | Self::Passed
            | Self::PassedMapped
            | Self::Done
            | Self::DoneMapped => None,
        }
    }
}

fn of_finding(finding: &Finding) -> Vec<(&'static str, Fact)> {
    let Finding { suspect: _, failed, of, others_failed, others_of } = finding;
    [("failed", failed), ("of", of), ("others-failed", others_failed), ("others-of", others_of)]
        .map(|(name, count)| (name, Fact::Count(*count)))
        .to_vec()
}

fn of_refusal(refusal: &Refusal) -> Vec<(&'static str, Fact)> {
    match refusal {
        Refusal::NotACard { bus } => vec![("bus", Fact::Text(bus.clone()))],
        Refusal::Unflushed { make } => vec![("make", Fact::Text(make.clone()))],
        Refusal::NotSd { kind } => vec![("kind", Fact::Text(kind.clone()))],
        Refusal::InUse(Use::Holder { name, cure }) => {
            let cure = cure.as_ref().map_or_else(String::new, |cure| format!(" ({cure})"));
            vec![("where", Fact::Text(format!("{name}{cure}")))]
        }
        Refusal::Marked { of } => vec![("where", Fact::Text(of.clone()))],
        Refusal::InUse(Use::Mounted(place) | Use::Swap(place) | Use::Station(place)) => {
            vec![("where", Fact::Text(place.clone()))]
        }
        Refusal::TooSmall { capacity, needs } => vec![("capacity", Fact::Bytes(capacity.0)), ("needs", Fact::Bytes(needs.0))],
        Refusal::CapacityOutside { capacity, at_least, at_most } => {
            vec![
                ("capacity", Fact::Bytes(capacity.0)),
                ("at-least", Fact::Bytes(at_least.0)),
                ("at-most", Fact::Bytes(at_most.0)),
                // As printed on the cards; with a dash, which is understood in every language.
                ("takes", Fact::Text(window(*at_least, *at_most).replace(" to ", " - "))),
            ]
        }
        Refusal::SectorSize { card, image } => vec![("card", Fact::Count(u64::from(*card))), ("image", Fact::Count(u64::from(*image)))],
        Refusal::CannotOpen { errno } => vec![("error", Fact::Errno(*errno))],
        Refusal::Recabled { at, was, is, .. } => {
            vec![("at", Fact::Text(at.clone())), ("was", Fact::Text(was.clone())), ("is", Fact::Text(is.clone().unwrap_or_default()))]
        }
        Refusal::OrderComplete { count } => vec![("count", Fact::Count(u64::from(*count)))],
        Refusal::NoArmedImage
        | Refusal::NotWholeDisk
        | Refusal::OwnDisk
        | Refusal::WriteProtected
        | Refusal::Partitioned
        | Refusal::NoDiskSequence
        | Refusal::AnotherCard
        | Refusal::Unknown
        | Refusal::Busy
        | Refusal::Uncovered => Vec::new(),
    }
}

fn of_failure(failure: &Failure) -> Vec<(&'static str, Fact)> {
    match failure {
        // An errno of zero means none.
        Failure::Io { at, span, errno, .. } => {
            vec![("at", Fact::Bytes(at.0)), ("of", Fact::Bytes(span.0)), ("error", Fact::Errno(errno.unwrap_or(0)))]
        }
        Failure::Short { at, .. } => vec![("at", Fact::Bytes(at.0)), ("of", Fact::Bytes(at.0)), ("error", Fact::Errno(0))],
        Failure::WriteIgnored { at } | Failure::Mismatch { at, .. } | Failure::FalseCapacity { at, .. } | Failure::Unsteady { at } => {
            vec![("at", Fact::Bytes(at.0))]
        }
        Failure::Stalled { at, waited } => vec![("at", Fact::Bytes(at.0)), ("waited", Fact::Seconds(waited.as_secs()))],
        Failure::Changed => Vec::new(),
    }
}

fn of_fault(fault: &StationFault) -> Vec<(&'static str, Fact)> {
    match fault {
        StationFault::Image { at, .. } => vec![("at", Fact::Bytes(at.0))],
        StationFault::Internal { message } => vec![("message", Fact::Text(message.clone()))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::testing::{mapped_proof, proof};
    use crate::station::types::outcome::Outcome;

    #[test]
    fn every_outcome_has_a_sign_that_is_known_to_be_one() {
        let outcomes = [
            Outcome::Passed(proof()),
            Outcome::PassedMapped(mapped_proof()),
            Outcome::Found(proof()),
            Outcome::FoundMapped(mapped_proof()),
            Outcome::Rechecked(proof()),
            Outcome::RecheckedMapped(mapped_proof()),
            Outcome::Failed(Failure::Changed),
            Outcome::Refused(Refusal::Busy),
            Outcome::Pulled(Pull::Taken),
            Outcome::Interrupted,
            Outcome::Changed { sectors: 8 },
            Outcome::StationFault(StationFault::Internal { message: String::new() }),
        ];
        // A card that is done has one sign, whether it counts now or did before.
        let mut codes: Vec<&str> = Vec::new();
        for sign in outcomes.each_ref().map(Sign::of_outcome) {
            if !codes.contains(&sign.code()) {
                codes.push(sign.code());
            }
            // A failed card has another one before it was tried in a second slot.
            codes.extend(matches!(sign, Sign::Failed(_)).then_some("failed-once"));
        }
        assert_eq!(codes, OUTCOMES);
        assert!(OUTCOMES.iter().all(|code| SIGNS.contains(code)));
    }
}
