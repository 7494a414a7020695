//! Tests: if the station cannot read its own copy, this is never reported as a fault of the image.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::rc::Rc;

use flashline::image::inspect::window::Medium;
use flashline::image::inspect::{LookError, inspect_medium};

use crate::core20::{Core20, Loader};
use crate::fixtures::{Changed, wanted};

/// The errno of a failed read (`EIO`).
const ERRNO: i32 = 5;

/// Answers one read with an error, and every other one from the image.
struct Failing {
    image: Rc<dyn Medium>,
    /// The read that fails, counted from zero.
    which: usize,
    reads: Rc<Cell<usize>>,
    failed_at: Rc<Cell<Option<u64>>>,
}

impl Medium for Failing {
    fn length(&self) -> u64 {
        self.image.length()
    }

    fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let read = self.reads.replace(self.reads.get() + 1);
        if read == self.which {
            self.failed_at.set(Some(at));
            return Err(io::Error::from_raw_os_error(ERRNO));
        }
        self.image.read_exact_at(at, into)
    }
}

/// Makes reads of an inspection fail in turn: each of the first hundred, and then each `step`th. Returns the least number of reads.
fn reads_fail(name: &str, image: &Rc<dyn Medium>, step: usize) -> usize {
    for which in (0..100).chain((100..).step_by(step)) {
        let (reads, failed_at) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(None)));
        let medium = Failing { image: Rc::clone(image), which, reads: Rc::clone(&reads), failed_at: Rc::clone(&failed_at) };
        match (inspect_medium(Rc::new(medium), &wanted()), failed_at.get()) {
            (Ok(_), None) => return which,
            (Err(error), Some(failed_at)) => {
                assert_eq!(error.to_string(), format!("the station could not read its image, at byte {failed_at}"), "{name}, read {which}");
                let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).expect("the system's answer");
                assert_eq!(cause.raw_os_error(), Some(ERRNO), "{name}, read {which}: errno is kept");
                assert_eq!(reads.get(), which + 1, "{name}: a disk that fails is not read any more");
                assert!(matches!(error, LookError::Read { .. }));
            }
            (Ok(page), Some(at)) => panic!("{name}, read {which} at byte {at}: a verdict on the image: {:#?}", page.verdicts),
            (Err(error), None) => panic!("{name}: no read failed, and all the same: {error}"),
        }
    }
    unreachable!("an inspection has an end")
}

#[test]
fn a_read_that_fails_at_any_place_is_the_stations_trouble_and_no_verdict_on_the_image() {
    // Every read of small images made here, and some of the many reads of the fixtures.
    for loader in Loader::ALL {
        let image: Rc<dyn Medium> = Rc::new(Core20::with(loader).image());
        let reads = reads_fail(&format!("{loader:?}"), &image, 1);
        assert!(reads > 5, "{loader:?}: {reads} reads");
    }
    for name in ["uc18-pi", "uc16-amd64-small-inodes", "uc22-amd64"] {
        let image: Rc<dyn Medium> = Rc::new(Changed::of(name));
        let reads = reads_fail(name, &image, 211);
        assert!(reads > 20, "{name}: {reads} reads");
    }
}

#[test]
fn a_read_that_fails_is_no_missing_or_damaged_table() {
    let image = Changed::of("uc22-amd64");
    // Without a table, or with a damaged one: the image would be refused, but that is not reported.
    let without = image.clone().put(510, &[0, 0]);
    let damaged = image.clone().flip(512 + 16);
    for (name, image) in [("without a table", without), ("damaged", damaged)] {
        let image: Rc<dyn Medium> = Rc::new(image);
        assert!(reads_fail(name, &image, 1) > 0, "{name}");
    }
}
