//! Puts other words in the place of serials and host names. In one archive, the same serial always has the same words; in another archive
//! it has others, and from the words nobody finds the serial, not even by trying all of them.

use std::collections::BTreeSet;
use std::io;

use crate::watch::sysfs::Sysfs;

/// Shorter serials are only replaced where one is expected: in other texts they stand for something else.
const LEAST: usize = 4;
/// Names of PCs that say nothing about where one is, and stand in texts of this program.
const COMMON: [&str; 5] = ["localhost", "flashline", "station", "debian", "raspberrypi"];

/// What is disguised, and how.
#[derive(Debug)]
pub(super) struct Disguise {
    /// Of this archive only, and kept nowhere.
    key: [u8; 32],
    serials: BTreeSet<String>,
    hosts: BTreeSet<String>,
    shows_serials: bool,
    shows_host: bool,
}

impl Disguise {
    /// # Errors
    /// If the kernel gives no random key.
    pub(super) fn new(shows_serials: bool, shows_host: bool) -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|error| error.raw_os_error().map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error))?;
        Ok(Self { key, serials: BTreeSet::new(), hosts: BTreeSet::new(), shows_serials, shows_host })
    }

    /// Learns the serials of what is plugged into this PC.
    pub(super) fn learn_devices(&mut self, sysfs: &Sysfs) {
        for device in sysfs.usb_devices() {
            self.learn_serial(device.id.splitn(3, ':').nth(2));
        }
        for name in sysfs.disk_names().unwrap_or_default() {
            let Some(card) = sysfs.card(&name) else { continue };
            for serial in [card.serial.as_deref(), card.wwn.as_deref()] {
                self.learn_serial(serial);
            }
            if let Some(cid) = &card.cid {
                self.learn_serial(Some(&cid.raw));
                self.learn_serial(cid.serial.as_deref());
            }
        }
    }

    fn learn_serial(&mut self, serial: Option<&str>) {
        self.serials.extend(serial.filter(|serial| serial.len() >= LEAST).map(str::to_owned));
    }

    /// Learns a name of this PC, and its first part.
    pub(super) fn learn_host(&mut self, name: &str) {
        let name = name.trim();
        for name in [name, name.split('.').next().unwrap_or_default()] {
            if name.len() >= LEAST && !COMMON.contains(&name) {
                self.hosts.insert(name.to_owned());
            }
        }
    }

    /// What stands for a serial.
    pub(super) fn serial(&self, serial: &str) -> String {
        if self.shows_serials {
            return serial.to_owned();
        }
        let digest = blake3::keyed_hash(&self.key, serial.as_bytes()).to_hex();
        format!("serial-{}", &digest[..10])
    }

    /// A text in which serials and host names may stand.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // The longest first: one may begin with another.
        let by_length = |names: &BTreeSet<String>| {
            let mut names: Vec<String> = names.iter().cloned().collect();
            names.sort_by_key(|name| std::cmp::Reverse(name.len()));
            names
        };
        if !self.shows_serials {
            for serial in by_length(&self.serials) {
                text = text.replace(&serial, &self.serial(&serial));
            }
        }
        if !self.shows_host {
            for host in by_length(&self.hosts) {
                text = text.replace(&host, "(host)");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::testing::FakeSysfs;

    fn disguise(serials: bool, host: bool) -> Disguise {
        let fake = FakeSysfs::new();
        fake.stick("sda", "3.1", 7);
        let mut disguise = Disguise::new(serials, host).expect("a key");
        disguise.learn_devices(&fake.sysfs());
        disguise.learn_host("line3-pc.factory.example\n");
        disguise
    }

    #[test]
    fn a_serial_has_the_same_words_in_one_archive_and_others_in_the_next() {
        let (one, other) = (disguise(false, false), disguise(false, false));
        assert_eq!(one.serial("4C53"), one.serial("4C53"));
        assert_ne!(one.serial("4C53"), one.serial("4C54"));
        assert_ne!(one.serial("4C53"), other.serial("4C53"));
        assert_eq!(one.text("Ultra 4C53 in line3-pc"), format!("Ultra {} in (host)", one.serial("4C53")));
        assert_eq!(one.text("line3-pc.factory.example"), "(host)");
    }

    #[test]
    fn serials_and_host_names_are_shown_if_asked_for() {
        assert_eq!(disguise(true, false).text("4C53 in line3-pc"), "4C53 in (host)");
        assert!(disguise(false, true).text("4C53 in line3-pc").ends_with(" in line3-pc"));
        assert_eq!(disguise(true, false).serial("4C53"), "4C53");
    }
}
