//! Tests of what is made of the command line and packed: manual pages, and completions of shells. With `FLASHLINE_WRITE_DOCUMENTS=1` they
//! are written anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap_complete::Shell;

/// What has them written anew.
const WRITE: &str = "FLASHLINE_WRITE_DOCUMENTS";

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

/// The command line without the commands that only the station itself and the packages type.
fn command() -> clap::Command {
    let whole = flashline::cli::command();
    let shown: Vec<clap::Command> = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let mut bare = clap::Command::new("flashline").version(env!("CARGO_PKG_VERSION")).arg_required_else_help(true);
    if let Some(about) = whole.get_about() {
        bare = bare.about(about.clone());
    }
    bare.subcommands(shown)
}

/// A page for each command, by its file.
fn manual() -> BTreeMap<String, Vec<u8>> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    clap_mangen::generate_to(command(), directory.path()).expect("pages are written");
    read(directory.path())
}

/// What each shell completes, by the file that it looks for.
fn completions() -> BTreeMap<String, Vec<u8>> {
    let of = |shell| {
        let mut made = Vec::new();
        clap_complete::generate(shell, &mut command(), "flashline", &mut made);
        made
    };
    [("flashline.bash", Shell::Bash), ("_flashline", Shell::Zsh), ("flashline.fish", Shell::Fish)]
        .into_iter()
        .map(|(file, shell)| (file.to_owned(), of(shell)))
        .collect()
}

/// Every file of a directory that has no others.
fn read(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).map(|entries| entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>());
    let file = |path: PathBuf| (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("a file"));
    entries.unwrap_or_default().into_iter().map(file).collect()
}

fn compare(directory: &str, made: &BTreeMap<String, Vec<u8>>) {
    let directory = packaging().join(directory);
    if std::env::var_os(WRITE).is_some() {
        fs::create_dir_all(&directory).expect("a directory");
        for name in read(&directory).keys().filter(|name| !made.contains_key(*name)) {
            fs::remove_file(directory.join(name)).expect("it can be removed");
        }
        made.iter().for_each(|(name, bytes)| fs::write(directory.join(name), bytes).expect("it can be written"));
    }
    let packed = read(&directory);
    let differs = |name: &&String| packed.get(*name) != made.get(*name);
    let wrong: Vec<&String> = made.keys().chain(packed.keys().filter(|name| !made.contains_key(*name))).filter(differs).collect();
    assert!(wrong.is_empty(), "not those of the command line, write them anew by {WRITE}=1: {}: {wrong:?}", directory.display());
}

#[test]
fn the_manual_pages_are_those_of_the_command_line() {
    let made = manual();
    assert!(made.len() > 20 && made.contains_key("flashline-log-serials.1"), "there is a page for each command: {:?}", made.keys());
    assert!(!made.keys().any(|name| name.contains("post-stop")), "and none for what nobody types: {:?}", made.keys());
    compare("man", &made);
}

#[test]
fn the_completions_are_those_of_the_command_line() {
    let made = completions();
    for (shell, text) in &made {
        let text = String::from_utf8_lossy(text);
        assert!(text.contains("own-disks") && !text.contains("post-stop"), "{shell} completes what is typed, and nothing else");
    }
    compare("completions", &made);
}
