//! Boxes: the good cards of an order are packed into boxes of one size, and an event of the log closes each.
//!
//! Counts and decisions use only rows that are on disk: an order's good cards that are in no closed box are in the open one. A card that is
//! no longer good is missing in its box, and the next good card takes its place, even if that box is closed. So a restart counts the same
//! boxes, and a box whose event was lost with the power is closed by the next start.

use super::{Effect, Station};
use crate::station::status::view::BoxView;
use crate::station::types::order::{Boxes, Order, OrderNumber};
use crate::station::types::record::{AttemptNumber, BoxEnd, ClosedBox, Entry};

impl Boxes {
    /// The number of good cards in the open box of an order.
    fn open_cards(&self, passed: u32) -> u32 {
        passed.saturating_sub(self.packed)
    }
}

impl Order {
    /// The box that must be closed now, if any.
    fn due_box(&self) -> Option<(u32, BoxEnd)> {
        let boxes = self.boxes?;
        match boxes.open_cards(self.passed) {
            cards if cards >= boxes.size => Some((boxes.size, BoxEnd::Full)),
            cards if cards > 0 && self.is_complete() => Some((cards, BoxEnd::OrderComplete)),
            _ => None,
        }
    }

    /// Closes the open box with this number of cards.
    fn close_box(&mut self, cards: u32, why: BoxEnd, last: Option<AttemptNumber>) -> Option<Effect> {
        let boxes = self.boxes.as_mut()?;
        boxes.closed = boxes.closed.saturating_add(1);
        boxes.packed = boxes.packed.saturating_add(cards);
        let closed = ClosedBox { number: boxes.closed, cards, why, last };
        Some(Effect::Record(Box::new(Entry::BoxClosed { order: self.clone(), closed })))
    }

    fn close_due_boxes(&mut self, last: Option<AttemptNumber>) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((cards, why)) = self.due_box() {
            effects.extend(self.close_box(cards, why, last));
        }
        effects
    }

    /// Closes the open box as it is, because nothing more is counted in this order.
    pub(super) fn close_last_box(&mut self) -> Option<Effect> {
        let cards = self.boxes?.open_cards(self.passed);
        if cards == 0 { None } else { self.close_box(cards, BoxEnd::OrderStopped, None) }
    }

    /// The view of the open box for the operator.
    pub(super) fn box_view(&self) -> Option<BoxView> {
        let boxes = self.boxes?;
        // A card that is missing in a closed box is shown first.
        let until_full = (u64::from(boxes.packed) + u64::from(boxes.size)).saturating_sub(u64::from(self.passed));
        let wanted = u64::from(self.count.saturating_sub(self.passed));
        Some(BoxView {
            number: boxes.closed.saturating_add(1),
            size: boxes.size,
            cards: boxes.open_cards(self.passed),
            left: u32::try_from(until_full.min(wanted)).unwrap_or(u32::MAX),
        })
    }
}

impl Station {
    /// The row of this attempt, which is counted in this order, is on disk.
    pub(super) fn close_box_with(&mut self, order: Option<OrderNumber>, last: AttemptNumber) -> Vec<Effect> {
        let own = self.standing.orders.iter_mut().find(|own| Some(own.number) == order);
        own.map(|own| own.close_due_boxes(Some(last))).unwrap_or_default()
    }

    /// Closes the boxes that an earlier run of the station did not close.
    pub(super) fn close_boxes_left_over(&mut self) -> Vec<Effect> {
        self.standing.orders.iter_mut().flat_map(|order| order.close_due_boxes(None)).collect()
    }
}

#[cfg(test)]
mod tests;
