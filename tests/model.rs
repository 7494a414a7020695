//! Assertions as files: a signed chain under a root of its own, what became of it in other hands, and the outcome each must have.

use std::fs;
use std::path::{Path, PathBuf};

use flashline::model::assertion::Assertion;
use flashline::model::trust::Trust;
use jiff::Timestamp;

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/snap").join(path)
}

fn bytes(path: &str) -> Vec<u8> {
    fs::read(data(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The keys of the fixtures are valid then.
fn now() -> Timestamp {
    "2026-11-22T00:00:00Z".parse().expect("a time")
}

fn trust() -> Trust {
    let mut trust = Trust::canonical();
    trust.add_roots(&bytes("chain/test-root.trusted")).expect("a root");
    trust.add_known(&bytes("chain/accounts-and-keys.bundle")).expect("a bundle");
    trust
}

fn verdict(path: &str) -> Result<(), Vec<String>> {
    let assertions = Assertion::read_all(&bytes(path)).map_err(|error| vec![error.to_string()])?;
    assertions.first().ok_or_else(|| vec!["nothing in it".to_owned()])?;
    let trust = trust();
    let judge = trust.at(now());
    assertions.iter().try_for_each(|assertion| judge.prove(assertion).map(drop))
}

#[test]
fn every_tampered_file_has_the_outcome_listed_for_it() {
    let listed = String::from_utf8(bytes("tampered/EXPECTED.tsv")).expect("text");
    let mut count = 0;
    for line in listed.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let outcome = verdict(&format!("tampered/{}", fields[0]));
        println!("{} {outcome:?}", fields[0]);
        assert_eq!(outcome.is_ok(), fields[1] == "accepted", "{}: {outcome:?}; listed: {line}", fields[0]);
        count += 1;
    }
    assert_eq!(count, 36, "the whole list was tried");
}

#[test]
fn the_whole_chain_is_proven() {
    for entry in fs::read_dir(data("chain")).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name == "INDEX" || name == "ORACLE.txt" || name.ends_with("serial-request") || name.ends_with("snap-revision") {
            continue;
        }
        assert_eq!(verdict(&format!("chain/{name}")), Ok(()), "{name}");
    }
    for name in ["my-pi3", "my-pi3-r1", "my-pi18", "my-pc16", "my-pc22"] {
        assert_eq!(verdict(&format!("brand/{name}.model")), Ok(()), "{name}");
    }
    for name in ["brand/other-key.model", "brand/placeholder-account-id.model", "impostor/my-pi3.model"] {
        assert!(verdict(name).is_err(), "{name}");
    }
}
