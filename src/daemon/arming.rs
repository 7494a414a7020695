//! Arming: which models' images are staged and may be written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::{self, ConfigError, Images, ModelSettings, Settings};
use crate::image::stage::{find_staged, stage, sweep};
use crate::image::store;
use crate::image::{ImageError, Staged};
use crate::station::outcome::Digest;
use crate::station::record::{Armed, Zeroes};
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
        sweep(&settings.store());
        // Held until all are staged: none of them makes room for another.
        let held: Vec<Staged> = settings.models.iter().filter_map(|model| find_staged(&model.image, &settings.store())).collect();
        let mut armory = Self::default();
        let mut failed = Vec::new();
        for model in &settings.models {
            match stage(&model.image, &settings.store(), &mut |done, of| progress(&model.name, done, of)) {
                Ok(staged) => armory.arm(model, staged),
                Err(error) => failed.push(NotArmed { model: model.name.clone(), error }),
            }
        }
        drop(held);
        store::trim(&settings.store(), settings.store_limit);
        (armory, failed)
    }

    fn arm(&mut self, model: &ModelSettings, staged: Staged) {
        self.armed.push(describe(&model.name, &model.image.display().to_string(), &staged, model.zeroes));
        self.images.insert(staged.digest(), Arc::new(staged));
    }

    /// What may be written.
    #[must_use]
    pub fn armed(&self) -> Vec<Armed> {
        self.armed.clone()
    }

    /// Takes the place of `before`, and keeps those of its images that are still needed.
    pub fn replace(&mut self, before: Self, needed: impl Fn(Digest) -> bool) {
        for (digest, image) in before.images {
            if needed(digest) {
                self.images.entry(digest).or_insert(image);
            } else {
                // Used until now.
                image.note_use();
            }
        }
    }

    /// The staged image of this digest.
    #[must_use]
    pub fn image(&self, digest: Digest) -> Option<Arc<Staged>> {
        self.images.get(&digest).cloned()
    }
}

/// Why a configuration that was read again is not taken over.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// One of its images cannot be staged.
    #[error("the model {model} cannot be armed")]
    Image {
        /// The model.
        model: String,
        /// Why.
        source: ImageError,
    },
    /// The flash log would have to move.
    #[error("`state` in [station] cannot change while the station runs: restart it")]
    State,
}

/// Reads the configuration at `config` and stages all its images. At a start some models may be missing, which beats a station
/// that does nothing; a station that runs has something to lose, so here everything must be good.
///
/// # Errors
/// The first thing that is not.
pub fn prove(config: &Path, state: &Path) -> Result<(Settings, Armory), ReloadError> {
    let settings = config::read(config, Images::Proved)?;
    if settings.state != state {
        return Err(ReloadError::State);
    }
    let (armory, failed) = Armory::stage(&settings, |_, _, _| {});
    match failed.into_iter().next() {
        Some(NotArmed { model, error }) => Err(ReloadError::Image { model, source: error }),
        None => Ok((settings, armory)),
    }
}

/// What the station is told of a staged image.
#[must_use]
pub fn describe(model: &str, source: &str, staged: &Staged, zeroes: Zeroes) -> Armed {
    Armed {
        model: model.to_owned(),
        digest: staged.digest(),
        source: source.to_owned(),
        span: staged.span(),
        block: staged.layout().block,
        zeroes,
    }
}
