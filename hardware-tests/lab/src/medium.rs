//! The contents of a card, seen from outside: a file of the host, its first contents, and the defects in front of it.
//!
//! Owns the backing file. It does not know whether and where the card is plugged in.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno as Nix;
use nix::unistd::{Whence, lseek};
use tempfile::NamedTempFile;

use crate::error::{Error, OrPanic, Result};
use crate::host;
use crate::nbd::export::{Counts, Export};
use crate::nbd::faults::{Beyond, Faults};
use crate::nbd::request::Request;
use crate::pattern;

/// Files are compared in pieces of this size.
const PIECE: usize = 1 << 20;

/// The contents of a card before anything was written to it.
#[derive(Clone, Debug, Default)]
enum Contents {
    #[default]
    Zeroes,
    Pattern(u64),
    File(PathBuf),
}

/// A card to be made.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    size: u64,
    real: Option<(u64, Beyond)>,
    contents: Contents,
    pub(crate) read_only: bool,
    /// A card that exists already, instead of a new one.
    existing: Option<Arc<Medium>>,
}

/// Large enough for a partition table and a file system, small enough to be written in a moment.
const DEFAULT_SIZE: u64 = 64 << 20;

impl Default for Plan {
    fn default() -> Self {
        Self { size: DEFAULT_SIZE, real: None, contents: Contents::Zeroes, read_only: false, existing: None }
    }
}

impl Plan {
    pub(crate) fn set_size(&mut self, size: u64) {
        self.size = size;
    }

    pub(crate) fn set_real(&mut self, real: u64, beyond: Beyond) {
        self.real = Some((real, beyond));
    }

    pub(crate) fn set_pattern(&mut self, seed: u64) {
        self.contents = Contents::Pattern(seed);
    }

    pub(crate) fn set_file(&mut self, path: &Path) {
        self.contents = Contents::File(path.to_owned());
    }

    pub(crate) fn set_existing(&mut self, medium: &Arc<Medium>) {
        self.existing = Some(Arc::clone(medium));
    }

    pub(crate) fn make(self) -> Result<Arc<Medium>> {
        match self.existing {
            Some(medium) => Ok(medium),
            None => Medium::make(&self).map(Arc::new).map_err(Error::io(format!("making a card of {} bytes", self.size))),
        }
    }
}

/// The options every kind of card has, as methods of its builder.
macro_rules! medium_options {
    () => {
        /// The capacity in bytes; the default is 64 MiB.
        pub fn size(mut self, bytes: u64) -> Self {
            self.plan.set_size(bytes);
            self
        }

        /// Only this many bytes exist: the card claims a larger capacity.
        pub fn really(mut self, bytes: u64, beyond: $crate::Beyond) -> Self {
            self.plan.set_real(bytes, beyond);
            self
        }

        /// Filled with a pattern made from a seed instead of zeroes.
        pub fn filled(mut self, seed: u64) -> Self {
            self.plan.set_pattern(seed);
            self
        }

        /// Begins with the contents of a file of the host.
        pub fn contents(mut self, file: impl AsRef<std::path::Path>) -> Self {
            self.plan.set_file(file.as_ref());
            self
        }

        /// A card that exists already, from another slot or another PC.
        pub fn medium(mut self, medium: &std::sync::Arc<$crate::Medium>) -> Self {
            self.plan.set_existing(medium);
            self
        }
    };
}
pub(crate) use medium_options;

/// The memory of an emulated card, in a file of the host.
#[derive(Debug)]
pub struct Medium {
    file: NamedTempFile,
    export: Arc<Export>,
    initially: Contents,
}

impl Medium {
    fn make(plan: &Plan) -> io::Result<Self> {
        let (real, beyond) = plan.real.unwrap_or((plan.size, Beyond::default()));
        let mut file = host::temporary("card").tempfile_in(host::memory_dir())?;
        match &plan.contents {
            Contents::Zeroes => {}
            Contents::Pattern(seed) => {
                let mut piece = vec![0; PIECE];
                let mut at = 0;
                while at < real {
                    pattern::fill(*seed, at, &mut piece);
                    let length = piece.len().min(usize::try_from(real - at).unwrap_or(usize::MAX));
                    file.write_all(piece.get(..length).unwrap_or_default())?;
                    at += u64::try_from(length).map_err(io::Error::other)?;
                }
            }
            Contents::File(path) => {
                io::copy(&mut File::open(path)?.take(real), &mut file)?;
            }
        }
        file.as_file().set_len(real)?;
        let export = Export::new(file.reopen()?, plan.size, beyond, plan.read_only)?;
        Ok(Self { file, export: Arc::new(export), initially: plan.contents.clone() })
    }

    /// The file that holds the card's bytes, to be examined from outside.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The capacity it claims, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.export.size()
    }

    pub(crate) fn export(&self) -> &Arc<Export> {
        &self.export
    }

    /// Changes the defects of the card while it is in use: `card.faults(|f| f.hang = true)`.
    pub fn faults<R>(&self, change: impl FnOnce(&mut Faults) -> R) -> R {
        self.export.faults(change)
    }

    /// The sums of requests to the card so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.export.counts()
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.export.requests()
    }

    /// The card stops at the first request for which this is true, and answers nothing until it [goes on](Self::go_on). It is asked about every
    /// request from now on, in the order of arrival.
    ///
    /// As with [`hang`](Faults::hang): the guest's SCSI timeout (30 s) must not pass meanwhile.
    pub fn stop_at(&self, stops_at: impl FnMut(&Request) -> bool + Send + 'static) {
        self.export.stop_at(Box::new(stops_at));
    }

    /// Waits until the card has stopped.
    ///
    /// # Panics
    /// If it does not in time.
    #[track_caller]
    pub fn wait_stopped(&self, timeout: Duration) -> Request {
        let stopped = self.export.wait_stopped(crate::sync::patient(timeout));
        let late = || Error::Late {
            what: format!("{} stops at a request", self.export.name()),
            after: timeout,
            seen: format!("{:?}", self.counts()),
        };
        stopped.ok_or_else(late).or_panic()
    }

    /// The request at which the card is stopped, if it is.
    #[must_use]
    pub fn stopped(&self) -> Option<Request> {
        self.export.stopped()
    }

    /// Lets a stopped card go on.
    pub fn go_on(&self) {
        self.export.go_on();
    }

    /// Waits until this many bytes were written in total: the moment to pull the card in the middle.
    ///
    /// # Panics
    /// If they are not in time.
    #[track_caller]
    pub fn wait_written(&self, bytes: u64, timeout: Duration) {
        self.wait_counts(&format!("{bytes} bytes written to {}", self.export.name()), timeout, |counts| counts.bytes_written >= bytes);
    }

    /// Waits until the sums satisfy `holds`.
    ///
    /// # Panics
    /// If they do not in time.
    #[track_caller]
    pub fn wait_counts(&self, what: &str, timeout: Duration, holds: impl Fn(&Counts) -> bool) {
        if !self.export.wait_counts(crate::sync::patient(timeout), holds) {
            let seen = format!("{:?}", self.counts());
            Err::<(), _>(Error::Late { what: what.to_owned(), after: timeout, seen }).or_panic();
        }
    }

    /// Cuts the card's power; see [`Export::power_cut`]. Returns how many unflushed bytes were lost.
    ///
    /// # Panics
    /// If its file cannot be written.
    #[track_caller]
    pub fn power_cut(&self, keep: u8, seed: u64) -> u64 {
        self.export.power_cut(keep, seed).map_err(Error::io("storing what a power cut spares")).or_panic()
    }

    /// Closes the card's connection to QEMU: from now on it answers only EIO, until it is pulled and plugged in again.
    pub fn disconnect(&self) {
        self.export.disconnect();
    }

    /// The bytes at an offset.
    ///
    /// # Panics
    /// If the card ends before.
    #[track_caller]
    #[must_use]
    pub fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut data = vec![0; length];
        self.file.as_file().read_exact_at(&mut data, offset).map_err(self.doing("reading")).or_panic();
        data
    }

    /// Its first bytes.
    ///
    /// # Panics
    /// If the card is shorter.
    #[track_caller]
    #[must_use]
    pub fn head(&self, length: usize) -> Vec<u8> {
        self.read(0, length)
    }

    /// Changes bytes without the guest's knowledge.
    ///
    /// # Panics
    /// If the file cannot be written.
    #[track_caller]
    pub fn write(&self, offset: u64, data: &[u8]) {
        self.file.as_file().write_all_at(data, offset).map_err(self.doing("writing")).or_panic();
    }

    /// The first byte at which the card differs from a file of the host, over that file's length; `None` if there is none.
    ///
    /// # Panics
    /// If either cannot be read.
    #[track_caller]
    #[must_use]
    pub fn first_difference(&self, image: impl AsRef<Path>) -> Option<u64> {
        self.try_first_difference(image.as_ref()).map_err(self.doing("comparing")).or_panic()
    }

    fn try_first_difference(&self, image: &Path) -> io::Result<Option<u64>> {
        let image = File::open(image)?;
        let length = image.metadata()?.len();
        let mut wanted = vec![0; PIECE];
        self.compare(0..length, |at, piece| {
            let wanted = wanted.get_mut(..piece.len()).unwrap_or_default();
            image.read_exact_at(wanted, at)?;
            Ok(first_unequal(piece, wanted))
        })
    }

    /// Does the card begin with the bytes of a file?
    ///
    /// # Panics
    /// If either cannot be read.
    #[track_caller]
    #[must_use]
    pub fn reads_as(&self, image: impl AsRef<Path>) -> bool {
        self.first_difference(image).is_none()
    }

    /// Is every byte the same as when the card was made?
    ///
    /// # Panics
    /// If the card cannot be read.
    #[track_caller]
    #[must_use]
    pub fn untouched(&self) -> bool {
        self.first_touched().is_none()
    }

    /// The first byte that differs from the time when the card was made.
    ///
    /// # Panics
    /// If the card cannot be read.
    #[track_caller]
    #[must_use]
    pub fn first_touched(&self) -> Option<u64> {
        self.try_first_touched(0).map_err(self.doing("comparing")).or_panic()
    }

    /// The same from an offset on, for the part behind the image, which the station must not have changed.
    ///
    /// # Panics
    /// If the card cannot be read.
    #[track_caller]
    #[must_use]
    pub fn first_touched_from(&self, offset: u64) -> Option<u64> {
        self.try_first_touched(offset).map_err(self.doing("comparing")).or_panic()
    }

    fn try_first_touched(&self, from: u64) -> io::Result<Option<u64>> {
        let real = self.file.as_file().metadata()?.len();
        let mut wanted = vec![0; PIECE];
        match &self.initially {
            Contents::Zeroes => {
                // A card of many gigabytes is mostly holes, which are zeroes and need not be read.
                let mut at = from;
                while let Some(data) = self.next_extent(at, Whence::SeekData)? {
                    let end = self.next_extent(data, Whence::SeekHole)?.unwrap_or(real).min(real);
                    let found = self.compare(data..end, |_, piece| Ok(piece.iter().position(|&byte| byte != 0)))?;
                    if found.is_some() || end >= real {
                        return Ok(found);
                    }
                    at = end;
                }
                Ok(None)
            }
            Contents::Pattern(seed) => {
                // The pattern is made of words of 8 bytes: compare whole words, and return the requested range.
                self.compare(from / 8 * 8..real, |at, piece| {
                    let wanted = wanted.get_mut(..piece.len()).unwrap_or_default();
                    pattern::fill(*seed, at, wanted);
                    let skip = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
                    Ok(first_unequal(&piece[skip..], &wanted[skip..]).map(|index| index + skip))
                })
            }
            Contents::File(path) => {
                let file = File::open(path)?;
                self.compare(from..real, |at, piece| {
                    let wanted = wanted.get_mut(..piece.len()).unwrap_or_default();
                    wanted.fill(0);
                    read_as_far_as_it_goes(&file, at, wanted)?;
                    Ok(first_unequal(piece, wanted))
                })
            }
        }
    }

    /// Gives each piece of a range to `differs`, which returns the index of the first difference.
    fn compare(
        &self,
        range: std::ops::Range<u64>,
        mut differs: impl FnMut(u64, &[u8]) -> io::Result<Option<usize>>,
    ) -> io::Result<Option<u64>> {
        let mut buf = vec![0; PIECE];
        let mut at = range.start;
        while at < range.end {
            let length = buf.len().min(usize::try_from(range.end - at).unwrap_or(usize::MAX));
            let piece = buf.get_mut(..length).unwrap_or_default();
            let read = read_as_far_as_it_goes(self.file.as_file(), at, piece)?;
            let piece = piece.get(..read).unwrap_or_default();
            if let Some(index) = differs(at, piece)? {
                return Ok(Some(at + u64::try_from(index).map_err(io::Error::other)?));
            }
            at += u64::try_from(read).map_err(io::Error::other)?;
            if read < length {
                // The card ends before the range does.
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn next_extent(&self, from: u64, whence: Whence) -> io::Result<Option<u64>> {
        let from = i64::try_from(from).map_err(io::Error::other)?;
        match lseek(self.file.as_file(), from, whence) {
            Ok(at) => u64::try_from(at).map(Some).map_err(io::Error::other),
            Err(Nix::ENXIO) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    fn doing(&self, what: &str) -> impl FnOnce(io::Error) -> Error {
        Error::io(format!("{what} the card behind {}", self.path().display()))
    }
}

fn first_unequal(a: &[u8], b: &[u8]) -> Option<usize> {
    // The whole comparison is one memcmp; only a difference needs a search.
    if a == b { None } else { a.iter().zip(b).position(|(a, b)| a != b) }
}

fn read_as_far_as_it_goes(file: &File, offset: u64, data: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = data.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = offset + u64::try_from(done).map_err(io::Error::other)?;
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests;
