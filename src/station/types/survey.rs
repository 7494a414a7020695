//! What is found out about a card right before an attempt.

use super::card::{Card, Use};
use super::past::Past;

/// A card and who uses it, asked afresh when an attempt is about to start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Survey {
    /// The facts as they are now.
    pub card: Card,
    /// Everything that uses the disk.
    pub uses: Vec<Use>,
    /// What it bears the marks of although that does not run here: `a RAID`, `LVM`, `zfs` … The PC may start it at any moment.
    pub marks: Vec<String>,
    /// udev keeps the PC's other programs from it, by the rules for slots. Nothing where no udev runs.
    pub covered: Option<bool>,
    /// What the flash log has of it.
    pub past: Past,
}
