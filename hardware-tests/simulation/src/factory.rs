//! The factory of a seed: which events happen, how often, and when. Each seed has its own temper, so that rare events meet.

use crate::history::{Action, Verb};
use crate::random::{Random, stream};
use crate::world::World;

/// What usually happens, and how often: the others are far rarer.
const COMMON: &[(Verb, u64)] = &[(Verb::Insert, 400), (Verb::TakeOut, 250)];

/// What happens now and then, each in some of the seeds only.
const RARE: &[(Verb, u64)] = &[
    (Verb::Swap, 40),
    (Verb::Blink, 60),
    (Verb::BlinkHub, 30),
    (Verb::Unplug, 15),
    (Verb::Mount, 40),
    (Verb::Unmount, 40),
    (Verb::ForeignWrite, 40),
    (Verb::LogFails, 10),
    (Verb::LogSlow, 20),
    (Verb::Crash, 15),
    (Verb::Reboot, 6),
    (Verb::Stop, 6),
    (Verb::Sleep, 6),
    (Verb::Disarm, 15),
    (Verb::StartOrder, 60),
    (Verb::StopOrder, 10),
    (Verb::BeginMaintenance, 10),
    (Verb::Restart, 6),
    (Verb::Confirm, 4),
    (Verb::Identify, 4),
    (Verb::Reload, 25),
    (Verb::Restrict, 10),
    (Verb::Cover, 10),
    (Verb::Recable, 8),
    (Verb::DamageImage, 15),
    (Verb::Nonsense, 8),
    (Verb::Flood, 10),
    (Verb::LoseHints, 10),
    (Verb::Jump, 3),
];

/// What ends a trouble; it becomes likely as soon as there is one.
const CURES: &[(Verb, u64)] =
    &[(Verb::LogRecovers, 150), (Verb::Arm, 40), (Verb::Approve, 120), (Verb::EndMaintenance, 150), (Verb::Unrestrict, 150)];

/// The source of a seed's events.
#[derive(Debug)]
pub(crate) struct Factory {
    random: Random,
    weights: Vec<(Verb, u64)>,
    /// The longest time between two events, in milliseconds.
    pace: u64,
    at: u64,
}

impl Factory {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = stream(seed, 30);
        let mut weights = COMMON.to_vec();
        for (verb, weight) in RARE {
            if random.chance(450) {
                weights.push((*verb, weight * random.between(1, 3)));
            }
        }
        let pace = [300, 800, 2000, 4000][random.index(4)];
        Self { random, weights, pace, at: 0 }
    }

    /// The time of the next event.
    pub(crate) fn next_at(&mut self, now: u64) -> u64 {
        // A burst now and then: two events in one moment.
        let after = if self.random.chance(150) { self.random.between(0, 30) } else { self.random.between(1, self.pace) };
        self.at = now + after;
        self.at
    }

    /// The next event, which fits what is there.
    pub(crate) fn next(&mut self, world: &World) -> Action {
        let books = &world.books;
        let wanted = |verb: Verb| match verb {
            Verb::LogRecovers => world.log.is_faulty,
            Verb::Arm => !books.to_be_armed().is_empty(),
            Verb::Approve => books.firsts.iter().any(|first| first.card.is_some() && !first.is_approved),
            Verb::EndMaintenance => books.is_maintained,
            Verb::Unrestrict => books.is_restricted,
            _ => true,
        };
        let all = self.weights.iter().chain(CURES.iter().filter(|(verb, _)| wanted(*verb)));
        let sum: u64 = all.clone().map(|(_, weight)| weight).sum();
        let mut left = self.random.below(sum);
        let mut verb = Verb::Insert;
        for (known, weight) in all {
            if left < *weight {
                verb = *known;
                break;
            }
            left -= weight;
        }
        let places = world.floor.places.len();
        // A hand goes where it finds something to do.
        let is_full = |place: usize| world.lying[place].is_some();
        let wants_full = !matches!(verb, Verb::Insert);
        let fit: Vec<usize> = (0..places).filter(|place| is_full(*place) == wants_full).collect();
        let place = if fit.is_empty() || self.random.chance(50) { self.random.index(places) } else { fit[self.random.index(fit.len())] };
        Action { at: self.at, verb, place: u8::try_from(place).unwrap_or(0), salt: self.random.next() }
    }
}
