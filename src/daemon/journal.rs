//! Writes the state of the slots to the journal: one line for each change of a sign, and none in between.

use crate::panel::lines::{exposed, line, note, stands_out};
use crate::station::restriction::Restriction;
use crate::station::sign::{OperatorAction, Sign};
use crate::station::standing::LogNote;
use crate::station::suspect::Finding;
use crate::station::view::{MaintenanceView, SlotView, View};

/// The last state of the station and its slots that was written to the journal.
#[derive(Debug, Default)]
pub(super) struct SignJournal {
    /// Name, sign and attempt of every slot.
    written: Vec<(String, Sign, Option<u64>)>,
    /// The station had a fault of any kind.
    has_fault: bool,
    log_fault: Option<String>,
    exposed: Vec<String>,
    faults: Vec<String>,
    maintenance: Option<MaintenanceView>,
    suspects: Vec<Finding>,
    restrictions: Vec<Restriction>,
    log: Vec<LogNote>,
}

impl SignJournal {
    /// Writes the changes since the last call.
    pub(super) fn update(&mut self, view: &View) {
        self.tell_faults(view);
        if view.exposed != self.exposed {
            if !view.exposed.is_empty() {
                tracing::warn!(slots = view.exposed.join(" "), "{}", exposed(&view.exposed));
            }
            self.exposed.clone_from(&view.exposed);
        }
        if view.maintenance != self.maintenance {
            match &view.maintenance {
                Some(MaintenanceView { by, why }) => tracing::warn!(by, why, "maintenance: no card is begun"),
                None => tracing::info!("the maintenance is over"),
            }
            self.maintenance.clone_from(&view.maintenance);
        }
        for new in view.suspects.iter().filter(|finding| !self.suspects.contains(finding)) {
            tracing::warn!(what = new.suspect.word(), name = new.suspect.name(), "{}", stands_out(&new.to_string()));
        }
        self.suspects.clone_from(&view.suspects);
        for new in view.log.iter().filter(|note| !self.log.contains(note)) {
            tracing::warn!(log = new.word(), "{}", note(*new));
        }
        self.log.clone_from(&view.log);
        for slot in changed(&self.written, view) {
            tell(slot);
        }
        self.written = view.slots.iter().map(|slot| (slot.slot.clone(), slot.sign.clone(), slot.attempt)).collect();
    }

    /// Writes which faults began and which ended. While another one stands, the end of one does not mean that cards are begun again.
    fn tell_faults(&mut self, view: &View) {
        // The other reasons why nothing is begun are restrictions, which are told below with their codes.
        if view.log_fault != self.log_fault {
            match &view.log_fault {
                Some(fault) => tracing::error!(fault, "the station has a fault: nothing new is begun"),
                None => tracing::info!("the flash log can be written again"),
            }
            self.log_fault.clone_from(&view.log_fault);
        }
        if view.faults != self.faults {
            for fault in view.faults.iter().filter(|fault| !self.faults.contains(fault)) {
                tracing::error!(fault, "the station has a fault: nothing new is begun in the slots it concerns");
            }
            if view.faults.is_empty() {
                tracing::info!("no slot has a fault of the station any more");
            }
            self.faults.clone_from(&view.faults);
        }
        if view.restrictions != self.restrictions {
            for new in view.restrictions.iter().filter(|restriction| !self.restrictions.contains(restriction)) {
                let still = if new.stops() { "nothing new is begun" } else { "cards go on" };
                tracing::error!(restriction = new.code(), "STATION FAULT  {}; {still}", new.sentence());
            }
            // One that now has another cause is not over.
            let is_over = |restriction: &&Restriction| view.restrictions.iter().all(|now| now.code() != restriction.code());
            for over in self.restrictions.iter().filter(is_over) {
                tracing::info!(restriction = over.code(), "the restriction is over");
            }
            self.restrictions.clone_from(&view.restrictions);
        }
        let has_fault = view.has_fault();
        if self.has_fault && !has_fault {
            tracing::info!("the station's fault is over");
        }
        self.has_fault = has_fault;
    }
}

/// The slots whose sign has changed, or whose attempt has changed under the same sign.
fn changed<'v>(told: &[(String, Sign, Option<u64>)], view: &'v View) -> Vec<&'v SlotView> {
    let is_told =
        |slot: &SlotView| told.iter().any(|(name, sign, attempt)| *name == slot.slot && *sign == slot.sign && *attempt == slot.attempt);
    view.slots.iter().filter(|slot| !is_told(slot)).collect()
}

fn tell(slot: &SlotView) {
    let SlotView { slot: name, model, sign, card, attempt, diskseq, .. } = slot;
    let (line, reason, card) = (line(slot), sign.reason(), card.as_deref());
    match sign.call() {
        // A slot in quarantine asks the operator for nothing, and somebody for a reader.
        _ if matches!(sign, Sign::Quarantined(_)) => tracing::warn!(slot = name, model, card, reason, "{line}"),
        OperatorAction::TakeBad | OperatorAction::StationFault => {
            tracing::warn!(slot = name, model, attempt, diskseq, card, reason, "{line}");
        }
        _ => tracing::info!(slot = name, model, attempt, diskseq, card, reason, "{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::units::Bytes;
    use crate::station::view::Progress;

    #[test]
    fn a_sign_is_told_once_however_far_its_card_comes_and_the_next_card_is_told_again() {
        let view = |sign: Sign, attempt, done| {
            let progress = Some(Progress { done: Bytes(done), of: Bytes(10), rate: None, left: None });
            View { slots: vec![SlotView { slot: "A1".into(), attempt, progress, ..SlotView::of(sign) }], ..View::default() }
        };
        let mut journal = SignJournal::default();
        let mut told = 0;
        for now in [
            view(Sign::Empty, None, 0),
            view(Sign::Writing, Some(1), 1),
            view(Sign::Writing, Some(1), 2),
            view(Sign::Passed, Some(1), 0),
            view(Sign::Passed, Some(1), 0),
            view(Sign::Writing, Some(2), 1),
            view(Sign::Writing, Some(3), 1),
        ] {
            told += changed(&journal.written, &now).len();
            journal.update(&now);
        }
        assert_eq!(told, 5);
    }

    /// The lines for these views, one after the other.
    fn told(views: &[&View]) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let writer = file.reopen().expect("opened");
        let lines = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(writer);
        tracing::subscriber::with_default(lines.finish(), || {
            let mut journal = SignJournal::default();
            views.iter().for_each(|view| journal.update(view));
        });
        let text = std::fs::read_to_string(file.path()).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    const LOG: &str = "the flash log cannot be written: disk full";

    /// A station that a restriction stops; one whose log cannot be written; and one with both.
    fn stopped() -> [View; 3] {
        let (stops, log) = (Restriction::DisksHidden, Some(LOG.to_owned()));
        let stopped = View { fault: Some(stops.sentence()), restrictions: vec![stops.clone()], ..View::default() };
        let unlogged = View { fault: log.clone(), log_fault: log.clone(), ..View::default() };
        let both = View { fault: Some(format!("{LOG}; {}", stops.sentence())), log_fault: log, ..stopped.clone() };
        [stopped, unlogged, both]
    }

    #[test]
    fn each_reason_why_nothing_is_begun_is_told_once_and_one_does_not_hide_the_other() {
        let [stopped, _, both] = stopped();
        let sentence = Restriction::DisksHidden.sentence();
        let lines = told(&[&stopped, &stopped, &both, &both]);
        let [first, second] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(first.contains(&sentence) && first.contains("disks-hidden"), "{lines:?}");
        assert!(second.contains(LOG) && !second.contains(&sentence), "{lines:?}");
    }

    #[test]
    fn the_end_of_a_fault_is_told_with_its_name_and_the_stations_fault_is_over_only_with_the_last_one() {
        let [stopped, unlogged, both] = stopped();
        let well = View::default();
        let slots = View { faults: vec!["acme/box: its copy of the image is damaged".to_owned()], ..stopped.clone() };
        let (log, restriction, over) = ("the flash log can be written again", "the restriction is over", "the station's fault is over");
        let no_slot = "no slot has a fault of the station any more";
        for (before, after, said) in [
            (&both, &stopped, vec![log]),
            (&both, &unlogged, vec![restriction]),
            (&slots, &stopped, vec![no_slot]),
            (&both, &well, vec![log, restriction, over]),
            (&unlogged, &well, vec![log, over]),
            (&stopped, &well, vec![restriction, over]),
        ] {
            let lines = told(&[before, after, after]);
            let ends: Vec<&String> = lines.iter().skip(told(&[before]).len()).collect();
            assert!(ends.len() == said.len() && ends.iter().zip(&said).all(|(line, words)| line.contains(words)), "{said:?}: {lines:?}");
            assert!(ends.iter().all(|line| !line.contains(restriction) || line.contains("disks-hidden")), "{lines:?}");
        }
    }

    #[test]
    fn a_restriction_that_has_another_cause_now_is_told_again_and_is_not_over() {
        let stuck = |led: &str| Restriction::LampsStuck { led: led.to_owned(), why: "no".to_owned(), errno: None };
        let view = |led: &str| View { restrictions: vec![stuck(led)], ..View::default() };
        let lines = told(&[&view("a"), &view("b")]);
        assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("STATION FAULT  the LED ")), "{lines:?}");
    }
}
