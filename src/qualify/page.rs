//! The page for the wall beside a station: one page of A4 in plain text, as any printer prints it.

use std::path::Path;

use super::facts::{SlotFacts, kept_beside};
use super::judge::{Fitness, fitness, remarks};
use super::text::{answer, megabytes, settings, shortly};

/// Columns of a page of A4 with margins, at 10 letters an inch.
const COLUMNS: usize = 78;
/// Lines of it, at 6 an inch.
const LINES: usize = 60;
/// The lines that settings and remarks may take; slots have the rest.
const BELOW: usize = 22;

/// The page of a station with the configuration `config`. `when` is the date, as it is to be read.
#[must_use]
pub(crate) fn page(station: &str, config: &Path, program: &str, when: &str, all: &[SlotFacts]) -> String {
    let mut lines = vec![
        format!("FLASHLINE   station {station}"),
        format!("Readers qualified on {when} with flashline {program}"),
        String::new(),
        format!("{:<8} {:<10} {:>6} {:>6} {:>7}  {:<13} {:<9}", "SLOT", "READER", "WRITE", "READ", "BESIDE", "FLUSH", "CARD SEEN"),
        format!("{:<8} {:<10} {:>6} {:>6} {:>7}  {:<13} {:<9}", "", "", "MB/s", "MB/s", "", "", "AFTER"),
        "-".repeat(COLUMNS),
    ];
    let room = LINES - lines.len() - BELOW;
    let shown = if all.len() > room { room - 1 } else { all.len() };
    lines.extend(all[..shown].iter().map(row));
    if shown < all.len() {
        lines.push(format!("and {} more slots: run `flashline qualify` for them on a page of their own", all.len() - shown));
    }
    let mut below = vec!["-".repeat(COLUMNS), format!("Settings in {}", config.display())];
    below.extend(settings(all).into_iter().map(|line| format!("  {line}")));
    below.push(String::new());
    below.extend(warnings(all));
    let below: Vec<String> = below.iter().flat_map(|line| wrapped(line)).collect();
    let fits = below.len() <= BELOW;
    lines.extend(below.into_iter().take(if fits { BELOW } else { BELOW - 1 }));
    if !fits {
        lines.push("... the command prints the rest".to_owned());
    }
    lines.iter_mut().for_each(|line| *line = line.trim_end().chars().take(COLUMNS).collect());
    lines.join("\n") + "\n"
}

fn row(facts: &SlotFacts) -> String {
    let rate = |rate: Option<_>| rate.map_or_else(|| "-".to_owned(), megabytes);
    let beside = kept_beside(facts).map_or_else(|| "-".to_owned(), |kept| format!("{:.0} %", 100.0 * kept));
    let seen = facts.hands.as_ref().and_then(|hands| hands.back?.after).map_or_else(|| "-".to_owned(), shortly);
    let reader = [facts.reader.vendor.as_str(), facts.reader.product.as_str()].into_iter().filter(|text| !text.is_empty());
    format!(
        "{:<8} {:<10} {:>6} {:>6} {:>7}  {:<13} {:<9} {}",
        short(&facts.slot, 8),
        short(&reader.collect::<Vec<_>>().join(":"), 10),
        rate(facts.alone.as_ref().map(|speeds| speeds.write)),
        rate(facts.alone.as_ref().map(|speeds| speeds.read)),
        beside,
        facts.flush.map_or("-", |flush| answer(flush.answer)),
        seen,
        if fitness(&remarks(facts)) == Fitness::NotFit { "NOT FIT" } else { "" },
    )
}

/// What is wrong, each sentence once with its slots.
fn warnings(all: &[SlotFacts]) -> Vec<String> {
    let mut told: Vec<(Fitness, String, Vec<&str>)> = Vec::new();
    for facts in all {
        for remark in remarks(facts).into_iter().filter(|remark| remark.fitness > Fitness::Fit) {
            match told.iter_mut().find(|(_, what, _)| *what == remark.what) {
                Some((_, _, slots)) => slots.push(&facts.slot),
                None => told.push((remark.fitness, remark.what, vec![&facts.slot])),
            }
        }
    }
    told.sort_by_key(|(fitness, _, _)| std::cmp::Reverse(*fitness));
    told.into_iter().map(|(_, what, slots)| format!("! {}: {what}", slots.join(" "))).collect()
}

fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// A line in pieces of at most a page's width, broken at blanks where there are any.
fn wrapped(line: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = line.chars().collect();
    while rest.len() > COLUMNS {
        let at = rest[..COLUMNS].iter().rposition(|letter| *letter == ' ').filter(|at| *at > COLUMNS / 2).unwrap_or(COLUMNS);
        let behind = rest.split_off(at);
        lines.push(rest.into_iter().collect());
        rest = "    ".chars().chain(behind.into_iter().skip_while(|letter| *letter == ' ')).collect();
    }
    lines.push(rest.into_iter().collect());
    lines
}

#[cfg(test)]
mod cases {
    use super::super::facts::{Freshness, Trouble, TroubleKind};
    use super::super::testing::slot;
    use super::*;

    const CONFIG: &str = "/srv/line3/config.toml";

    #[test]
    fn it_is_one_page_for_one_slot_and_for_hundreds_with_every_remark_there_is() {
        for count in [1, 8, 34, 35, 300] {
            let mut all: Vec<SlotFacts> = (0..count).map(|lun| slot(&format!("A{lun}"), lun)).collect();
            for facts in &mut all {
                let what = format!("a long story of {} that no line of any page would ever hold without being broken", facts.slot);
                facts.trouble = Some(Trouble { kind: TroubleKind::Error, what });
                facts.hands = None;
                facts.together = facts.alone.clone();
            }
            let page = page("line 3", Path::new(CONFIG), "0.1.0", "2026-11-30", &all);
            let lines: Vec<&str> = page.lines().collect();
            assert!(lines.len() <= LINES, "{count} slots are {} lines:\n{page}", lines.len());
            assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{page}");
            assert!(page.contains("A0 ") && page.contains("line 3") && page.contains("2026-11-30"), "{page}");
            assert!(page.contains("Settings in /srv/line3/config.toml\n"), "the settings belong in the file that is in use: {page}");
            assert_eq!(page.contains("more slots"), count > 32, "{count}: {page}");
        }
    }

    #[test]
    fn a_slot_that_is_not_fit_is_marked_in_its_line_and_told_first() {
        let mut all = vec![slot("A1", 0), slot("A2", 1)];
        all[0].hands = None;
        all[1].reopened.as_mut().expect("measured").direct = Freshness::Stale;
        let page = page("line 3", Path::new(CONFIG), "0.1.0", "2026-11-30", &all);
        let line = page.lines().find(|line| line.starts_with("A2")).expect("it is there");
        assert!(line.contains("20.0") && line.contains("80.0") && line.contains("taken") && line.ends_with("NOT FIT"), "{line}");
        let first = page.lines().find(|line| line.starts_with("! ")).expect("it is there");
        assert!(first.starts_with("! A2: a disk that is opened again"), "{page}");
        assert!(!page.contains(super::super::testing::SERIAL), "no serial hangs on a wall");
    }
}
