//! Keeps an order to its number of good cards, however many slots work on it.
//!
//! A card takes its place in the order when it is admitted. It gives the place back if it is not good in the end, and only then another
//! card gets it: if as many cards are under way as are still needed, further cards wait.

use super::order_place::OrderPlace;
use super::slot::{Phase, Slot};
use super::{Effect, Station};
use crate::station::status::view::{ModelView, OrderView};
use crate::station::types::armed::Armed;
use crate::station::types::order::{Boxes, Order, OrderNumber};
use crate::station::types::outcome::Outcome;
use crate::station::types::record::Entry;
use crate::station::types::request::{Denied, Who};

impl Station {
    fn order_of(&self, model: &str) -> Option<&Order> {
        self.standing.orders.iter().find(|order| order.model == model)
    }

    /// The name under which a model's cards are logged.
    fn logged(&self, model: &str) -> String {
        self.armed_for(model).map_or_else(|| model.to_owned(), Armed::logged_model)
    }

    /// Cards that may still become good ones of this order.
    fn under_way(&self, number: OrderNumber) -> u32 {
        let may_count = |slot: &&Slot| match &slot.phase {
            // A card that is counted already is among the good ones.
            Phase::Opening { attempt } | Phase::Busy { attempt, .. } => {
                attempt.order == Some(number) && attempt.past.counts_in() != Some(number)
            }
            Phase::Recording { attempt, outcome } => {
                let in_row = self.proven.row_of_changed(attempt.number).unwrap_or(outcome);
                attempt.order == Some(number) && in_row.is_good() && attempt.leaves(&in_row.word()) != Some(number)
            }
            _ => false,
        };
        u32::try_from(self.slots.iter().filter(may_count).count()).unwrap_or(u32::MAX)
    }

    /// The place of a card in the order of its model, which is named as in the log.
    pub(super) fn place_in_order(&self, model: &str) -> OrderPlace {
        match self.order_of(model) {
            None => OrderPlace::NoOrder,
            Some(order) if order.is_complete() => OrderPlace::Complete { count: order.count },
            Some(order) if order.passed.saturating_add(self.under_way(order.number)) >= order.count => {
                OrderPlace::UnderWay { count: order.count }
            }
            Some(order) => OrderPlace::Free(order.number),
        }
    }

    /// A card's outcome is on disk: if it is good, it counts in the order in which it took its place, and no longer in any other.
    pub(super) fn count_in_order(&mut self, order: Option<OrderNumber>, leaves: Option<OrderNumber>, outcome: &Outcome) {
        for own in &mut self.standing.orders {
            if Some(own.number) == order && outcome.is_good() {
                own.passed = own.passed.saturating_add(1);
            }
            if Some(own.number) == leaves {
                own.passed = own.passed.saturating_sub(1);
            }
        }
    }

    /// A counted card is no longer good: the order needs another one.
    pub(super) fn count_out_of_order(&mut self, order: Option<OrderNumber>, outcome: &Outcome) {
        if let Some(order) = self.standing.orders.iter_mut().find(|own| Some(own.number) == order && outcome.is_good()) {
            order.passed = order.passed.saturating_sub(1);
        }
    }

    /// The work order that cards of this order are made for.
    pub(super) fn work_order_of(&self, number: OrderNumber) -> Option<String> {
        self.standing.orders.iter().find(|order| order.number == number)?.work_order.clone()
    }

    /// `names` are the name of the order and its work order.
    pub(super) fn start_order(
        &mut self,
        model: &str,
        count: u32,
        (name, work_order): (Option<String>, Option<String>),
        by: Who,
    ) -> Result<Entry, Denied> {
        if count == 0 {
            return Err(Denied::OrderOfNothing);
        }
        let model = self.armed_or_denied(model)?.logged_model();
        if let Some(order) = self.order_of(&model).filter(|order| !order.is_complete()) {
            return Err(Denied::OrderOpen { order: order.clone() });
        }
        self.standing.orders_ever += 1;
        let order = Order {
            number: self.standing.orders_ever,
            model,
            name,
            work_order,
            count,
            passed: 0,
            boxes: Boxes::of_size(self.settings.box_size),
        };
        // A complete order ends when the next begins.
        self.standing.orders.retain(|before| before.model != order.model);
        self.standing.orders.push(order.clone());
        Ok(Entry::OrderStarted { order, by })
    }

    /// Returns the entries to record: the last box, if it contains cards, and then the end of the order.
    pub(super) fn stop_order(&mut self, model: &str, by: Who) -> Result<(Option<Effect>, Entry), Denied> {
        let logged = self.logged(model);
        let found = self.standing.orders.iter().position(|order| order.model == logged || order.model == model);
        match found {
            Some(place) => {
                let mut order = self.standing.orders.remove(place);
                let last_box = order.close_last_box();
                Ok((last_box, Entry::OrderStopped { order, by }))
            }
            None => Err(Denied::NoOrder { model: logged }),
        }
    }

    /// An order to which an armed model belongs now, but none of these: its cards would be made without limit.
    #[must_use]
    pub(crate) fn orphaned_by(&self, armed: &[Armed]) -> Option<&Order> {
        let answer = |armed: &[Armed], order: &Order| armed.iter().any(|armed| armed.logged_model() == order.model);
        self.standing.orders.iter().find(|order| answer(&self.armed, order) && !answer(armed, order))
    }

    /// Orders to which none of these models belongs, each as a model without an image: no card is counted in them.
    pub(super) fn orders_without_a_model(&self, models: &[ModelView]) -> Vec<ModelView> {
        let is_shown = |order: &&Order| models.iter().any(|model| model.device == order.model);
        let orders = self.standing.orders.iter().filter(|order| !is_shown(order));
        let without = |model: &String| ModelView {
            order: self.order_view(model),
            name: model.clone(),
            device: model.clone(),
            armed: None,
            first_off: None,
        };
        orders.map(|order| without(&order.model)).collect()
    }

    /// The view of the order of this model, which is named as in the log.
    pub(super) fn order_view(&self, model: &str) -> Option<OrderView> {
        self.order_of(model).map(|order| OrderView {
            number: order.number,
            name: order.name.clone(),
            work_order: order.work_order.clone(),
            count: order.count,
            passed: order.passed,
            under_way: self.under_way(order.number),
            open_box: order.box_view(),
        })
    }
}
