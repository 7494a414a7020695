//! Loads programs into memory, for those that must go on while their disk does not answer.

use nix::errno::Errno;
use nix::sys::mman::{MlockAllFlags, mlockall};

/// A PC may have one disk. When it hangs, so does every page of this program that is still to be read from it, and with it the thread that
/// needs the page. So the program and its libraries are in memory as a whole from the start, and stay there: some dozens of megabytes.
/// Not what is mapped later: the images would be locked, too.
pub(super) fn stay_in_memory() -> Result<(), Errno> {
    mlockall(MlockAllFlags::MCL_CURRENT)
}
