//! What the station would do with each model: whether its image would be armed, and whether the slots' cards hold it.

use serde_json::{Value, json};

use super::finding::{Finding, Subject};
use crate::cli::prepare_image::prepare;
use crate::cli::sentence;
use crate::config::{ModelSettings, Settings};
use crate::daemon::arming::{ArmError, image_of};
use crate::daemon::interlock::{Accepted, Interlock};
use crate::station::armed::ModelProof;
use crate::station::sizes::{self, Room};
use crate::station::units::Bytes;

/// A model, and whether its image would be armed.
pub(super) struct Look<'a> {
    model: &'a ModelSettings,
    slots: Vec<&'a str>,
    /// `None` if images are not inspected.
    armed: Option<Result<Accepted, ArmError>>,
    /// How long the raw image is, where that is known.
    span: Option<Bytes>,
    /// How much of it is not zero, and is kept in memory while it is written.
    pub(super) data: Option<Bytes>,
}

/// What the station would do when it arms this model, with the copy it has, or with the image as it lies there.
pub(super) fn look<'a>(settings: &'a Settings, model: &'a ModelSettings, interlock: &Interlock, unseen: bool) -> Look<'a> {
    let slots = settings.slots.iter().filter(|slot| slot.model == model.name).map(|slot| slot.name.as_str()).collect();
    let requirement = interlock.requirement(model).map_err(ArmError::from);
    if unseen && requirement.is_ok() {
        return Look { model, slots, armed: None, span: None, data: None };
    }
    let mut sizes = None;
    let armed = requirement.and_then(|requirement| {
        let staged = image_of(model, &settings.store(), prepare)?;
        let data = staged.extents().data().iter().map(|range| range.end - range.start).sum();
        sizes = Some((staged.span(), Bytes(data)));
        Ok(requirement.check(&staged)?)
    });
    Look { model, slots, armed: Some(armed), span: sizes.map(|(span, _)| span), data: sizes.map(|(_, data)| data) }
}

impl Look<'_> {
    fn refusal(&self) -> Option<&ArmError> {
        self.armed.as_ref().and_then(|armed| armed.as_ref().err())
    }

    /// The image, and what only is to be known of it.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let slots = if self.slots.is_empty() { "no slot".to_owned() } else { self.slots.join(" ") };
        let place = format!("{}  {}  in {slots}", self.model.name, self.model.image.display());
        match &self.armed {
            None => {
                vec![Finding::warning(Subject::Image, format!("{place}: not read")).cure("run `flashline check` without --without-images")]
            }
            Some(Err(error)) => vec![Finding::bad(Subject::Image, format!("{place}: DISARMED: {}", sentence(error)))],
            Some(Ok(Accepted { model_proof, uncovered, warnings })) => {
                let device =
                    model_proof.device().map(|device| format!(": {}/{}, revision {}", device.brand, device.model, device.revision));
                let uncovered = uncovered.iter().map(|words| format!("not covered: {words}")).collect();
                let mut findings = vec![
                    Finding::good(Subject::Image, format!("{place}: model proof: {}{}", model_proof.word(), device.unwrap_or_default()))
                        .details(uncovered),
                ];
                findings.extend(warnings.iter().map(|words| Finding::warning(Subject::Image, format!("{}: {words}", self.model.name))));
                findings
            }
        }
    }

    pub(super) fn json(&self) -> Value {
        let known = self.armed.as_ref().and_then(|armed| armed.as_ref().ok());
        let proof = known.map(|known| &known.model_proof);
        let device = proof.and_then(ModelProof::device);
        json!({
            "model": self.model.name,
            "image": self.model.image,
            "armed": self.armed.as_ref().map(Result::is_ok),
            "reason": self.refusal().map(|error| sentence(error)),
            "model_proof": proof.map(ModelProof::word),
            "device": device.map(|device| format!("{}/{}", device.brand, device.model)),
            "revision": device.map(|device| device.revision),
            "uncovered": known.map(|known| known.uncovered.as_slice()).unwrap_or_default(),
            "warnings": known.map(|known| known.warnings.as_slice()).unwrap_or_default(),
        })
    }
}

/// Slots whose cards do not hold their image, or many of whose cards do not.
pub(super) fn capacities(settings: &Settings, looks: &[Look<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for look in looks {
        let Some(span) = look.span else { continue };
        for slot in settings.slots.iter().filter(|slot| slot.model == look.model.name) {
            let (window, name) = (slot.policy.capacity, &slot.name);
            match (sizes::room(span, window), window) {
                (Room::None, Some((least, most))) => findings.push(Finding::bad(
                    Subject::Capacity,
                    format!(
                        "slot {name}: no card of {} holds this image of {span}: correct `capacity_gb`, or the image",
                        sizes::window(least, most)
                    ),
                )),
                (Room::Tight(size), _) => findings.push(Finding::warning(
                    Subject::Capacity,
                    format!("slot {name}: many cards of {} are smaller than this image of {span}", sizes::on_label(size)),
                )),
                (Room::None | Room::Enough, _) => {}
            }
        }
    }
    findings
}
