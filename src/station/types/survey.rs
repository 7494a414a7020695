//! The facts that are determined about a card right before an attempt.

use super::card::{Card, Use};
use super::past::Past;

/// A card and its uses, determined anew when an attempt is about to start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Survey {
    /// The facts as they are now.
    pub card: Card,
    /// Every use of the disk.
    pub uses: Vec<Use>,
    /// The marks on it of things that do not run here: `a RAID`, `LVM`, `zfs` … The PC may start them at any moment.
    pub marks: Vec<String>,
    /// Whether udev protects it from the PC's other programs, by the rules for slots. `None` if no udev runs.
    pub covered: Option<bool>,
    /// The history of the card in the flash log.
    pub past: Past,
}
