//! Reports to the station on which devices its slots hang: at the start, and whenever a device comes or leaves.
//!
//! This is a separate thread: reading a device's serial waits while the kernel resets the device, and no card may wait for that.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::sysfs::Sysfs;
use crate::station::Event;

/// Interval of the checks: a hub takes longer to come up.
const LOOK: Duration = Duration::from_millis(250);

/// The thread that checks.
#[derive(Debug)]
pub(crate) struct CablingWatch {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

impl CablingWatch {
    /// `tell` returns false when the receiver is gone, which ends the thread.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub(crate) fn spawn(sysfs: Sysfs, tell: impl Fn(Event) -> bool + Send + 'static) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let ours = Arc::clone(&stop);
        let thread = thread::Builder::new().name("cabling".to_owned()).spawn(move || {
            let mut told = None;
            while !ours.load(Ordering::Relaxed) {
                // Taken before the devices are read: changes in between are read again.
                let marks = sysfs.cabling_marks();
                if told.as_ref() != Some(&marks) {
                    told = Some(marks);
                    if !tell(Event::Cabling(sysfs.cabling())) {
                        return;
                    }
                }
                thread::sleep(LOOK);
            }
        })?;
        Ok(Self { thread, stop })
    }

    /// Ends the thread. If a device keeps it waiting, it is left behind.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::testing::FakeSysfs;
    use super::*;

    #[test]
    fn what_slots_hang_on_is_told_at_once_and_when_a_device_came() {
        let fake = FakeSysfs::new();
        fake.hub("3", "05e3", "0610");
        let (tell, told) = mpsc::channel();
        let watch = CablingWatch::spawn(fake.sysfs(), move |event| tell.send(event).is_ok()).expect("a thread");
        let hear = || match told.recv_timeout(Duration::from_secs(10)) {
            Ok(Event::Cabling(cabling)) => cabling.0.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(hear(), 1);
        fake.hub("4", "05e3", "0610");
        assert_eq!(hear(), 2);
        watch.stop();
    }
}
