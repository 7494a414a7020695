//! A station that does not get what it needs, or whose verifier is not proven: it shows a fault, and begins no card as long as it could not
//! admit or prove one. No card is refused for it.

use super::Station;
use crate::station::status::view::REASONS_APART;
use crate::station::types::restriction::Restriction;

impl Station {
    /// Something is hidden without which no card can be admitted.
    pub(super) fn is_stopped_by_restriction(&self) -> bool {
        self.restrictions.iter().any(Restriction::stops)
    }

    /// Whether cards may be begun: the log can be written, cards can be admitted, and the verifier is proven.
    pub(super) fn may_begin(&self) -> bool {
        self.log_fault.is_none() && !self.is_stopped_by_restriction() && self.is_verifier_proven()
    }

    /// Why the flash log cannot be written, as a sentence.
    pub(super) fn log_fault_sentence(&self) -> Option<String> {
        self.log_fault.as_ref().map(|reason| format!("the flash log cannot be written: {reason}"))
    }

    /// Why nothing is begun: each reason as a sentence, because each has its own cure.
    pub(super) fn fault(&self) -> Option<String> {
        let stopping = self.restrictions.iter().filter(|restriction| restriction.stops()).map(Restriction::sentence);
        let reasons: Vec<String> = self.log_fault_sentence().into_iter().chain(self.verifier_sentence()).chain(stopping).collect();
        (!reasons.is_empty()).then(|| reasons.join(REASONS_APART))
    }
}

#[cfg(test)]
mod cases {
    use crate::station::rules::tests::{at, run_until_busy, seen, sign, station, visit};
    use crate::station::rules::{Effect, Event, SURVEYS};
    use crate::station::status::sign::{OperatorAction, Sign};
    use crate::station::status::station_call::StationCall;
    use crate::station::testing::survey;
    use crate::station::types::restriction::Restriction;
    use crate::station::types::restriction::testing::one_of_each;

    #[test]
    fn a_station_that_cannot_admit_cards_lets_them_wait_and_refuses_none_and_begins_them_when_it_can() {
        let stopping = || one_of_each().into_iter().filter(Restriction::stops);
        assert_eq!(stopping().count(), 3);
        for restriction in stopping() {
            let mut station = station(&[("A1", "p1"), ("A2", "p2")]);
            station.apply(at(0), seen("p1", 1));
            assert!(matches!(station.apply(at(1000), Event::Tick).as_slice(), [Effect::Survey(_)]));
            station.apply(at(1100), Event::Restricted(vec![restriction.clone()]));
            for moment in 2..3 * u64::from(SURVEYS) {
                // Nobody can tell who uses it, over and over again.
                assert_eq!(station.apply(at(1000 * moment), Event::Surveyed { visit: visit(1), survey: None }), vec![]);
                assert_eq!(station.apply(at(1000 * moment + 900), Event::Tick), vec![], "{restriction:?}");
            }
            station.apply(at(99_000), seen("p2", 2));
            assert_eq!(station.apply(at(100_000), Event::Tick), vec![], "{restriction:?}");
            let view = station.view(at(100_000));
            assert_eq!((view.fault.as_ref(), view.log_fault.as_ref()), (Some(&restriction.sentence()), None));
            assert!(view.slots.iter().all(|slot| slot.sign == Sign::Preparing && slot.call == OperatorAction::StationFault), "{view:?}");
            station.apply(at(100_001), Event::Restricted(Vec::new()));
            assert_eq!(station.apply(at(102_000), Event::Tick).len(), 2, "both are asked about now");
            assert_eq!(station.view(at(102_000)).fault, None);
            // And one answer that does not come is still no refusal: it is asked as often as ever.
            assert_eq!(station.apply(at(102_001), Event::Surveyed { visit: visit(1), survey: None }), vec![]);
            assert_eq!(sign(&station, 0), Sign::Preparing);
        }
    }

    #[test]
    fn a_fault_of_the_log_is_told_beside_what_stops_the_station_and_neither_hides_the_other() {
        let mut station = station(&[("A1", "p1")]);
        station.apply(at(0), Event::Restricted(vec![Restriction::SwapsHidden, Restriction::DisksHidden]));
        station.apply(at(1), Event::LogHealth(Some("disk full".to_owned())));
        let view = station.view(at(2));
        assert_eq!(view.log_fault.as_deref(), Some("the flash log cannot be written: disk full"));
        let both = format!("the flash log cannot be written: disk full; {}", Restriction::DisksHidden.sentence());
        assert_eq!(view.fault, Some(both), "what stops nothing is no reason");
        station.apply(at(3), Event::Restricted(Vec::new()));
        let view = station.view(at(4));
        assert!(view.fault.is_some() && view.fault == view.log_fault, "{view:?}");
    }

    #[test]
    fn facts_that_were_asked_for_before_the_restriction_begin_no_card() {
        let mut station = station(&[("A1", "p1")]);
        station.apply(at(0), seen("p1", 1));
        station.apply(at(1000), Event::Tick);
        station.apply(at(1001), Event::Restricted(vec![Restriction::DisksHidden]));
        let answer = Event::Surveyed { visit: visit(1), survey: Some(Box::new(survey("p1", 1))) };
        assert_eq!(station.apply(at(1002), answer), vec![]);
        assert_eq!(sign(&station, 0), Sign::Preparing);
    }

    #[test]
    fn any_other_restriction_is_a_fault_of_the_station_and_cards_go_on() {
        for restriction in one_of_each().into_iter().filter(|restriction| !restriction.stops()) {
            let mut station = station(&[("A1", "p1")]);
            assert_eq!(station.view(at(0)).call(), StationCall::Well);
            station.apply(at(0), Event::Restricted(vec![restriction.clone()]));
            run_until_busy(&mut station, 1);
            let view = station.view(at(9000));
            assert_eq!((view.call(), view.fault.as_ref(), view.slots[0].call), (StationCall::Fault, None, OperatorAction::Wait));
            assert_eq!(view.restrictions, [restriction]);
            station.apply(at(9001), Event::Restricted(Vec::new()));
            assert_eq!(station.view(at(9002)).call(), StationCall::Well);
        }
    }
}
