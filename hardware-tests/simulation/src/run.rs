//! One history, from its first event to the end of all faults.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::factory::Factory;
use crate::history::History;
use crate::plant::Plant;
use crate::property::{Property, Violation};
use crate::station::Event;
use crate::station::request::Command;
use crate::world::World;

/// What came of a history.
#[derive(Clone, Debug)]
pub struct Report {
    /// The events that happened.
    pub history: History,
    /// The number of events that the station took.
    pub steps: u64,
    /// The simulated time in milliseconds.
    pub time: u64,
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// The history in words, if that was wanted.
    pub words: Vec<String>,
    /// How many attempts began, and how many ended in which way.
    pub counts: BTreeMap<&'static str, u64>,
}

/// For so long everything is given time to come to rest, in milliseconds.
const REST: u64 = 40_000;

/// Runs the history of a seed until the station has taken so many events.
#[must_use]
pub fn run(seed: u64, steps: u64, plant: Option<Plant>, in_words: bool) -> Report {
    let mut factory = Factory::new(seed);
    let mut history = History { seed, end: 0, actions: Vec::new() };
    let mut world = World::new(seed, plant, in_words);
    guard(&mut world, |world| {
        while world.steps < steps && world.broken.is_none() {
            let at = factory.next_at(world.now);
            world.pass_until(at);
            if world.broken.is_none() {
                let mut action = factory.next(world);
                action.at = world.now - world.skipped;
                history.actions.push(action);
                world.perform(action);
            }
        }
        history.end = world.now - world.skipped;
        cure(world);
    });
    if history.end == 0 {
        history.end = world.now - world.skipped;
    }
    report(world, history)
}

/// Runs a history again.
#[must_use]
pub fn replay(history: &History, plant: Option<Plant>, in_words: bool) -> Report {
    let mut world = World::new(history.seed, plant, in_words);
    guard(&mut world, |world| {
        for action in &history.actions {
            let at = action.at + world.skipped;
            world.pass_until(at.max(world.now));
            if world.broken.is_some() {
                return;
            }
            world.perform(*action);
        }
        let end = history.end + world.skipped;
        world.pass_until(end.max(world.now));
        cure(world);
    });
    report(world, history.clone())
}

/// A panic breaks a promise.
fn guard(world: &mut World, work: impl FnOnce(&mut World)) {
    let caught = catch_unwind(AssertUnwindSafe(|| work(world)));
    if let Err(panic) = caught {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
        world.broke(Property::NoPanic, || text.unwrap_or_else(|| "a panic without a message".to_owned()));
    }
}

/// Nothing fails any more, and every user takes back what was asked: everything comes to rest.
fn cure(world: &mut World) {
    if world.broken.is_some() {
        return;
    }
    world.is_cured = true;
    world.say(|_| "from here on nothing fails".to_owned());
    if world.daemon.is_none() {
        world.pass_until(world.now + 6000);
    }
    world.log_recovers();
    world.hints_lost_until = 0;
    world.copies.iter_mut().for_each(|copy| copy.is_damaged = false);
    world.send(0, Event::Restricted(Vec::new()));
    world.pass_until(world.now + 100);
    if world.books.is_maintained {
        world.request(0, Command::EndMaintenance);
    }
    for target in world.books.to_be_armed() {
        world.request(0, Command::Arm { target });
    }
    world.pass_until(world.now + REST);
    if world.broken.is_some() {
        return;
    }
    for place in 0..world.lying.len() {
        world.take_out(place);
    }
    world.pass_until(world.now + REST / 2);
    if world.broken.is_none() {
        check_rest(world);
    }
}

/// After all faults, nothing is open.
fn check_rest(world: &mut World) {
    if let Some(waiting) = world.log.waiting.front() {
        let kind = waiting.entry.kind();
        world.broke(Property::NothingLost, || format!("an entry is not on disk: {kind}"));
    }
    for attempt in world.log.open_attempts() {
        // Its row is on its way if its card is in the hands of a restarting daemon; the start closes it.
        if world.daemon.is_some() {
            world.broke(Property::OneClosingRow, || format!("attempt {} has a start and no end", attempt.number));
        }
    }
    if let Some(request) = world.books.unanswered().filter(|_| world.daemon.is_some()) {
        world.broke(Property::OneAnswer, || format!("request {request} was never answered"));
    }
    let is_idle = world.daemon.as_ref().is_none_or(|daemon| daemon.station.is_idle());
    if !is_idle {
        world.broke(Property::NothingLost, || "a slot is busy without end".to_owned());
    }
    world.check_view();
}

fn report(mut world: World, history: History) -> Report {
    if let Some(violation) = world.broken.clone() {
        world.say(|_| format!("BROKEN: {violation}"));
    }
    Report {
        history,
        steps: world.steps,
        time: world.now,
        violation: world.broken,
        words: world.told.unwrap_or_default(),
        counts: world.counts,
    }
}
