//! What the station shows, on its way to everybody who looks: panel, lamps, and whoever asks through the socket.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::pulse::Pulse;
use super::story::Story;
use crate::station::view::View;

/// It is said again so often, though nothing changed: whoever hears nothing for [`LIFELESS`](crate::station::view::LIFELESS) takes the
/// station for dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

pub(super) struct Shown {
    view: watch::Sender<View>,
    said_at: Instant,
    story: Story,
}

impl Shown {
    pub(super) fn new(now: Instant, view: View) -> Self {
        Self { view: watch::Sender::new(view), said_at: now, story: Story::default() }
    }

    /// From now on this is shown. The journal is told what changed.
    pub(super) fn say(&mut self, now: Instant, view: View) {
        let changed = *self.view.borrow() != view;
        if changed {
            self.story.go_on(&view);
        }
        if changed || now.duration_since(self.said_at) >= SIGN_OF_LIFE {
            self.view.send_replace(view);
            self.said_at = now;
        }
    }

    /// For whoever waits for it to be said.
    pub(super) fn listen(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// For whoever looks when they like: what was said last, while somebody decides.
    pub(super) fn while_alive(&self, pulse: &Pulse) -> impl Fn() -> Option<View> + Send + use<> {
        let (shown, pulse) = (self.listen(), pulse.clone());
        move || pulse.is_felt().then(|| shown.borrow().clone())
    }

    /// The same, and a fault in every slot when nobody decides any more.
    pub(super) fn dead_or_alive(&self, pulse: &Pulse) -> impl Fn() -> View + Send + use<> {
        let (shown, pulse) = (self.listen(), pulse.clone());
        move || {
            let view = shown.borrow().clone();
            if pulse.is_felt() { view } else { view.of_a_dead_station() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::sign::{Call, Sign};
    use crate::station::view::SlotView;

    fn view(sign: Sign) -> View {
        View { slots: vec![SlotView::of(sign)], ..View::default() }
    }

    #[test]
    fn what_is_shown_is_said_when_it_changes_and_once_a_second_when_it_does_not() {
        let began = Instant::now();
        let after = |millis| began + Duration::from_millis(millis);
        let mut shown = Shown::new(began, view(Sign::Empty));
        let mut listener = shown.listen();
        let mut is_said = |now: Instant, view: View| {
            shown.say(now, view);
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
        let shown = Shown::new(Instant::now(), view(Sign::Empty));
        let pulse = Pulse::default();
        pulse.beat();
        assert_eq!(shown.dead_or_alive(&pulse)(), view(Sign::Empty));
        assert_eq!(shown.while_alive(&pulse)(), Some(view(Sign::Empty)));
        let silent = Pulse::silent();
        let dead = shown.dead_or_alive(&silent)();
        assert!(dead.fault.is_some() && dead.slots.iter().all(|slot| slot.call == Call::StationFault), "{dead:?}");
        assert_eq!(shown.while_alive(&silent)(), None);
    }
}
