//! Gives work such as unpacking an image a low priority, so that it does not slow cards down.

use super::ioctl;

/// A third of the way to the lowest priority of a thread (`nice(2)`): beside cards that hash, it gets about a tenth of a core; if they
/// wait, it gets the whole core.
const NICENESS: i32 = 10;

/// From now on this thread, and every thread that it begins, gives way to others on the processor and the disk (`sched(7)`,
/// `ioprio_set(2)`). A disk scheduler without priority classes ignores this.
pub(crate) fn yield_to_others() {
    if let Err(error) = ioctl::set_niceness(NICENESS) {
        tracing::debug!(%error, "this thread is as important as others");
    }
    if let Err(error) = ioctl::set_io_idle() {
        tracing::debug!(%error, "this thread's reads and writes are as important as others");
    }
}

#[cfg(test)]
mod cases {
    use std::fs;
    use std::thread;

    use super::*;

    /// The kernel's values for the calling thread: its niceness (proc(5), field 19) and its class of I/O.
    fn own() -> (i32, i32) {
        let stat = fs::read_to_string("/proc/thread-self/stat").expect("there is a /proc");
        let behind_name = stat.rsplit(')').next().expect("it has a name");
        let niceness = behind_name.split_whitespace().nth(16).and_then(|text| text.parse().ok()).expect("a number");
        (niceness, ioctl::io_class().expect("the kernel tells"))
    }

    #[test]
    fn a_thread_that_yields_and_those_it_begins_have_the_least_of_disk_and_less_of_the_processor_and_others_are_as_before() {
        let before = own();
        let (yields, inherits) = thread::spawn(|| {
            yield_to_others();
            (own(), thread::spawn(own).join().expect("it only asks"))
        })
        .join()
        .expect("it only asks");
        assert_eq!((yields, inherits), ((NICENESS.max(before.0), 3), (NICENESS.max(before.0), 3)));
        assert_eq!(own(), before, "the station's other threads are as they were");
    }
}
