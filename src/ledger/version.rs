//! The program and version that made a row. It is stored with each row, because it cannot be added later.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::file;

/// What judged the card: the read-back of this program, in this process. Another program, or another kind of proof, has another word.
const PROVER: &str = "direct-read-back-1";

/// BLAKE3 of the running program, hexadecimal.
static BUILD: OnceLock<Option<String>> = OnceLock::new();

/// Reads the program once, in the thread that opens the log: it has many megabytes, for which the deciding task must not wait.
pub(super) fn learn() {
    let _known = build();
}

/// As it is written in a row.
pub(super) fn of_station() -> Value {
    json!({ "program": env!("CARGO_PKG_VERSION"), "build": build(), "prover": PROVER })
}

fn build() -> Option<&'static str> {
    let read = || {
        digest()
            .inspect_err(|error| tracing::warn!(%error, "the program's own file cannot be read: rows do not tell which build made them"))
    };
    BUILD.get_or_init(|| read().ok()).as_deref()
}

/// Read through the kernel's link to the running file, which is right even if a package has replaced the file.
fn digest() -> io::Result<String> {
    Ok(file::digest(Path::new("/proc/self/exe"))?.0.to_hex().to_string())
}

#[cfg(test)]
mod cases {
    use super::super::tests::{closed, open, started};
    use super::*;
    use crate::ledger::LogReader;
    use crate::station::outcome::{Outcome, Pull};

    #[test]
    fn every_row_tells_which_build_made_it_and_what_proved_its_card() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        {
            let mut ledger = open(&path);
            ledger.append(&started(1)).expect("appended");
            ledger.append(&closed(1, Outcome::Pulled(Pull::Taken))).expect("appended");
            ledger.append(&started(2)).expect("appended");
        }
        // The second is closed when the log is opened again.
        drop(open(&path));
        let own = blake3::hash(&std::fs::read("/proc/self/exe").expect("our own file")).to_hex().to_string();
        let log = LogReader::open(&path).expect("a log");
        for event in [1, 2].into_iter().flat_map(|attempt| log.events(attempt).expect("readable")) {
            let body: Value = serde_json::from_str(&event.body).expect("JSON");
            let version = &body["station_version"];
            assert_eq!((version["build"].as_str(), version["prover"].as_str()), (Some(own.as_str()), Some(PROVER)), "{}", event.kind);
            assert_eq!(version["program"], env!("CARGO_PKG_VERSION"));
        }
    }
}
