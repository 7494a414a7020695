//! The fault matrix: every fault of a card × every moment of an attempt × every plan, run through the real engine on a card in memory.
//!
//! ```text
//!  faults ┐
//!  moments├─▶ cells ─▶ run ─▶ properties, by what is expected ─▶ document
//!  plans  ┘   the full product for the default setup, every pair of values of the other axes
//! ```
//! Cells that make no sense are counted with their reasons. The emulated PC attacks the same promises through a real kernel; it takes
//! minutes for what this does in seconds, and this has no kernel, USB or power in it.

mod cells;
mod device;
mod document;
mod expected;
mod faults;
mod moments;
mod plans;
mod properties;
mod run;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread;

use cells::{Pairs, nonsense, pairs, product};
use faults::Kind;
use moments::Moment;
use plans::{Image, Setup, Task};
use run::{Cell, run, run_well};

/// A cell that was run.
struct Judged {
    cell: Cell,
    /// The outcome in a word.
    word: String,
    /// The properties that it broke.
    broken: Vec<String>,
    /// The number of calls to the card, also of those that failed.
    calls: u64,
}

/// Runs these cells on all processors, and returns them in their order.
fn judge(cells: &[Cell]) -> Vec<Judged> {
    let (next, (send, receive)) = (AtomicUsize::new(0), channel());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            let send = send.clone();
            scope.spawn(|| {
                let send = send;
                while let Some((index, cell)) = Some(next.fetch_add(1, Relaxed)).and_then(|index| Some((index, cells.get(index)?))) {
                    send.send((index, judge_one(cell))).expect("the test waits");
                }
            });
        }
        drop(send);
    });
    let mut judged: Vec<(usize, Judged)> = receive.into_iter().collect();
    judged.sort_by_key(|(index, _)| *index);
    judged.into_iter().map(|(_, judged)| judged).collect()
}

fn judge_one(cell: &Cell) -> Judged {
    match run(cell) {
        Ok(ran) => {
            let (word, broken, calls) = (properties::word(cell, &ran), properties::broken(cell, &ran), ran.calls);
            Judged { cell: *cell, word, broken, calls }
        }
        Err(panic) => Judged { cell: *cell, word: "endless".to_owned(), broken: vec![panic], calls: 0 },
    }
}

/// The full product, run once for all tests.
static PRODUCT: LazyLock<Vec<Judged>> = LazyLock::new(|| judge(&product().filter(|cell| nonsense(cell).is_none()).collect::<Vec<_>>()));

/// The cells of the pairs, made once for all tests.
static PAIRS: LazyLock<Pairs> = LazyLock::new(pairs);

fn assert_right(judged: &[Judged]) {
    let wrong: Vec<String> = judged
        .iter()
        .filter(|judged| !judged.broken.is_empty())
        .map(|judged| format!("{}:\n    {}", judged.cell.name(), judged.broken.join("\n    ")))
        .collect();
    assert!(wrong.is_empty(), "{} of {} cells are wrong:\n{}", wrong.len(), judged.len(), wrong.join("\n"));
}

#[test]
fn every_fault_at_every_moment_has_its_right_outcome_and_none_makes_a_false_pass() {
    assert!(PRODUCT.len() > 300, "the cells are run: {}", PRODUCT.len());
    assert_right(&PRODUCT);
}

#[test]
fn every_fault_and_every_moment_has_its_right_outcome_in_every_plan() {
    assert!(PAIRS.cells.len() > 100, "the cells are run: {}", PAIRS.cells.len());
    assert_right(&judge(&PAIRS.cells));
}

#[test]
fn no_attempt_is_long_whatever_strikes_it() {
    for judged in PRODUCT.iter() {
        // A device that is never ready is asked a thousand times for each of the few calls that it gets.
        let most = if judged.cell.fault == Kind::NeverReady { 6_000 } else { 1_000 };
        assert!(judged.calls < most, "{} made {} calls", judged.cell.name(), judged.calls);
    }
}

/// Without a fault, the moments that a setup is said to have come in their order, and no others.
#[test]
fn each_plan_has_the_moments_that_the_matrix_counts_with() {
    for task in Task::ALL {
        for image in Image::ALL {
            for size in [plans::Size::Equal, plans::Size::Larger] {
                let setup = Setup { task, image, size, ..plans::DEFAULT };
                let ran = run_well(&setup).expect("a good card");
                assert_eq!(ran.end.is_proof(), task.proves(), "{}: {:?}", setup.name(), ran.end);
                let has: Vec<Moment> = Moment::ALL.into_iter().filter(|moment| setup.has(*moment) && *moment != Moment::Proven).collect();
                let mut seen = ran.seen;
                // What a recheck reads after it met another image is chance: it reads ahead.
                seen.retain(|moment| setup.has(*moment) || !moment.is_recheck());
                seen.sort();
                assert_eq!(seen, has, "{}", setup.name());
            }
        }
    }
}

#[test]
fn a_pair_of_values_that_no_cell_has_is_counted_with_its_reason() {
    let impossible: usize = PAIRS.impossible.values().sum();
    assert!(PAIRS.covered > impossible, "{} pairs occur, and {impossible} do not: {:?}", PAIRS.covered, PAIRS.impossible);
    assert!(!PAIRS.impossible.contains_key("no cell"), "{:?}", PAIRS.impossible);
}
