//! Makes the kernel poll readers for media more often than it does by default.
//!
//! A card put into a fixed reader raises no event of its own: the kernel polls the reader, every two seconds by default.
//! `61-flashline.rules` sets this for our ports; this module does it on a PC without those rules. The kernel's write waits for a check of
//! that disk which is under way (`block/disk-events.c`, `disk_block_events`), for half a minute and more if the reader hangs, so each disk
//! has its own thread.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::devices::DeviceId;
use super::sysfs::Sysfs;

/// The interval: short enough for an operator, long enough for the reader.
pub(crate) const MEDIA_POLL: Duration = Duration::from_millis(500);
/// A card that is seen later than this makes an operator put it in again.
pub(crate) const SEEN_WITHIN: Duration = Duration::from_secs(1);

/// The limit of threads: four readers of sixteen slots may hang at once. Other disks wait until one is done.
const AT_ONCE: usize = 64;

/// The disks that were handled.
#[derive(Debug, Default)]
pub(super) struct MediaPolls {
    asked: BTreeSet<DeviceId>,
    running: Arc<AtomicUsize>,
}

impl MediaPolls {
    /// Sets the polling of each of these disks, once.
    pub(super) fn ask<'a>(&mut self, sysfs: &Sysfs, disks: impl Iterator<Item = (&'a str, DeviceId)>) {
        let mut there = BTreeSet::new();
        for (name, id) in disks {
            there.insert(id);
            if self.asked.contains(&id) || self.running.load(Ordering::Relaxed) >= AT_ONCE {
                continue;
            }
            self.asked.insert(id);
            self.spawn(sysfs.clone(), name.to_owned());
        }
        self.asked.retain(|id| there.contains(id));
    }

    fn spawn(&self, sysfs: Sysfs, name: String) {
        let running = Arc::clone(&self.running);
        running.fetch_add(1, Ordering::Relaxed);
        let ask = {
            let (running, name) = (Arc::clone(&running), name.clone());
            move || {
                if let Err(error) = sysfs.poll_media(&name, MEDIA_POLL) {
                    tracing::debug!(name, %error, "its media cannot be polled more often");
                }
                running.fetch_sub(1, Ordering::Relaxed);
            }
        };
        if let Err(error) = thread::Builder::new().name(format!("poll/{name}")).spawn(ask) {
            running.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(name, %error, "no thread to have its media polled more often: cards are seen two seconds later");
        }
    }
}
