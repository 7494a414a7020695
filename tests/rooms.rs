//! Tests of the import table of `src/lib.rs` against the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

#[path = "rooms/arrows.rs"]
mod arrows;

/// The table as `src/lib.rs` shows it: room, and what it may import.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let map = fs::read_to_string(source("lib.rs")).expect("lib.rs is there");
    let rows: Vec<(String, String)> = map
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .map(|row| row.split_once("` | ").expect("a row has two cells"))
        .map(|(room, cell)| (room.to_owned(), cell.trim_end_matches(" |").to_owned()))
        .collect();
    let rooms: BTreeSet<String> = rows.iter().map(|(room, _)| room.clone()).collect();
    let below = |room: &str| rooms.iter().filter(|other| *other != room).cloned().collect::<BTreeSet<_>>();
    rows.iter()
        .map(|(room, cell)| {
            let may = match cell.as_str() {
                "everything below" => below(room),
                "all but `cli`" => below(room).into_iter().filter(|other| other != "cli").collect(),
                "nothing but the standard library" | "no other" => BTreeSet::new(),
                named => named.split(", ").map(|name| name.trim_matches('`').to_owned()).collect(),
            };
            assert!(may.is_subset(&rooms), "{room} may import rooms that exist: {may:?}");
            (room.clone(), may)
        })
        .collect()
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)
}

/// The Rust sources below a directory.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    let entries = fs::read_dir(directory).expect("src can be read").map(|entry| entry.expect("src can be read").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).filter(is_source).collect()
}

/// `watch` for `src/watch.rs` and everything in `src/watch/`.
fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(source("")).expect("it is in src");
    let first = inside.components().next().expect("it has a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// All tokens in a row, groups opened, so that macros and nested `use` trees are seen as well.
fn flat(tokens: TokenStream, into: &mut Vec<String>) {
    for token in tokens {
        if let TokenTree::Group(group) = token {
            into.push("(".to_owned());
            flat(group.stream(), into);
            into.push(")".to_owned());
        } else {
            into.push(token.to_string());
        }
    }
}

/// Every room named behind `crate::`, alone or first in a branch of a group.
fn imports(tokens: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (index, window) in tokens.windows(4).enumerate() {
        let [krate, one, two, next] = window else { continue };
        if krate != "crate" || one != ":" || two != ":" {
            continue;
        }
        if next != "(" {
            found.insert(next.clone());
            continue;
        }
        let (mut depth, mut first) = (0, true);
        for token in &tokens[index + 3..] {
            match token.as_str() {
                "(" => depth += 1,
                ")" => depth -= 1,
                "," if depth == 1 => first = true,
                name if depth == 1 && first => {
                    found.insert(name.to_owned());
                    first = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

fn tokens_of(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("src can be read");
    let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut tokens = Vec::new();
    flat(stream, &mut tokens);
    tokens
}

#[test]
fn no_room_imports_what_the_map_does_not_allow() {
    let table = table();
    assert!(table.len() >= 11, "the table was read: {table:?}");
    for file in files_below(&source("")) {
        let room = room_of(&file);
        if room == "lib" || room == "main" {
            continue;
        }
        let may = table.get(&room).unwrap_or_else(|| panic!("the room {room} is missing in the map of lib.rs"));
        for import in imports(&tokens_of(&file)) {
            assert!(import == room || may.contains(&import), "{} imports `{import}`, which the map does not allow", file.display());
        }
    }
}

#[test]
fn no_file_climbs_out_of_its_room_by_super() {
    for file in files_below(&source("")) {
        let tokens = tokens_of(&file);
        let depth = file.strip_prefix(source("")).expect("it is in src").components().count();
        // The tests inside a file are one level deeper than the file; only they need to climb twice.
        let depth_of_tests =
            tokens.windows(3).position(|window| window[0] == "mod" && (window[1] == "tests" || window[1] == "cases") && window[2] == "(");
        let code = &tokens[..depth_of_tests.unwrap_or(tokens.len())];
        let climbs = |tokens: &[String], times: usize| {
            tokens.windows(3 * times).any(|window| window.chunks(3).all(|step| step[0] == "super" && step[1] == ":" && step[2] == ":"))
        };
        let allowed = depth - 1 - usize::from(file.ends_with("mod.rs"));
        assert!(!climbs(code, allowed + 1), "{} climbs out of its room", file.display());
    }
}

#[test]
fn the_core_uses_nothing_but_the_standard_library() {
    for file in files_below(&source("station")) {
        let tests_only = ["tests.rs", "testing.rs", "exploration_tests.rs", "order_tests.rs", "cases.rs", "order_cases.rs"];
        let tests_only = tests_only.iter().any(|name| file.ends_with(name));
        if tests_only {
            continue;
        }
        let tokens = tokens_of(&file);
        for window in tokens.windows(3).filter(|window| window[0] == "use") {
            let root = window[1].as_str();
            let inside = matches!(root, "std" | "super" | "crate" | "self") || root.chars().next().is_some_and(char::is_uppercase);
            // A module's file is beside the one that names it, or in a folder with that one's name.
            let folders = [file.parent().map(Path::to_owned), Some(file.with_extension(""))];
            let beside = |name: String| folders.iter().flatten().any(|folder| folder.join(&name).exists());
            let is_of_this_room = beside(format!("{root}.rs")) || beside(format!("{root}/mod.rs"));
            assert!(inside || is_of_this_room, "{} uses `{root}`", file.display());
        }
    }
}

#[test]
fn unsafe_stays_in_its_rooms() {
    let rooms = ["device/aligned.rs", "device/ioctl.rs", "device/mapped.rs"].map(source);
    for file in files_below(&source("")) {
        let found = tokens_of(&file).iter().any(|token| token == "unsafe");
        assert!(!found || rooms.contains(&file), "{} has `unsafe`", file.display());
    }
    for file in files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates")) {
        assert!(!tokens_of(&file).iter().any(|token| token == "unsafe"), "{} has `unsafe`", file.display());
    }
}

#[test]
fn no_two_files_or_folders_import_each_other_in_a_circle() {
    for directory in ["src", "crates/snap-assertions/src", "hardware-tests/lab/src"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let relative = |file: &Path| file.strip_prefix(&root).expect("it is below").to_owned();
        let read = |file: &PathBuf| (relative(file), fs::read_to_string(file).expect("a source can be read"));
        let circles = arrows::circles(&files_below(&root).iter().map(read).collect(), "lib.rs");
        assert!(circles.is_empty(), "{directory}:\n{}", circles.join("\n"));
    }
}
