//! Follows a card that a person takes out and puts in again, by what the kernel shows of its port. A value: the time and each look go in.

use std::time::Duration;

use super::facts::{HandsFacts, Noticed};
use crate::watch::reader_kind::Glimpse;

/// What the person is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Take the card out.
    TakeOut,
    /// Put it in again.
    PutIn,
}

/// A card on its way.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    before: Option<u64>,
    pressed: Option<Duration>,
    facts: HandsFacts,
}

impl Change {
    /// The card that is there before it is taken out.
    #[must_use]
    pub(crate) fn new(before: Glimpse) -> Self {
        Self { before: before.diskseq, pressed: None, facts: HandsFacts::default() }
    }

    /// What the person is to do; `None` when the card is back.
    #[must_use]
    pub(crate) fn asks(&self) -> Option<Ask> {
        match (&self.facts.left, &self.facts.back) {
            (None, _) => Some(Ask::TakeOut),
            (Some(_), None) => Some(Ask::PutIn),
            (Some(_), Some(_)) => None,
        }
    }

    /// The person pressed a key: what was asked for is done. The first key counts.
    pub(crate) fn press(&mut self, now: Duration) {
        self.pressed.get_or_insert(now);
    }

    /// Does this look like an exchange between two looks of the kernel? It may as well be a card that was only taken out: the kernel counts a
    /// change as soon as it notices one, and looks for the medium when the disk is opened next (kernel, `block/disk-events.c`). So it is to be
    /// opened, and looked at again.
    #[must_use]
    pub(crate) fn is_unsure_of(&self, glimpse: Glimpse) -> bool {
        self.asks() == Some(Ask::TakeOut) && glimpse.medium && self.is_another(glimpse)
    }

    fn is_another(&self, glimpse: Glimpse) -> bool {
        glimpse.diskseq.is_some() && glimpse.diskseq != self.before
    }

    /// A look at the port. `by_itself`: the disk was not opened to make the kernel look.
    pub(crate) fn look(&mut self, now: Duration, glimpse: Glimpse, by_itself: bool) {
        let noticed = |pressed: Option<Duration>| Noticed { by_itself, after: pressed.map(|at| now.saturating_sub(at)) };
        match self.asks() {
            Some(Ask::TakeOut) => {
                if glimpse.medium && !self.is_another(glimpse) {
                    return;
                }
                self.facts.left = Some(noticed(self.pressed.take()));
                self.facts.size_zero = glimpse.disk && !glimpse.medium;
                self.facts.disk_gone = !glimpse.disk;
                // Exchanged between two looks of the kernel: it is back already.
                if glimpse.medium {
                    self.came_back(noticed(None), glimpse);
                }
            }
            Some(Ask::PutIn) => {
                self.facts.disk_gone |= !glimpse.disk;
                self.facts.size_zero |= glimpse.disk && !glimpse.medium;
                if glimpse.medium {
                    let noticed = noticed(self.pressed.take());
                    self.came_back(noticed, glimpse);
                }
            }
            None => {}
        }
    }

    fn came_back(&mut self, noticed: Noticed, glimpse: Glimpse) {
        self.facts.back = Some(noticed);
        self.facts.diskseq = self.before.zip(glimpse.diskseq);
    }

    /// What was seen.
    #[must_use]
    pub(crate) fn facts(self) -> HandsFacts {
        self.facts
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    const IN: Glimpse = Glimpse { disk: true, medium: true, diskseq: Some(7) };
    const EMPTY: Glimpse = Glimpse { disk: true, medium: false, diskseq: Some(8) };
    const AGAIN: Glimpse = Glimpse { disk: true, medium: true, diskseq: Some(9) };
    const NOTHING: Glimpse = Glimpse { disk: false, medium: false, diskseq: None };

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_card_of_a_reader_leaves_and_comes_back_and_the_time_counts_from_the_key() {
        let mut change = Change::new(IN);
        change.look(millis(10), IN, true);
        assert_eq!(change.asks(), Some(Ask::TakeOut));
        change.press(millis(1000));
        change.press(millis(1200));
        change.look(millis(1400), EMPTY, true);
        assert_eq!(change.asks(), Some(Ask::PutIn));
        change.look(millis(3000), EMPTY, true);
        change.look(millis(5000), AGAIN, true);
        assert_eq!(change.asks(), None);
        let facts = change.facts();
        assert_eq!(facts.left, Some(Noticed { by_itself: true, after: Some(millis(400)) }), "the first key counts");
        assert_eq!(facts.back, Some(Noticed { by_itself: true, after: None }), "no key was pressed");
        assert_eq!((facts.size_zero, facts.disk_gone, facts.diskseq), (true, false, Some((7, 9))));
    }

    #[test]
    fn a_stick_takes_its_disk_along_and_a_fast_exchange_is_seen_by_diskseq_alone() {
        let mut stick = Change::new(IN);
        stick.look(millis(10), NOTHING, true);
        stick.look(millis(20), AGAIN, true);
        let facts = stick.facts();
        assert_eq!((facts.size_zero, facts.disk_gone, facts.diskseq), (false, true, Some((7, 9))));
        let mut fast = Change::new(IN);
        fast.look(millis(10), AGAIN, true);
        assert_eq!(fast.asks(), None);
        let facts = fast.facts();
        assert_eq!((facts.size_zero, facts.disk_gone, facts.diskseq), (false, false, Some((7, 9))));
    }

    #[test]
    fn a_counted_change_with_a_medium_is_looked_into_before_it_is_taken_for_an_exchange() {
        let mut change = Change::new(IN);
        assert!(!change.is_unsure_of(IN) && !change.is_unsure_of(EMPTY) && !change.is_unsure_of(NOTHING));
        let counted = Glimpse { diskseq: Some(8), ..IN };
        assert!(change.is_unsure_of(counted));
        // The kernel was made to look for the medium.
        change.look(millis(10), EMPTY, true);
        assert_eq!(change.asks(), Some(Ask::PutIn));
        assert!(!change.is_unsure_of(counted), "what comes next is put in");
    }

    #[test]
    fn a_change_that_the_kernel_shows_only_when_it_is_asked_is_told_as_such() {
        let mut change = Change::new(IN);
        change.look(millis(60_000), EMPTY, false);
        assert_eq!(change.clone().facts().left.map(|noticed| noticed.by_itself), Some(false));
        let same = Glimpse { medium: true, ..EMPTY };
        change.look(millis(61_000), same, true);
        assert_eq!(change.facts().diskseq, Some((7, 8)));
    }
}
