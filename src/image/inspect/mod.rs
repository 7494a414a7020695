//! Inspects the contents of an image: reads them from the staged copy without mounting and without root, and compares them with the model.
//!
//! ```text
//! partition table ─▶ file systems ─▶ seed ─▶ model, assertions, snaps ─▶ proofs
//!                          └─▶ boot files ─▶ compared with the kernel and the gadget snap
//! ```
//! `readers` read bytes: tables, file systems, snaps. `seed`, `snap` and `gadget` interpret them, `boot` compares the boot files with their
//! originals, and `verdict` judges the whole. `disk` checks only whether it is a disk image.
//!
//! [`inspect`] returns a [`Page`]: the findings, a verdict on everything that the simple production model promises, and the checks that
//! could not be made, in words. It makes no decision about cards. If the station could not read its copy, the result is not a verdict but a
//! [`LookError`].
//!
//! An image may be hostile. Every size, count and depth in it is checked before it is used, every byte read is charged to a budget
//! ([`window`]), and the whole runs in a separate thread with a time limit. Whatever hostile data does to a reader, even a panic, the only
//! result is a refused image.

mod boot;
pub mod codes;
pub mod disk;
mod filesystem;
mod gadget;
pub mod page;
mod panics;
mod read_error;
mod readers;
mod seed;
mod snap;
mod time_limit;
mod verdict;

use std::rc::Rc;

use jiff::Timestamp;
use snap_assertions::assertion::Assertion;
use snap_assertions::trust::Trust;

use super::Staged;
use crate::station::allowed::Allowed;
use codes::VerdictCode;
use page::Page;
pub use read_error::ReadError;
pub use readers::{table, window};
use time_limit::Ended;
pub use time_limit::LookError;
use window::{FileMedium, Medium};

/// The requirements for an image.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The roots, and assertions that may complete a chain.
    pub trust: Trust,
    /// The time at which keys are judged.
    pub at: Timestamp,
    /// The model that the image must have; without one, the image must be consistent in itself.
    pub model: Option<Assertion>,
    /// Must everything be proven by signatures? If not, the properties that signatures prove are reported as not covered.
    pub signatures: bool,
    /// Contents that are allowed although nothing signs them.
    pub allowed: Allowed,
}

/// Inspects a staged image.
///
/// # Errors
/// If the station could not inspect it, without any fault of the image. All faults of the image are on the page.
pub fn inspect(staged: &Staged, wanted: Wanted) -> Result<Page, LookError> {
    let (file, span) = (staged.file().try_clone().map_err(LookError::Begin)?, staged.span().0);
    let time = time_limit::longest(span);
    let ended = time_limit::within(time, move || Rc::new(FileMedium::new(file, span)), move |window| verdict::judge(window, &wanted))?;
    Ok(match ended {
        Ended::Found(page) => page,
        Ended::Endless => {
            let why = format!("reading it takes longer than {} s: its tables form a loop", time.as_secs());
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
/// If the medium answers with an error.
pub fn inspect_medium(medium: Rc<dyn Medium>, wanted: &Wanted) -> Result<Page, LookError> {
    time_limit::without_limit(medium, |window| verdict::judge(window, wanted))
}

/// Single readers for the fuzz targets: they take bytes, and their only effect may be a result.
#[doc(hidden)]
pub mod fuzzing {
    use std::rc::Rc;

    use super::{seed, snap};
    use crate::image::inspect::read_error::ReadError;
    use crate::image::inspect::readers::contents::Contents;
    use crate::image::inspect::readers::squashfs::{Inode, Squashfs};
    use crate::image::inspect::readers::table;
    use crate::image::inspect::readers::window::Window;

    /// Is there a reliable partition table?
    #[must_use]
    pub fn table(bytes: Vec<u8>) -> bool {
        table::read(&Window::whole(Rc::new(bytes))).is_ok_and(|table| table.is_some())
    }

    /// Can this be a `seed.yaml`?
    #[must_use]
    pub fn seed_yaml(bytes: &[u8]) -> bool {
        seed::is_yaml(bytes)
    }

    /// Can this be a snap in which every file of the first directories can be read?
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
