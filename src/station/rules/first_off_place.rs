//! What the first-off approval of a model says about one more card.

use crate::station::types::first_off::FirstCard;

/// What the approval of a slot's model says about its next card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FirstOffPlace {
    /// It may be begun.
    Free,
    /// The card that may become the first one is under way: another one may be the first, or wait for the approval.
    UnderWay,
    /// This card waits for its approval.
    Waits(FirstCard),
}
