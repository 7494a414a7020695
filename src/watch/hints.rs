//! Waits for udev to be done with a disk, as a hint that something may have changed.
//!
//! udev keeps a file for each device, which it replaces in one step each time that it is done with the device, and removes with it
//! (`device_update_db` in systemd's `sd-device`). Its messages by netlink say the same, but reach only processes in the network namespace of
//! the PC: the station has one without a network (`PrivateNetwork=` of the unit), and would wait for them in vain.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Where udev keeps what it knows.
pub(super) const DATABASE: &str = "/run/udev/data";
/// How the file of a block device begins, whose name is its number.
const BLOCK: &[u8] = b"b";

/// Begins to hear what udev does in this directory.
pub(super) fn watch_database(database: &Path) -> Result<Inotify, Errno> {
    let watched = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    watched.add_watch(database, AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_ONLYDIR)?;
    Ok(watched)
}

/// What udev does to its files of disks and partitions.
pub(super) struct UdevHints {
    database: PathBuf,
    watched: Option<Inotify>,
    complained: bool,
}

impl UdevHints {
    pub(super) fn new() -> Self {
        Self::of(Path::new(DATABASE))
    }

    fn of(database: &Path) -> Self {
        let mut hints = Self { database: database.to_owned(), watched: None, complained: false };
        hints.watch();
        hints
    }

    /// Begins to watch, or begins again when udev has made its directory anew.
    fn watch(&mut self) {
        self.watched = match watch_database(&self.database) {
            Ok(watched) => Some(watched),
            Err(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(%error, database = %self.database.display(), "udev cannot be watched: cards are looked for every second only");
                }
                None
            }
        };
    }

    /// Has udev been done with a disk? Waits for it, at most `patience`; what has happened by then is forgotten.
    pub(super) fn wait(&mut self, patience: PollTimeout) -> bool {
        let Some(watched) = &self.watched else {
            thread::sleep(patience.duration().unwrap_or_default());
            self.watch();
            return false;
        };
        let mut ready = [PollFd::new(watched.as_fd(), PollFlags::POLLIN)];
        let heard = match poll(&mut ready, patience) {
            Ok(0) | Err(Errno::EINTR) => return false,
            Ok(_) => watched.read_events(),
            Err(error) => Err(error),
        };
        match heard {
            Ok(events) => {
                if events.iter().any(|event| event.mask.contains(AddWatchFlags::IN_IGNORED)) {
                    self.watched = None;
                }
                // An overflow has no name.
                events.iter().any(|event| event.name.as_ref().is_none_or(|name| name.as_encoded_bytes().starts_with(BLOCK)))
            }
            Err(error) => {
                tracing::warn!(%error, "waiting for udev");
                thread::sleep(patience.duration().unwrap_or_default());
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn moment() -> PollTimeout {
        PollTimeout::from(50_u8)
    }

    #[test]
    fn a_disk_that_udev_is_done_with_is_a_hint_once_and_another_device_is_none() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |name: &str| root.path().join(name);
        let done_with = |name: &str| {
            fs::write(at(".#new"), "").expect("written");
            fs::rename(at(".#new"), at(name)).expect("renamed");
        };
        let mut hints = UdevHints::of(root.path());
        assert!(!hints.wait(moment()), "nothing happened");
        done_with("c13:64");
        assert!(!hints.wait(moment()), "a keyboard is no card");
        done_with("b8:16");
        done_with("b8:17");
        assert!(hints.wait(moment()));
        assert!(!hints.wait(moment()), "it was told");
        fs::remove_file(at("b8:16")).expect("removed");
        assert!(hints.wait(moment()), "it is gone");
    }

    #[test]
    fn where_no_udev_runs_nothing_is_heard_until_it_runs() {
        let root = tempfile::tempdir().expect("a directory");
        let database = root.path().join("data");
        let mut hints = UdevHints::of(&database);
        assert!(!hints.wait(moment()));
        fs::create_dir(&database).expect("made");
        assert!(!hints.wait(moment()));
        let done = || fs::rename(root.path().join("new"), database.join("b8:16")).expect("renamed");
        fs::write(root.path().join("new"), "").expect("written");
        done();
        assert!(hints.wait(moment()), "it is watched now");
        fs::remove_dir_all(&database).expect("removed");
        while hints.wait(moment()) {}
        fs::create_dir(&database).expect("made");
        hints.wait(moment());
        fs::write(root.path().join("new"), "").expect("written");
        done();
        assert!(hints.wait(moment()), "it was made anew");
    }
}
