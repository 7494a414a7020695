//! The earlier rows of a card in the flash log, and what the card counts as. The log is read before an attempt begins, outside the deciding
//! task; the result comes with the survey.

use super::order::OrderNumber;
use super::outcome::{Counted, Digest, OutcomeWord};

/// The history of a card in the flash log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Past {
    /// The log was not read, or gave no answer.
    #[default]
    Unknown,
    /// The card is identified by its own register: no row of another card is found.
    ByCid(Rows),
    /// The card is identified by its serial, which two sticks of a careless maker may share.
    BySerial(Rows),
    /// The card cannot be identified. The newest row of any card in the same slot.
    OfSlot(Option<Ended>),
}

/// The history of one card. Rows of attempts that did not touch it, or only rechecked it, are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rows {
    /// The newest of its rows.
    pub newest: Option<Ended>,
    /// The newest good one. Without its order, if a newer row of the same name has left that order for it: a card leaves an order once.
    pub good: Option<Ended>,
}

/// A closed row of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ended {
    /// How the attempt ended.
    pub outcome: OutcomeWord,
    /// BLAKE3 of its image, hexadecimal.
    pub image: Option<String>,
    /// The order in which it took a place.
    pub order: Option<OrderNumber>,
}

impl Ended {
    /// Without its order, if its card has left that one.
    #[must_use]
    pub(crate) fn unless_left(self, left: &[OrderNumber]) -> Self {
        Self { order: self.order.filter(|order| !left.contains(order)), ..self }
    }

    fn is_of(&self, image: Digest) -> bool {
        self.image.as_deref() == Some(image.to_string().as_str())
    }
}

impl Past {
    /// Was a card that holds this image counted when it was made? If not, it counts now: its start may have been cut off between the last
    /// byte and the row, or another program may have written it.
    ///
    /// A card that cannot be identified was counted, unless the newest row of its slot says that a card with this image left, or that the
    /// station stopped, before there was an outcome.
    #[must_use]
    pub(crate) fn has_counted(&self, image: Digest) -> bool {
        let lost = |row: &Ended| matches!(row.outcome, OutcomeWord::Pulled | OutcomeWord::Interrupted) && row.is_of(image);
        match self {
            Self::Unknown => false,
            Self::ByCid(rows) | Self::BySerial(rows) => {
                rows.newest.as_ref().is_some_and(|newest| newest.outcome.is_good() && newest.is_of(image))
            }
            Self::OfSlot(newest) => !newest.as_ref().is_some_and(lost),
        }
    }

    /// The order in which this card was counted, and is no longer counted, when an attempt with it ends like this.
    ///
    /// Two sticks may share a serial. So a stick that is written counts beside the other, and only a stick that is found as it was made
    /// replaces the other: an order never makes too many cards.
    #[must_use]
    pub(crate) fn leaves(&self, image: Option<Digest>, outcome: &OutcomeWord) -> Option<OrderNumber> {
        let counted = match self {
            Self::ByCid(rows) if matches!(outcome.counts(), Counted::Good | Counted::Bad | Counted::OurFault) => {
                rows.newest.as_ref().filter(|newest| newest.outcome.is_good())
            }
            Self::BySerial(rows) if outcome.is_good() && !outcome.was_written() => {
                rows.good.as_ref().filter(|good| image.is_some_and(|image| good.is_of(image)))
            }
            Self::Unknown | Self::ByCid(_) | Self::BySerial(_) | Self::OfSlot(_) => None,
        };
        counted.and_then(|row| row.order)
    }

    /// The same for a card whose twin is in another slot at this moment: the log's rows of its register may belong to either.
    #[must_use]
    pub(crate) fn of_a_twin(self) -> Self {
        match self {
            Self::ByCid(rows) => Self::BySerial(rows),
            other => other,
        }
    }

    /// The order in which this card is already counted, whatever happens to it now.
    #[must_use]
    pub(crate) fn counts_in(&self) -> Option<OrderNumber> {
        self.leaves(None, &OutcomeWord::Interrupted)
    }
}
