//! The fault matrix of the emulated PC: faults × moments × sources, generated from tables, and judged by properties.
//!
//! ```text
//!  faults ┐
//!  moments├─▶ cells ─▶ run: a stick stops at its moment, the fault strikes ─▶ properties, by what is expected ─▶ document
//!  sources┘
//! ```
//! `src/flash/matrix` does the same for the engine alone, on a card in memory: more faults, no kernel.

pub(crate) mod cells;
mod document;
pub(crate) mod expected;
pub(crate) mod faults;
pub(crate) mod moments;
pub(crate) mod run;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use cells::{Cell, all, groups};
use run::{Judged, MOST, run};

/// Two PCs keep two processors busy.
const PCS: usize = 2;

fn assert_right(judged: &[Judged]) {
    let broken = |judged: &Judged| format!("{}:\n    {}", judged.cell.name(), judged.broken.join("\n    "));
    let wrong: Vec<String> = judged.iter().filter(|judged| !judged.broken.is_empty()).map(broken).collect();
    assert!(wrong.is_empty(), "{} of {} cells are wrong:\n{}", wrong.len(), judged.len(), wrong.join("\n"));
}

/// Another part for each seed, which the environment may set.
#[test]
fn a_part_of_the_faults_and_moments_has_its_right_outcomes() {
    let seed: usize = std::env::var("FLASHLINE_MATRIX_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let groups = groups(&all(), MOST);
    let group: &Vec<Cell> = &groups[seed % groups.len()];
    assert_right(&run(group));
}

#[test]
fn long_every_fault_at_every_moment_has_its_right_outcome_with_every_source_and_card() {
    let (groups, next, judged) = (groups(&all(), MOST), AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..PCS {
            scope.spawn(|| {
                while let Some(group) = groups.get(next.fetch_add(1, Relaxed)) {
                    let done = run(group);
                    for judged in &done {
                        println!("{}: {} {}", judged.cell.name(), judged.word, judged.broken.join("; "));
                    }
                    judged.lock().expect("no panic").extend(done);
                }
            });
        }
    });
    let judged = judged.into_inner().expect("no panic");
    assert_right(&judged);
    if std::env::var_os("FLASHLINE_WRITE_DOCUMENTS").is_some() {
        std::fs::write(document::PAGE, document::page(&judged)).expect("written");
    }
}
