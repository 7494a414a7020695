//! Cuts the power of a reader's port for a moment, where the kernel offers that.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::facts::Switching;
use crate::device::patience::becomes_true;
use crate::watch::reader_kind::PortSwitch;

/// How long a device may take to leave.
const LEAVES: Duration = Duration::from_secs(5);
/// How long it has no power: long enough for the capacitors of a reader.
const WITHOUT: Duration = Duration::from_secs(2);
/// How long it may take to come back: a hub and a reader with several slots need seconds.
const BACK: Duration = Duration::from_secs(30);
/// Interval at which its disk is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// A port that is switched off, and on again however this ends.
struct Off<'f>(&'f [PathBuf]);

impl<'f> Off<'f> {
    fn switch(files: &'f [PathBuf]) -> io::Result<Self> {
        let off = Self(files);
        files.iter().try_for_each(|file| fs::write(file, "1"))?;
        Ok(off)
    }
}

impl Drop for Off<'_> {
    fn drop(&mut self) {
        for file in self.0 {
            if let Err(error) = fs::write(file, "0") {
                tracing::warn!(file = %file.display(), %error, "the port stays switched off: write 0 to this file");
            }
        }
    }
}

/// Switches the port off and on. `is_there` says whether the disk of the card is there with its medium.
pub(crate) fn switched(switch: &PortSwitch, is_there: impl Fn() -> bool) -> Switching {
    let off = match Off::switch(&switch.files) {
        Ok(off) => off,
        Err(error) => return Switching::Refused(format!("switching the port off: {error}")),
    };
    let left = becomes_true(LEAVES, LOOK, || !is_there());
    if left {
        thread::sleep(WITHOUT);
    }
    drop(off);
    let began = Instant::now();
    let back = becomes_true(BACK, LOOK, &is_there);
    match (left, back) {
        (true, true) => Switching::Works { back_after: began.elapsed() },
        (true, false) => Switching::Lost,
        (false, _) => Switching::NoEffect,
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_port_that_was_switched_off_is_switched_on_again_and_one_without_a_file_is_not_tried() {
        let directory = tempfile::tempdir().expect("a directory");
        let files = ["disable", "peer-disable"].map(|name| directory.path().join(name));
        files.iter().for_each(|file| fs::write(file, "0\n").expect("written"));
        let switch = PortSwitch { files: files.to_vec(), disks: vec!["sdb".to_owned()] };
        // The device is there exactly while all its ports are on.
        let is_there = || files.iter().all(|file| fs::read_to_string(file).is_ok_and(|text| text.trim() == "0"));
        assert!(matches!(switched(&switch, is_there), Switching::Works { .. }));
        assert!(files.iter().all(|file| fs::read_to_string(file).expect("there") == "0"));
        let none = PortSwitch { files: vec![directory.path().join("none/disable")], disks: Vec::new() };
        assert!(matches!(switched(&none, || true), Switching::Refused(why) if why.contains("No such file")));
    }
}
