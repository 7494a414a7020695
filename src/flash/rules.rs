//! Rules for every card of a program: how long to wait for a device, and what to do with one that does not flush.

use std::sync::Arc;
use std::time::Duration;

use super::gauge::{Gauge, Waits};
use super::unanswered::Unanswered;

/// Additional time that a device has to answer whether it accepts a flush command: its cache may be full of earlier writes.
const LONGER_FOR_AN_ANSWER: Duration = Duration::from_secs(30);
/// The time that the kernel may need to recover a device that did not answer in time: it aborts the command, then resets device and bus.
const TO_GET_IT_BACK: Duration = Duration::from_secs(120);

/// Rules that hold for the writing of every card.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// A card without progress for this time has stalled.
    pub stall: Duration,
    /// A card whose device does not answer a flush is refused.
    pub flush_required: bool,
    /// How often a read or write that returned an error is repeated.
    pub retries: u32,
    /// The makes of devices that must not be asked.
    pub unanswered: Arc<Unanswered>,
}

impl Rules {
    /// How long a flush may take: a third longer than anything else, because nothing moves meanwhile.
    #[must_use]
    pub(crate) fn for_a_flush(&self) -> Duration {
        self.stall + self.stall / 3
    }

    /// How long a device may take to answer whether it accepts a flush command.
    #[must_use]
    pub(crate) fn for_an_answer(&self) -> Duration {
        self.for_a_flush() + LONGER_FOR_AN_ANSWER
    }

    /// The time without progress after which a card has stalled, by what its thread is waiting for now.
    #[must_use]
    pub(crate) fn patience(&self, gauge: &Gauge) -> Duration {
        match gauge.waits_for() {
            Waits::Card | Waits::Image => self.stall,
            Waits::Flush => self.for_a_flush(),
            Waits::Answer => self.for_an_answer() + TO_GET_IT_BACK,
        }
    }
}
