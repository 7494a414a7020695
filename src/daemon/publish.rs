//! Publishes what the station shows to panel, lamps and clients of the control socket.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::heartbeat::Heartbeat;
use super::journal::SignJournal;
use crate::station::view::View;

/// An unchanged view is published again after this time: a client that receives nothing for
/// [`DEAD_AFTER`](crate::station::view::DEAD_AFTER) reports the station as down.
const REPEAT_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Published {
    view: watch::Sender<View>,
    published_at: Instant,
    journal: SignJournal,
}

impl Published {
    pub(super) fn new(now: Instant, view: View) -> Self {
        Self { view: watch::Sender::new(view), published_at: now, journal: SignJournal::default() }
    }

    /// Publishes this view from now on, and writes changes to the journal.
    pub(super) fn update(&mut self, now: Instant, view: View) {
        let changed = *self.view.borrow() != view;
        if changed {
            self.journal.update(&view);
        }
        if changed || now.duration_since(self.published_at) >= REPEAT_AFTER {
            self.view.send_replace(view);
            self.published_at = now;
        }
    }

    /// A receiver that can wait for the next view.
    pub(super) fn listen(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// The newest view at any time; `None` if the deciding task has stopped.
    pub(super) fn live_view(&self, heartbeat: &Heartbeat) -> impl Fn() -> Option<View> + Send + use<> {
        let (published, heartbeat) = (self.listen(), heartbeat.clone());
        move || heartbeat.is_recent().then(|| published.borrow().clone())
    }

    /// The newest view at any time; a fault in every slot if the deciding task has stopped.
    pub(super) fn view_or_fault(&self, heartbeat: &Heartbeat) -> impl Fn() -> View + Send + use<> {
        let (published, heartbeat) = (self.listen(), heartbeat.clone());
        move || {
            let view = published.borrow().clone();
            if heartbeat.is_recent() { view } else { view.of_a_dead_station() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::sign::{OperatorAction, Sign};
    use crate::station::view::SlotView;

    fn view(sign: Sign) -> View {
        View { slots: vec![SlotView::of(sign)], ..View::default() }
    }

    #[test]
    fn what_is_shown_is_said_when_it_changes_and_once_a_second_when_it_does_not() {
        let began = Instant::now();
        let after = |millis| began + Duration::from_millis(millis);
        let mut published = Published::new(began, view(Sign::Empty));
        let mut listener = published.listen();
        let mut is_said = |now: Instant, view: View| {
            published.update(now, view);
            let said = listener.has_changed().expect("it is there");
            listener.mark_unchanged();
            said
        };
        assert!(!is_said(after(100), view(Sign::Empty)));
        assert!(is_said(after(200), view(Sign::Preparing)), "at once");
        assert!(!is_said(after(1100), view(Sign::Preparing)));
        assert!(is_said(after(1200), view(Sign::Preparing)), "it lives");
        assert!(!is_said(after(2100), view(Sign::Preparing)));
    }

    #[test]
    fn where_nobody_decides_any_more_the_panel_shows_a_fault_and_the_lamps_get_nothing() {
        let published = Published::new(Instant::now(), view(Sign::Empty));
        let heartbeat = Heartbeat::default();
        heartbeat.beat();
        assert_eq!(published.view_or_fault(&heartbeat)(), view(Sign::Empty));
        assert_eq!(published.live_view(&heartbeat)(), Some(view(Sign::Empty)));
        let silent = Heartbeat::silent();
        let dead = published.view_or_fault(&silent)();
        assert!(dead.fault.is_some() && dead.slots.iter().all(|slot| slot.call == OperatorAction::StationFault), "{dead:?}");
        assert_eq!(published.live_view(&silent)(), None);
    }
}
