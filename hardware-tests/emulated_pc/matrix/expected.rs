//! The right outcome of each cell, written from the promises and not from what the station does.

use super::cells::Cell;
use super::faults::Fault;
use super::moments::Moment;

/// What a row must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Any of these outcomes.
    pub(crate) outcomes: &'static [&'static str],
    /// Any of these codes; none where the list is empty.
    pub(crate) codes: &'static [&'static str],
    /// The slot holds the card in the end: it is to be put in again.
    pub(crate) is_held: bool,
}

const fn ended(outcomes: &'static [&'static str], codes: &'static [&'static str]) -> Expected {
    Expected { outcomes, codes, is_held: false }
}

pub(crate) fn expected(cell: &Cell) -> Expected {
    let is_proven = cell.moment == Moment::Proven;
    match cell.fault {
        Fault::Pulled | Fault::Swapped if is_proven => ended(&["passed"], &[]),
        Fault::Pulled | Fault::Swapped => ended(&["pulled"], &[]),
        Fault::Blinks | Fault::Killed if is_proven => Expected { is_held: true, ..ended(&["passed"], &[]) },
        Fault::Blinks => Expected { is_held: true, ..ended(&["pulled"], &[]) },
        Fault::Killed => Expected { is_held: true, ..ended(&["interrupted"], &[]) },
        Fault::Hangs => ended(&["passed"], &[]),
        // Which call fails first is up to the kernel.
        Fault::Dies => ended(&["failed"], &["write-error", "read-error", "flush-error"]),
        Fault::WriteError | Fault::ReadOnly => ended(&["failed"], &["write-error"]),
        // A mark that is not there is a card that holds less than it claims.
        Fault::WritesIgnored if cell.moment == Moment::Marks => ended(&["failed"], &["write-ignored", "false-capacity", "mismatch"]),
        Fault::WritesIgnored => ended(&["failed"], &["write-ignored", "mismatch"]),
        Fault::FlipOnWrite => ended(&["failed"], &["mismatch"]),
        Fault::ReadError => ended(&["failed"], &["read-error"]),
        Fault::FlipOnRead if cell.moment == Moment::MarksRead => ended(&["failed"], &["mismatch", "false-capacity", "write-ignored"]),
        // In the image's zeroes it looks like old contents that do not go away.
        Fault::FlipOnRead => ended(&["failed"], &["mismatch", "write-ignored"]),
        Fault::FlushError => ended(&["failed"], &["flush-error"]),
        Fault::AnotherWrites if is_proven => ended(&["changed"], &["written-after-proof"]),
        // Found by reading back what it wrote, which is zeroed once more, or by the kernel's count of writes.
        Fault::AnotherWrites => ended(&["changed", "passed"], &["written-after-proof"]),
    }
}
