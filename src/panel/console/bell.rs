//! Decides when the panel beeps: once for each outcome, and never for one that was there before the panel started.

use std::collections::BTreeMap;

use crate::station::reason::OUTCOMES;

/// What a terminal rings at.
pub(crate) const BEL: &str = "\u{7}";

/// A slot, as far as it concerns the bell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard<'a> {
    /// The name of the slot.
    pub slot: &'a str,
    /// The code of the slot's sign.
    pub sign: &'a str,
    /// The attempt it speaks of.
    pub attempt: Option<u64>,
    /// The kernel's count of media for that card.
    pub diskseq: Option<u64>,
}

/// An outcome, told from every other: its sign, its attempt, its card.
type Outcome = (String, Option<u64>, Option<u64>);

/// Which outcomes were rung for.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// The last outcome of each slot; nothing before the first news.
    last: Option<BTreeMap<String, Outcome>>,
}

impl Bell {
    /// Is there an outcome among these that was not there before? Those of the first news are old.
    pub(crate) fn rings<'a>(&mut self, slots: impl IntoIterator<Item = Heard<'a>>) -> bool {
        let is_first = self.last.is_none();
        let last = self.last.get_or_insert_default();
        let mut any_new = false;
        for Heard { slot, sign, attempt, diskseq } in slots {
            // A slot that shows something else in between, a station that is down for a while, say nothing of another card.
            if !OUTCOMES.contains(&sign) {
                continue;
            }
            let now = (sign.to_owned(), attempt, diskseq);
            if last.get(slot) != Some(&now) {
                last.insert(slot.to_owned(), now);
                any_new = true;
            }
        }
        any_new && !is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard<'a>(slot: &'a str, sign: &'a str, attempt: u64) -> Heard<'a> {
        Heard { slot, sign, attempt: Some(attempt), diskseq: Some(attempt + 10) }
    }

    #[test]
    fn it_rings_once_for_each_outcome_and_for_nothing_else() {
        let mut bell = Bell::default();
        assert!(!bell.rings([heard("A1", "passed", 1), heard("A2", "writing", 2)]), "an old outcome");
        assert!(!bell.rings([heard("A1", "passed", 1), heard("A2", "recording", 2)]));
        assert!(bell.rings([heard("A1", "passed", 1), heard("A2", "failed", 2)]));
        assert!(!bell.rings([heard("A1", "passed", 1), heard("A2", "failed", 2)]), "once");
        assert!(!bell.rings([heard("A1", "empty", 1), heard("A2", "failed", 2)]));
        assert!(!bell.rings([heard("A1", "passed", 1), heard("A2", "failed", 2)]), "the same card again");
        assert!(bell.rings([heard("A1", "passed", 3)]), "the next card");
        for sign in ["empty", "disarmed", "held", "order-complete", "preparing", "writing", "out-of-service"] {
            assert!(!bell.rings([heard("A1", sign, 4)]), "{sign}");
        }
    }
}
