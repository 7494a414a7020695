//! Detects that an attempt makes no progress: neither the counters of the card's thread nor those of the disk advance. The disk's also
//! advance during one blocked call.

use std::time::{Duration, Instant};

use super::gauge::{Gauge, Waits};
use super::rules::Rules;
use crate::station::outcome::Effort;
use crate::station::units::Bytes;

/// The watch over one attempt.
#[derive(Debug)]
pub(crate) struct StallWatch {
    moved: (Bytes, Bytes, Option<u64>, Waits),
    since: Instant,
    reported: bool,
}

/// An attempt that was given up.
#[derive(Debug)]
pub(crate) struct Stalled {
    /// The time without progress.
    pub waited: Duration,
    /// It waited for the station's image, not for the card.
    pub on_image: bool,
    /// The effort until then.
    pub effort: Effort,
}

impl Default for StallWatch {
    fn default() -> Self {
        Self { moved: (Bytes(0), Bytes(0), None, Waits::Card), since: Instant::now(), reported: false }
    }
}

impl StallWatch {
    /// Checks an attempt whose disk has moved this many `sectors`, and gives it up if it makes no progress for longer than the rules allow.
    /// It is reported once, and never for an attempt that has proven its card.
    pub(crate) fn look(&mut self, gauge: &Gauge, sectors: Option<u64>, rules: &Rules) -> Option<Stalled> {
        let (effort, waits) = (gauge.effort(), gauge.waits_for());
        let moved = (effort.written, effort.read, sectors, waits);
        if moved != self.moved {
            (self.moved, self.since) = (moved, Instant::now());
        }
        let waited = self.since.elapsed();
        if self.reported || waited < rules.patience(gauge) || !gauge.cancel() {
            return None;
        }
        self.reported = true;
        Some(Stalled { waited, on_image: waits == Waits::Image, effort })
    }
}

#[cfg(test)]
mod cases {
    use std::sync::Arc;

    use super::*;

    fn rules(stall: Duration) -> Rules {
        Rules { stall, flush_required: false, retries: 0, unanswered: Arc::default() }
    }

    #[test]
    fn what_stands_still_is_told_once_and_by_what_it_waited_for() {
        let rules = rules(Duration::from_millis(30));
        for (waits, on_image) in [(Waits::Card, false), (Waits::Image, true)] {
            let (gauge, mut watch) = (Gauge::default(), StallWatch::default());
            gauge.waiting(waits, || {
                assert!(watch.look(&gauge, Some(1), &rules).is_none(), "not yet");
                std::thread::sleep(Duration::from_millis(40));
                assert!(watch.look(&gauge, Some(2), &rules).is_none(), "the disk has moved");
                std::thread::sleep(Duration::from_millis(40));
                let stalled = watch.look(&gauge, Some(2), &rules).expect("nothing moved");
                assert_eq!(stalled.on_image, on_image, "{waits:?}");
                assert!(gauge.is_cancelled());
                assert!(watch.look(&gauge, Some(2), &rules).is_none(), "told once");
            });
        }
    }

    #[test]
    fn a_device_that_took_its_time_to_answer_has_not_stalled_the_moment_it_goes_on() {
        let rules = rules(Duration::from_millis(30));
        let (gauge, mut watch) = (Gauge::default(), StallWatch::default());
        gauge.waiting(Waits::Answer, || {
            assert!(watch.look(&gauge, None, &rules).is_none());
            std::thread::sleep(Duration::from_millis(60));
            assert!(watch.look(&gauge, None, &rules).is_none(), "it has longer for that");
        });
        assert!(watch.look(&gauge, None, &rules).is_none(), "and what comes next begins anew");
        assert!(rules.for_an_answer() > rules.for_a_flush());
    }

    #[test]
    fn a_proven_card_is_not_given_up_any_more() {
        let rules = rules(Duration::ZERO);
        let (gauge, mut watch) = (Gauge::default(), StallWatch::default());
        assert!(gauge.conclude());
        assert!(watch.look(&gauge, None, &rules).is_none());
        assert!(!gauge.is_cancelled());
    }
}
