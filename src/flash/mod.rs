//! The engine: one card, from the claim to the proof.
//!
//! ```text
//!  open ──▶ Claim ──write──▶ Written ──read_back──▶ BodyProven ──finish──▶ Verified
//!             │  tombstone,      │   whole span,        │  head, flush,        │
//!             │  marks, body,    │   past every cache   │  read it back        ▼
//!             │  flush           │                      │
//!             ▼                  ▼                      ▼                    Proof
//!          a step that fails ends the attempt: the head is the tombstone, the card cannot boot
//! ```
//! A card that may hold the image already is looked at before its head is touched: if every byte comes back right, it is done, and
//! nothing is written ([`recheck`]).
//!
//! Where the image's zeroes are skipped, the proof speaks of its data alone, and is of another type.
//!
//! Constructors are private to the step that earns them. Knows no slot, log or lamp; runs in a thread of its own and shares with
//! other cards nothing but the staged image, which nobody writes.

pub mod claim;
mod diagnose;
pub mod error;
pub mod gauge;
mod marks;
pub mod recheck;
mod session;
#[cfg(test)]
mod tests;
pub mod tombstone;
pub mod verify;
pub mod write;
mod zeroes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::device::BlockDevice;
use crate::image::Staged;
use crate::station::End;
use crate::station::card::Visit;
use crate::station::outcome::Failure;
use crate::station::record::{Attempt, AttemptNumber, Plan, Zeroes};
use claim::Claim;
use error::Stopped;
use gauge::Gauge;
use recheck::Rechecked;

/// Opens, writes and proves the card of `attempt`. A panic, which is a fault of ours, ends this attempt and nothing else.
#[must_use]
pub fn flash(attempt: &Attempt, image: Arc<Staged>, gauge: Arc<Gauge>) -> End {
    let end = contained(|| match claim::open(&attempt.card, &gauge) {
        Ok(device) => {
            let zeroes = attempt.image.as_ref().map_or_else(Zeroes::default, |armed| armed.zeroes);
            flash_opened(device, attempt.card.visit, attempt.number, image, zeroes, &attempt.plan, Arc::clone(&gauge))
        }
        Err(end) => end,
    });
    gauge.end();
    end
}

fn contained(work: impl FnOnce() -> End) -> End {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
        End::Failed(Failure::Internal { message: text.unwrap_or_else(|| "a panic without a message".to_owned()) })
    })
}

/// The same for a device that is open.
fn flash_opened<D: BlockDevice>(
    device: D,
    visit: Visit,
    attempt: AttemptNumber,
    image: Arc<Staged>,
    zeroes: Zeroes,
    plan: &Plan,
    gauge: Arc<Gauge>,
) -> End {
    let mut claim = match Claim::new(device, visit, image, zeroes, attempt, gauge) {
        Ok(claim) => claim,
        Err(end) => return end,
    };
    if *plan != Plan::Write {
        claim = match recheck::recheck(claim) {
            Ok(Rechecked::Done(verified)) => return verified.into_end(),
            Ok(Rechecked::Other(claim)) => claim,
            Err(stopped) => return ended(stopped),
        };
    }
    if let Plan::RecheckOnly(refusal) = plan {
        return End::Refused(refusal.clone());
    }
    let verified = write::write(claim).and_then(verify::read_back).and_then(verify::finish);
    match verified {
        Ok(verified) => verified.into_end(),
        Err(stopped) => ended(stopped),
    }
}

/// What a step that ended early means, while the device is still open to be asked.
fn ended<D: BlockDevice>(Stopped { error, device }: Stopped<D>) -> End {
    let gone = error.may_be_departure() && device.departed();
    tracing::debug!(error = &error as &dyn std::error::Error, gone, "attempt ended early");
    if gone { End::Gone } else { error.into_end() }
}
