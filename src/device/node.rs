//! A device's node in `/dev`: found by its name, and identified before it is opened.
//!
//! Any program of root may put something else in its place. Opening a pipe would wait, and some devices act as soon as they are opened.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;

use super::devnum;
use crate::station::card::DevNum;

/// The node of a block device. It refers to the same device even if its name changes.
#[derive(Debug)]
pub(super) struct Node(File);

impl Node {
    /// The node at `path`, without following links or opening it; `None` if it is not the node of the block device with this number.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(super) fn find(path: &Path, number: DevNum) -> io::Result<Option<Self>> {
        let found = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)?;
        let metadata = found.metadata()?;
        let is_it = metadata.file_type().is_block_device() && devnum(metadata.rdev()) == Some(number);
        Ok(is_it.then_some(Self(found)))
    }

    /// Opens the device.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(super) fn open(&self, how: &OpenOptions) -> io::Result<File> {
        reopen(&self.0, how)
    }
}

/// Opens the device behind a descriptor once more, whatever its name is by now.
///
/// # Errors
/// The error of the kernel.
pub(super) fn reopen(file: &File, how: &OpenOptions) -> io::Result<File> {
    how.open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_in_the_place_of_a_node_is_found_out_without_opening_it() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        // Opening a pipe without a writer waits for a writer.
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        std::fs::write(at("file"), b"as `dd` makes one where there is no such device").expect("a file");
        std::os::unix::fs::symlink("/dev/null", at("link")).expect("a link");
        let looked_at = [at("pipe"), at("file"), at("link"), "/dev/null".into()];
        let (say, said) = channel();
        thread::spawn(move || {
            for path in looked_at {
                let found = Node::find(&path, DevNum { major: 1, minor: 3 });
                say.send((path, found.map(|node| node.is_some()).map_err(|error| error.to_string()))).expect("somebody listens");
            }
        });
        for _ in 0..4 {
            let (path, found) = said.recv_timeout(Duration::from_secs(20)).expect("it waits for nobody");
            assert_eq!(found, Ok(false), "{}", path.display());
        }
        assert!(Node::find(&at("none"), DevNum { major: 1, minor: 3 }).is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
    }
}
