//! Arming: stages the images of the models and decides which of them may be written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{Uid, User};

use super::interlock::{Accepted, ImageRefused, Interlock, Requirement};
use crate::config::{self, ConfigError, ImageCheck, ModelSettings, Settings};
use crate::device::patience::within;
use crate::image::stage::{find_digest, find_staged, stage, stage_disk_image, sweep};
use crate::image::{ImageError, Staged, store};
use crate::station::armed::{Armed, ArmedBy, ModelProof, Occasion, UnarmedModel, Zeroes};
use crate::station::outcome::Digest;
use crate::station::request::Who;
use crate::station::units::Bytes;
use crate::watch::places::ports_of;
use crate::watch::sysfs::Sysfs;

/// Every staged image by digest, and the models that it is armed for.
#[derive(Debug, Default)]
pub(crate) struct Armory {
    images: BTreeMap<Digest, Arc<Staged>>,
    armed: Vec<Armed>,
    unarmed: Vec<UnarmedModel>,
    /// The time at which keys were judged.
    at: i64,
}

/// A model that could not be armed.
#[derive(Debug)]
pub(crate) struct NotArmed {
    /// The model, as slots name it.
    pub model: String,
    /// Why its image is not armed.
    pub error: ArmError,
}

/// Why a model could not be armed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArmError {
    /// Its image cannot be staged.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The contents of its image are not the required ones.
    #[error(transparent)]
    Refused(#[from] ImageRefused),
    /// Its source is another image than the one with the configured digest.
    #[error(
        "the image {path} is {found}, and its model takes only {wanted}: put that image there, or correct `digest` in its [[model]]; without \
         `digest`, whichever image is there is armed"
    )]
    OtherImage {
        /// The image file, as configured.
        path: PathBuf,
        /// The digest of what is there.
        found: Digest,
        /// The configured digest.
        wanted: Digest,
    },
    /// No copy of the image with the configured digest is kept, and its source cannot be staged.
    #[error("no staged copy of the image {digest} is kept")]
    NotKept {
        /// The configured digest.
        digest: Digest,
        /// Why the source cannot be staged.
        source: ImageError,
    },
}

/// The staged copy of a model's image, if the store has it already.
fn find_image(model: &ModelSettings, store: &Path) -> Option<Staged> {
    model.digest.map_or_else(|| find_staged(&model.image, store), |digest| find_digest(digest, &model.image, store))
}

/// The image of a model: the copy that the store has, or what `of_source` makes of its file.
///
/// # Errors
/// If its file cannot be used, or is another image than the one of the configured digest.
pub(crate) fn image_of(
    model: &ModelSettings,
    store: &Path,
    of_source: impl FnOnce(&Path) -> Result<Staged, ImageError>,
) -> Result<Staged, ArmError> {
    if let Some(found) = find_image(model, store) {
        return Ok(found);
    }
    let Some(wanted) = model.digest else { return Ok(of_source(&model.image)?) };
    let staged = of_source(&model.image).map_err(|source| ArmError::NotKept { digest: wanted, source })?;
    let found = staged.digest();
    if found == wanted { Ok(staged) } else { Err(ArmError::OtherImage { path: model.image.clone(), found, wanted }) }
}

impl Armory {
    /// Stages the image of every model. `progress` gets the model, the bytes of its file that were read, and the file's length.
    ///
    /// The contents are judged by keys that are valid `at` this time, in microseconds since 1970. One bad image does not stop the other
    /// models: the result contains the armed models and the failed ones.
    pub(crate) fn stage(settings: &Settings, at: i64, mut progress: impl FnMut(&str, Bytes, Bytes)) -> (Self, Vec<NotArmed>) {
        sweep(&settings.store());
        // Held until all are staged, so that staging one does not remove another.
        let held: Vec<Staged> = settings.models.iter().filter_map(|model| find_image(model, &settings.store())).collect();
        let mut armory = Self { at, ..Self::default() };
        let mut failed = Vec::new();
        let interlock = Interlock::new(settings, at);
        for model in &settings.models {
            // The requirement is read first: otherwise minutes of staging could be wasted on a model without a usable one.
            let armed = interlock.requirement(model).map_err(ArmError::from).and_then(|requirement| {
                let store = settings.store();
                let mut progress = |done, of| progress(&model.name, done, of);
                let staged = image_of(model, &store, |source| stage_disk_image(source, &store, &mut progress))?;
                armory.arm(model, staged, requirement)
            });
            if let Err(error) = armed {
                armory.unarmed.push(UnarmedModel { model: model.name.clone(), reason: sentence(&error) });
                failed.push(NotArmed { model: model.name.clone(), error });
            }
        }
        drop(held);
        store::trim(&settings.store(), settings.store_limit);
        (armory, failed)
    }

    fn arm(&mut self, model: &ModelSettings, staged: Staged, requirement: Requirement) -> Result<(), ArmError> {
        let Accepted { model_proof, uncovered, warnings } = requirement.check(&staged)?;
        for words in warnings {
            tracing::warn!(model = model.name, "the image {}: {words}", model.image.display());
        }
        let described = describe(&model.name, &model.image.display().to_string(), &staged, model.zeroes);
        self.armed.push(Armed { model_proof, uncovered, ..described });
        self.images.insert(staged.digest(), Arc::new(staged));
        Ok(())
    }

    /// The models whose images may be written.
    #[must_use]
    pub(crate) fn armed(&self) -> Vec<Armed> {
        self.armed.clone()
    }

    /// The models whose images may not be written, with the reasons.
    #[must_use]
    pub(crate) fn unarmed(&self) -> Vec<UnarmedModel> {
        self.unarmed.clone()
    }

    /// The time at which keys were judged, in microseconds since 1970.
    #[must_use]
    pub(crate) fn judged_at(&self) -> i64 {
        self.at
    }

    /// Replaces `before`, and keeps those of its images that are still needed. Returns the others: recording their last use, and closing
    /// the last file of a removed image, takes as long as their disk does.
    #[must_use]
    pub(crate) fn replace(&mut self, before: Self, needed: impl Fn(Digest) -> bool) -> Vec<Arc<Staged>> {
        for (digest, image) in &before.images {
            if let Some(now) = self.images.get(digest) {
                now.goes_on_from(image);
            }
        }
        let (kept, used) = before.images.into_iter().partition::<Vec<_>, _>(|(digest, _)| needed(*digest));
        let mut used: Vec<_> = used.into_iter().map(|(_, image)| image).collect();
        for (digest, image) in kept {
            // Of two images with one digest, the newer one stays.
            match self.images.entry(digest) {
                Entry::Vacant(place) => drop(place.insert(image)),
                Entry::Occupied(_) => used.push(image),
            }
        }
        used
    }

    /// The source files of the image with this digest.
    #[must_use]
    pub(crate) fn sources(&self, digest: Digest, models: &[ModelSettings]) -> Vec<PathBuf> {
        let is_of = |model: &&ModelSettings| self.armed.iter().any(|armed| armed.model == model.name && armed.digest == digest);
        models.iter().filter(is_of).map(|model| model.image.clone()).collect()
    }

    /// Those of these images whose staged copy in `other` is the same file.
    #[must_use]
    pub(crate) fn still_in(&self, other: &Self, images: impl Iterator<Item = Digest>) -> Vec<Digest> {
        let is_same =
            |digest: &Digest| self.images.get(digest).zip(other.images.get(digest)).is_some_and(|(before, now)| before.is_same_file(now));
        images.filter(is_same).collect()
    }

    /// Every staged image, in the order of the digests.
    pub(crate) fn images(&self) -> impl Iterator<Item = &Arc<Staged>> {
        self.images.values()
    }

    /// Replaces `damaged` by this copy. Returns `None` if `damaged` is no longer in use; otherwise the old copy, whose last file may take
    /// as long to close as its disk does.
    pub(crate) fn exchange(&mut self, damaged: &Arc<Staged>, copy: Arc<Staged>) -> Option<Arc<Staged>> {
        let place = self.images.get_mut(&copy.digest()).filter(|image| Arc::ptr_eq(image, damaged))?;
        Some(std::mem::replace(place, copy))
    }

    /// The staged image of this digest.
    #[must_use]
    pub(crate) fn image(&self, digest: Digest) -> Option<Arc<Staged>> {
        self.images.get(&digest).cloned()
    }
}

/// Stages an image anew whose staged copy is `damaged`, from the first source that still contains it. `unread`: the copy could not be read,
/// which may be temporary, so it is read once more before it is given up. Returns `None` if it is good after all.
///
/// # Errors
/// If there is no other copy: the reason, as a sentence.
pub(crate) fn restage(damaged: &Staged, unread: bool, sources: &[PathBuf], store: &Path) -> Result<Option<Staged>, String> {
    if unread && damaged.compare().is_ok() {
        return Ok(None);
    }
    damaged.discard();
    let mut why = "no model is configured with it any more".to_owned();
    for source in sources {
        match stage(source, store, &mut |_: Bytes, _: Bytes| {}) {
            Ok(copy) if copy.digest() == damaged.digest() => return Ok(Some(copy)),
            Ok(copy) => {
                why = format!("its source {} is another image now, {}: `flashline reload` arms that one", source.display(), copy.digest());
            }
            Err(error) => why = format!("it cannot be staged anew: {}", sentence(&error)),
        }
    }
    Err(why)
}

/// An error with all its causes, in one line.
pub(super) fn sentence(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Why a configuration that was read again is not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// One of its models cannot be armed.
    #[error("the model {model} cannot be armed")]
    Model {
        /// The model, as slots name it.
        model: String,
        /// Why its image is not armed.
        source: Box<ArmError>,
    },
    /// No armed model would belong to an order any more, and its slots would make cards without limit.
    #[error(
        "the order {title} of {model} would have no model: stop it first (`flashline order stop --model {model}`), or keep the name of the \
         model"
    )]
    Order {
        /// The title of the order.
        title: String,
        /// The model, as in the log.
        model: String,
    },
    /// The flash log would have to move.
    #[error("`state` in [station] cannot change while the station runs: restart it")]
    State,
}

/// A configuration that is good in every part.
#[derive(Debug)]
pub(crate) struct Proved {
    /// The validated configuration.
    pub settings: Settings,
    /// The staged images of its models.
    pub armory: Armory,
    /// Who armed the images, and from which configuration.
    pub by: ArmedBy,
}

/// Reads the configuration at `config` and stages all its images. At a start some models may fail, because that is better than a station
/// that does nothing. A reload must not make a running station worse, so here all must be good.
///
/// # Errors
/// The first failure.
pub(crate) fn prove(config: &Path, state: &Path, at: i64, asked_by: Option<Who>) -> Result<Proved, ReloadError> {
    let settings =
        config::read_settled(config, ImageCheck::Proved).map_err(|error| error.with_port(|text| ports_of(&Sysfs::default(), text)))?;
    let by = by(config, settings.digest, Occasion::Reload, asked_by);
    if settings.state != state {
        return Err(ReloadError::State);
    }
    let (armory, failed) = Armory::stage(&settings, at, |_, _, _| {});
    match failed.into_iter().next() {
        Some(NotArmed { model, error }) => Err(ReloadError::Model { model, source: Box::new(error) }),
        None => Ok(Proved { settings, armory, by }),
    }
}

/// Who armed: the owner of the configuration file, which was read as the bytes with this digest. Call it where the file is read, because the disk and a directory service may hang; it
/// waits two seconds at most for the name of the owner.
#[must_use]
pub(crate) fn by(config: &Path, digest: Digest, occasion: Occasion, asked_by: Option<Who>) -> ArmedBy {
    let metadata = std::fs::metadata(config).ok();
    let owner = metadata.as_ref().map(|metadata| {
        let uid = metadata.uid();
        let user = in_time(move || User::from_uid(Uid::from_raw(uid)).ok().flatten()).flatten();
        Who { uid, name: user.map_or_else(|| uid.to_string(), |user| user.name) }
    });
    // Seconds and nanoseconds as microseconds, rounded down.
    let changed = metadata.map(|metadata| metadata.mtime().saturating_mul(1_000_000).saturating_add(metadata.mtime_nsec() / 1000));
    let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    ArmedBy { occasion, config: config.display().to_string(), digest, owner, changed, asked_by }
}

/// How long the user database of the PC, which may be a server, is waited for.
pub(crate) const NAMES: Duration = Duration::from_secs(2);

/// The answer of the user database to a question; `None` if it does not come in time. Then the thread of the question is left behind.
pub(crate) fn in_time<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    within(NAMES, "names", ask).ok()
}

/// Describes a staged image that was not inspected.
#[must_use]
pub(crate) fn describe(model: &str, source: &str, staged: &Staged, zeroes: Zeroes) -> Armed {
    Armed {
        model: model.to_owned(),
        model_proof: ModelProof::None,
        uncovered: Vec::new(),
        digest: staged.digest(),
        source: source.to_owned(),
        span: staged.span(),
        block: staged.layout().block,
        zeroes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If the directory service hangs, only the name is missing. The call runs in a separate thread, so that a call that never returns
    /// fails the test.
    #[test]
    fn a_users_database_that_answers_nothing_is_not_waited_for() {
        let (hangs, never) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || tell.send(in_time(move || never.recv().is_ok())));
        let answer = told.recv_timeout(NAMES + Duration::from_secs(20)).expect("it is given up");
        assert_eq!(answer, None);
        drop(hangs);
        assert_eq!(in_time(|| "root"), Some("root"));
    }

    /// A station with one model, whose image is `image.img` in this directory.
    fn settings(directory: &Path, digest: Option<Digest>) -> Settings {
        let digest = digest.map(|digest| format!("digest = \"{digest}\"\n")).unwrap_or_default();
        let text = format!(
            "[station]\nname = \"line 3\"\nstate = \"state\"\n[[model]]\nname = \"acme/box\"\nimage = \"image.img\"\n{digest}\
             require = \"none\"\ncontents = \"any\"\n[[slot]]\nname = \"A1\"\nports = [\"pci-0/usb1-1/lun-0\"]\nmodel = \"acme/box\"\n"
        );
        config::prove(&directory.join("config.toml"), &text, ImageCheck::Proved).expect("it is good")
    }

    /// What is armed, or why nothing is.
    fn armed(settings: &Settings) -> Result<Digest, String> {
        let (armory, failed) = Armory::stage(settings, 0, |_, _, _| {});
        match failed.first() {
            Some(failed) => Err(sentence(&failed.error)),
            None => Ok(armory.armed()[0].digest),
        }
    }

    #[test]
    fn a_model_with_a_digest_takes_that_image_from_the_store_and_no_other_one_from_its_source() {
        let directory = tempfile::tempdir().expect("a directory");
        let (directory, source) = (directory.path(), directory.path().join("image.img"));
        let write = |fill: u8| std::fs::write(&source, vec![fill; 1 << 20]).expect("written");
        write(1);
        let earlier = armed(&settings(directory, None)).expect("whichever is there");
        write(2);
        let later = armed(&settings(directory, None)).expect("whichever is there");
        assert_ne!(earlier, later);
        assert_eq!(armed(&settings(directory, Some(earlier))), Ok(earlier), "the store has it, whatever the source holds now");
        std::fs::remove_file(&source).expect("removed");
        assert_eq!(armed(&settings(directory, Some(earlier))), Ok(earlier), "and without its source");

        std::fs::remove_dir_all(directory.join("state/images")).expect("removed");
        let why = armed(&settings(directory, Some(earlier))).expect_err("it is nowhere");
        assert!(why.contains(&format!("no staged copy of the image {earlier} is kept")) && why.contains("image.img"), "{why}");
        write(2);
        let why = armed(&settings(directory, Some(earlier))).expect_err("another image");
        assert!(why.contains(&format!("is {later}, and its model takes only {earlier}")), "{why}");
        write(1);
        assert_eq!(armed(&settings(directory, Some(earlier))), Ok(earlier), "its source has it again");
    }

    #[test]
    fn what_is_armed_is_signed_with_the_file_that_says_so_and_whose_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = dir.path().join("config.toml");
        std::fs::write(&config, "").expect("written");
        let written = std::time::UNIX_EPOCH + std::time::Duration::from_micros(1_700_000_000_123_456);
        std::fs::File::options().write(true).open(&config).and_then(|file| file.set_modified(written)).expect("set");
        let uid = nix::unistd::geteuid();
        let me = User::from_uid(uid).expect("users can be asked").map(|user| Who { uid: uid.as_raw(), name: user.name });
        let signed = by(&config, Digest([1; 32]), Occasion::Reload, None);
        assert_eq!((signed.occasion, signed.config), (Occasion::Reload, config.display().to_string()));
        assert_eq!((signed.changed, signed.owner), (Some(1_700_000_000_123_456), me));
        let gone = by(&dir.path().join("gone.toml"), Digest([1; 32]), Occasion::Start, None);
        assert_eq!((gone.owner, gone.changed), (None, None), "what is not known is not said");
    }
}
