//! Checks staged copies that were made in an earlier run, and stages damaged ones again, in threads.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::arming::{self, Armory};
use crate::image::{ImageError, Staged};
use crate::station::Event;
use crate::station::outcome::StationFault;
use crate::station::units::Bytes;

/// Limit of newly staged images that were not taken yet: hardly ever more than one. A thread that finds no place waits.
const ENDED: usize = 4;

/// The result of staging an image anew.
#[derive(Debug)]
pub(super) struct Restaged {
    /// The copy that was not trusted any more.
    pub(super) damaged: Arc<Staged>,
    /// Another copy of the same image; `None` if the first is good after all; or why there is none, as a sentence.
    pub(super) result: Result<Option<Staged>, String>,
}

/// The channel for the results.
#[derive(Debug)]
pub(super) struct Restaging {
    tell: mpsc::Sender<Restaged>,
    ended: mpsc::Receiver<Restaged>,
}

impl Default for Restaging {
    fn default() -> Self {
        let (tell, ended) = mpsc::channel(ENDED);
        Self { tell, ended }
    }
}

impl Restaging {
    /// Stages an image anew, in a thread.
    pub(super) fn begin(&self, damaged: Arc<Staged>, unread: bool, sources: Vec<PathBuf>, store: PathBuf) {
        let (tell, copy) = (self.tell.clone(), Arc::clone(&damaged));
        let work = move || {
            let result = arming::restage(&copy, unread, &sources, &store);
            let _stopped = tell.blocking_send(Restaged { damaged: copy, result });
        };
        if let Err(error) = std::thread::Builder::new().name("stage".to_owned()).spawn(work) {
            let result = Err(format!("no thread to stage it anew: {error}; `flashline reload` tries again"));
            let tell = self.tell.clone();
            // This task receives from the channel, so it must not wait for a place in it.
            tokio::spawn(async move {
                let _stopped = tell.send(Restaged { damaged, result }).await;
            });
        }
    }

    /// The next result.
    pub(super) async fn ended(&mut self) -> Restaged {
        match self.ended.recv().await {
            Some(restaged) => restaged,
            // Never closed: a sender is kept here.
            None => std::future::pending().await,
        }
    }
}

/// Reads every staged copy that was found in the store once, while the first cards are written, so that damage is known before a card gets
/// it. `find` armed it only by its name and length.
pub(super) fn check(armory: &Armory, tell: &mpsc::Sender<Event>) {
    let images: Vec<Arc<Staged>> = armory.images().filter(|image| !image.is_compared()).cloned().collect();
    if images.is_empty() {
        return;
    }
    let tell = tell.clone();
    let look = move || {
        for image in images {
            if let Err(error) = image.compare() {
                tracing::error!(error = &error as &dyn std::error::Error, "a staged image is not what was staged");
                let _stopped = tell.blocking_send(Event::ImageFault { digest: image.digest(), fault: fault_of(&error) });
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("check-images".to_owned()).spawn(look) {
        tracing::warn!(%error, "no thread to check the staged images: a damaged one is found by the first card");
    }
}

fn fault_of(error: &ImageError) -> StationFault {
    match error {
        ImageError::Copy { at, .. } => StationFault::Image { at: Bytes(*at), errno: None },
        ImageError::Read { at, source, .. } => {
            StationFault::Image { at: Bytes(*at), errno: Some(source.raw_os_error().unwrap_or(nix::libc::EIO)) }
        }
        other => StationFault::Internal { message: arming::sentence(other) },
    }
}

#[cfg(test)]
mod cases {
    use std::os::unix::fs::{FileExt, PermissionsExt};
    use std::path::Path;

    use super::*;
    use crate::daemon::arming::restage;
    use crate::image::stage::{find_staged, stage};

    fn staged(directory: &Path, fill: u8) -> (PathBuf, PathBuf) {
        let (source, store) = (directory.join("a.img"), directory.join("images"));
        std::fs::write(&source, vec![fill; 3 << 20]).expect("written");
        drop(stage(&source, &store, &mut |_: Bytes, _: Bytes| {}).expect("staged"));
        (source, store)
    }

    fn spoil(copy: &Staged, at: u64) {
        std::fs::set_permissions(copy.path(), std::fs::Permissions::from_mode(0o644)).expect("ours");
        let file = std::fs::File::options().write(true).open(copy.path()).expect("ours");
        file.write_all_at(&[0xff], at).expect("written");
    }

    #[test]
    fn a_copy_damaged_since_it_was_staged_is_found_and_the_place_is_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let (source, store) = staged(directory.path(), 7);
        let copy = find_staged(&source, &store).expect("it is found by its name and length");
        assert!(!copy.is_compared(), "nobody has looked at its bytes in this run");
        copy.compare().expect("it is good");
        assert!(copy.is_compared());
        let again = find_staged(&source, &store).expect("as a reload finds it");
        assert!(!again.is_compared());
        again.goes_on_from(&copy);
        assert!(again.is_compared(), "a reload does not read every image again");
        spoil(&copy, (2 << 20) + 5);
        let copy = find_staged(&source, &store).expect("it is still found");
        let fault = fault_of(&copy.compare().expect_err("it is damaged"));
        assert_eq!(fault, StationFault::Image { at: Bytes(2 << 20), errno: None });
        assert!(!copy.is_compared());
    }

    #[test]
    fn a_damaged_copy_is_staged_anew_from_a_source_that_still_holds_it_and_from_no_other_image() {
        let directory = tempfile::tempdir().expect("a directory");
        let (source, store) = staged(directory.path(), 7);
        let copy = find_staged(&source, &store).expect("staged");
        let good = restage(&copy, true, std::slice::from_ref(&source), &store).expect("it can be read");
        assert!(good.is_none(), "a copy that can be read again is kept");
        spoil(&copy, 5);
        let gone = directory.path().join("gone.img");
        let anew = restage(&copy, false, &[gone.clone(), source.clone()], &store).expect("staged anew").expect("another copy");
        assert_eq!(anew.digest(), copy.digest());
        assert!(!anew.is_same_file(&copy) && anew.is_compared());
        anew.compare().expect("it is whole");
        let found = find_staged(&source, &store).expect("it is in the store");
        assert!(found.is_same_file(&anew));

        std::fs::write(&source, vec![8; 3 << 20]).expect("written");
        let why = restage(&anew, false, &[gone.clone(), source], &store).expect_err("another image");
        assert!(why.contains("is another image now"), "{why}");
        let why = restage(&anew, false, &[gone], &store).expect_err("no source");
        assert!(why.contains("cannot be staged anew: opening the image"), "{why}");
    }
}
