//! Makes a history short that breaks a promise: events are taken out in ever smaller chunks, and times drawn together, as long as the same
//! promise breaks (delta debugging; Zeller, Hildebrandt: "Simplifying and isolating failure-inducing input", 2002).

use crate::history::{Action, History};
use crate::plant::Plant;
use crate::property::Property;
use crate::run::replay;

/// The most replays: a history of a few hundred events needs fewer.
const REPLAYS: usize = 6000;

/// A short history.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The shortest history found that still breaks the promise.
    pub history: History,
    /// The number of replays that it took.
    pub replays: usize,
}

struct Shrinker {
    property: Property,
    plant: Option<Plant>,
    best: History,
    replays: usize,
}

impl Shrinker {
    /// Takes the history if it still breaks the promise.
    fn try_it(&mut self, actions: Vec<Action>, end: u64) -> bool {
        if self.replays >= REPLAYS {
            return false;
        }
        self.replays += 1;
        let history = History { seed: self.best.seed, end, actions };
        let violation = replay(&history, self.plant, false).violation;
        let Some(violation) = violation.filter(|violation| violation.property == self.property) else { return false };
        self.best = History { end: history.end.min(violation.at - violation.skipped).max(1), ..history };
        true
    }

    fn take_out_chunks(&mut self) -> bool {
        let before = self.best.actions.len();
        let mut size = before.div_ceil(2).max(1);
        loop {
            let mut start = 0;
            while start < self.best.actions.len() {
                let end = (start + size).min(self.best.actions.len());
                let without = [&self.best.actions[..start], &self.best.actions[end..]].concat();
                if !self.try_it(without, self.best.end) {
                    start = end;
                }
            }
            if size == 1 || self.replays >= REPLAYS {
                return self.best.actions.len() < before;
            }
            size = size.div_ceil(2);
        }
    }

    /// Draws the events behind a pause nearer.
    fn draw_together(&mut self) {
        for index in 0..self.best.actions.len() {
            let before = if index == 0 { 0 } else { self.best.actions[index - 1].at };
            let pause = self.best.actions[index].at.saturating_sub(before);
            for by in [pause, pause / 2, pause / 4] {
                let by = by / 100 * 100;
                if by == 0 {
                    continue;
                }
                let mut actions = self.best.actions.clone();
                actions[index..].iter_mut().for_each(|action| action.at -= by);
                if self.try_it(actions, self.best.end.saturating_sub(by)) {
                    break;
                }
            }
        }
    }
}

/// The shortest history that was found and breaks the same promise.
#[must_use]
pub fn shrink(history: &History, property: Property, plant: Option<Plant>) -> Shrunk {
    let mut shrinker = Shrinker { property, plant, best: history.clone(), replays: 0 };
    let (actions, end) = (history.actions.clone(), history.end);
    shrinker.try_it(actions, end);
    for _ in 0..4 {
        let is_shorter = shrinker.take_out_chunks();
        shrinker.draw_together();
        if !is_shorter {
            break;
        }
    }
    Shrunk { history: shrinker.best, replays: shrinker.replays }
}
