//! The call of the whole station, visible from three metres: one lamp and one sound.

use super::sign::{OperatorAction, Sign};
use super::view::{SlotView, View};

/// The call of the whole station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StationCall {
    /// No person is needed: cards are being written, or may be put in.
    Well,
    /// The operator is needed: a card waits to be taken out, or no slot takes a card.
    Wanted,
    /// The engineer is needed: the station has a fault, does not run, or a slot is out of service.
    Fault,
}

impl StationCall {
    /// All calls of a station.
    pub const ALL: [Self; 3] = [Self::Well, Self::Wanted, Self::Fault];

    /// The stable code for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Wanted => "wanted",
            Self::Fault => "fault",
        }
    }
}

impl View {
    /// Is there a fault of the station: of the whole one, of some slots, or one that stops nothing?
    #[must_use]
    pub(crate) fn has_fault(&self) -> bool {
        self.fault.is_some() || !self.faults.is_empty() || !self.restrictions.is_empty()
    }

    /// The call of the whole station.
    ///
    /// A slot that accepts no card (DISARMED, ORDER DONE) needs no person as long as another one works: a person decided so, and a lamp
    /// that is always lit has no meaning. If no slot accepts a card, nothing more happens until a person comes. An empty slot needs no
    /// person: a station without work is well.
    #[must_use]
    pub(crate) fn call(&self) -> StationCall {
        let is_fault = |call: OperatorAction, sign: &Sign| call == OperatorAction::StationFault || *sign == Sign::OutOfService;
        if self.has_fault() || self.slots.iter().any(|slot| is_fault(slot.call, &slot.sign)) {
            return StationCall::Fault;
        }
        // A station that is about to restart will take cards again by itself.
        let takes_none = |slot: &SlotView| slot.call == OperatorAction::Nothing && slot.sign != Sign::Restarting;
        let is_idle = !self.slots.is_empty() && self.slots.iter().all(takes_none);
        // Nothing more is made of a model whose first card waits, however busy the others are; and no person has decided that a slot is in
        // quarantine.
        let is_asked_for =
            |slot: &SlotView| slot.call.bin().is_some() || matches!(slot.sign, Sign::NotApproved { .. } | Sign::Quarantined(_));
        if is_idle || self.slots.iter().any(is_asked_for) { StationCall::Wanted } else { StationCall::Well }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::status::sign::Hold;
    use crate::station::types::outcome::{Failure, Pull, Refusal, StationFault};
    use crate::station::types::restriction::Restriction;
    use crate::station::types::suspect::{Finding, Suspect};

    fn view(signs: &[Sign]) -> View {
        View { slots: signs.iter().cloned().map(SlotView::of).collect(), ..View::default() }
    }

    #[test]
    fn somebody_is_wanted_while_a_card_waits_and_nobody_while_cards_are_written_or_slots_are_empty() {
        let busy = [Sign::Preparing, Sign::Rechecking, Sign::Writing, Sign::ReadingBack, Sign::Finishing, Sign::Recording, Sign::Empty];
        assert_eq!(view(&busy).call(), StationCall::Well);
        assert_eq!(view(&[Sign::Empty, Sign::Empty]).call(), StationCall::Well);
        let waiting = [
            Sign::Passed,
            Sign::PassedMapped,
            Sign::Done,
            Sign::DoneMapped,
            Sign::Failed(Failure::Changed),
            Sign::Refused(Refusal::Busy),
            Sign::Pulled(Pull::Taken),
            Sign::Held(Hold::SinceStart),
            Sign::Interrupted,
            Sign::Changed { sectors: 8 },
        ];
        for sign in waiting {
            assert_eq!(view(&[&busy[..], std::slice::from_ref(&sign)].concat()).call(), StationCall::Wanted, "{sign:?}");
        }
    }

    #[test]
    fn a_slot_out_of_work_wants_nobody_until_no_slot_takes_a_card() {
        let disarmed = Sign::Disarmed("disarmed by ann: bent contacts".to_owned());
        let complete = Sign::OrderComplete { count: 50 };
        for others in [Sign::Empty, Sign::Writing] {
            assert_eq!(view(&[disarmed.clone(), complete.clone(), others]).call(), StationCall::Well);
        }
        assert_eq!(view(&[disarmed, complete]).call(), StationCall::Wanted);
        assert_eq!(view(&[]).call(), StationCall::Well, "a station that has not read its configuration yet wants nobody");
    }

    #[test]
    fn a_first_card_that_waits_for_its_approval_wants_somebody_although_other_slots_work() {
        let waits = Sign::NotApproved { card: "S-1, attempt 1".to_owned() };
        assert_eq!(view(&[waits, Sign::Writing]).call(), StationCall::Wanted);
        assert_eq!(view(&[Sign::FirstCardUnderWay, Sign::Writing]).call(), StationCall::Well);
    }

    #[test]
    fn a_slot_in_quarantine_wants_somebody_although_other_slots_work() {
        let suspect = Suspect::Slot("A1".to_owned());
        let closed = Sign::Quarantined(Finding { suspect, failed: 9, of: 40, others_failed: 1, others_of: 600 });
        assert_eq!(view(&[closed, Sign::Writing]).call(), StationCall::Wanted);
    }

    #[test]
    fn a_fault_of_the_station_comes_before_every_card_that_waits() {
        let passed = || view(&[Sign::Passed, Sign::Writing]);
        let faults = [
            View { fault: Some("disk full".to_owned()), ..passed() },
            View { restrictions: vec![Restriction::AskersUnknown], ..passed() },
            View { faults: vec!["its staged copy is damaged".to_owned()], ..passed() },
            view(&[Sign::Passed, Sign::OutOfService]),
            passed().of_a_dead_station(),
        ];
        for view in faults {
            assert_eq!(view.call(), StationCall::Fault, "{view:?}");
        }
        // A card that the station spoilt is not bad, and is taken out like any other.
        let spoilt = Sign::StationFault(StationFault::Internal { message: "no memory".to_owned() });
        assert_eq!(view(&[spoilt]).call(), StationCall::Wanted);
    }
}
