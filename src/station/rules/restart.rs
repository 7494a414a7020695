//! A restart that interrupts no card, as an upgrade wants it: no card is begun any more, and the station ends when the last one is out.
//!
//! It holds for this run only: the station that starts then begins cards again.

use std::time::Duration;

use super::Station;
use super::slot::{Phase, Slot};
use crate::station::status::view::RestartView;
use crate::station::types::outcome::Outcome;
use crate::station::types::record::Entry;
use crate::station::types::request::Who;
use crate::station::types::units::Moment;

/// For so long nothing may keep the station from restarting before it does: longer than a card takes that leaves the bus and comes back by
/// itself, and long enough to see PULLED.
const QUIET: Duration = Duration::from_secs(3);

/// A restart that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RestartAsked {
    pub(super) by: Who,
    /// Since when nothing keeps the station from it.
    pub(super) quiet_since: Option<Moment>,
}

impl Station {
    /// Begins no card from now on. Answers what is to be recorded; nothing where a restart was asked for before.
    pub(super) fn ask_for_restart(&mut self, by: Who) -> Option<Entry> {
        if self.restart.is_some() {
            return None;
        }
        self.restart = Some(RestartAsked { by: by.clone(), quiet_since: None });
        self.hold_back();
        Some(Entry::RestartAsked { by })
    }

    /// Somebody asked for a restart, and it loses no card and no sign that an operator may still need.
    #[must_use]
    pub(crate) fn may_restart(&self, now: Moment) -> bool {
        let is_quiet = |since: Moment| now.since(since) >= QUIET && !self.slots.iter().any(Slot::keeps_from_restart);
        self.restart.as_ref().and_then(|asked| asked.quiet_since).is_some_and(is_quiet)
    }

    /// What is waited for, where a restart was asked for.
    pub(super) fn restart_view(&self) -> Option<RestartView> {
        let asked = self.restart.as_ref()?;
        let waits_for = self.slots.iter().filter(|slot| slot.keeps_from_restart()).map(|slot| slot.settings.name.clone()).collect();
        Some(RestartView { by: asked.by.name.clone(), waits_for })
    }

    /// Time has passed: it is noted since when nothing is waited for.
    pub(super) fn tick_restart(&mut self, now: Moment) {
        let waits = self.slots.iter().any(Slot::keeps_from_restart);
        if let Some(asked) = &mut self.restart {
            asked.quiet_since = if waits { None } else { asked.quiet_since.or(Some(now)) };
        }
    }
}

impl Slot {
    /// A card is busy here, or its outcome is shown and it was not taken out yet; or its thread has not come back, without which the program
    /// cannot end. A card that was refused or is held may lie where it is: nothing was written to it.
    fn keeps_from_restart(&self) -> bool {
        let is_shown = match &self.phase {
            Phase::Finished { attempt, outcome } => self.holds(attempt.card.visit) && !matches!(outcome, Outcome::Refused(_)),
            Phase::Settling { .. } | Phase::Surveying { .. } => self.returned.is_some(),
            _ => false,
        };
        is_shown || !self.is_idle() || self.stuck.is_some()
    }
}

#[cfg(test)]
mod cases {
    use super::*;
    use crate::station::rules::tests::{at, busy_in, ended, gone, run_until_busy, seen, sign, station, visit};
    use crate::station::rules::{Effect, End, Event};
    use crate::station::status::sign::{Hold, OperatorAction, Sign};
    use crate::station::status::station_call::StationCall;
    use crate::station::testing::{proof, survey};
    use crate::station::types::outcome::Refusal;
    use crate::station::types::record::Receipt;
    use crate::station::types::request::{Command, Denied, RequestId};

    fn ask(station: &mut Station, now: u64) -> Vec<Effect> {
        const REQUEST: RequestId = 1;
        let by = Who { uid: 0, name: "root".to_owned() };
        station.apply(at(now), Event::Asked { request: REQUEST, by, command: Command::Restart })
    }

    /// Time passes, in ticks.
    fn wait(station: &mut Station, from: u64, to: u64) -> Vec<Effect> {
        (from..=to).step_by(100).flat_map(|now| station.apply(at(now), Event::Tick)).collect()
    }

    #[test]
    fn a_busy_card_is_finished_and_the_station_restarts_only_when_it_was_taken_out() {
        let mut station = station(&[("A1", "p1"), ("A2", "p2")]);
        let attempt = busy_in(&mut station, "p1", 1);
        let effects = ask(&mut station, 1000);
        assert!(matches!(effects.as_slice(), [Effect::RecordAsked { entry, .. }] if entry.kind() == "restart-asked"), "{effects:?}");
        assert_eq!(wait(&mut station, 1000, 9000), [], "nothing is cancelled");
        assert_eq!(sign(&station, 0), Sign::Writing);
        station.apply(at(9100), ended(attempt, End::Verified(proof())));
        station.apply(at(9200), Event::Recorded(Receipt::Closed(attempt)));
        wait(&mut station, 9300, 30_000);
        assert_eq!(sign(&station, 0), Sign::Passed, "green stays true until the card is out");
        let shown = station.view(at(30_000)).restart.expect("it is shown");
        assert_eq!((shown.by.as_str(), shown.waits_for.as_slice()), ("root", &["A1".to_owned()][..]));
        assert!(!station.may_restart(at(30_000)));
        station.apply(at(30_100), gone(1));
        wait(&mut station, 30_200, 33_100);
        assert!(!station.may_restart(at(33_100)), "it may come back by itself");
        wait(&mut station, 33_200, 33_300);
        assert!(station.may_restart(at(33_300)));
    }

    #[test]
    fn no_card_is_begun_and_no_slot_looks_empty_or_ready() {
        let mut station = station(&[("A1", "p1"), ("A2", "p2"), ("A3", "p3")]);
        busy_in(&mut station, "p1", 1);
        // One that settles, and one that is asked about.
        station.apply(at(800), seen("p2", 2));
        station.apply(at(1500), Event::Tick);
        station.apply(at(1550), seen("p3", 3));
        ask(&mut station, 1600);
        assert_eq!([sign(&station, 1), sign(&station, 2)], [Sign::Held(Hold::StationRestarts), Sign::Held(Hold::StationRestarts)]);
        let late = Event::Surveyed { visit: visit(2), survey: Some(Box::new(survey("p2", 2))) };
        assert_eq!(station.apply(at(1700), late), [], "an answer that comes late begins nothing");
        station.apply(at(1800), gone(2));
        assert_eq!(sign(&station, 1), Sign::Restarting);
        station.apply(at(1900), seen("p2", 4));
        assert_eq!(wait(&mut station, 2000, 9000), []);
        assert_eq!(sign(&station, 1), Sign::Held(Hold::StationRestarts), "put in later, it is held, too");
        let view = station.view(at(9000));
        assert!(view.slots.iter().all(|slot| slot.call != OperatorAction::PutIn), "{view:?}");
        assert_eq!(view.restart.expect("it is shown").waits_for, ["A1"], "what is held may lie where it is");
    }

    #[test]
    fn a_card_whose_start_is_on_its_way_to_the_disk_is_written() {
        let mut station = station(&[("A1", "p1")]);
        station.apply(at(0), seen("p1", 1));
        station.apply(at(700), Event::Tick);
        let effects = station.apply(at(701), Event::Surveyed { visit: visit(1), survey: Some(Box::new(survey("p1", 1))) });
        let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
        let Some(Receipt::Started(number)) = entry.receipt() else { panic!("{entry:?}") };
        ask(&mut station, 702);
        let effects = station.apply(at(703), Event::Recorded(Receipt::Started(number)));
        assert!(matches!(effects.as_slice(), [Effect::Start(_)]), "{effects:?}");
    }

    #[test]
    fn a_refused_card_that_nobody_takes_out_does_not_keep_an_empty_station_from_restarting() {
        let mut station = station(&[("A1", "p1")]);
        station.apply(at(0), seen("p1", 1));
        station.apply(at(700), Event::Tick);
        let mut found = survey("p1", 1);
        found.card.write_protected = true;
        station.apply(at(701), Event::Surveyed { visit: visit(1), survey: Some(Box::new(found)) });
        station.apply(at(702), Event::Recorded(Receipt::Closed(1)));
        assert_eq!(sign(&station, 0), Sign::Refused(Refusal::WriteProtected));
        ask(&mut station, 1000);
        wait(&mut station, 1000, 4000);
        assert!(station.may_restart(at(4000)));
    }

    #[test]
    fn a_thread_that_the_kernel_holds_keeps_the_station_which_could_not_end() {
        let mut station = station(&[("A1", "p1")]);
        let attempt = run_until_busy(&mut station, 1);
        ask(&mut station, 1000);
        let stalled = Event::Stalled {
            attempt,
            waited: Duration::from_secs(90),
            on_image: false,
            effort: crate::station::types::outcome::Effort::default(),
        };
        station.apply(at(91_000), stalled);
        station.apply(at(91_100), Event::Recorded(Receipt::Closed(attempt)));
        station.apply(at(91_200), gone(1));
        wait(&mut station, 91_300, 120_000);
        assert!(!station.may_restart(at(120_000)));
        station.apply(at(120_100), ended(attempt, End::Gone));
        wait(&mut station, 120_200, 124_000);
        assert!(station.may_restart(at(124_000)));
    }

    #[test]
    fn a_station_nobody_asked_never_restarts_by_itself_and_one_that_was_asked_twice_records_it_once() {
        let mut station = station(&[("A1", "p1")]);
        wait(&mut station, 0, 10_000);
        assert!(!station.may_restart(at(10_000)) && station.view(at(10_000)).restart.is_none());
        ask(&mut station, 10_000);
        let again = ask(&mut station, 10_100);
        assert_eq!(again, [Effect::Answer { request: 1, answer: Ok(()) }]);
        assert_eq!(station.view(at(10_200)).call(), StationCall::Well, "it restarts by itself, and wants nobody");
    }

    #[test]
    fn while_nothing_can_be_written_down_a_restart_is_refused_as_every_change_is() {
        let mut station = station(&[("A1", "p1")]);
        station.apply(at(0), Event::LogHealth(Some("disk full".to_owned())));
        assert_eq!(ask(&mut station, 100), [Effect::Answer { request: 1, answer: Err(Denied::LogFault) }]);
        assert!(station.view(at(200)).restart.is_none());
    }
}
