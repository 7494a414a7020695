//! The heartbeat of the task that decides. Lamps and panel check it before they show anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::station::view::DEAD_AFTER;

/// The time at which the deciding task last gave a sign of life. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Heartbeat {
    began: Instant,
    last: Arc<AtomicU64>,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { began: Instant::now(), last: Arc::default() }
    }
}

impl Heartbeat {
    /// A heartbeat that stopped long ago.
    #[cfg(test)]
    pub(super) fn silent() -> Self {
        Self { began: Instant::now().checked_sub(2 * DEAD_AFTER).expect("the clock is not that young"), last: Arc::default() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn beat(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// Was there a beat within [`DEAD_AFTER`]?
    pub(super) fn is_recent(&self) -> bool {
        u128::from(self.now().saturating_sub(self.last.load(Ordering::Relaxed))) < DEAD_AFTER.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_that_decides_no_more_is_noticed() {
        let heartbeat = Heartbeat::silent();
        assert!(!heartbeat.clone().is_recent());
        heartbeat.beat();
        assert!(heartbeat.clone().is_recent(), "whoever holds a copy feels it");
    }
}
