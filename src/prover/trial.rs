//! One trial: the engine works on a medium, and what it says is compared with what is known.

use std::sync::Arc;
use std::time::Duration;

use super::medium::{BODY, Medium};
use super::plan::{Before, Trial};
use super::planted::PlantedDevice;
use crate::device::BlockDevice;
use crate::device::file::FileDevice;
use crate::flash::flash_device;
use crate::flash::gauge::Gauge;
use crate::flash::rules::Rules;
use crate::image::Staged;
use crate::station::End;
use crate::station::armed::{Armed, ModelProof};
use crate::station::card::{Bus, Card, DevNum, Identity, Visit};
use crate::station::labels::Labels;
use crate::station::outcome::{Failure, StationFault};
use crate::station::past::Past;
use crate::station::port::{Chain, Port};
use crate::station::prover::{MissedFault, ProverObstacle, Said};
use crate::station::record::{Attempt, Plan};

/// The time that a flush of a card may take. The flush of a file takes what the kernel gives it.
const STALL: Duration = Duration::from_secs(90);
/// The name in messages and of threads, in the place of a slot's.
const NAME: &str = "prover";

/// What came of a trial.
#[derive(Debug)]
pub(super) enum Judged {
    /// The verifier said what is true.
    AsExpected,
    /// It did not.
    Otherwise(MissedFault),
}

/// Lays the medium out, lets the engine work on it, and judges what it says.
///
/// # Errors
/// What kept the verifier from saying anything.
pub(super) fn try_verifier(medium: &mut Medium, trial: &Trial) -> Result<Judged, ProverObstacle> {
    match trial.before {
        Before::Used { dirty } => medium.lay_earlier_contents(dirty)?,
        Before::AsItWas => {}
        Before::Flipped { at } => medium.flip(at)?,
    }
    let said = said(medium, trial)?;
    tracing::trace!(?trial, %said, "the verifier was tried");
    judge(medium, trial, said)
}

/// Compares what the verifier said with what is known of the medium.
pub(super) fn judge(medium: &mut Medium, trial: &Trial, said: Said) -> Result<Judged, ProverObstacle> {
    let planted = trial.fault();
    match (&said, planted) {
        // The verifier's own word is not believed: another comparison must find the same.
        (Said::Good, None) if medium.differs_at(0)?.is_some() => {
            return Ok(Judged::Otherwise(MissedFault { planted, said: Said::GoodUnwritten }));
        }
        // If the medium is wrong indeed, the verifier is right, and the disk is not.
        (Said::NotDone, None) => {
            if let Some(at) = medium.differs_at(0)? {
                return Err(medium.differs(at));
            }
        }
        // The head has the tombstone again: of what was wrong there, nothing is left to be compared.
        (Said::Bad(failure), None) => {
            let in_head = failure.at().filter(|at| at.0 < BODY);
            if let Some(at) = in_head.map_or_else(|| medium.differs_at(BODY), |at| Ok(Some(at)))? {
                return Err(medium.differs(at));
            }
        }
        _ => {}
    }
    Ok(if trial.expected.is(&said) { Judged::AsExpected } else { Judged::Otherwise(MissedFault { planted, said }) })
}

/// What the engine says of the medium, by the code that writes and proves cards.
pub(super) fn said(medium: &mut Medium, trial: &Trial) -> Result<Said, ProverObstacle> {
    let image = medium.image();
    let attempt = attempt(trial, &image, medium.card());
    let rules = Rules { stall: STALL, flush_required: false, retries: 0, unanswered: Arc::default() };
    let device = PlantedDevice::new(medium.card(), trial.plant);
    let (end, kept) = flash_device(device, &attempt, image, Arc::new(Gauge::default()), rules);
    drop(kept);
    // The engine goes on after some errors of a card. Here each is one of the state disk, and the verifier has said nothing.
    if let Some(errno) = medium.card().take_error() {
        return Err(medium.failed(Some(errno)));
    }
    match end {
        End::Verified(_) | End::VerifiedMapped(_) | End::Rechecked(_) | End::RecheckedMapped(_) => Ok(Said::Good),
        End::Failed(Failure::Io { errno, .. }) => Err(medium.failed(errno)),
        End::Failed(Failure::Short { .. }) => Err(medium.failed(None)),
        End::Failed(Failure::Unsteady { at }) => Err(medium.differs(at)),
        End::Failed(failure) => Ok(Said::Bad(failure)),
        End::Refused(_) if trial.plan != Plan::Write => Ok(Said::NotDone),
        End::StationFault(StationFault::Image { errno: errno @ Some(_), .. }) => Err(medium.failed(errno)),
        End::StationFault(StationFault::Image { at, errno: None }) => Err(medium.differs(at)),
        End::StationFault(StationFault::Internal { message }) => Err(ProverObstacle::Internal { message }),
        End::Refused(refusal) => Err(ProverObstacle::Internal { message: format!("the prover's medium is refused: {refusal}") }),
        End::Gone | End::Cancelled => Err(ProverObstacle::Internal { message: "the engine gave the prover's medium up".to_owned() }),
    }
}

/// The engine needs the facts of a card, most of which the file does not have.
fn attempt(trial: &Trial, image: &Staged, device: &FileDevice) -> Attempt {
    let armed = Armed {
        model: NAME.to_owned(),
        model_proof: ModelProof::None,
        uncovered: Vec::new(),
        digest: image.digest(),
        source: NAME.to_owned(),
        span: image.span(),
        block: image.layout().block,
        zeroes: trial.zeroes,
    };
    let card = Card {
        port: Port(NAME.to_owned()),
        visit: Visit { devnum: DevNum { major: 0, minor: 0 }, diskseq: FileDevice::DISKSEQ },
        kernel_name: NAME.to_owned(),
        hangs_on: Chain(Vec::new()),
        bus: Bus::Other("file".to_owned()),
        whole_disk: true,
        vendor: None,
        product: None,
        serial: None,
        wwn: None,
        cid: None,
        identified: Identity::None,
        capacity: device.length(),
        logical_block: device.logical_block(),
        write_protected: false,
        partitioned: false,
    };
    Attempt {
        number: 0,
        slot: NAME.to_owned(),
        model: NAME.to_owned(),
        image: Some(armed),
        card,
        plan: trial.plan.clone(),
        order: None,
        past: Past::Unknown,
        looks_for_tombstone: false,
        labels: Labels::default(),
        second_try_of: None,
    }
}
