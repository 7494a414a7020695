//! The hand that pulls a device and plugs it in again: it takes longer than a device that comes back by itself.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::lock;

/// A station takes what is back within two seconds for a device that came back by itself.
const LEAST: Duration = Duration::from_secs(3);

/// When it let go last.
#[derive(Debug, Default)]
pub(crate) struct Hand {
    pulled: Mutex<Option<Instant>>,
}

impl Hand {
    /// It pulls the device now.
    pub(crate) fn pulls(&self) {
        *lock(&self.pulled) = Some(Instant::now());
    }

    /// Returns when a hand could have the device in its port again.
    pub(crate) fn plugs(&self) {
        let pulled = lock(&self.pulled).take();
        if let Some(pulled) = pulled {
            thread::sleep(LEAST.saturating_sub(pulled.elapsed()));
        }
    }
}
