//! The pace of a hand that pulls a device and plugs in the next: slower than a device that comes back by itself. Knows which hubs have just
//! been plugged in.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::lock;

/// A station treats a device that is back in its port within two seconds as one that came back by itself. A busy guest may notice a removal
/// a second late.
const LEAST: Duration = Duration::from_secs(4);

/// A stick that comes up within ten seconds of its hub may have been in the hub all the time; a station that started in between holds it.
/// The hub of a factory PC has been there for longer.
const HUB_IS_OLD: Duration = Duration::from_secs(11);

/// The last action of the hand, by port.
#[derive(Debug, Default)]
pub(crate) struct Hand {
    pulled: Mutex<HashMap<String, Instant>>,
    hubs: Mutex<HashMap<String, Instant>>,
}

impl Hand {
    /// The hand pulls the device in this port now.
    pub(crate) fn pulls(&self, port: &str) {
        lock(&self.pulled).insert(port.to_owned(), Instant::now());
    }

    /// Another hand is at this port.
    pub(crate) fn gives_way(&self, port: &str) {
        lock(&self.pulled).remove(port);
    }

    /// The hand plugs a hub into this port now.
    pub(crate) fn plugs_hub(&self, port: &str) {
        lock(&self.hubs).insert(port.to_owned(), Instant::now());
    }

    /// Returns when a hand could have plugged a device into this port again, and its hub has been there for a while.
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
