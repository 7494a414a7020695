//! What is inside an image: read from the staged copy without mounting and without root, and held to the model.
//!
//! ```text
//! partition table ─▶ file systems ─▶ seed ─▶ model, assertions, snaps ─▶ proofs
//!                          └─▶ boot files ─▶ held to what is inside the kernel and the gadget snap
//! ```
//! `readers` read bytes: tables, file systems, snaps. `seed`, `snap` and `gadget` say what those mean, `boot` compares what boots with
//! what it was copied from, and `verdict` judges the whole. `disk` looks only at whether it is a disk image.
//!
//! [`inspect`] gives a [`Page`]: what was found, a verdict on everything the simple production model promises, and what could not be
//! covered, in words. It decides nothing about cards.
//!
//! An image is what somebody made of it. Every size, count and depth that stands in it is looked at before it is believed, every
//! byte read is paid for ([`window`]), and the whole runs in a thread of its own that has an end: what a reader makes of something
//! hostile, a panic included, is a refused image, and nothing else.

mod boot;
pub mod disk;
mod filesystem;
mod gadget;
pub mod page;
mod quiet;
mod readers;
mod seed;
mod snap;
mod trouble;
mod verdict;

use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{io, thread};

use jiff::Timestamp;
use snap_assertions::assertion::Assertion;
use snap_assertions::trust::Trust;

use super::Staged;
use crate::station::allowed::Allowed;
use crate::station::units::MIB;
use page::Page;
pub use readers::{table, window};
pub use trouble::Trouble;
use window::{FileMedium, Medium};

/// What an image is held to.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Roots, and what may complete a chain.
    pub trust: Trust,
    /// The time keys are judged at.
    pub at: Timestamp,
    /// The model the image must be of; where there is none, it must be consistent in itself.
    pub model: Option<Assertion>,
    /// Must everything be proven by signatures? Where not, what they would prove is not covered.
    pub signatures: bool,
    /// What may be there although nothing signs it.
    pub allowed: Allowed,
}

/// What the smallest inspection may take, on a station that writes sixteen cards meanwhile.
const LEAST_TIME: Duration = Duration::from_secs(60);
/// How fast an image is inspected at least: a PC of ten years ago hashes five times as much.
const SLOWEST: u64 = 16 * MIB;

/// Looks inside a staged image.
///
/// # Errors
/// When the station could not look, for which the image is not to blame. Whatever is wrong with the image stands on the page.
pub fn inspect(staged: &Staged, wanted: Wanted) -> io::Result<Page> {
    let (file, span) = (staged.file().try_clone()?, staged.span().0);
    let (sender, receiver) = mpsc::sync_channel(1);
    let time = LEAST_TIME + Duration::from_secs(span / SLOWEST);
    let until = Instant::now() + time;
    quiet::when_a_reader_gives_up();
    thread::Builder::new().name(quiet::THREAD.to_owned()).spawn(move || {
        let window = window::Window::whole_until(Rc::new(FileMedium::new(file, span)), Some(until));
        // Nobody waits any more where it took too long; with its next read it ends by itself.
        let _late = sender.send(verdict::judge(&window, &wanted));
    })?;
    Ok(match receiver.recv_timeout(time) {
        Ok(page) => page,
        Err(RecvTimeoutError::Timeout) => {
            Page::unreadable(span, format!("reading it takes longer than {} s: its tables lead in circles", time.as_secs()))
        }
        Err(RecvTimeoutError::Disconnected) => {
            Page::unreadable(span, "its tables are damaged so badly that their reader gave up".to_owned())
        }
    })
}

/// The same for an image at any path, in the caller's thread.
#[must_use]
pub fn inspect_medium(medium: Rc<dyn Medium>, wanted: &Wanted) -> Page {
    verdict::judge(&window::Window::whole(medium), wanted)
}

/// Single readers, for the fuzz targets: bytes in, and nothing may come of it but an answer.
#[doc(hidden)]
pub mod fuzzing {
    use std::rc::Rc;

    use super::{seed, snap};
    use crate::image::inspect::readers::contents::Contents;
    use crate::image::inspect::readers::squashfs::{Inode, Squashfs};
    use crate::image::inspect::readers::table;
    use crate::image::inspect::readers::window::Window;
    use crate::image::inspect::trouble::Trouble;

    /// Is there a partition table that can be relied on?
    #[must_use]
    pub fn table(bytes: Vec<u8>) -> bool {
        table::read(&Window::whole(Rc::new(bytes))).is_ok_and(|table| table.is_some())
    }

    /// Can this be a `seed.yaml`?
    #[must_use]
    pub fn seed_yaml(bytes: &[u8]) -> bool {
        seed::is_yaml(bytes)
    }

    /// Can this be a snap, whose every file in the first directories can be read?
    #[must_use]
    pub fn snap(bytes: Vec<u8>) -> bool {
        through(Window::whole(Rc::new(bytes))).is_ok()
    }

    fn through(window: Window) -> Result<(), Trouble> {
        let contents: Box<dyn Contents> = Box::new(window);
        let mut snap = Squashfs::open(contents)?;
        let described = snap::describe(&mut snap).map(drop);
        let Some(Inode::Directory(root)) = snap.find("")? else { return Ok(()) };
        for entry in snap.entries(root)?.iter().take(16) {
            match snap.node(entry)? {
                Inode::File(file) if file.length < 1 << 24 => snap.read_through(&file, |_part| {})?,
                Inode::Directory(directory) => drop(snap.entries(directory)?),
                Inode::File(_) | Inode::Link { .. } | Inode::Other => {}
            }
        }
        described
    }
}
