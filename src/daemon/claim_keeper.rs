//! Keeps proven cards claimed until they are taken out, and checks every second whether anything writes to them all the same.
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

/// How often the counts are read: a card that is taken out within this after a write by another program takes the news with it where the
/// whole disk leaves (a USB stick, a card in an MMC host). In a USB reader the disk stays, and is asked once more.
const LOOK: Duration = Duration::from_secs(1);

/// The claims of all proven cards.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
}

/// The way for the threads of cards to hand their claims over.
pub(super) struct WayIn(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    held: Mutex<Vec<Held>>,
    /// Something is to be looked at before its time.
    hurry: Condvar,
}

#[derive(Clone, Debug)]
struct Held {
    attempt: AttemptNumber,
    slot: String,
    kept: Arc<Kept>,
    /// That it changed was told.
    told: bool,
    /// It need not be kept any more.
    released: bool,
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads every count once. Nothing is held meanwhile that the deciding task could wait for.
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
    /// Tells of every change, once.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub(super) fn spawn(tell: mpsc::Sender<Event>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            while !tell.is_closed() {
                // Only what was released before the look has had its last one.
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

    /// Gives back every claim that need not be kept, after a last look at its card.
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

    /// What changed until now, for a station that ends.
    pub(super) fn look_at_last(&self) -> Vec<Event> {
        self.shared.look()
    }
}

/// In a thread of its own, so that a card that answers nothing holds up no other one.
fn give_back(held: Held) {
    let slot = held.slot.clone();
    let close = move || {
        tracing::debug!(slot = held.slot, attempt = held.attempt, "the card is not claimed any more");
        // Nobody else has it: looks are over before it is taken out of the list.
        if let Some(kept) = Arc::into_inner(held.kept) {
            kept.give_back();
        }
    };
    if let Err(error) = thread::Builder::new().name(format!("close/{slot}")).spawn(close) {
        // The claim went with the closure.
        tracing::warn!(slot, %error, "no thread to give a card back");
    }
}
