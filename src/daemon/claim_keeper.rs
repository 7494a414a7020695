//! Keeps proven cards claimed until they are taken out, and checks every second whether another program writes to them all the same.
//!
//! One thread serves all cards. It reads counters of the kernel, which never wait for a card. A claim is released by another thread,
//! because closing a disk can wait for the disk (it writes out what other programs left in the page cache).

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::flash::kept::Kept;
use crate::station::Event;
use crate::station::record::AttemptNumber;

/// Interval at which the counts are read. If a card is taken out within this time after a write by another program, and the whole disk
/// leaves with it (a USB stick, a card in an MMC host), the write is not noticed. In a USB reader the disk stays, and is asked once more.
const LOOK: Duration = Duration::from_secs(1);

/// The claims of all proven cards.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
}

/// The channel by which the threads of cards hand over their claims.
pub(super) struct WayIn(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    held: Mutex<Vec<Held>>,
    /// A look is needed before its time.
    hurry: Condvar,
}

#[derive(Clone, Debug)]
struct Held {
    attempt: AttemptNumber,
    slot: String,
    kept: Arc<Kept>,
    /// Its change was reported.
    told: bool,
    /// It is no longer needed.
    released: bool,
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads every count once. While it reads, it holds no lock that the deciding task could wait for.
    fn look(&self) -> Vec<Event> {
        let held: Vec<Held> = self.held().iter().filter(|held| !held.told).cloned().collect();
        let changed = held.iter().filter_map(|held| {
            let sectors = held.kept.written_since().filter(|sectors| *sectors > 0)?;
            Some((held.attempt, sectors))
        });
        let changed: Vec<(AttemptNumber, u64)> = changed.collect();
        drop(held);
        for held in self.held().iter_mut() {
            held.told |= changed.iter().any(|(attempt, _)| *attempt == held.attempt);
        }
        changed.into_iter().map(|(attempt, sectors)| Event::Changed { attempt, sectors }).collect()
    }
}

impl WayIn {
    /// Keeps this card claimed from now on.
    pub(super) fn keep(&self, attempt: AttemptNumber, slot: String, kept: Kept) {
        self.0.held().push(Held { attempt, slot, kept: Arc::new(kept), told: false, released: false });
        self.0.hurry.notify_one();
    }
}

impl Keeper {
    /// Reports every change once.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub(super) fn spawn(tell: mpsc::Sender<Event>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            while !tell.is_closed() {
                // Only claims that were released before the look have had their last look.
                let released: Vec<AttemptNumber> = ours.held().iter().filter(|held| held.released).map(|held| held.attempt).collect();
                for event in ours.look() {
                    if tell.blocking_send(event).is_err() {
                        return;
                    }
                }
                let gone: Vec<Held> = ours.held().extract_if(.., |held| released.contains(&held.attempt)).collect();
                gone.into_iter().for_each(give_back);
                let held = ours.held();
                if !held.iter().any(|held| held.released) {
                    drop(ours.hurry.wait_timeout(held, LOOK));
                }
            }
        })?;
        Ok(Self { shared })
    }

    pub(super) fn way_in(&self) -> WayIn {
        WayIn(Arc::clone(&self.shared))
    }

    /// Releases every claim that is no longer needed, after a last look at its card.
    pub(super) fn let_go(&self, kept: impl Fn(AttemptNumber) -> bool) {
        let mut any = false;
        for held in self.shared.held().iter_mut().filter(|held| !held.released) {
            held.released = !kept(held.attempt);
            any |= held.released;
        }
        if any {
            self.shared.hurry.notify_one();
        }
    }

    /// The changes until now, for a station that ends.
    pub(super) fn look_at_last(&self) -> Vec<Event> {
        self.shared.look()
    }
}

/// In a separate thread, so that a card that does not answer delays no other one.
fn give_back(held: Held) {
    let slot = held.slot.clone();
    let close = move || {
        tracing::debug!(slot = held.slot, attempt = held.attempt, "the card is not claimed any more");
        // This is the last reference: looks are over before the claim is taken out of the list.
        if let Some(kept) = Arc::into_inner(held.kept) {
            kept.give_back();
        }
    };
    if let Err(error) = thread::Builder::new().name(format!("close/{slot}")).spawn(close) {
        // The claim was dropped with the closure.
        tracing::warn!(slot, %error, "no thread to give a card back");
    }
}
