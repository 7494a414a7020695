//! The interlock: an image is armed only if it contains what the engineer configured.
//!
//! The staged copy is inspected once, when the image is armed. Cards are written from that copy.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use snap_assertions::file::{self, FileError, NotOneModel, one_model};
use snap_assertions::trust::Trust;

use crate::config::{ModelSettings, Require, Settings};
use crate::image::inspect::disk;
use crate::image::inspect::page::Page;
use crate::image::inspect::{LookError, Wanted, inspect};
use crate::image::{ImageError, Staged};
use crate::report::harmless;
use crate::station::armed::{Contents, DeviceModel, ModelProof};

/// The longest reason beside a slot; `flashline image inspect` shows longer ones completely.
const LONGEST: usize = 400;

/// Why a readable image is not armed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageRefused {
    /// The configuration does not state the required contents.
    #[error(
        "the configuration does not say which device the image is for: set `assertion` to the signed model, or `require = \"none\"` for an \
         image that is not of Ubuntu Core"
    )]
    NoAssertion,
    /// The trusted keys cannot be read.
    #[error("`[trust]` of the configuration")]
    Trust(#[source] Arc<FileError>),
    /// The model cannot be read, or is not a model.
    #[error(transparent)]
    Model(#[from] NotOneModel),
    /// It breaks a rule, so no device would accept it, whoever signed it.
    #[error("the model {} cannot be used: {problem}; `flashline model check` says all that is wrong with it", path.display())]
    Rules {
        /// The file of the model assertion.
        path: PathBuf,
        /// The first problem that was found.
        problem: String,
    },
    /// The station could not inspect it.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The contents are not the required ones.
    #[error("{0}")]
    Inside(String),
    /// It is not a complete disk image.
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// The keys that the station trusts, and the time at which they are judged: read once for all models.
#[derive(Debug)]
pub(crate) struct Interlock {
    trust: Result<Trust, Arc<FileError>>,
    at: Timestamp,
}

/// The result of the checks of an image that may be armed.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The device that it is for, and how that is proven.
    pub model_proof: ModelProof,
    /// Checks that could not be made, in words: they are recorded in the log.
    pub uncovered: Vec<String>,
    /// Warnings for the engineer, which refuse nothing.
    pub warnings: Vec<String>,
}

/// The required contents of an image.
#[derive(Debug)]
pub(crate) struct Requirement {
    /// `None` if the image is not inspected.
    wanted: Option<Box<Wanted>>,
    contents: Contents,
}

impl Interlock {
    /// From this configuration, with keys judged at `at`, in microseconds since 1970.
    #[must_use]
    pub(crate) fn new(settings: &Settings, at: i64) -> Self {
        let trust = file::trust(&settings.trust.roots, &settings.trust.with).map_err(Arc::new);
        Self { trust, at: Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX) }
    }

    /// The required contents of this model's image.
    ///
    /// # Errors
    /// If the configured assertion or the trusted keys cannot be read, so that no image can be armed for it.
    pub(crate) fn requirement(&self, model: &ModelSettings) -> Result<Requirement, ImageRefused> {
        if model.require == Require::None {
            return Ok(Requirement { wanted: None, contents: model.contents });
        }
        let path = model.assertion.as_deref().ok_or(ImageRefused::NoAssertion)?;
        let given = one_model(path)?;
        if let Some(problem) = given.problems().first() {
            return Err(ImageRefused::Rules { path: path.to_owned(), problem: problem.clone() });
        }
        let wanted = Wanted {
            trust: self.trust.clone().map_err(ImageRefused::Trust)?,
            at: self.at,
            model: Some(given),
            signatures: model.require == Require::Proven,
            allowed: model.allowed.clone(),
        };
        Ok(Requirement { wanted: Some(Box::new(wanted)), contents: model.contents })
    }
}

impl Requirement {
    /// Inspects a staged image. It must always be a complete disk image, whatever else is required.
    ///
    /// # Errors
    /// If it is not armed: the reason.
    pub(crate) fn check(self, staged: &Staged) -> Result<Accepted, ImageRefused> {
        let Some(wanted) = self.wanted else {
            let words = "the image was not inspected: `require = \"none\"`";
            let warnings = disk::look(staged, self.contents)?;
            return Ok(Accepted { model_proof: ModelProof::None, uncovered: vec![words.to_owned()], warnings });
        };
        let signatures = wanted.signatures;
        let page = inspect(staged, *wanted)?;
        if !page.is_good() {
            return Err(ImageRefused::Inside(
                page.refusal().map_or_else(|| "the contents could not be judged".to_owned(), |why| shown(&why)),
            ));
        }
        let device = device(&page).ok_or_else(|| ImageRefused::Inside("there is no model in it".to_owned()))?;
        let in_lines = |words: Vec<String>| words.iter().map(|words| harmless(words)).collect();
        let model_proof = if signatures { ModelProof::Proven(device) } else { ModelProof::Matching(device) };
        let mut warnings = disk::look(staged, self.contents)?;
        warnings.extend(page.warnings.iter().cloned());
        Ok(Accepted { model_proof, uncovered: in_lines(page.not_covered()), warnings: in_lines(warnings) })
    }
}

/// Names from inside an image reach the console and the log only as printable text that fits a line.
fn shown(words: &str) -> String {
    let mut shown: String = harmless(words).chars().take(LONGEST).collect();
    if words.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

fn device(page: &Page) -> Option<DeviceModel> {
    let model = page.model.as_ref()?;
    Some(DeviceModel {
        brand: model.brand.clone(),
        model: model.model.clone(),
        series: model.series.clone(),
        revision: model.revision,
        sha3_384: model.sha3_384.clone(),
        sign_key: model.sign_key.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_inside_an_image_reaches_the_console_as_more_than_text() {
        assert_eq!(shown("a\u{1b}[32mPASS\nB1\u{202e}"), "a\u{fffd}[32mPASS\u{fffd}B1\u{fffd}");
        assert_eq!(shown(&"ü".repeat(LONGEST)).chars().count(), LONGEST);
        assert_eq!(shown(&"ü".repeat(LONGEST + 1)).chars().count(), LONGEST + 1, "and a sign that there is more");
    }
}
