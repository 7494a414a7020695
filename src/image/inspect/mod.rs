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
//! covered, in words. It decides nothing about cards. What the station could not read is no verdict, but a [`LookError`].
//!
//! An image is what somebody made of it. Every size, count and depth that stands in it is looked at before it is believed, every
//! byte read is paid for ([`window`]), and the whole runs in a thread of its own that has an end: what a reader makes of something
//! hostile, a panic included, is a refused image, and nothing else.

mod boot;
pub mod codes;
pub mod disk;
mod filesystem;
mod gadget;
mod look;
pub mod page;
mod panics;
mod read_error;
mod readers;
mod seed;
mod snap;
mod verdict;

use std::rc::Rc;

use jiff::Timestamp;
use snap_assertions::assertion::Assertion;
use snap_assertions::trust::Trust;

use super::Staged;
use crate::station::allowed::Allowed;
use codes::VerdictCode;
use look::Ended;
pub use look::LookError;
use page::Page;
pub use read_error::ReadError;
pub use readers::{table, window};
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

/// Looks inside a staged image.
///
/// # Errors
/// When the station could not look, for which the image is not to blame. Whatever is wrong with the image stands on the page.
pub fn inspect(staged: &Staged, wanted: Wanted) -> Result<Page, LookError> {
    let (file, span) = (staged.file().try_clone().map_err(LookError::Begin)?, staged.span().0);
    let time = look::longest(span);
    let ended = look::within(time, move || Rc::new(FileMedium::new(file, span)), move |window| verdict::judge(window, &wanted))?;
    Ok(match ended {
        Ended::Found(page) => page,
        Ended::Endless => {
            let why = format!("reading it takes longer than {} s: its tables lead in circles", time.as_secs());
            Page::unreadable(span, VerdictCode::Endless.with(why))
        }
        Ended::GaveUp => {
            Page::unreadable(span, VerdictCode::ReaderGaveUp.with("its tables are damaged so badly that their reader gave up"))
        }
    })
}

/// The same for an image at any path, in the caller's thread.
///
/// # Errors
/// When the medium answers with an error.
pub fn inspect_medium(medium: Rc<dyn Medium>, wanted: &Wanted) -> Result<Page, LookError> {
    look::here(medium, |window| verdict::judge(window, wanted))
}

/// Single readers, for the fuzz targets: bytes in, and nothing may come of it but an answer.
#[doc(hidden)]
pub mod fuzzing {
    use std::rc::Rc;

    use super::{seed, snap};
    use crate::image::inspect::read_error::ReadError;
    use crate::image::inspect::readers::contents::Contents;
    use crate::image::inspect::readers::squashfs::{Inode, Squashfs};
    use crate::image::inspect::readers::table;
    use crate::image::inspect::readers::window::Window;

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

    fn through(window: Window) -> Result<(), ReadError> {
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
