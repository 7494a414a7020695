//! Checks that the slots' disks are kept from the PC's other programs. The udev rules for it ([`super::rules`]) may not have been written, or
//! be those of other ports.
//!
//! For a port with a disk, the database of udev shows it; for an empty port, the installed rules do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io, thread};

use super::given::Given;
use super::rules;
use super::sysfs::Sysfs;
use super::udev_database::{known_to_udev, udev_runs};
use crate::station::Event;
use crate::station::card::DevNum;
use crate::station::port::Port;

/// The directories of rules, in the order of their priority (udev(7)).
const RULES: [&str; 4] = ["/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d"];

/// Interval of the checks: short enough for an engineer who has just installed the rules.
const LOOK: Duration = Duration::from_secs(10);

/// Does udev know this disk as one that other programs leave alone? `None` if no udev runs or it has not examined the disk: then no program
/// acts on it either.
#[must_use]
pub(crate) fn is_covered(number: DevNum) -> Option<bool> {
    let device = known_to_udev(number)?;
    let says = |property: &str, value: &str| device.property_value(property).is_some_and(|found| found == value);
    Some(says("UDISKS_IGNORE", "1") && says("SYSTEMD_READY", "0"))
}

/// Whether each port is protected. Empty if no udev runs.
#[must_use]
pub(crate) fn of_ports(sysfs: &Sysfs, ports: &BTreeSet<Port>) -> BTreeMap<Port, bool> {
    if !udev_runs() {
        return BTreeMap::new();
    }
    let installed = installed(&RULES.map(PathBuf::from));
    of_ports_with(sysfs, ports, &installed, is_covered)
}

fn of_ports_with(
    sysfs: &Sysfs,
    ports: &BTreeSet<Port>,
    installed: &BTreeSet<String>,
    by_udev: impl Fn(DevNum) -> Option<bool>,
) -> BTreeMap<Port, bool> {
    let disks: Vec<(Port, Option<bool>, bool)> = sysfs
        .disk_names()
        .unwrap_or_default()
        .iter()
        .filter_map(|name| {
            let port = sysfs.port(name).filter(|port| ports.contains(port))?;
            let number = sysfs.devnum(name)?;
            Some((port, by_udev(number), sysfs.holds_medium(name)))
        })
        .collect();
    let covered = |port: &Port| {
        let ruled = rules::rule(port).is_none_or(|rule| rule.lines().all(|rule| installed.contains(rule)));
        let here = disks.iter().find(|(there, ..)| there == port);
        match here {
            // For a present card, only udev's record of it counts.
            Some((_, Some(known), true)) => *known,
            // An empty reader is examined again when a card comes, by the rules at that time.
            Some((_, Some(true), false)) => true,
            _ => ruled,
        }
    };
    ports.iter().map(|port| (port.clone(), covered(port))).collect()
}

/// Every line of every rule file that counts: a file that another one with the same name overrides does not.
fn installed(directories: &[PathBuf]) -> BTreeSet<String> {
    let mut files: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    for directory in directories {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for entry in entries.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "rules") {
                files.entry(entry.file_name()).or_insert_with(|| entry.path());
            }
        }
    }
    files
        .values()
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|text| text.replace("\\\n", "").lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
        .collect()
}

/// Reports to the station which ports are protected: at once, and at every change.
#[derive(Debug)]
pub(crate) struct CoverWatch {
    ports: Arc<Given<BTreeSet<Port>>>,
}

impl CoverWatch {
    /// Starts the thread. `tell` returns false when the receiver is gone, which ends the thread.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub(crate) fn spawn(sysfs: Sysfs, tell: impl Fn(Event) -> bool + Send + 'static) -> io::Result<Self> {
        let ports = Arc::<Given<BTreeSet<Port>>>::default();
        let ours = Arc::clone(&ports);
        thread::Builder::new().name("cover".to_owned()).spawn(move || {
            let mut ports = ours.now();
            // Reported each time, also for equal ports: a slot may have been configured since.
            while tell(Event::Covered(of_ports(&sysfs, &ports.value))) {
                ports = ours.after(LOOK, ports.generation);
            }
        })?;
        Ok(Self { ports })
    }

    /// Checks these ports from now on, and reports on them at once.
    pub(crate) fn set_ports(&self, ports: BTreeSet<Port>) {
        self.ports.set(ports);
    }
}

#[cfg(test)]
mod cases {
    use std::sync::mpsc;

    use super::super::testing::FakeSysfs;
    use super::*;

    fn port(chain: &str) -> Port {
        Port(format!("pci-0000:00:1c.0/usb3-{chain}/lun-0"))
    }

    fn rule(chain: &str) -> Vec<String> {
        rules::rule(&port(chain)).expect("a rule").lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_port_is_covered_by_its_own_rule_and_not_by_the_rule_of_the_port_it_was_before() {
        let fake = FakeSysfs::new();
        let installed: BTreeSet<String> = rule("1").into_iter().chain(rule("2").into_iter().skip(1)).collect();
        let ports = BTreeSet::from(["1", "2"].map(port));
        let found = of_ports_with(&fake.sysfs(), &ports, &installed, |_| None);
        assert_eq!(found, BTreeMap::from([(port("1"), true), (port("2"), false)]), "a part of its rules is not enough");
    }

    #[test]
    fn ports_that_are_given_again_are_reported_at_once_although_they_are_the_same() {
        let fake = FakeSysfs::new();
        let (tell, told) = mpsc::channel();
        let watch = CoverWatch::spawn(fake.sysfs(), move |event| tell.send(event).is_ok()).expect("a thread");
        assert!(matches!(told.recv_timeout(LOOK), Ok(Event::Covered(_))), "at the start");
        for nth in 1..=3 {
            watch.set_ports(BTreeSet::from([port("1")]));
            let event = told.recv_timeout(LOOK / 2);
            assert!(matches!(event, Ok(Event::Covered(_))), "{nth}: {event:?}");
        }
    }

    #[test]
    fn what_udev_made_of_a_card_counts_more_than_any_file_and_an_empty_reader_is_looked_at_again() {
        let fake = FakeSysfs::new();
        fake.stick("sda", "1", 11);
        fake.stick("sdb", "2", 12);
        fake.set("sdb", "size", "0");
        let ports = BTreeSet::from(["1", "2"].map(port));
        let covered = |installed: &[String], known: bool| {
            let installed = installed.iter().cloned().collect();
            let found = of_ports_with(&fake.sysfs(), &ports, &installed, |_| Some(known));
            (found[&port("1")], found[&port("2")])
        };
        assert_eq!(covered(&[], true), (true, true), "rules of other words do it, too");
        assert_eq!(covered(&[rule("1"), rule("2")].concat(), false), (false, true));
        assert_eq!(covered(&[], false), (false, false));
    }

    #[test]
    fn rules_are_read_whole_and_one_that_is_overridden_is_none() {
        let root = tempfile::tempdir().expect("a directory");
        let [first, second] = ["etc", "lib"].map(|name| root.path().join(name));
        for (directory, name, text) in
            [(&first, "61-a.rules", ""), (&second, "61-a.rules", "a\n"), (&second, "62-b.rules", " b, \\\nc \n# d\n"), (&first, "e", "f\n")]
        {
            fs::create_dir_all(directory).expect("made");
            fs::write(directory.join(name), text).expect("written");
        }
        assert_eq!(installed(&[first, second]), BTreeSet::from(["b, c", "# d"].map(str::to_owned)));
    }
}
