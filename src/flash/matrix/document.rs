//! `docs/developer/fault-matrix.md`: written from a run of the matrix, and compared with it in every other one.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::cells::{Pairs, nonsense, product};
use super::faults::Kind;
use super::moments::Moment;
use super::{Judged, PAIRS, PRODUCT};

/// Tables of moments that fit a page each, with their headings.
const TABLES: [(&str, &[Moment]); 5] = [
    ("Until the tombstone stands", &[Moment::Claimed, Moment::Asked, Moment::Tombstone, Moment::TombstoneFlush, Moment::TombstoneRead]),
    (
        "While the body is written",
        &[Moment::Marks, Moment::EarlyBody, Moment::LateBody, Moment::Zeroing, Moment::BodyFlush, Moment::MarksRead, Moment::MarksErase],
    ),
    ("While the body is read back", &[Moment::ReadFirst, Moment::ReadMiddle, Moment::ReadLast, Moment::TombstoneAgain]),
    (
        "While the head is written, and after the proof",
        &[Moment::HeadRest, Moment::HeadRestFlush, Moment::HeadFirst, Moment::HeadFlush, Moment::HeadRead, Moment::Proven],
    ),
    ("While a card that holds the image is rechecked", &[Moment::RecheckHead, Moment::RecheckFirst, Moment::RecheckLast]),
];

/// The words of cells that are no codes of the flash log.
const WORDS: [(&str, &str); 9] = [
    ("passes", "PASS: every byte of the span is on the medium"),
    ("done", "DONE: the card held the image, and nothing was written"),
    ("pulled", "PULLED: the card left, or another one is in its place"),
    ("stopped", "the station gave the attempt up"),
    ("changed", "proven; the kernel's count shows that another program wrote meanwhile, so the card is CHANGED"),
    ("unknown", "proven; the card has left since, and nothing is claimed of it any more"),
    ("unseen", "PASS, and the medium is wrong: see the limits"),
    ("\\*", "behind a word: the tombstone could not be put back, and the row says that the head is unknown"),
    ("–", "the cell makes no sense, for one of the reasons below"),
];

/// Faults that the card in memory does not have.
const ELSEWHERE: [(&str, &str); 9] = [
    ("a call that does not return", "emulated PC: the watch over stalled threads is outside the engine"),
    ("a reader that is lost or reset with several cards", "emulated PC: the engine knows one card"),
    ("power that fails, with and without a volatile cache", "emulated PC (`power.rs`)"),
    ("a card that is swapped between two polls of the kernel", "emulated PC (`swapped.rs`); here DISKSEQ changes at once"),
    ("a kernel that caches reads or partitions", "emulated PC: direct I/O bypasses them, memory has none"),
    ("no memory for the engine's own buffers", "not testable here: the allocator cannot be told to fail; the error itself has a unit test"),
    ("no thread for the hash, no random numbers", "not testable here: the system gives both; the error is a station fault by its type"),
    ("a discard that lies", "makes no sense: the engine discards nothing"),
    ("a card that forgets what it holds after the proof", "not testable: no read-back sees the future"),
];

/// Faults that pass although the medium is wrong, or the card lies.
const LIMITS: [(&str, &str); 3] = [
    (
        "kept-in-cache",
        "A card that acknowledges a flush, keeps the data in its RAM and answers reads from there looks right until it loses its power. \
         Only a card that is opened again after a power cycle shows it. What is lost at the flush itself is found (`lost-at-flush`).",
    ),
    (
        "disturbing",
        "A write of the head that also spoils the body is not seen: the whole read of the body stands before the head is written. What \
         writes of tombstone, marks and body spoil is found.",
    ),
    (
        "wraps",
        "A card that wraps at a length that is no power of two, and is many times larger than the image, may have every mark in a place \
         of its own. It passes: it holds the image, and its false capacity is not seen.",
    ),
];

fn word_at(judged: &[Judged], fault: Kind, moment: Moment) -> Option<&str> {
    judged.iter().find(|judged| judged.cell.fault == fault && judged.cell.moment == moment).map(|judged| judged.word.as_str())
}

fn table(text: &mut String, moments: &[Moment], judged: &[Judged]) {
    let names: Vec<String> = moments.iter().map(|moment| format!("`{}`", moment.name())).collect();
    row(text, "fault", &names);
    row(text, "---", &vec!["---".to_owned(); names.len()]);
    for fault in Kind::ALL {
        let words: Vec<Option<&str>> = moments.iter().map(|moment| word_at(judged, fault, *moment)).collect();
        if words.iter().any(Option::is_some) {
            let shown: Vec<String> = words.iter().map(|word| word.unwrap_or("–").replace('*', "\\*")).collect();
            row(text, &format!("`{}`", fault.name().0), &shown);
        }
    }
}

fn row(text: &mut String, first: &str, others: &[String]) {
    writeln!(text, "| {first} | {} |", others.join(" | ")).expect("memory takes text");
}

fn two_columns<'t>(text: &mut String, heads: (&str, &str), rows: impl IntoIterator<Item = (String, &'t str)>) {
    row(text, heads.0, &[heads.1.to_owned()]);
    row(text, "---", &["---".to_owned()]);
    for (first, second) in rows {
        row(text, &first, &[second.to_owned()]);
    }
    text.push('\n');
}

fn counts(text: &mut String, what: &str, counted: &BTreeMap<&'static str, usize>) {
    row(text, "reason", &[what.to_owned()]);
    row(text, "---", &["---".to_owned()]);
    for (reason, count) in counted {
        row(text, reason, &[count.to_string()]);
    }
    text.push('\n');
}

fn document(judged: &[Judged], pairs: &Pairs) -> String {
    let mut senseless: BTreeMap<&'static str, usize> = BTreeMap::new();
    for reason in product().filter_map(|cell| nonsense(&cell)) {
        *senseless.entry(reason).or_default() += 1;
    }
    let mut text = String::from(
        "# The fault matrix\n\n\
         What the engine makes of every fault at every moment of an attempt. This page is written by a run of the matrix\n\
         (`src/flash/matrix`): the real engine, on a card in memory that a fault strikes at a moment. Each cell also holds the\n\
         properties below. To write the page again: `FLASHLINE_WRITE_DOCUMENTS=1 cargo test --lib matrix`.\n\n",
    );
    write!(
        text,
        "- {} cells: every fault at every moment, for a new card that is written, larger than the image, on a device that flushes when it is\n  \
         asked; and for the reading of a card that already holds the image.\n\
         - {} more cells: every pair of values of any two axes occurs at least once ({} pairs). The axes: fault, moment, plan and contents\n  \
         of the card before, `zeroes`, how the device flushes, logical block, image, size of the card.\n\n",
        judged.len(),
        pairs.cells.len(),
        pairs.covered
    )
    .expect("memory takes text");
    text.push_str(
        "## Properties\n\n\
         1. No false PASS: a proof only if the medium, seen from outside, holds every byte of the span. The exceptions are the [limits](#limits).\n\
         2. The outcome is the one of a table that was written from the promises, not from the engine.\n\
         3. The reason names the fault: its code, the error number of the call, and the right byte.\n\
         4. The head of a card that is not proven is the tombstone, or the row says that it is not known.\n\
         5. A card that leaves before its first block is written cannot boot.\n\
         6. Only the image's places, the marks and the last MiB are written, and nothing before the tombstone is flushed.\n\
         7. At most the call under way reaches a card that took the place of another.\n\
         8. The attempt ends.\n\n\
         ## Words\n\n",
    );
    text.push_str("Codes of failures, refusals and station faults are those of the [flash log](../integrator/codes.md).\n\n");
    two_columns(&mut text, ("word", "meaning"), WORDS.map(|(word, meaning)| (word.to_owned(), meaning)));
    for (heading, moments) in TABLES {
        write!(text, "## {heading}\n\n").expect("memory takes text");
        table(&mut text, moments, judged);
        text.push('\n');
    }
    text.push_str("## Limits\n\n");
    for (fault, sentence) in LIMITS {
        writeln!(text, "- `{fault}`: {sentence}").expect("memory takes text");
    }
    text.push_str("\n## Moments\n\nA fault strikes before this call reaches the card.\n\n");
    two_columns(&mut text, ("moment", "call"), Moment::ALL.map(|moment| (format!("`{}`", moment.name()), moment.meaning())));
    text.push_str("## Faults\n\n");
    two_columns(&mut text, ("fault", "what happens"), Kind::ALL.map(|kind| (format!("`{}`", kind.name().0), kind.name().1)));
    text.push_str("## Cells that make no sense\n\n");
    counts(&mut text, "cells of the full product", &senseless);
    counts(&mut text, "pairs of values", &pairs.impossible);
    text.push_str("## Not in memory\n\n");
    two_columns(&mut text, ("fault", "where it is tested"), ELSEWHERE.map(|(fault, place)| (fault.to_owned(), place)));
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

#[test]
fn the_document_shows_what_the_matrix_has_found() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/developer/fault-matrix.md");
    let document = document(&PRODUCT, &PAIRS);
    if std::env::var_os("FLASHLINE_WRITE_DOCUMENTS").is_some() {
        std::fs::write(&path, &document).expect("written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(document.lines()).find(|(written, run)| written != run);
    assert!(
        written == document,
        "write it again with `FLASHLINE_WRITE_DOCUMENTS=1 cargo test --lib matrix`, and read the difference: {differs:?}"
    );
}

#[test]
fn every_moment_is_in_one_table_of_the_document() {
    let mut shown: Vec<Moment> = TABLES.iter().flat_map(|(_, moments)| moments.iter().copied()).collect();
    shown.sort();
    assert_eq!(shown, Moment::ALL);
}
