//! Writes the state of the slots to the journal: one line for each change of a sign, and none in between.

use crate::panel::lines::{exposed, line, note};
use crate::station::restriction::Restriction;
use crate::station::sign::{OperatorAction, Sign};
use crate::station::standing::LogNote;
use crate::station::view::{MaintenanceView, SlotView, View};

/// The last state of the station and its slots that was written to the journal.
#[derive(Debug, Default)]
pub(super) struct SignJournal {
    /// Name, sign and attempt of every slot.
    written: Vec<(String, Sign, Option<u64>)>,
    log_fault: Option<String>,
    exposed: Vec<String>,
    faults: Vec<String>,
    maintenance: Option<MaintenanceView>,
    restrictions: Vec<Restriction>,
    log: Vec<LogNote>,
}

impl SignJournal {
    /// Writes the changes since the last call.
    pub(super) fn update(&mut self, view: &View) {
        // The other reasons why nothing is begun are restrictions, which are told below with their codes.
        if view.log_fault != self.log_fault {
            match &view.log_fault {
                Some(fault) => tracing::error!(fault, "the station has a fault: nothing new is begun"),
                None => tracing::info!("the station's fault is over"),
            }
            self.log_fault.clone_from(&view.log_fault);
        }
        if view.faults != self.faults {
            for fault in view.faults.iter().filter(|fault| !self.faults.contains(fault)) {
                tracing::error!(fault, "the station has a fault: nothing new is begun in the slots it concerns");
            }
            if view.faults.is_empty() {
                tracing::info!("the station's fault is over");
            }
            self.faults.clone_from(&view.faults);
        }
        if view.restrictions != self.restrictions {
            for new in view.restrictions.iter().filter(|restriction| !self.restrictions.contains(restriction)) {
                let still = if new.stops() { "nothing new is begun" } else { "cards go on" };
                tracing::error!(restriction = new.code(), "STATION FAULT  {}; {still}", new.sentence());
            }
            if view.restrictions.is_empty() {
                tracing::info!("the station's fault is over");
            }
            self.restrictions.clone_from(&view.restrictions);
        }
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
        for new in view.log.iter().filter(|note| !self.log.contains(note)) {
            tracing::warn!(log = new.word(), "{}", note(*new));
        }
        self.log.clone_from(&view.log);
        for slot in changed(&self.written, view) {
            tell(slot);
        }
        self.written = view.slots.iter().map(|slot| (slot.slot.clone(), slot.sign.clone(), slot.attempt)).collect();
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
        OperatorAction::TakeBad | OperatorAction::StationFault => {
            tracing::warn!(slot = name, model, attempt, diskseq, card, reason, "{line}");
        }
        _ => tracing::info!(slot = name, model, attempt, diskseq, card, reason, "{line}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

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

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("whole").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_reason_why_nothing_is_begun_is_told_once_and_one_does_not_hide_the_other() {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(move || writer.clone());
        let (stops, log) = (Restriction::DisksHidden, "the flash log cannot be written: disk full".to_owned());
        let stopped = View { fault: Some(stops.sentence()), restrictions: vec![stops.clone()], ..View::default() };
        let both = View { fault: Some(format!("{log}; {}", stops.sentence())), log_fault: Some(log.clone()), ..stopped.clone() };
        tracing::subscriber::with_default(lines.finish(), || {
            let mut journal = SignJournal::default();
            [&stopped, &stopped, &both, &both].into_iter().for_each(|view| journal.update(view));
        });
        let text = String::from_utf8(kept.0.lock().expect("whole").clone()).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        let [first, second] = lines.as_slice() else { panic!("{text}") };
        assert!(first.contains(&stops.sentence()) && first.contains("disks-hidden"), "{text}");
        assert!(second.contains(&log) && !second.contains(&stops.sentence()), "{text}");
    }
}
