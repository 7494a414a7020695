//! The cells that are run: fault × moment in full for the default setup, and every pair of values of two axes at least once.

use std::collections::{BTreeMap, BTreeSet};

use super::faults::Kind;
use super::moments::Moment;
use super::plans::{DEFAULT, Setup, Task};
use super::run::Cell;

/// A cell as one value of each axis: fault, moment, and the axes of [`Setup`].
type Values = [usize; AXES];
/// The number of axes.
const AXES: usize = 8;
/// Two axes with a value of each; the first axis is the lower one.
type Pair = (usize, usize, usize, usize);
/// How many cells are tried for a pair before all are; many pairs have few cells.
const TRIES: usize = 60;

/// Why a cell makes no sense; `None` if it is run.
pub(super) fn nonsense(cell: &Cell) -> Option<&'static str> {
    if !cell.setup.has(cell.moment) {
        return Some("the moment does not come in this plan");
    }
    if cell.fault.needs_body() && cell.setup.image.victim().is_none() {
        return Some("the image has no body that could be changed");
    }
    if cell.moment == Moment::Claimed && cell.setup.begins_with_the_tombstone() && cell.fault.ends_at_once() {
        return Some("the first call is that of the tombstone");
    }
    cell.fault.misses(cell.moment.call())
}

/// The setup for the moments of a recheck, which the default one does not have.
pub(super) const RECHECK: Setup = Setup { task: Task::RecheckDone, ..DEFAULT };

/// Every fault at every moment: the default setup, and for a recheck's own moments that of a card that is done.
pub(super) fn product() -> impl Iterator<Item = Cell> {
    let setup = |moment: Moment| if moment.is_recheck() { RECHECK } else { DEFAULT };
    Kind::ALL.into_iter().flat_map(move |fault| Moment::ALL.into_iter().map(move |moment| Cell { fault, moment, setup: setup(moment) }))
}

fn length(axis: usize) -> usize {
    match axis {
        0 => Kind::ALL.len(),
        1 => Moment::ALL.len(),
        other => Setup::AXES[other - 2],
    }
}

fn cell(values: &Values) -> Cell {
    let [fault, moment, setup @ ..] = *values;
    Cell { fault: Kind::ALL[fault], moment: Moment::ALL[moment], setup: Setup::of(setup) }
}

fn values(cell: &Cell) -> Values {
    let all = (0..Setup::AXES.iter().product()).map(setup_values);
    let setup = all.into_iter().find(|values| Setup::of(*values) == cell.setup).expect("every setup has its values");
    let fault = Kind::ALL.iter().position(|kind| *kind == cell.fault).expect("it is one of all");
    let moment = Moment::ALL.iter().position(|moment| *moment == cell.moment).expect("it is one of all");
    let [a, b, c, d, e, f] = setup;
    [fault, moment, a, b, c, d, e, f]
}

/// The setup with this number.
fn setup_values(mut number: usize) -> [usize; 6] {
    Setup::AXES.map(|length| {
        let value = number % length;
        number /= length;
        value
    })
}

fn pairs_of(values: &Values) -> impl Iterator<Item = Pair> {
    (0..AXES).flat_map(move |one| (one + 1..AXES).map(move |other| (one, values[one], other, values[other])))
}

/// Numbers in an order that looks random and is always the same (Knuth's MMIX constants of a linear congruential generator).
struct Order(u64);

impl Order {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % below
    }
}

/// Cells that, together with the product, have every pair of values at least once.
pub(super) struct Pairs {
    pub(super) cells: Vec<Cell>,
    /// The number of pairs that are covered.
    pub(super) covered: usize,
    /// Pairs that no cell can have, counted by the reason of the first cell that would have them.
    pub(super) impossible: BTreeMap<&'static str, usize>,
}

/// Greedy: for each pair that is left, of some cells that have it, the one with the most pairs that are left.
pub(super) fn pairs() -> Pairs {
    let mut left: BTreeSet<Pair> = BTreeSet::new();
    for one in 0..AXES {
        for other in one + 1..AXES {
            left.extend((0..length(one)).flat_map(|value| (0..length(other)).map(move |second| (one, value, other, second))));
        }
    }
    let all = left.len();
    for cell in product().filter(|cell| nonsense(cell).is_none()) {
        for pair in pairs_of(&values(&cell)) {
            left.remove(&pair);
        }
    }
    let mut impossible: BTreeMap<&'static str, usize> = BTreeMap::new();
    let (mut cells, mut order) = (Vec::new(), Order(1));
    while let Some(pair) = left.first().copied() {
        let Some(best) = best_with(pair, &left, &mut order) else {
            left.remove(&pair);
            *impossible.entry(reason(pair)).or_default() += 1;
            continue;
        };
        for pair in pairs_of(&best) {
            left.remove(&pair);
        }
        cells.push(cell(&best));
    }
    let covered = all - impossible.values().sum::<usize>();
    Pairs { cells, covered, impossible }
}

/// Of some cells with this pair that make sense, the one with the most pairs of `left`.
fn best_with(pair: Pair, left: &BTreeSet<Pair>, order: &mut Order) -> Option<Values> {
    let (one, value, other, second) = pair;
    let with_pair = |mut values: Values| {
        (values[one], values[other]) = (value, second);
        values
    };
    let makes_sense = |values: &Values| nonsense(&cell(values)).is_none();
    let some = (0..TRIES).map(|_| with_pair(std::array::from_fn(|axis| order.next(length(axis))))).filter(makes_sense);
    let gain = |values: &Values| pairs_of(values).filter(|pair| left.contains(pair)).count();
    some.max_by_key(gain).or_else(|| every_cell_with(pair).find(makes_sense))
}

/// Every cell with this pair.
fn every_cell_with((one, value, other, second): Pair) -> impl Iterator<Item = Values> {
    let range = move |axis: usize| {
        if axis == one {
            value..value + 1
        } else if axis == other {
            second..second + 1
        } else {
            0..length(axis)
        }
    };
    let setups = (0..Setup::AXES.iter().product()).map(setup_values);
    setups
        .filter(move |setup| (0..6).all(|axis| range(axis + 2).contains(&setup[axis])))
        .flat_map(move |[a, b, c, d, e, f]| range(0).flat_map(move |fault| range(1).map(move |moment| [fault, moment, a, b, c, d, e, f])))
}

/// Why no cell has this pair.
fn reason(pair: Pair) -> &'static str {
    let reasons: Vec<_> = every_cell_with(pair).filter_map(|values| nonsense(&cell(&values))).collect();
    // A moment that does not come says nothing about the fault; every cell has some other reason, or only this one.
    let other = reasons.iter().find(|reason| **reason != "the moment does not come in this plan");
    other.or(reasons.first()).copied().unwrap_or("no cell")
}
