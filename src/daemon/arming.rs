//! Arming: which models' images are staged and may be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Settings;
use crate::image::stage::stage;
use crate::image::{ImageError, Staged};
use crate::station::outcome::Digest;
use crate::station::record::Armed;
use crate::station::units::Bytes;

/// Every staged image, by digest, and which model it is armed for.
#[derive(Debug, Default)]
pub struct Armory {
    images: BTreeMap<Digest, Arc<Staged>>,
    armed: Vec<Armed>,
}

/// A model that could not be armed.
#[derive(Debug)]
pub struct NotArmed {
    /// Which.
    pub model: String,
    /// Why.
    pub error: ImageError,
}

impl Armory {
    /// Stages the image of every model. `progress` is told the model, how much of its file was read, and the file's length.
    ///
    /// One bad image does not stop the other models: what could not be armed comes back beside what could.
    pub fn stage(settings: &Settings, mut progress: impl FnMut(&str, Bytes, Bytes)) -> (Self, Vec<NotArmed>) {
        let mut armory = Self::default();
        let mut failed = Vec::new();
        for model in &settings.models {
            match stage(&model.image, &settings.store(), &mut |done, of| progress(&model.name, done, of)) {
                Ok(staged) => armory.arm(&model.name, &model.image.display().to_string(), staged),
                Err(error) => failed.push(NotArmed { model: model.name.clone(), error }),
            }
        }
        (armory, failed)
    }

    fn arm(&mut self, model: &str, source: &str, staged: Staged) {
        self.armed.push(describe(model, source, &staged));
        self.images.insert(staged.digest(), Arc::new(staged));
    }

    /// What may be written.
    #[must_use]
    pub fn armed(&self) -> Vec<Armed> {
        self.armed.clone()
    }

    /// The staged image of this digest.
    #[must_use]
    pub fn image(&self, digest: Digest) -> Option<Arc<Staged>> {
        self.images.get(&digest).cloned()
    }
}

/// What the station is told of a staged image.
#[must_use]
pub fn describe(model: &str, source: &str, staged: &Staged) -> Armed {
    Armed { model: model.to_owned(), digest: staged.digest(), source: source.to_owned(), span: staged.span(), block: staged.layout().block }
}
