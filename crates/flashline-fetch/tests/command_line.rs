//! Tests of what is made of the command line and packed: manual pages, and completions of shells. With `FLASHLINE_WRITE_DOCUMENTS=1` they
//! are written anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap_complete::Shell;

/// What has them written anew.
const WRITE: &str = "FLASHLINE_WRITE_DOCUMENTS";

fn compare(directory: &str, made: &BTreeMap<String, Vec<u8>>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(directory);
    if std::env::var_os(WRITE).is_some() {
        let _none_before = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a directory");
        made.iter().for_each(|(name, bytes)| fs::write(directory.join(name), bytes).expect("it can be written"));
    }
    assert_eq!(&read(&directory), made, "not those of the command line, write them anew by {WRITE}=1: {}", directory.display());
}

/// Every file of a directory that has no others.
fn read(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).map(|entries| entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>());
    let file = |path: PathBuf| (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("a file"));
    entries.unwrap_or_default().into_iter().map(file).collect()
}

#[test]
fn the_manual_pages_are_those_of_the_command_line() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    clap_mangen::generate_to(flashline_fetch::command(), directory.path()).expect("pages are written");
    let made = read(directory.path());
    assert!(made.contains_key("flashline-fetch.1") && made.contains_key("flashline-fetch-get.1"), "{:?}", made.keys());
    compare("man", &made);
}

#[test]
fn the_completions_are_those_of_the_command_line() {
    let of = |shell| {
        let mut made = Vec::new();
        clap_complete::generate(shell, &mut flashline_fetch::command(), "flashline-fetch", &mut made);
        made
    };
    let shells = [("flashline-fetch.bash", Shell::Bash), ("_flashline-fetch", Shell::Zsh), ("flashline-fetch.fish", Shell::Fish)];
    compare("completions", &shells.into_iter().map(|(file, shell)| (file.to_owned(), of(shell))).collect());
}
