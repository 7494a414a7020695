//! Tests of the documents: every link has a target, the lists of codes are those of the program, every command line is valid, and no doc
//! comment only repeats a name.
//!
//! A table below a line `<!-- from the code: NAME -->` is compared with the code, all columns but the last, which is written by hand. With
//! `FLASHLINE_WRITE_DOCUMENTS=1` the tables are written anew; the last column of a code that stays is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flashline::image::inspect::codes::VerdictCode;
use flashline::station::instruction::Instruction;
use flashline::station::outcome::{Counted, Failure, OutcomeWord, Pull, Refusal, StationFault};
use flashline::station::reason::{REASONS, SIGNS};
use flashline::station::sign::{Hold, OperatorAction, Sign};
use flashline::station::station_call::StationCall;
use flashline::station::suspect::{Finding, Suspect};

/// The variable with which the tables are written anew.
const WRITE: &str = "FLASHLINE_WRITE_DOCUMENTS";
/// The text of a last column that has not been written yet.
const UNWRITTEN: &str = "(describe)";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with this ending below a directory, without build results and git's own files.
fn files_below(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            if !name.starts_with('.') && name != "target" {
                files.extend(files_below(&path, ending));
            }
        } else if name.ends_with(ending) {
            files.push(path);
        }
    }
    files
}

fn documents() -> Vec<PathBuf> {
    files_below(root(), ".md")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", shown(path)))
}

/// A line of a document, with its number, and the language of the block it is in, if it is in one.
struct Line<'t> {
    number: usize,
    text: &'t str,
    block: Option<&'t str>,
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut block = None;
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        match (text.trim_start().strip_prefix("```"), block) {
            (Some(language), None) => block = Some(language.trim()),
            (Some(_), Some(_)) => block = None,
            (None, _) => lines.push(Line { number, text, block }),
        }
    }
    lines
}

/// A line without the text between backticks: no link is meant there.
fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

mod links {
    use super::*;

    /// The targets of the links and pictures in a line.
    fn targets(text: &str) -> Vec<String> {
        let text = without_code(text);
        text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
    }

    /// The anchors of a document's headings, as forges make them.
    fn anchors(text: &str) -> BTreeSet<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let headings = lines(text).into_iter().filter(|line| line.block.is_none()).filter_map(|line| line.text.strip_prefix('#'));
        headings
            .map(|heading| {
                let words = heading.trim_start_matches('#').trim().to_lowercase();
                let kept: String = words.chars().filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_')).collect();
                let anchor = kept.replace(' ', "-");
                let count = seen.entry(anchor.clone()).or_default();
                *count += 1;
                if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
            })
            .collect()
    }

    #[test]
    fn every_link_and_picture_of_the_documents_leads_to_a_file_and_a_heading_that_exist() {
        let mut wrong = Vec::new();
        let mut followed = 0;
        for document in documents() {
            let text = read(&document);
            for line in lines(&text).iter().filter(|line| line.block.is_none()) {
                for target in targets(line.text) {
                    if target.contains("://") || target.starts_with("mailto:") {
                        continue;
                    }
                    followed += 1;
                    let (path, anchor) = target.split_once('#').map_or((target.as_str(), None), |(path, anchor)| (path, Some(anchor)));
                    let place = format!("{}, line {}", shown(&document), line.number);
                    let file = if path.is_empty() { document.clone() } else { document.with_file_name(path) };
                    if !file.exists() {
                        wrong.push(format!("{place}: there is no {path}"));
                    } else if let Some(anchor) = anchor
                        && !anchors(&read(&file)).contains(anchor)
                    {
                        wrong.push(format!("{place}: {} has no heading #{anchor}", shown(&file)));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
        assert!(followed > 80, "the links are found: {followed}");
    }

    #[test]
    fn the_front_page_is_short_and_names_the_two_commands_of_a_newcomer() {
        let text = read(&root().join("README.md"));
        assert!(text.lines().count() <= 100, "README.md has at most 100 lines: move what one reader needs to their document");
        for command in ["hardware-tests/demo", "hardware-tests/test"] {
            let named = lines(&text).iter().any(|line| line.block == Some("sh") && line.text.split(' ').next() == Some(command));
            assert!(named && root().join(command).is_file(), "README.md says how to run {command}");
        }
    }
}

/// The program's own words, extracted from its sources, for tables that no public list provides.
mod sources {
    use super::*;

    /// A source without the modules of tests in it.
    fn without_tests(text: &str) -> &str {
        let begins =
            |at: &usize| text[*at..].lines().nth(1).is_some_and(|line| line.trim_start().starts_with("mod ") && line.ends_with('{'));
        let end = text.match_indices("#[cfg(test)]\n").map(|(at, _)| at).find(begins);
        &text[..end.unwrap_or(text.len())]
    }

    /// Every source of the program without its tests.
    fn product() -> Vec<String> {
        let is_test = |path: &Path| {
            let parts = path.with_extension("");
            parts.components().any(|part| ["tests", "cases", "testing"].iter().any(|end| part.as_os_str().to_string_lossy().ends_with(end)))
        };
        let source = root().join("src");
        let files = files_below(&source, ".rs").into_iter().filter(|path| !is_test(path.strip_prefix(&source).unwrap_or(path)));
        files.map(|path| without_tests(&read(&path)).to_owned()).collect()
    }

    /// The lines between one that begins so, at this depth, and the line that closes it.
    fn item<'t>(text: &'t str, indent: &str, begins: &str) -> Option<&'t str> {
        let start = text.match_indices(begins).map(|(at, _)| at).find(|at| {
            let line = text[..*at].rfind('\n').map_or(0, |end| end + 1);
            text[line..*at].trim_start_matches(indent).trim_start_matches("pub ").trim_start_matches("pub(crate) ").is_empty()
                && text[line..].starts_with(indent)
        })?;
        let end = text[start..].find(&format!("\n{indent}}}"))?;
        Some(&text[start..start + end])
    }

    fn literal(text: &str) -> Option<&str> {
        text.strip_prefix('"')?.split_once('"').map(|(word, _)| word)
    }

    /// The words that a method of an enum returns, one for each of its arms, in their order.
    pub(super) fn words(of: &str, method: &str) -> Vec<String> {
        let bodies: Vec<String> = product()
            .iter()
            .flat_map(|text| text.match_indices(&format!("\nimpl {of} {{")).map(|(at, _)| text[at..].to_owned()).collect::<Vec<_>>())
            .filter_map(|text| {
                let body = item(&text[1..], "", &format!("impl {of} {{"))?;
                item(body, "    ", &format!("fn {method}(")).map(str::to_owned)
            })
            .collect();
        assert_eq!(bodies.len(), 1, "{of}::{method} is found in src/ once: if it was renamed, name it here anew");
        let mut words: Vec<String> = Vec::new();
        for word in bodies[0].split("=> ").skip(1).filter_map(|arm| literal(arm.strip_prefix("Some(").unwrap_or(arm))) {
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        assert!(!words.is_empty(), "{of}::{method} has words");
        words
    }

    /// The literals that follow this text directly anywhere in the program.
    pub(super) fn literals_behind(mark: &str) -> BTreeSet<String> {
        let found =
            |text: &String| text.split(mark).skip(1).filter_map(|rest| literal(rest.trim_start())).map(str::to_owned).collect::<Vec<_>>();
        product().iter().flat_map(found).collect()
    }

    /// The value of the constant with this declaration.
    pub(super) fn constant(declared: &str) -> String {
        let mark = format!("\n{declared} = ");
        let value = |text: &str| Some(text.split_once(&mark)?.1.split_once(';')?.0.to_owned());
        let values: Vec<String> = product().iter().filter_map(|text| value(text)).collect();
        assert_eq!(values.len(), 1, "`{declared}` is found in src/ once: if it was renamed, name it here anew");
        values[0].trim_matches('"').to_owned()
    }

    /// Every table and key of the configuration.
    pub(super) fn keys() -> BTreeSet<(String, String)> {
        let mut keys = BTreeSet::new();
        for rest in product().iter().flat_map(|text| text.split("\n    key(\"").skip(1).map(str::to_owned).collect::<Vec<_>>()) {
            let (table, rest) = rest.split_once("\", \"").expect("a table and a key");
            let (name, _) = rest.split_once('"').expect("a key");
            keys.insert((table.to_owned(), name.to_owned()));
        }
        assert!(keys.len() > 30, "the keys are found: {}", keys.len());
        keys
    }
}

mod codes {
    use super::*;

    /// A table of the program: the heads of its columns, and its rows; the column that is written by hand follows.
    struct Table {
        name: &'static str,
        heads: &'static [&'static str],
        rows: Vec<Vec<String>>,
    }

    fn table(name: &'static str, heads: &'static [&'static str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
        Table { name, heads, rows: rows.into_iter().collect() }
    }

    fn coded(word: &str) -> String {
        format!("`{word}`")
    }

    fn plain(name: &'static str, words: Vec<String>) -> Table {
        table(name, &["code"], words.into_iter().map(|word| vec![coded(&word)]))
    }

    /// A slot with too many failures.
    fn finding() -> Finding {
        Finding { suspect: Suspect::Slot(String::new()), failed: 1, of: 1, others_failed: 0, others_of: 1 }
    }

    /// One sign of each code.
    fn signs() -> Vec<Sign> {
        let signs = vec![
            Sign::Empty,
            Sign::Restarting,
            Sign::Maintenance { by: String::new(), why: String::new() },
            Sign::Disarmed(String::new()),
            Sign::Quarantined(finding()),
            Sign::Held(Hold::SinceStart),
            Sign::OrderComplete { count: 1 },
            Sign::OrderUnderWay { count: 1 },
            Sign::NotApproved { card: String::new() },
            Sign::FirstCardUnderWay,
            Sign::Preparing,
            Sign::Rechecking,
            Sign::Writing,
            Sign::ReadingBack,
            Sign::Finishing,
            Sign::Recording,
            Sign::Passed,
            Sign::PassedMapped,
            Sign::Done,
            Sign::DoneMapped,
            Sign::Failed(Failure::Changed),
            Sign::FailedOnce(Failure::Changed),
            Sign::Refused(Refusal::Busy),
            Sign::Pulled(Pull::Taken),
            Sign::OutOfService,
            Sign::Interrupted,
            Sign::Changed { sectors: 1 },
            Sign::StationFault(StationFault::Internal { message: String::new() }),
        ];
        assert_eq!(signs.iter().map(Sign::code).collect::<Vec<_>>(), SIGNS, "here is one sign of each code");
        signs
    }

    /// The signs that give this reason.
    fn signs_with(reason: &str) -> String {
        let mut of = Vec::new();
        for (enumeration, sign) in
            [("Refusal", "refused"), ("Failure", "failed"), ("Failure", "failed-once"), ("StationFault", "station-fault")]
        {
            // A card with a false capacity is bad without a second try.
            let is_never = sign == "failed-once" && reason == "false-capacity";
            if !is_never && sources::words(enumeration, "code").iter().any(|code| code == reason) {
                of.push(sign);
            }
        }
        let others = [
            Sign::Held(Hold::Slept),
            Sign::Held(Hold::StationRestarts),
            Sign::Held(Hold::Maintenance),
            Sign::Held(Hold::Returned { times: 1 }),
            Sign::Pulled(Pull::ReaderLost { device: String::new(), slots: Vec::new() }),
        ];
        for sign in signs().iter().chain(&others) {
            if sign.why().is_some_and(|why| why.code == reason) && !of.contains(&sign.code()) {
                of.push(sign.code());
            }
        }
        of.iter().map(|sign| coded(sign)).collect::<Vec<_>>().join(", ")
    }

    fn counts_as(word: &OutcomeWord) -> &'static str {
        match word.counts() {
            Counted::Good => "good",
            Counted::Again => "good, counted before",
            Counted::Bad => "bad",
            Counted::OurFault => "the station's fault",
            Counted::Untouched => "not touched",
            Counted::Nothing => "nothing",
        }
    }

    fn errors() -> Vec<String> {
        let mut codes: BTreeSet<String> = sources::words("Denied", "code").into_iter().collect();
        for mark in ["Reply::error(", "Denial { code: ", "\"code\": "] {
            codes.extend(sources::literals_behind(mark));
        }
        codes.into_iter().collect()
    }

    fn kinds() -> Vec<String> {
        let mut kinds = ["CREATED", "ARCHIVED"].map(|kind| sources::constant(&format!("pub(super) const {kind}: &str"))).to_vec();
        kinds.extend(sources::words("Entry", "kind"));
        kinds.extend(
            ["MOVED_AWAY", "STATION_MOVED", "MOVE_UNDONE"].map(|name| sources::constant(&format!("pub(super) const {name}: &str"))),
        );
        kinds
    }

    fn tables() -> Vec<Table> {
        vec![
            table(
                "signs",
                &["code", "shown", "call", "todo"],
                signs()
                    .iter()
                    .map(|sign| vec![coded(sign.code()), sign.word().to_owned(), coded(sign.call().code()), coded(sign.todo().code())]),
            ),
            table("calls", &["code"], OperatorAction::ALL.map(|call| vec![coded(call.code())])),
            table("station calls", &["code"], StationCall::ALL.map(|call| vec![coded(call.code())])),
            table("todo", &["code", "text"], Instruction::ALL.map(|todo| vec![coded(todo.code()), todo.text().to_owned()])),
            table(
                "reasons",
                &["code", "facts", "with the signs"],
                REASONS.iter().map(|(code, facts)| {
                    let facts: Vec<String> = facts.iter().map(|fact| coded(fact)).collect();
                    vec![coded(code), facts.join(", "), signs_with(code)]
                }),
            ),
            table(
                "outcomes",
                &["word", "counts as"],
                OutcomeWord::KNOWN.iter().map(|word| vec![coded(word.as_str()), counts_as(word).to_owned()]),
            ),
            plain("restrictions", sources::words("Restriction", "code")),
            plain("errors", errors()),
            plain("kinds of events", kinds()),
            plain("planted faults", sources::words("PlantedFault", "code")),
            plain("obstacles of a proof", sources::words("ProverObstacle", "code")),
            plain("unproven verifier", sources::words("UnprovenVerifier", "code")),
            plain("ends of a box", sources::words("BoxEnd", "word")),
            plain("model proof", sources::words("ProofClass", "word")),
            plain("identified", sources::words("Identity", "word")),
            plain("flush", sources::words("CacheFlush", "word")),
            plain("head of a card", sources::words("CardHead", "word")),
            plain("plan", sources::words("Plan", "word")),
            plain("notes of the log", sources::words("LogNote", "word")),
            plain("reasons of an inspection", VerdictCode::ALL.iter().map(|code| code.code().to_owned()).collect()),
            table(
                "exit codes",
                &["code"],
                ["GOOD", "NOT_GOOD", "USAGE_OR_STATION"].map(|name| vec![sources::constant(&format!("pub(crate) const {name}: u8"))]),
            ),
        ]
    }

    fn marker(name: &str) -> String {
        format!("<!-- from the code: {name} -->")
    }

    fn cells(row: &str) -> Vec<String> {
        row.trim().trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    }

    /// The table below the marker: its first and last line, and its rows.
    fn found(text: &str, name: &str) -> Option<(std::ops::Range<usize>, Vec<Vec<String>>)> {
        let at = text.find(&marker(name))? + marker(name).len();
        let start = at + text[at..].find(|sign| sign != '\n')?;
        let length: usize = text[start..].split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
        let rows = text[start..start + length].lines().skip(2).map(cells).collect();
        Some((start..start + length, rows))
    }

    impl Table {
        /// The expected table, with the last column of these rows.
        fn markdown(&self, rows: &[Vec<String>]) -> String {
            let mut text = format!("| {} | meaning |\n|{}\n", self.heads.join(" | "), " --- |".repeat(self.heads.len() + 1));
            for row in &self.rows {
                let known = rows.iter().find(|known| known.first() == row.first()).and_then(|known| known.get(row.len()));
                let meaning = known.map_or(UNWRITTEN, String::as_str);
                text.push_str(&format!("| {} | {meaning} |\n", row.join(" | ")));
            }
            text
        }
    }

    #[test]
    fn the_lists_of_codes_in_the_documents_are_those_of_the_program_and_each_code_is_described() {
        let documents: Vec<PathBuf> = documents().into_iter().filter(|path| read(path).contains("<!-- from the code: ")).collect();
        let write = std::env::var_os(WRITE).is_some();
        let mut wrong = Vec::new();
        let mut known = 0;
        for table in tables() {
            let Some(document) = documents.iter().find(|path| read(path).contains(&marker(table.name))) else {
                wrong.push(format!("no document has the table {:?}: write {} where it belongs", table.name, marker(table.name)));
                continue;
            };
            let text = read(document);
            let (place, rows) = found(&text, table.name).unwrap_or_else(|| (text.len()..text.len(), Vec::new()));
            let mut right = table.markdown(&rows);
            if place.is_empty() {
                right.push('\n');
            }
            known += table.rows.len();
            if right != text[place.clone()] {
                if write {
                    fs::write(document, format!("{}{right}{}", &text[..place.start], &text[place.end..])).expect("written");
                } else {
                    let new: Vec<&str> = right.lines().filter(|line| !text[place.clone()].lines().any(|old| old == *line)).collect();
                    let old: Vec<&str> = text[place].lines().filter(|line| !right.lines().any(|new| new == *line)).collect();
                    wrong.push(format!("{}, {}:\n  - {}\n  + {}", shown(document), table.name, old.join("\n  - "), new.join("\n  + ")));
                }
            }
            if right.contains(UNWRITTEN) || right.contains("|  |\n") {
                wrong.push(format!("{}, {}: say what each code means, in the last column", shown(document), table.name));
            }
        }
        assert!(
            wrong.is_empty(),
            "the documents differ from the code; run `{WRITE}=1 cargo test --test documents` and describe what is new:\n{}",
            wrong.join("\n")
        );
        assert!(known > 150, "the codes are found: {known}");
    }

    #[test]
    fn a_code_of_a_reason_is_in_the_list_of_reasons_whichever_enum_it_is_of() {
        for enumeration in ["Refusal", "Failure", "StationFault"] {
            for code in sources::words(enumeration, "code") {
                assert!(REASONS.iter().any(|(known, _)| *known == code), "{code} of {enumeration} is a reason that every language knows");
            }
        }
    }

    #[test]
    fn every_key_of_the_configuration_is_explained() {
        let text = read(&root().join("docs/engineer/configuration.md"));
        let mut explained = BTreeSet::new();
        let mut table = String::new();
        for line in lines(&text).iter().filter(|line| line.block.is_none()) {
            if let Some(heading) = line.text.strip_prefix("## ") {
                table = heading.trim_matches(['`', '[', ']']).to_owned();
            } else if let Some(key) = line.text.strip_prefix("| `").and_then(|row| row.split_once('`')) {
                explained.insert((table.clone(), key.0.to_owned()));
            }
        }
        assert_eq!(explained, sources::keys(), "docs/engineer/configuration.md has a row for every key, and for no other");
    }
}

mod commands {
    use super::*;

    /// The contents of a command's `--help`.
    #[derive(Default)]
    struct Help {
        commands: BTreeSet<String>,
        /// By name, with the allowed words behind it if there is a fixed list.
        options: BTreeMap<String, Vec<String>>,
        arguments: bool,
        usage: String,
    }

    fn help(path: &[String]) -> Help {
        let output = Command::new(env!("CARGO_BIN_EXE_flashline")).args(path).arg("--help").output().expect("it runs");
        assert!(output.status.success(), "flashline {} --help", path.join(" "));
        let text = String::from_utf8(output.stdout).expect("text");
        let mut help = Help::default();
        let mut section = "";
        // The whole text of each option, by its names.
        let mut options: Vec<(Vec<&str>, String)> = Vec::new();
        for line in text.lines() {
            let words = line.trim();
            if let Some(usage) = line.strip_prefix("Usage: ") {
                help.usage = usage.to_owned();
            } else if !line.starts_with(' ') && !words.is_empty() {
                section = words;
                help.arguments |= section == "Arguments:";
            } else if section == "Commands:" && line.starts_with("  ") && !line.starts_with("   ") {
                help.commands.extend(words.split_whitespace().next().map(str::to_owned));
            } else if section == "Options:" {
                if words.starts_with('-') {
                    let names = words.split_whitespace().take_while(|word| word.starts_with('-')).map(|word| word.trim_end_matches(','));
                    options.push((names.collect(), String::new()));
                }
                if let Some((_, said)) = options.last_mut() {
                    said.push(' ');
                    said.push_str(words);
                }
            }
        }
        for (names, said) in options {
            let values = said.split_once("[possible values: ").and_then(|(_, rest)| rest.split_once(']')).map_or("", |(values, _)| values);
            let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect();
            help.options.extend(names.into_iter().map(|name| (name.to_owned(), values.clone())));
        }
        help
    }

    /// The words of a line, split as by a shell; a comment is removed, and an operator is a word.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word = String::new();
        let mut quote = None;
        let mut quoted = false;
        for sign in line.chars() {
            match (quote, sign) {
                (Some(mark), _) if mark == sign => quote = None,
                (Some(_), _) => word.push(sign),
                (None, '"' | '\'') => {
                    quote = Some(sign);
                    quoted = true;
                }
                (None, '#') if word.is_empty() && !quoted => break,
                (None, sign) if sign.is_whitespace() => {
                    if !word.is_empty() || quoted {
                        words.push(std::mem::take(&mut word));
                    }
                    quoted = false;
                }
                (None, sign) => word.push(sign),
            }
        }
        if !word.is_empty() || quoted {
            words.push(word);
        }
        words
    }

    fn is_operator(word: &str) -> bool {
        word.starts_with(['|', '>', '<', '&', ';'])
    }

    /// The calls of `flashline` in a line: the words behind its name.
    fn calls(line: &str) -> Vec<Vec<String>> {
        let words = words(line);
        let mut calls = Vec::new();
        for command in words.split(|word| is_operator(word)) {
            let begin = command.iter().position(|word| !word.contains('=') && word != "sudo" && word != "exec");
            if let Some(begin) = begin.filter(|begin| command[*begin] == "flashline") {
                calls.push(command[begin + 1..].to_vec());
            }
        }
        calls
    }

    /// Can this be typed? A sentence if it cannot.
    fn typed(call: &[String], known: &mut BTreeMap<Vec<String>, Help>) -> Result<(), String> {
        let mut path: Vec<String> = Vec::new();
        let mut rest = call;
        loop {
            known.entry(path.clone()).or_insert_with(|| help(&path));
            match rest.split_first() {
                Some((word, others)) if known[&path].commands.contains(word) && word != "help" => {
                    path.push(word.clone());
                    rest = others;
                }
                _ => break,
            }
        }
        let help = &known[&path];
        let name = if path.is_empty() { "flashline".to_owned() } else { format!("flashline {}", path.join(" ")) };
        let mut after: Option<&[String]> = None;
        let mut options = 0;
        for word in rest {
            if let Some(values) = after.take()
                && !values.is_empty()
                && !values.contains(word)
            {
                return Err(format!("`{name}`: {word} is none of {}", values.join(", ")));
            }
            if word.starts_with('-') && word.len() > 1 {
                let option = word.split('=').next().unwrap_or(word);
                options += 1;
                match help.options.get(option) {
                    Some(values) => after = Some(values),
                    None => return Err(format!("`{name}` has no option {option}")),
                }
            } else if options == 0 && !help.arguments && !help.commands.is_empty() {
                return Err(format!("`{name}` has no command {word}"));
            } else if options == 0 && !help.arguments {
                return Err(format!("`{name}` takes no {word}"));
            }
        }
        if help.usage.contains(" <COMMAND>") && rest.iter().all(|word| !word.starts_with('-')) {
            return Err(format!("`{name}` wants a command"));
        }
        Ok(())
    }

    #[test]
    fn every_command_line_of_flashline_in_the_documents_can_be_typed() {
        let mut known = BTreeMap::new();
        let mut wrong = Vec::new();
        let mut tried = 0;
        for document in documents() {
            let text = read(&document);
            for line in lines(&text) {
                let candidates: Vec<&str> = match line.block {
                    Some("sh") => vec![line.text],
                    Some(_) => Vec::new(),
                    // The command between backticks in a sentence, if it is more than a mention: `flashline NAME` names no command.
                    None => line.text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("flashline ")).collect(),
                };
                for call in candidates.into_iter().flat_map(calls) {
                    let is_placeholder = call.first().is_some_and(|word| word.chars().all(|sign| sign.is_ascii_uppercase()));
                    if is_placeholder {
                        continue;
                    }
                    tried += 1;
                    if let Err(why) = typed(&call, &mut known) {
                        wrong.push(format!("{}, line {}: {why}", shown(&document), line.number));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "command lines that cannot be typed:\n{}", wrong.join("\n"));
        assert!(tried > 80, "the command lines are found: {tried}");
    }

    #[test]
    fn a_command_line_that_is_misspelt_is_noticed() {
        let mut known = BTreeMap::new();
        let mut why = |line: &str| {
            let found = calls(line);
            assert_eq!(found.len(), 1, "{line}");
            typed(&found[0], &mut known).expect_err(line)
        };
        assert_eq!(why("flashline lag"), "`flashline` has no command lag");
        assert_eq!(why("flashline log --modell acme/box"), "`flashline log` has no option --modell");
        assert_eq!(
            why("A=1 flashline log summary --by weather | head"),
            "`flashline log summary`: weather is none of day, shift, model, slot, reader, card-type, image"
        );
        assert_eq!(why("cd / && flashline order"), "`flashline order` wants a command");
        assert_eq!(why("flashline status A1 # one"), "`flashline status` takes no A1");
    }
}

mod scenarios {
    use super::*;

    /// Names between backticks that are those of scenarios, by their length.
    fn named(text: &str) -> Vec<&str> {
        let is_name =
            |code: &&str| code.len() > 30 && code.bytes().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'_');
        text.split('`').skip(1).step_by(2).filter(is_name).collect()
    }

    #[test]
    fn every_attack_that_the_page_of_promises_names_is_a_scenario_and_every_scenario_of_the_hostile_is_named() {
        let page = read(&root().join("docs/developer/promises.md"));
        let named: BTreeSet<&str> = named(&page).into_iter().collect();
        assert!(named.len() > 40, "the scenarios are found: {}", named.len());
        let sources = files_below(&root().join("hardware-tests/emulated_pc"), ".rs");
        let is_hostile = |path: &Path| path.components().any(|part| part.as_os_str() == "hostile");
        let functions = |path: &Path| -> Vec<String> {
            let text = read(path);
            let behind = text.split("#[test]\nfn ").skip(1);
            behind.filter_map(|rest| rest.split_once('(')).map(|(name, _)| name.to_owned()).collect()
        };
        let all: BTreeSet<String> = sources.iter().flat_map(|path| functions(path)).collect();
        let missing: Vec<_> = named.iter().filter(|name| !all.contains(**name)).collect();
        assert!(missing.is_empty(), "no such scenario: {missing:#?}");
        let hostile = sources.iter().filter(|path| is_hostile(path)).flat_map(|path| functions(path));
        let left_out: Vec<_> = hostile.filter(|name| !named.contains(name.as_str())).collect();
        assert!(left_out.is_empty(), "docs/developer/promises.md does not name: {left_out:#?}");
    }
}

mod comments {
    use super::*;

    /// A doc comment must have more words than this: "Why." or "The file." says no more than the name below it.
    const TOO_FEW: usize = 2;

    /// The doc comments of a source with too few words: the number of their first line, and their text.
    fn short(source: &str) -> Vec<(usize, String)> {
        let mark = |line: &str| match line.trim_start() {
            line if line.starts_with("////") => None,
            line if line.starts_with("///") => Some("///"),
            line if line.starts_with("//!") => Some("//!"),
            _ => None,
        };
        let mut comments: Vec<(usize, String)> = Vec::new();
        let mut before = None;
        for (number, line) in (1..).zip(source.lines()) {
            let now = mark(line);
            if let Some(mark) = now {
                let text = line.trim_start().trim_start_matches(mark);
                match comments.last_mut() {
                    Some((_, comment)) if before == now => comment.push_str(text),
                    _ => comments.push((number, text.to_owned())),
                }
            }
            before = now;
        }
        let too_few = |text: &str| text.split_whitespace().count() <= TOO_FEW;
        comments.into_iter().filter(|(_, text)| too_few(text)).map(|(number, text)| (number, text.trim().to_owned())).collect()
    }

    #[test]
    fn no_doc_comment_of_a_source_has_only_one_or_two_words() {
        let planted = "//! Reads a file.\n//!\nstruct File {\n    /// Why.\n    a: u8,\n    /// The\n    /// file.\n    b: u8,\n    /// Bytes read so far.\n    c: u8,\n}";
        assert_eq!(short(planted), [(4, "Why.".to_owned()), (6, "The file.".to_owned())], "short comments are found");
        let sources = files_below(root(), ".rs");
        assert!(sources.len() > 200, "the sources are found: {}", sources.len());
        let mut wrong = Vec::new();
        for source in sources {
            wrong.extend(short(&read(&source)).into_iter().map(|(line, text)| format!("{}, line {line}: {text}", shown(&source))));
        }
        assert!(wrong.is_empty(), "comments that say no more than a name: say meaning, unit, range, error or source\n{}", wrong.join("\n"));
    }
}
