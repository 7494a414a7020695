//! The pace of a hand that pulls a device and plugs in the next: slower than a device that comes back by itself. Knows which hubs have just
//! been plugged in.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::lock;

/// A station takes what is back in its port within two seconds for a device that came back by itself; a guest that is busy sees a second
/// later what left.
const LEAST: Duration = Duration::from_secs(4);

/// A stick that comes up within ten seconds of its hub may have been in it all the time, and a station that began to look meanwhile holds
/// it. A hub of a factory PC has been there for longer.
const HUB_IS_OLD: Duration = Duration::from_secs(11);

/// What it did last, by port.
#[derive(Debug, Default)]
pub(crate) struct Hand {
    pulled: Mutex<HashMap<String, Instant>>,
    hubs: Mutex<HashMap<String, Instant>>,
}

impl Hand {
    /// It pulls what is in this port now.
    pub(crate) fn pulls(&self, port: &str) {
        lock(&self.pulled).insert(port.to_owned(), Instant::now());
    }

    /// Somebody else's hand is at this port.
    pub(crate) fn gives_way(&self, port: &str) {
        lock(&self.pulled).remove(port);
    }

    /// It plugs a hub into this port now.
    pub(crate) fn plugs_hub(&self, port: &str) {
        lock(&self.hubs).insert(port.to_owned(), Instant::now());
    }

    /// Returns when a hand could have something in this port again, and its hub has been there for a while.
    pub(crate) fn plugs(&self, port: &str) {
        let pulled = lock(&self.pulled).remove(port);
        let hub = port.rsplit_once('.').and_then(|(hub, _)| lock(&self.hubs).get(hub).copied());
        for (since, least) in [(pulled, LEAST), (hub, HUB_IS_OLD)] {
            if let Some(since) = since {
                thread::sleep(least.saturating_sub(since.elapsed()));
            }
        }
    }
}
