//! Loads programs into memory, for those that must continue while their disk does not answer.

use nix::errno::Errno;
use nix::sys::mman::{MlockAllFlags, mlockall};

/// A PC may have one disk. If it hangs, every page of this program that must still be read from it hangs, too, with the thread that needs
/// the page. So the whole program and its libraries are loaded at the start and stay in memory: some dozens of megabytes. Later mappings
/// are not locked: the images would be locked, too.
pub(super) fn stay_in_memory() -> Result<(), Errno> {
    mlockall(MlockAllFlags::MCL_CURRENT)
}
