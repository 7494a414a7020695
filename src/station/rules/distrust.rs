//! Images whose staged copy is damaged or cannot be read. This is a fault of the station, never of a card. No card is started with such an
//! image.
//!
//! ```text
//!              a card, or a check of the copy, finds it
//!   trusted ─────────────────────────────────────────────▶ distrusted, staged anew
//!      ▲                                                     │         │
//!      │ its source has the same digest                      │         │ its source cannot be staged, or is another image;
//!      ├─────────────────────────────────────────────────────┘         ▼ or the copy was damaged too often
//!      │ the configuration is read again, and the copy is another one
//!      └────────────────────────────────────────────────── distrusted, until the engineer comes
//! ```

use super::{Effect, Station};
use crate::station::types::armed::{Armed, ArmedBy, Occasion};
use crate::station::types::outcome::{Digest, StationFault};
use crate::station::types::record::Entry;

/// Limit of repeated damage: a copy that is damaged again and again shows a bad disk or bad memory, and each time may destroy the contents
/// of a card.
const RESTAGES: u32 = 3;

/// An image that is not used for new cards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Distrusted {
    digest: Digest,
    fault: StationFault,
    /// Why it stays so; `None` while it is staged anew.
    stays: Option<String>,
}

impl Distrusted {
    fn sentence(&self) -> String {
        match &self.stays {
            None => format!("{}; it is being staged anew", self.fault),
            Some(why) => format!("{}; {why}", self.fault),
        }
    }
}

impl Station {
    /// Why this image is not used for new cards, or `None`.
    pub(super) fn distrust_of(&self, digest: Digest) -> Option<&StationFault> {
        self.distrusted.iter().find(|image| image.digest == digest).map(|image| &image.fault)
    }

    /// Every image that is not used for new cards.
    pub(crate) fn distrusted(&self) -> impl Iterator<Item = Digest> + '_ {
        self.distrusted.iter().map(|image| image.digest)
    }

    /// A card, or a check, found the staged copy of this image damaged. At the first report, its models are disarmed and the image is
    /// staged anew.
    pub(super) fn distrust(&mut self, digest: Digest, fault: &StationFault) -> Vec<Effect> {
        let StationFault::Image { errno, .. } = fault else { return Vec::new() };
        let armed: Vec<Armed> = self.armed.iter().filter(|armed| armed.digest == digest).cloned().collect();
        if armed.is_empty() || self.distrust_of(digest).is_some() {
            return Vec::new();
        }
        let times = self.restages.iter().filter(|before| **before == digest).count();
        let again = times < usize::try_from(RESTAGES).unwrap_or(usize::MAX);
        let stays = (!again).then(|| format!("staged anew {times} times already: the disk or the memory of this PC is at fault"));
        let image = Distrusted { digest, fault: fault.clone(), stays };
        let reason = image.sentence();
        self.distrusted.push(image);
        self.distrust_slots();
        let disarmed = armed.into_iter().map(|armed| Entry::ModelDistrusted { armed, reason: reason.clone() });
        let mut effects: Vec<Effect> = disarmed.map(|entry| Effect::Record(Box::new(entry))).collect();
        if again && !self.stopping {
            self.restages.push(digest);
            effects.push(Effect::Restage { digest, unread: errno.is_some() });
        }
        effects
    }

    /// An image was staged anew, or could not be.
    pub(super) fn restaged(&mut self, digest: Digest, result: Result<(), String>) -> Vec<Effect> {
        let Some(place) = self.distrusted.iter().position(|image| image.digest == digest) else { return Vec::new() };
        let effects = match (result, &self.by) {
            (Ok(()), Some(by)) => {
                self.distrusted.remove(place);
                let by = ArmedBy { occasion: Occasion::Restage, asked_by: None, ..by.clone() };
                let armed = self.armed.iter().filter(|armed| armed.digest == digest).cloned();
                let rule = |armed: &Armed| self.first_off_rule(armed);
                let entry = |armed| Entry::ModelArmed { first_off: rule(&armed), armed, by: by.clone() };
                armed.map(|armed| Effect::Record(Box::new(entry(armed)))).collect()
            }
            (Ok(()), None) => Vec::new(),
            (Err(why), _) => {
                self.distrusted[place].stays = Some(why);
                Vec::new()
            }
        };
        self.distrust_slots();
        effects
    }

    /// A configuration was read: the copies of these images are still the distrusted ones.
    pub(super) fn trust_all_but(&mut self, still: &[Digest]) {
        self.distrusted.retain(|image| still.contains(&image.digest));
        self.restages.retain(|digest| still.contains(digest));
    }

    /// Updates in every slot whether its image or the verifier is distrusted, and why.
    pub(super) fn distrust_slots(&mut self) {
        let verifier = self.verifier_sentence();
        for slot in &mut self.slots {
            let digest = slot.armed.as_ref().map(|armed| armed.digest);
            let image = self.distrusted.iter().find(|image| Some(image.digest) == digest).map(Distrusted::sentence);
            slot.distrusted = image.or_else(|| verifier.clone());
        }
    }

    /// Every fault of the station that concerns only some slots, as a sentence.
    pub(super) fn faults(&self) -> Vec<String> {
        let images = self.distrusted.iter().map(|image| {
            let models: Vec<&str> =
                self.armed.iter().filter(|armed| armed.digest == image.digest).map(|armed| armed.model.as_str()).collect();
            format!("{}: {}", models.join(" "), image.sentence())
        });
        let internal = self.slots.iter().filter_map(|slot| match slot.phase.station_fault()? {
            StationFault::Image { .. } => None,
            fault @ StationFault::Internal { .. } => Some(format!("{}: {fault}", slot.settings.name)),
        });
        images.chain(internal).collect()
    }
}

#[cfg(test)]
mod cases;
