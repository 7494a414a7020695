//! The place of one more card in an order.

use crate::station::types::order::OrderNumber;

/// The place of a card in the order of its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderPlace {
    /// There is no order: the card is made.
    NoOrder,
    /// It is made, and counted here if it is good.
    Free(OrderNumber),
    /// As many cards are under way as are missing: it may still be needed.
    UnderWay { count: u32 },
    /// The order has all its good cards.
    Complete { count: u32 },
}
