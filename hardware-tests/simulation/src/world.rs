//! The world around a station: what is true, what the daemon knows of it, and what waits to happen. The parts of its behaviour are in the
//! files beside this one; here is the clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use crate::books::Books;
use crate::engine::Thread;
use crate::floor::{Contents, Draft, Floor, IMAGES, Physical};
use crate::log::Log;
use crate::plant::Plant;
use crate::property::{Property, Violation};
use crate::random::stream;
use crate::station::card::Visit as KernelVisit;
use crate::station::outcome::Digest;
use crate::station::request::Who;
use crate::station::units::Moment;
use crate::station::{Event, Station};

/// The interval of ticks.
pub(crate) const TICK: u64 = 100;

/// One stay of a card in a place, as the kernel counts them.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) card: usize,
    pub(crate) place: usize,
    /// Which of the ports of its place.
    pub(crate) port: usize,
    pub(crate) kernel: KernelVisit,
    pub(crate) salt: u64,
    /// A hand put it in, to be written, and nothing has happened to it since.
    pub(crate) may_begin: bool,
    /// The station cannot tell whether it was a hand.
    pub(crate) is_ambiguous: bool,
    /// A row speaks of it.
    pub(crate) has_begun: bool,
    /// It left the bus because it was asked to flush, before anything was written to it.
    pub(crate) was_sent_away: bool,
    /// When its device came to the bus together with it.
    pub(crate) connected: Option<u64>,
    pub(crate) device_left: bool,
    /// It was surveyed like this.
    pub(crate) facts: Option<Facts>,
    pub(crate) surveys: u64,
    /// When the station was told of it, if it was not told that it ended.
    pub(crate) told: Option<u64>,
    /// The run of the daemon that was told of it last; 0: the slot that it is in now was told by no one yet.
    pub(crate) told_in: u32,
    /// It lay in its place while the PC slept.
    pub(crate) has_slept: bool,
    /// And the station was told so.
    pub(crate) is_known_to_have_slept: bool,
}

/// What was true when a card was surveyed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) is_mounted: bool,
    pub(crate) is_partitioned: bool,
    pub(crate) is_covered: bool,
    pub(crate) is_recabled: bool,
}

/// The staged copy of an image.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Copy {
    pub(crate) is_damaged: bool,
    /// Counted up when it is staged anew.
    pub(crate) number: u32,
}

/// A proven card that is still claimed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) attempt: u64,
    pub(crate) visit: usize,
    /// A write was reported, or will be.
    pub(crate) is_changed: bool,
}

/// A card that comes to the bus, unless a hand has taken it out before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) place: usize,
    /// When its device was connected, if it comes with it.
    pub(crate) connected: Option<u64>,
    pub(crate) salt: u64,
    pub(crate) is_hand: bool,
    /// The count of the hands at this place.
    pub(crate) laid: u32,
}

/// What waits for its time.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The watch looks.
    Look,
    /// The facts about a card are read.
    ReadSurvey { visit: usize },
    /// The identity of a held card is read.
    ReadIdentity { visit: usize },
    /// An event reaches the station.
    Tell(Box<Event>),
    /// A thread goes on.
    Wake { number: u64, turn: u32 },
    /// The log's disk has taken a write.
    Written,
    /// The configuration was read.
    Proved { asked_by: Option<u32> },
    /// An image was staged anew, or could not be.
    Restaged { digest: Digest, is_good: bool },
    /// A card comes to the bus.
    Arrive(Arrival),
    /// The device of a card that left is off the bus, too.
    DeviceLeft { visit: usize },
    /// The daemon starts.
    Up,
    /// The daemon ends, idle or not.
    Down,
    /// A write of a root program to a claimed card is noticed.
    Noticed { attempt: u64 },
}

/// Something that waits for its time.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) at: u64,
    number: u64,
    /// The run of the daemon that it belongs to; `None` for the world outside.
    run: Option<u32>,
    pub(crate) what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// The daemon, while it runs.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) station: Station,
    pub(crate) began: u64,
    /// The configuration in effect.
    pub(crate) draft: Draft,
    pub(crate) threads: Vec<Thread>,
    pub(crate) claims: Vec<Claim>,
    /// The visits that the watch has reported, and has not reported as gone.
    pub(crate) reported: Vec<usize>,
    /// Visits that ended while their device was there, with the time.
    pub(crate) ending: Vec<(usize, u64)>,
    pub(crate) watched: Vec<usize>,
    /// The number of configurations that took effect.
    pub(crate) reloads: u32,
    /// When each place was given to a slot, or its slot got another name.
    pub(crate) watched_since: Vec<u64>,
    pub(crate) new_places: Vec<usize>,
    pub(crate) tell_all: bool,
    pub(crate) just_woke: bool,
    pub(crate) woke: Option<u64>,
    pub(crate) next_look: u64,
    pub(crate) is_stopping: bool,
    pub(crate) is_proving: bool,
    /// When the last event of the log arrives.
    pub(crate) log_told: u64,
    pub(crate) next_request: u64,
    /// The sign of a slot may have changed since the view was checked.
    pub(crate) is_dirty: bool,
}

/// The factory around the station.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) now: u64,
    /// The part of `now` that was skipped.
    pub(crate) skipped: u64,
    pub(crate) steps: u64,
    pub(crate) floor: Floor,
    pub(crate) cards: Vec<Physical>,
    pub(crate) visits: Vec<Visit>,
    /// The card that lies in each place.
    pub(crate) lying: Vec<Option<usize>>,
    /// The visit that the kernel knows in each place.
    pub(crate) on_bus: Vec<Option<usize>>,
    /// When a card left each place last.
    pub(crate) left: Vec<Option<u64>>,
    /// Counted up whenever a hand lays a card into a place or takes it out.
    pub(crate) laid: Vec<u32>,
    /// A device was exchanged for another.
    pub(crate) is_other: Vec<bool>,
    pub(crate) is_covered: Vec<bool>,
    pub(crate) copies: [Copy; IMAGES as usize],
    /// The sticks whose device was asked to flush, and fled.
    pub(crate) fled: Vec<usize>,
    pub(crate) file: Draft,
    pub(crate) log: Log,
    pub(crate) daemon: Option<Daemon>,
    pub(crate) run: u32,
    pub(crate) hints_lost_until: u64,
    pub(crate) books: Books,
    pub(crate) plant: Option<Plant>,
    /// Nothing fails any more.
    pub(crate) is_cured: bool,
    pub(crate) broken: Option<Violation>,
    /// The history in words, if it is wanted.
    pub(crate) told: Option<Vec<String>>,
    queue: BinaryHeap<Reverse<Due>>,
    queued: u64,
    next_tick: u64,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl World {
    pub(crate) fn new(seed: u64, plant: Option<Plant>, is_told: bool) -> Self {
        let floor = Floor::draw(seed);
        let cards = floor.draw_cards(seed);
        let (file, places, devices) = (floor.draw_draft(seed), floor.places.len(), floor.devices.len());
        let mut world = Self {
            seed,
            now: 0,
            skipped: 0,
            steps: 0,
            cards,
            visits: Vec::new(),
            lying: vec![None; places],
            on_bus: vec![None; places],
            left: vec![None; places],
            laid: vec![0; places],
            is_other: vec![false; devices],
            is_covered: vec![true; places],
            copies: [Copy::default(); IMAGES as usize],
            fled: Vec::new(),
            file,
            floor,
            log: Log::default(),
            daemon: None,
            run: 0,
            hints_lost_until: 0,
            books: Books::default(),
            plant,
            is_cured: false,
            broken: None,
            told: is_told.then(Vec::new),
            queue: BinaryHeap::new(),
            queued: 0,
            next_tick: 0,
            counts: BTreeMap::new(),
        };
        world.start_daemon();
        world
    }

    pub(crate) fn moment(&self) -> Moment {
        let began = self.daemon.as_ref().map_or(self.now, |daemon| daemon.began);
        Moment(Duration::from_millis(self.now - began))
    }

    /// Puts down a broken promise; only the first one counts.
    pub(crate) fn broke(&mut self, property: Property, detail: impl FnOnce() -> String) {
        if self.broken.is_none() {
            self.broken = Some(Violation { property, detail: detail(), at: self.now, skipped: self.skipped });
        }
    }

    /// Puts down a line of the history in words.
    pub(crate) fn say(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.told.is_some() {
            let line = format!("{:>11}  {}", crate::property::seconds(self.now), line(self));
            self.told.iter_mut().for_each(|told| told.push(line.clone()));
        }
    }

    /// Something happens later, in the world outside.
    pub(crate) fn later(&mut self, after: u64, what: What) {
        self.push(after, None, what);
    }

    /// Something happens later in this run of the daemon: it is lost if the daemon ends before.
    pub(crate) fn in_daemon(&mut self, after: u64, what: What) {
        self.push(after, Some(self.run), what);
    }

    fn push(&mut self, after: u64, run: Option<u32>, what: What) {
        self.queued += 1;
        self.queue.push(Reverse(Due { at: self.now + after, number: self.queued, run, what }));
    }

    /// Sends an event to the station after this time.
    pub(crate) fn send(&mut self, after: u64, event: Event) {
        self.in_daemon(after, What::Tell(Box::new(event)));
    }

    /// Sends an event of the log, behind those that it sent before: the log has one thread.
    pub(crate) fn send_from_log(&mut self, after: u64, event: Event) {
        let Some(daemon) = &mut self.daemon else { return };
        daemon.log_told = daemon.log_told.max(self.now + after);
        let after = daemon.log_told - self.now;
        self.send(after, event);
    }

    /// A card comes to a place after this time, and by no other way that it was on before: a PC that loses its power starts its bus anew.
    pub(crate) fn arrives(&mut self, after: u64, place: usize, connected: Option<u64>, salt: u64, is_hand: bool) {
        self.laid[place] += 1;
        let laid = self.laid[place];
        self.later(after, What::Arrive(Arrival { place, connected, salt, is_hand, laid }));
    }

    /// Lets time pass until then: ticks, and what waits.
    pub(crate) fn pass_until(&mut self, until: u64) {
        while self.broken.is_none() {
            let due = self.queue.peek().map_or(u64::MAX, |Reverse(due)| due.at);
            let next = due.min(self.next_tick);
            if next > until {
                break;
            }
            self.now = next;
            if due <= self.next_tick {
                let Some(Reverse(due)) = self.queue.pop() else { continue };
                if due.run.is_none_or(|run| run == self.run) {
                    self.happen(due.what);
                }
            } else {
                self.next_tick += TICK;
                self.tick();
            }
        }
        if self.broken.is_none() {
            self.now = self.now.max(until);
        }
    }

    /// The daemon's clock goes on without a tick: the PC sleeps, or nothing happens for hours.
    pub(crate) fn skip(&mut self, by: u64) {
        self.now += by;
        self.skipped += by;
        self.next_tick = self.next_tick.max(self.now.next_multiple_of(TICK));
        let waiting = std::mem::take(&mut self.queue);
        self.queue = waiting.into_iter().map(|Reverse(due)| Reverse(Due { at: due.at.max(self.now), ..due })).collect();
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Look => self.look(),
            What::ReadSurvey { visit } => self.read_survey(visit),
            What::ReadIdentity { visit } => self.read_identity(visit),
            What::Tell(event) => self.tell(*event),
            What::Wake { number, turn } => self.wake(number, turn),
            What::Written => self.written(),
            What::Proved { asked_by } => self.proved(asked_by),
            What::Restaged { digest, is_good } => self.restaged(digest, is_good),
            What::Arrive(arrival) => self.arrive(arrival),
            What::DeviceLeft { visit } => {
                self.visits[visit].device_left = true;
                self.hint();
            }
            What::Up => self.start_daemon(),
            What::Down => self.end_daemon(),
            What::Noticed { attempt } => self.noticed(attempt),
        }
    }

    /// The salt of something that belongs to a visit.
    pub(crate) fn salt_of(&self, visit: usize, purpose: u64) -> crate::random::Random {
        stream(self.visits[visit].salt, purpose)
    }

    pub(crate) fn holds_image(&self, card: usize, image: u8) -> bool {
        self.cards[card].contents == Contents::Image(image)
    }

    pub(crate) fn user(number: u32) -> Who {
        crate::floor::who(number)
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_insert(0) += 1;
    }
}
