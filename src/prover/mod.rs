//! The proof of the prover: shows that the verifier of this program, on this PC, still detects faults.
//!
//! A file on the state disk is the medium. The engine writes an image to it and proves it, by the same code as for a card
//! ([`flash::flash_device`](crate::flash)), once for each planted fault, and without one.
//!
//! ```text
//!   medium   an image and a file with the manners of a card, in a folder of the state disk
//!     │
//!   plan     which faults are planted where, and what the verifier must say of each
//!     │
//!   planted  a device with one planted fault, around the file
//!     │
//!   engine   tombstone, body, read-back, head, read-back            said ≠ expected
//!     └─────────────────────────────────────────────────────────────────────────▶ the verifier missed a fault
//! ```
//! A fault counts as found only if the verifier names its kind and its place. An error of the state disk is no verdict on the verifier.
//!
//! Never touches a device. Knows no slot and no log, and not when it is to be run. Blocks on the disk, so it needs a thread of its own.

mod medium;
mod plan;
mod planted;
mod trial;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Instant;

use crate::station::prover::{ProverVerdict, VerifierProof};
use medium::Medium;
use trial::{Judged, try_verifier};

/// The folder of the prover in the folder `state`.
#[must_use]
pub(crate) fn folder(state: &Path) -> std::path::PathBuf {
    state.join(FOLDER)
}

/// The name of that folder.
const FOLDER: &str = "prover";

/// Tries the verifier on a file in the folder `state`. Waits for the disk, without a limit of time. The files are removed afterwards, and
/// those of an earlier run that was killed before.
#[must_use]
pub(crate) fn prove(state: &Path) -> ProverVerdict {
    let began = Instant::now();
    let mut medium = match Medium::make(&folder(state)) {
        Ok(medium) => medium,
        Err(obstacle) => return ProverVerdict::Impossible(obstacle),
    };
    let mut planted = 0;
    for trial in plan::trials(&medium) {
        match try_verifier(&mut medium, &trial) {
            Ok(Judged::AsExpected) => planted += u32::from(trial.fault().is_some()),
            Ok(Judged::Otherwise(missed)) => return ProverVerdict::Missed(missed),
            Err(obstacle) => return ProverVerdict::Impossible(obstacle),
        }
    }
    ProverVerdict::Proven(VerifierProof { direct: medium.is_direct(), planted, took: began.elapsed() })
}
