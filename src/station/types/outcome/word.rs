//! The word of an outcome, as a log has it, and what it counts as. Reports, the day's sums, orders and packing lists use this module; none
//! of them compares words.

use std::fmt;

/// The outcome of an attempt as its row has it. A log may have been written by a newer program, so a word may be unknown: it is then shown
/// unchanged, and is not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum OutcomeWord {
    /// Every byte was read back and proven.
    Passed,
    /// The image's data is proven; its zeroes were skipped.
    PassedMapped,
    /// It already held the image and had no good row: it was not written, every byte is proven, and it counts.
    Found,
    /// The same if the image's zeroes are skipped.
    FoundMapped,
    /// It already held the image, and was counted before.
    Rechecked,
    /// The same if the image's zeroes are skipped.
    RecheckedMapped,
    /// The contents of the card are undefined.
    Failed,
    /// The card was not touched.
    Refused,
    /// The card left while it was busy.
    Pulled,
    /// The station stopped before the card was done.
    Interrupted,
    /// Proven, and written to by another program before it was taken out.
    Changed,
    /// The station itself failed; the card is not called bad.
    StationFault,
    /// Not ended yet: the outcome of a row without a closing event.
    #[default]
    Running,
    /// An unknown word of another program.
    Unknown(String),
}

/// How an outcome counts. Each has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// One more good card.
    Good,
    /// A good card that was counted when it was made.
    Again,
    /// A card that was begun and is not good.
    Bad,
    /// A card that was begun and is not good because of the station's own fault: in no sum of bad cards, and not charged to a slot or kind
    /// of card.
    OurFault,
    /// A card that was not touched.
    Untouched,
    /// No outcome yet, or an unknown word of another program: in no sum of good or bad cards.
    Nothing,
}

impl OutcomeWord {
    /// Every word that this program knows, in its external spelling.
    pub const KNOWN: [Self; 13] = [
        Self::Passed,
        Self::PassedMapped,
        Self::Found,
        Self::FoundMapped,
        Self::Rechecked,
        Self::RecheckedMapped,
        Self::Failed,
        Self::Refused,
        Self::Pulled,
        Self::Interrupted,
        Self::Changed,
        Self::StationFault,
        Self::Running,
    ];

    /// The word in the spelling of the log, if this program knows it; stable.
    #[must_use]
    pub(crate) fn known(&self) -> Option<&'static str> {
        Some(match self {
            Self::Passed => "passed",
            Self::PassedMapped => "passed-mapped-only",
            Self::Found => "passed-as-found",
            Self::FoundMapped => "passed-as-found-mapped-only",
            Self::Rechecked => "recheck",
            Self::RecheckedMapped => "recheck-mapped-only",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Pulled => "pulled",
            Self::Interrupted => "interrupted",
            Self::Changed => "changed",
            Self::StationFault => "station-fault",
            Self::Running => "running",
            Self::Unknown(_) => return None,
        })
    }

    /// The word as it is in the log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unknown(word) => word,
            other => other.known().unwrap_or_default(),
        }
    }

    /// How it counts.
    #[must_use]
    pub fn counts(&self) -> Counted {
        match self {
            Self::Passed | Self::PassedMapped | Self::Found | Self::FoundMapped => Counted::Good,
            Self::Rechecked | Self::RecheckedMapped => Counted::Again,
            Self::Failed | Self::Pulled | Self::Interrupted | Self::Changed => Counted::Bad,
            Self::StationFault => Counted::OurFault,
            Self::Refused => Counted::Untouched,
            Self::Running | Self::Unknown(_) => Counted::Nothing,
        }
    }

    /// Is this one more good card: proven, and not counted before?
    #[must_use]
    pub(crate) fn is_good(&self) -> bool {
        self.counts() == Counted::Good
    }

    /// The card is good, and this attempt wrote it: its duration shows how fast the station is.
    #[must_use]
    pub(crate) fn was_written(&self) -> bool {
        matches!(self, Self::Passed | Self::PassedMapped)
    }

    /// The card held its image at the end of this attempt, counted now or before.
    #[must_use]
    pub(crate) fn holds_image(&self) -> bool {
        matches!(self.counts(), Counted::Good | Counted::Again)
    }
}

impl From<&str> for OutcomeWord {
    fn from(word: &str) -> Self {
        Self::KNOWN.into_iter().find(|known| known.as_str() == word).unwrap_or_else(|| Self::Unknown(word.to_owned()))
    }
}

impl fmt::Display for OutcomeWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_as_it_is_written_and_a_word_of_another_program_stays_as_it_is() {
        for word in OutcomeWord::KNOWN {
            assert_eq!(OutcomeWord::from(word.as_str()), word);
        }
        for foreign in ["passed-personalised", "recheck-of-old", "Passed", ""] {
            let word = OutcomeWord::from(foreign);
            assert_eq!((word.as_str(), word.counts(), word.is_good()), (foreign, Counted::Nothing, false));
        }
    }
}
