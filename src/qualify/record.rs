//! Remembers which slots were qualified, with which kind of reader, so that `flashline check` can warn of those that were not.
//!
//! ```text
//! STATE/qualified.json   {"version": 1, "slots": [{"port": …, "reader": {…}, "program": …, "at": …, "fitness": …}, …]}
//! ```
//! No serial is in it.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::judge::Fitness;
use crate::station::port::Port;
use crate::watch::reader_kind::ReaderKind;

/// The version of the file.
const VERSION: u32 = 1;
/// Its name in the state directory.
pub(crate) const FILE: &str = "qualified.json";

/// One slot that was qualified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Qualified {
    /// The port that its card was in.
    pub port: String,
    /// The kind of reader that was there.
    pub reader: ReaderKind,
    /// The reader stays when its card is taken out. What does not is the card itself, and changes with every card.
    pub stays: bool,
    /// The version of the program.
    pub program: String,
    /// When it ended: UTC, RFC 3339, to the second.
    pub at: String,
    /// The verdict on it.
    pub fitness: Fitness,
}

/// Every slot that was qualified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record(pub Vec<Qualified>);

#[derive(Serialize, Deserialize)]
struct OnDisk {
    version: u32,
    slots: Vec<Qualified>,
}

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The system gave an error.
    #[error("{doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file of the record.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Its contents are not those of a record.
    #[error("reading {path}: move it away, and qualify the slots again")]
    Damaged {
        /// The file of the record.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A newer program wrote it.
    #[error("{path} has version {found}, and this program knows {VERSION}: install the program that wrote it")]
    Newer {
        /// The file of the record.
        path: PathBuf,
        /// The version that it has.
        found: u32,
    },
}

/// What the record says of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing<'r> {
    /// It was never qualified.
    Never,
    /// It was qualified with another kind of reader, or at another of its ports.
    Changed(&'r Qualified),
    /// It was qualified as it is now, as far as it can be seen.
    Qualified(&'r Qualified),
}

impl Record {
    /// The record in this state directory; empty if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or is not one.
    pub(crate) fn read(state: &Path) -> Result<Self, RecordError> {
        let path = state.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(RecordError::Io { doing: "reading", path, source }),
        };
        /// A newer file may have other keys.
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let damaged = |source| RecordError::Damaged { path: path.clone(), source };
        let found = serde_json::from_slice::<Head>(&text).map_err(damaged)?.version;
        if found > VERSION {
            return Err(RecordError::Newer { path, found });
        }
        serde_json::from_slice::<OnDisk>(&text).map(|on_disk| Self(on_disk.slots)).map_err(damaged)
    }

    /// Adds these, each in the place of an earlier one of the same port.
    pub(crate) fn add(&mut self, new: impl IntoIterator<Item = Qualified>) {
        for qualified in new {
            self.0.retain(|known| known.port != qualified.port);
            self.0.push(qualified);
        }
        self.0.sort_by(|one, other| one.port.cmp(&other.port));
    }

    /// Replaces the file atomically. Everybody who may look into the state directory may read it.
    ///
    /// # Errors
    /// The error of the system, with the file.
    pub(crate) fn write(&self, state: &Path) -> Result<(), RecordError> {
        let path = state.join(FILE);
        let write = || -> io::Result<()> {
            fs::create_dir_all(state)?;
            let mut fresh = tempfile::Builder::new().prefix(".qualified-").tempfile_in(state)?;
            serde_json::to_writer_pretty(fresh.as_file_mut(), &OnDisk { version: VERSION, slots: self.0.clone() })?;
            fresh.as_file_mut().write_all(b"\n")?;
            fresh.as_file().set_permissions(Permissions::from_mode(0o644))?;
            fresh.as_file().sync_all()?;
            fresh.persist(&path).map_err(|error| error.error)?;
            File::open(state)?.sync_all()
        };
        write().map_err(|source| RecordError::Io { doing: "writing", path: path.clone(), source })
    }

    /// What is known of a slot with these ports. `now` says which reader is at a port, if one is there, and whether it stays there.
    #[must_use]
    pub(crate) fn of(&self, ports: &[Port], now: impl Fn(&Port) -> Option<(ReaderKind, bool)>) -> Standing<'_> {
        let known = |port: &Port| self.0.iter().find(|qualified| qualified.port == port.0);
        let Some(any) = ports.iter().find_map(known) else { return Standing::Never };
        let there = ports.iter().find_map(|port| now(port).map(|(kind, stays)| (port, kind, stays)));
        match there {
            // An empty socket for sticks, or a reader that is not plugged in now.
            None => Standing::Qualified(any),
            Some((port, kind, stays)) => match known(port) {
                Some(here) if here.reader == kind || !(here.stays || stays) => Standing::Qualified(here),
                Some(here) => Standing::Changed(here),
                None => Standing::Changed(any),
            },
        }
    }
}

#[cfg(test)]
mod cases {
    use super::super::testing::slot;
    use super::*;

    fn qualified(port: &str, at: &str) -> Qualified {
        let facts = slot("A1", 0);
        Qualified {
            port: port.to_owned(),
            reader: facts.reader,
            stays: true,
            program: "0.1.0".to_owned(),
            at: at.to_owned(),
            fitness: Fitness::FitWithRemarks,
        }
    }

    fn port(text: &str) -> Port {
        Port(text.to_owned())
    }

    #[test]
    fn what_was_qualified_is_remembered_and_qualified_anew_in_its_place() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = directory.path().join("not/made/yet");
        assert_eq!(Record::read(&state).expect("there is none"), Record::default());
        let mut record = Record::default();
        record.add([qualified("p2", "1"), qualified("p1", "1")]);
        record.write(&state).expect("it can be written");
        let mut record = Record::read(&state).expect("it is there");
        record.add([qualified("p2", "2")]);
        record.write(&state).expect("it can be written");
        assert_eq!(Record::read(&state).expect("it is there").0, [qualified("p1", "1"), qualified("p2", "2")]);
        let mode = fs::metadata(state.join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "the station and its group read it");
    }

    #[test]
    fn a_record_that_is_damaged_or_newer_is_an_error_with_its_cure_and_not_lost() {
        let directory = tempfile::tempdir().expect("a directory");
        let said = |text: &str| {
            fs::write(directory.path().join(FILE), text).expect("written");
            Record::read(directory.path()).expect_err("it is none").to_string()
        };
        assert!(said("{").contains("move it away"));
        assert!(said(r#"{"version": 1, "slots": [{"port": 5}]}"#).contains("qualified.json"));
        assert!(said(r#"{"version": 2, "else": []}"#).contains("has version 2"));
    }

    #[test]
    fn another_reader_in_the_port_is_a_change_and_another_stick_is_none() {
        let mut record = Record::default();
        record.add([qualified("p1", "1")]);
        let reader = qualified("p1", "1").reader;
        let other = ReaderKind { revision: "0201".to_owned(), ..reader.clone() };
        let at = |here: &'static str, kind: &ReaderKind, stays| {
            let kind = kind.clone();
            move |port: &Port| (port.0 == here).then(|| (kind.clone(), stays))
        };
        let ports = [port("p1"), port("p1-usb2")];
        assert_eq!(record.of(&[port("p9")], |_| None), Standing::Never);
        assert!(matches!(record.of(&ports, |_| None), Standing::Qualified(_)), "nothing is there to be compared");
        assert!(matches!(record.of(&ports, at("p1", &reader, true)), Standing::Qualified(_)));
        assert!(matches!(record.of(&ports, at("p1", &other, true)), Standing::Changed(_)), "another firmware");
        assert!(matches!(record.of(&ports, at("p1", &other, false)), Standing::Changed(_)), "a stick where a reader was");
        assert!(matches!(record.of(&ports, at("p1-usb2", &reader, true)), Standing::Changed(_)), "it runs at another speed now");
        record.0[0].stays = false;
        assert!(matches!(record.of(&ports, at("p1", &other, false)), Standing::Qualified(_)), "sticks come and go");
        assert!(matches!(record.of(&ports, at("p1", &other, true)), Standing::Changed(_)), "a reader where sticks were");
    }
}
