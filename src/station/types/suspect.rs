//! A slot, reader, hub, card type or card lot with more failures than chance explains.

use std::fmt;

/// Part of a station, or a kind of cards, that may cause failures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suspect {
    /// One slot, by its name.
    Slot(String),
    /// A reader with several slots, as ports name it.
    Reader(String),
    /// A hub with several readers or sticks, as ports name it.
    Hub(String),
    /// Cards of one make and size.
    CardType(String),
    /// Cards of one lot.
    Lot {
        /// The lot: maker's number and date, or the lot that was declared.
        lot: String,
        /// The make and size of its cards.
        card_type: String,
    },
}

impl Suspect {
    /// The word in the log and for programs; stable.
    #[must_use]
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Slot(_) => "slot",
            Self::Reader(_) => "reader",
            Self::Hub(_) => "hub",
            Self::CardType(_) => "card-type",
            Self::Lot { .. } => "lot",
        }
    }

    /// Its name: of the slot, of the device, of the cards.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Slot(name) | Self::Reader(name) | Self::Hub(name) | Self::CardType(name) | Self::Lot { lot: name, .. } => name,
        }
    }

    /// The make and size of the cards of a lot; `None` for the others.
    #[must_use]
    pub(crate) fn card_type(&self) -> Option<&str> {
        match self {
            Self::Lot { card_type, .. } => Some(card_type),
            Self::Slot(_) | Self::Reader(_) | Self::Hub(_) | Self::CardType(_) => None,
        }
    }

    /// The suspect with this word, name and make of cards; `None` for another form.
    #[must_use]
    pub(crate) fn read(word: &str, name: &str, card_type: Option<&str>) -> Option<Self> {
        let name = name.to_owned();
        Some(match word {
            "slot" => Self::Slot(name),
            "reader" => Self::Reader(name),
            "hub" => Self::Hub(name),
            "card-type" => Self::CardType(name),
            "lot" => Self::Lot { lot: name, card_type: card_type?.to_owned() },
            _ => return None,
        })
    }

    /// The things it was compared with, in the plural.
    fn others(&self) -> &'static str {
        match self {
            Self::Slot(_) => "other slots",
            Self::Reader(_) => "other readers",
            Self::Hub(_) => "other ports",
            Self::CardType(_) => "other cards",
            Self::Lot { .. } => "other lots",
        }
    }
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(name) => write!(f, "slot {name}"),
            Self::Reader(name) => write!(f, "reader {name}"),
            Self::Hub(name) => write!(f, "hub {name}"),
            Self::CardType(name) => write!(f, "card type {name}"),
            Self::Lot { lot, card_type } => write!(f, "lot {lot} ({card_type})"),
        }
    }
}

/// A suspect with the counts that name it. Only what can be compared is counted: for a slot, cards of which others of the same class were
/// written in other slots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// The slot, device or cards with too many failures.
    pub suspect: Suspect,
    /// The number of failed cards.
    pub failed: u64,
    /// The number of written cards.
    pub of: u64,
    /// The number of failed cards of all others.
    pub others_failed: u64,
    /// The number of written cards of all others.
    pub others_of: u64,
}

impl Finding {
    /// The counts as a sentence without the name.
    #[must_use]
    pub(crate) fn counts(&self) -> String {
        let Self { suspect, failed, of, others_failed, others_of } = self;
        format!("{failed} of {of} failed, {} {others_failed} of {others_of}", suspect.others())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.suspect, self.counts())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspect_is_read_as_it_is_written_and_says_its_counts() {
        let lot = Suspect::Lot { lot: "OEM 5344 date 03/2024".to_owned(), card_type: "SL16G 16 GB".to_owned() };
        let all = [Suspect::Slot("A1".to_owned()), Suspect::Reader("r".to_owned()), Suspect::Hub("h".to_owned())];
        for suspect in all.into_iter().chain([Suspect::CardType("SL16G 16 GB".to_owned()), lot.clone()]) {
            assert_eq!(Suspect::read(suspect.word(), suspect.name(), suspect.card_type()), Some(suspect));
        }
        let finding = Finding { suspect: lot, failed: 9, of: 40, others_failed: 1, others_of: 200 };
        assert_eq!(finding.to_string(), "lot OEM 5344 date 03/2024 (SL16G 16 GB): 9 of 40 failed, other lots 1 of 200");
    }
}
