//! Has udev apply the station's rules to what is plugged in already, after the rules were written.
//!
//! Only what is not yet as the rules say is looked at again. A card that is being written is as they say, and is left alone: udev would wait
//! for its lock.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::unistd::User;

use super::cover::is_covered;
use super::rules::LED_ATTRIBUTES;
use super::sysfs::{Sysfs, names_in, node_of};
use crate::station::USER;
use crate::station::lamp::{OwnedLamp, fits};
use crate::station::port::Port;

const LEDS: &str = "/sys/class/leds";
const INPUT_NODES: &str = "/dev/input";
const INPUT_DEVICES: &str = "/sys/class/input";
const ROOT: u32 = 0;

/// What was done, and what could not be.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Devices that udev was told to look at again.
    pub(crate) told: usize,
    /// LEDs that became the station's, or ceased to be. No udev has to look at them.
    pub(crate) leds: usize,
    /// In words, with what it was about.
    pub(crate) failed: Vec<String>,
}

impl Applied {
    /// Was it done? If it failed, the error is noted.
    fn note(&mut self, what: &Path, done: io::Result<()>) -> bool {
        match done {
            Ok(()) => return true,
            // It was pulled out meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.failed.push(format!("{}: {error}", what.display())),
        }
        false
    }

    /// Has udev look at a device again.
    fn tell(&mut self, device: &Path) {
        let told = tell(device);
        self.told += usize::from(self.note(device, told));
    }
}

/// How a disk is known now: to udev as one that others leave alone, and as the station's own.
#[derive(Clone, Copy, Debug)]
struct Known {
    kept: bool,
    given: bool,
}

/// Has udev look again at the disks in these ports, at those that were in a slot until now, and at the bell. LEDs are given at once.
pub(crate) fn apply(sysfs: &Sysfs, ports: &BTreeSet<Port>, lamps: &[OwnedLamp], bell: Option<&Path>) -> Applied {
    let mut applied = Applied::default();
    let user = match User::from_name(USER) {
        Ok(user) => user.map(|user| user.uid.as_raw()),
        Err(error) => {
            applied.failed.push(format!("looking up the user {USER}: {error}"));
            None
        }
    };
    let is_given = |node: &Path| user.is_none_or(|user| fs::metadata(node).is_ok_and(|metadata| metadata.uid() == user));
    let known = |name: &str| Known { kept: sysfs.devnum(name).and_then(is_covered) == Some(true), given: is_given(&node_of(name)) };
    match outdated(sysfs, ports, user.is_some(), known) {
        Ok(devices) => devices.iter().for_each(|device| applied.tell(device)),
        Err(error) => applied.failed.push(format!("listing the disks of this PC: {error}")),
    }
    if let Some(user) = user {
        give_leds(Path::new(LEDS), lamps, user, &mut applied);
        tell_bell(bell, is_given, &mut applied);
    }
    applied
}

/// The directories of the disks and partitions that are not as the rules say. Without a user of the station no disk can be given to it.
fn outdated(sysfs: &Sysfs, ports: &BTreeSet<Port>, has_user: bool, known: impl Fn(&str) -> Known) -> io::Result<Vec<PathBuf>> {
    let mut devices = Vec::new();
    for name in sysfs.disk_names()? {
        let in_slot = sysfs.port(&name).is_some_and(|port| ports.contains(&port));
        let Known { kept, given } = known(&name);
        if kept == in_slot && (!has_user || given == in_slot) {
            continue;
        }
        // One that vanishes has nothing to be looked at.
        devices.extend(sysfs.disk_and_partitions(&name).unwrap_or_default().into_iter().rev().map(|directory| directory.0));
    }
    Ok(devices)
}

/// Has the kernel send the event again by which udev looks at a device.
fn tell(device: &Path) -> io::Result<()> {
    fs::write(device.join("uevent"), "change")
}

/// The LEDs of the lamps belong to the station, and others do not.
fn give_leds(class: &Path, lamps: &[OwnedLamp], user: u32, applied: &mut Applied) {
    let names = match names_in(class) {
        Ok(names) => names,
        Err(error) => return applied.failed.push(format!("{}: {error}", class.display())),
    };
    for name in names {
        let is_ours = lamps.iter().any(|lamp| lamp.lamp.leds().iter().any(|(_, led)| fits(led, &name)));
        let owner = if is_ours { user } else { ROOT };
        let mut changed = false;
        for file in LED_ATTRIBUTES.map(|attribute| class.join(&name).join(attribute)) {
            let has = fs::metadata(&file).map(|metadata| metadata.uid());
            // What is neither the station's nor root's is somebody else's by a rule of the PC's engineer.
            if has.is_ok_and(|has| has != owner && (is_ours || has == user)) {
                changed |= applied.note(&file, chown(&file, Some(owner), None));
            }
        }
        applied.leds += usize::from(changed);
    }
}

/// The bell belongs to the station, and another input device does not.
fn tell_bell(bell: Option<&Path>, is_given: impl Fn(&Path) -> bool, applied: &mut Applied) {
    let bell = bell.and_then(|bell| fs::canonicalize(bell).ok());
    for name in names_in(Path::new(INPUT_NODES)).unwrap_or_default().into_iter().filter(|name| name.starts_with("event")) {
        let node = Path::new(INPUT_NODES).join(&name);
        if (bell.as_ref() == Some(&node)) != is_given(&node) {
            applied.tell(&Path::new(INPUT_DEVICES).join(&name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::FakeSysfs;
    use super::*;
    use crate::station::lamp::Lamp;

    const NOT_YET: Known = Known { kept: false, given: false };
    const AS_RULED: Known = Known { kept: true, given: true };

    #[test]
    fn udev_looks_again_at_what_came_into_a_slot_or_was_in_one_and_a_card_that_is_as_the_rules_say_is_left_alone() {
        let fake = FakeSysfs::new();
        for (name, port) in [("sda", "1"), ("sdb", "2"), ("sdc", "3"), ("sdd", "4")] {
            fake.stick(name, port, 7);
        }
        fake.partition("sda", "8:1");
        let ports = BTreeSet::from(["1", "2"].map(|chain| Port(format!("pci-0000:00:1c.0/usb3-{chain}/lun-0"))));
        let known = |name: &str| if name == "sda" || name == "sdd" { NOT_YET } else { AS_RULED };
        let looked_at = |has_user| {
            let devices = outdated(&fake.sysfs(), &ports, has_user, known).expect("they are listed");
            devices.iter().filter_map(|device| device.file_name()?.to_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(looked_at(true), ["sda", "sda1", "sdc"], "sdc is in no slot any more");
        let kept_alone = |_: &str| Known { kept: true, given: false };
        let devices = |has_user| outdated(&fake.sysfs(), &ports, has_user, kept_alone).expect("they are listed").len();
        assert_eq!(devices(true), 5, "sda and its partition, sdb are not given yet; sdc and sdd are in no slot");
        assert_eq!(devices(false), 2, "there is nobody to be given a disk");
    }

    #[test]
    fn an_led_that_is_pulled_out_meanwhile_is_no_failure_and_one_that_cannot_be_given_is_named() {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("mmc0::")).expect("made");
        fs::write(root.path().join("mmc0::/brightness"), "0").expect("written");
        let mut applied = Applied::default();
        let own = fs::metadata(root.path()).expect("it is there").uid();
        give_leds(root.path(), &[OwnedLamp::of_slot("A1", Lamp::One("mmc*".into()))], own, &mut applied);
        assert_eq!((applied.told, applied.leds, applied.failed.len()), (0, 0, 0), "it is given already");
        assert!(!applied.note(Path::new("/sys/class/leds/x"), Err(io::ErrorKind::NotFound.into())));
        assert!(!applied.note(Path::new("/sys/class/leds/y"), Err(io::ErrorKind::PermissionDenied.into())));
        assert!(applied.failed.len() == 1 && applied.failed[0].starts_with("/sys/class/leds/y: "), "{:?}", applied.failed);
    }
}
