//! Runs the engine once, on a card that a fault strikes at a moment.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use super::device::{Parts, Shared, Strike, Struck, card};
use super::faults::Kind;
use super::moments::{Moment, Places};
use super::plans::{Flush, Image, Setup, fill};
use crate::device::FlushAnswer;
use crate::device::ram::RamDevice;
use crate::flash::flash_device;
use crate::flash::gauge::Gauge;
use crate::flash::rules::Rules;
use crate::flash::tests::{attempt, rules, staged};
use crate::image::Staged;
use crate::image::stage::SourceImage;
use crate::station::End;
use crate::station::outcome::Effort;
use crate::station::units::{Bytes, to_usize};

/// One cell of the matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) fault: Kind,
    pub(super) moment: Moment,
    pub(super) setup: Setup,
}

impl Cell {
    pub(super) fn name(&self) -> String {
        format!("{} at {} ({})", self.fault.name().0, self.moment.name(), self.setup.name())
    }
}

/// How an attempt ended, and everything that can be seen from outside.
pub(super) struct Ran {
    pub(super) end: End,
    pub(super) effort: Effort,
    /// For a proven card: the sectors that another program wrote since, if that is known.
    pub(super) written_since: Option<u64>,
    pub(super) strike: Option<Strike>,
    pub(super) seen: Vec<Moment>,
    pub(super) ram: RamDevice,
    /// The number of calls to the card, also of those that failed.
    pub(super) calls: u64,
}

/// The raw bytes of each image, and its staged form, which all cells share that do not spoil it.
static IMAGES: LazyLock<[(Vec<u8>, Arc<Staged>); 3]> = LazyLock::new(|| {
    Image::ALL.map(|image| {
        let raw = image.raw();
        let staged = staged(&raw);
        (raw, staged)
    })
});

/// The raw bytes of an image.
pub(super) fn raw(image: Image) -> &'static [u8] {
    &shared(image).0
}

/// The staged image.
pub(super) fn shared(image: Image) -> &'static (Vec<u8>, Arc<Staged>) {
    let place = Image::ALL.iter().position(|other| *other == image).expect("it is one of all");
    &IMAGES[place]
}

/// Runs one cell.
///
/// # Errors
/// The message of a panic that was not contained, such as the one of an attempt without an end.
pub(super) fn run(cell: &Cell) -> Result<Ran, String> {
    attempt_on(&cell.setup, Some((cell.fault, cell.moment)))
}

/// Runs a setup without any fault.
pub(super) fn run_well(setup: &Setup) -> Result<Ran, String> {
    attempt_on(setup, None)
}

fn attempt_on(setup: &Setup, fault: Option<(Kind, Moment)>) -> Result<Ran, String> {
    let (raw, staged) = shared(setup.image);
    let spoils_image = fault.is_some_and(|(kind, _)| kind.spoils_image());
    let file = spoils_image.then(|| {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), raw).expect("it can be written");
        file
    });
    let (image, copy) = match &file {
        None => (Arc::clone(staged), None),
        Some(file) => {
            let own =
                SourceImage::open(file.path()).and_then(|source| source.in_place(&mut |_: Bytes, _: Bytes| {})).expect("a good image");
            (Arc::new(own), Some(OpenOptions::new().read(true).write(true).open(file.path()).expect("it can be opened")))
        }
    };
    let answer = (setup.flush != Flush::ByKernel).then(|| fault.and_then(|(kind, _)| kind.answer()).unwrap_or(FlushAnswer::Taken));
    let mut ram = card(Bytes(setup.card()), setup.block, answer);
    fill(setup, raw, ram.contents_mut());
    if fault.is_some_and(|(kind, _)| kind.needs_memory()) {
        ram.remember();
    }
    let head_end = setup.image.head().first().map_or(0, |range| range.end);
    let (last_data_end, last_read_end) = setup.image.body_ends();
    let places = Places { block: u64::from(setup.block), head_end, last_data_end, last_read_end };
    let gauge = Arc::new(Gauge::default());
    let (marks, victim) = (setup.marks(), setup.image.victim());
    let parts = Parts { ram, fault, places, gauge: Arc::clone(&gauge), image: Arc::clone(&image), copy, marks, victim };
    let struck = Rc::new(RefCell::new(Struck::new(parts)));
    let device = Shared(Rc::clone(&struck));
    let rules = Rules { flush_required: setup.flush == Flush::Required, ..rules() };
    let attempt = attempt(1, setup.zeroes, &setup.task.plan());
    let ended = catch_unwind(AssertUnwindSafe(|| flash_device(device, &attempt, image, Arc::clone(&gauge), rules)));
    let (end, kept) = ended.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        text.unwrap_or_else(|| "a panic without a message".to_owned())
    })?;
    if end.is_proof() {
        struck.borrow_mut().strike_proven();
    }
    let written_since = kept.as_ref().and_then(|kept| kept.written_since());
    drop(kept);
    let Ok(struck) = Rc::try_unwrap(struck) else { return Err("the engine keeps the card".to_owned()) };
    let Struck { ram, strike, seen, calls, .. } = struck.into_inner();
    Ok(Ran { end, effort: gauge.effort(), written_since, strike, seen, ram, calls })
}

/// The contents of the card at a range, as seen from outside.
pub(super) fn at<'r>(ran: &'r Ran, range: &std::ops::Range<u64>) -> &'r [u8] {
    &ran.ram.contents()[to_usize(range.start)..to_usize(range.end)]
}
