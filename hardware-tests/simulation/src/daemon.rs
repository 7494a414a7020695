//! The simulated daemon: it carries out what the station wants, as `daemon` does, and starts and ends with the station's log.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::floor::{Draft, image_of};
use crate::plant::Plant;
use crate::property::Property;
use crate::random::{Random, stream};
use crate::station::armed::Occasion;
use crate::station::outcome::{Digest, Effort, Outcome};
use crate::station::port::{Cabling, places};
use crate::station::prover::{ProverReport, ProverVerdict, ProvingTime, VerifierProof};
use crate::station::record::Entry;
use crate::station::view::DayCount;
use crate::station::{Effect, Event, Station};
use crate::words;
use crate::world::{Copy, Daemon, TICK, What, World};

impl World {
    /// The daemon starts: it reads the log, closes what an earlier run left open, and hears of everything anew.
    pub(crate) fn start_daemon(&mut self) {
        if self.daemon.is_some() {
            return;
        }
        self.run += 1;
        for attempt in self.log.open_attempts() {
            let attempt = Box::new(attempt);
            let entry = Entry::AttemptClosed { attempt, outcome: Outcome::Interrupted, effort: Effort::default() };
            self.durable(Box::new(entry));
        }
        let mut standing = self.log.standing();
        match self.plant {
            Some(Plant::RestartForgetsCards) => standing.orders.iter_mut().for_each(|order| order.passed = 0),
            Some(Plant::RestartForgetsDisarming) => standing.disarmings.clear(),
            _ => {}
        }
        self.say(|_| "the daemon starts".to_owned());
        let station = Station::new(self.file.station.clone(), self.log.next_attempt(), standing);
        let watched: Vec<usize> = self.file.slots.iter().map(|slot| slot.place).collect();
        self.daemon = Some(Daemon {
            station,
            began: self.now,
            draft: self.file.clone(),
            threads: Vec::new(),
            claims: Vec::new(),
            reported: Vec::new(),
            ending: Vec::new(),
            watched: watched.clone(),
            reloads: 0,
            watched_since: vec![self.now; self.floor.places.len()],
            new_places: watched,
            tell_all: false,
            just_woke: false,
            woke: None,
            next_look: u64::MAX,
            is_stopping: false,
            is_proving: false,
            log_told: self.now,
            next_request: 1,
            is_dirty: true,
        });
        let is_made = self.file.station.flash_present;
        for visit in self.on_bus.iter().flatten() {
            let visit = &mut self.visits[*visit];
            (visit.may_begin, visit.is_ambiguous, visit.has_begun) = (is_made, true, false);
            // For a daemon that starts, it lay there before, whether or not the PC slept.
            visit.is_known_to_have_slept = false;
        }
        self.books.begin(&self.log);
        self.record(Box::new(Entry::StationStarted { version: "simulated".to_owned(), volatile: None }), None);
        self.tell(Event::Written(self.log.written()));
        self.tell(Event::Restricted(Vec::new()));
        self.configure(Occasion::Start, None);
        self.send(1, Event::Today(DayCount::default()));
        // The verifier that is proven here is the engine's, of which this world has a simulated one.
        let proof = VerifierProof { direct: true, planted: 5, took: Duration::from_millis(200) };
        let verdict = ProverVerdict::Proven(proof);
        self.send(20, Event::Prover(ProverReport::Ended { time: ProvingTime::Start, verdict }));
        if self.log.is_faulty {
            self.send(1, Event::LogHealth(Some("disk full".to_owned())));
        }
        let after = stream(self.seed ^ self.now, 20).between(1, 30);
        self.look_within(after);
        self.tell_cabling();
        self.tell_cover();
    }

    /// A configuration takes effect.
    fn configure(&mut self, occasion: Occasion, asked_by: Option<u32>) {
        let draft = self.file.clone();
        let by = draft.by(occasion, asked_by.map(Self::user));
        let Some(daemon) = &mut self.daemon else { return };
        let distrusted: Vec<Digest> = if occasion == Occasion::Start {
            // Nothing is distrusted yet, and damaged copies are staged anew at a start.
            self.copies.iter_mut().for_each(|copy| copy.is_damaged = false);
            Vec::new()
        } else {
            daemon.station.distrusted().filter(|digest| self.copies[usize::from(image_of(*digest))].is_damaged).collect()
        };
        let configuration = self.floor.configuration(&draft, by, distrusted);
        let slots: Vec<usize> = draft.slots.iter().map(|slot| slot.place).collect();
        let added: Vec<usize> = slots.iter().copied().filter(|place| !daemon.watched.contains(place)).collect();
        // Slots keep their state by their names: what lies in another slot now was not put in for it.
        let name_of = |draft: &Draft, place: usize| draft.slots.iter().find(|slot| slot.place == place).map(|slot| slot.name.clone());
        let renamed: Vec<usize> = slots
            .iter()
            .copied()
            .filter(|place| !added.contains(place) && name_of(&daemon.draft, *place) != name_of(&draft, *place))
            .collect();
        daemon.draft = draft;
        daemon.reloads += 1;
        for place in &added {
            daemon.watched_since[*place] = self.now;
            // They were there before the station watched them.
            if let Some(visit) = self.on_bus[*place] {
                let visit = &mut self.visits[visit];
                (visit.may_begin, visit.is_ambiguous) = (visit.may_begin && occasion == Occasion::Start, true);
            }
        }
        for place in renamed {
            daemon.watched_since[place] = self.now;
            if let Some(visit) = self.on_bus[place] {
                let visit = &mut self.visits[visit];
                visit.is_ambiguous = true;
                // The new slot does not know of it before the watch reports it again.
                visit.may_begin = visit.told.take().is_none();
                visit.told_in = 0;
            }
        }
        self.tell(Event::Configure(Box::new(configuration)));
        let Some(daemon) = &mut self.daemon else { return };
        daemon.new_places.retain(|place| slots.contains(place));
        daemon.new_places.extend(added);
        (daemon.watched, daemon.tell_all) = (slots, true);
        let after = stream(self.seed ^ self.now, 21).between(1, 1000);
        self.look_within(after);
    }

    pub(crate) fn tell_cabling(&mut self) {
        let mut known = BTreeMap::new();
        for place in 0..self.floor.places.len() {
            let at = &self.floor.places[place];
            let chain = self.floor.chain(place, &self.is_other, None);
            let own = usize::from(at.hub.is_some()) + usize::from(at.reader.is_some());
            known.extend(places(&at.ports[0]).into_iter().zip(chain.0).take(own));
        }
        self.send(5, Event::Cabling(Cabling(known)));
    }

    pub(crate) fn tell_cover(&mut self) {
        let ports =
            self.floor.places.iter().zip(&self.is_covered).flat_map(|(place, is)| place.ports.iter().map(move |port| (port.clone(), *is)));
        let covered = ports.collect();
        self.send(5, Event::Covered(covered));
    }

    pub(crate) fn tick(&mut self) {
        if self.daemon.is_none() {
            return;
        }
        for event in self.reports_of_threads() {
            self.tell(event);
        }
        self.tell(Event::Tick);
        let moment = self.moment();
        let Some(daemon) = &mut self.daemon else { return };
        // A wrong sign stays for longer than two ticks.
        let is_dirty = self.now.is_multiple_of(2 * TICK) && std::mem::take(&mut daemon.is_dirty);
        if !daemon.is_stopping && daemon.station.may_restart(moment) {
            self.say(|_| "the last card is out: the station restarts".to_owned());
            self.ask_to_stop();
        }
        let Some(daemon) = &self.daemon else { return };
        if daemon.is_stopping && daemon.station.is_idle() {
            return self.end_daemon();
        }
        if is_dirty {
            self.check_view();
        }
        if self.now.is_multiple_of(1000) {
            self.check_next_cards();
        }
    }

    /// The station hears an event, and the daemon carries out what it wants.
    pub(crate) fn tell(&mut self, event: Event) {
        if self.broken.is_some() || self.daemon.is_none() {
            return;
        }
        self.steps += 1;
        let is_quiet = matches!(event, Event::Tick | Event::Advanced { .. });
        if !is_quiet {
            self.say(|world| format!("    the station hears: {}", words::event(world, &event)));
            self.note_told(&event);
        }
        let may_free = matches!(event, Event::Gone { .. } | Event::Seen { .. } | Event::Configure(_) | Event::Tick);
        let moment = self.moment();
        let Some(daemon) = &mut self.daemon else { return };
        daemon.is_dirty |= !is_quiet;
        let effects = daemon.station.apply(moment, event);
        if !effects.is_empty() {
            daemon.is_dirty = true;
            for effect in effects {
                self.carry_out(effect);
            }
        }
        if may_free {
            self.let_go();
        }
    }

    /// An event that fits nothing.
    pub(crate) fn tell_nonsense(&mut self, event: Event) {
        let moment = self.moment();
        let Some(daemon) = &mut self.daemon else { return };
        self.steps += 1;
        let before = daemon.station.clone();
        let effects = daemon.station.apply(moment, event.clone());
        if !effects.is_empty() || daemon.station != before {
            self.broke(Property::NoEffect, || format!("{event:?} changed something: {effects:?}"));
        }
    }

    fn let_go(&mut self) {
        let is_forgetful = self.plant == Some(Plant::KeeperLetsGo);
        let Some(daemon) = &mut self.daemon else { return };
        if daemon.claims.is_empty() {
            return;
        }
        let station = &daemon.station;
        daemon.claims.retain(|claim| station.keeps(claim.attempt) && !(is_forgetful && claim.attempt % 2 == 0));
    }

    fn carry_out(&mut self, effect: Effect) {
        self.say(|world| format!("    the station wants: {}", words::effect(world, &effect)));
        match effect {
            Effect::Record(entry) => self.record(entry, None),
            Effect::RecordAsked { request, entry } => {
                self.books.answered(request, true);
                self.record(entry, Some(request));
            }
            Effect::Survey(card) | Effect::Identify(card) if self.visit_of(card.visit).is_none() => {
                self.broke(Property::NoEffect, || format!("it asks about a card that never was: {card:?}"));
            }
            Effect::Survey(card) => {
                let Some(visit) = self.visit_of(card.visit) else { return };
                let mut random = self.salt_of(visit, 400 + self.visits[visit].surveys);
                let after = if random.chance(20) { random.between(300, 2000) } else { random.between(1, 40) };
                self.in_daemon(after, What::ReadSurvey { visit });
            }
            Effect::Identify(card) => {
                let Some(visit) = self.visit_of(card.visit) else { return };
                self.in_daemon(20, What::ReadIdentity { visit });
            }
            Effect::Start(attempt) => {
                self.count("cards begun");
                self.check_start(&attempt);
                self.start_thread(&attempt);
                if self.plant == Some(Plant::ThreadStartsTwice) && attempt.number.is_multiple_of(2) {
                    self.check_start(&attempt);
                }
            }
            Effect::Cancel(number) => self.cancel_thread(number),
            Effect::Restage { digest, .. } => {
                let mut random = stream(self.seed ^ self.now, 22);
                let is_good = self.is_cured || random.chance(800);
                self.in_daemon(random.between(100, 4000), What::Restaged { digest, is_good });
            }
            Effect::Answer { request, answer } => {
                if let Err(denied) = &answer {
                    let words = denied.to_string();
                    self.say(|_| format!("    denied: {words}"));
                }
                if self.books.answer_is_wrong(request) {
                    self.broke(Property::OneAnswer, || format!("request {request} is answered {answer:?} once more, or too early"));
                }
            }
        }
    }

    pub(crate) fn visit_of(&self, kernel: crate::station::card::Visit) -> Option<usize> {
        let index = usize::try_from(kernel.diskseq.checked_sub(1)?).ok()?;
        (self.visits.get(index)?.kernel == kernel).then_some(index)
    }

    /// The daemon is killed, or the PC loses its power: what is not durable is lost.
    pub(crate) fn crash(&mut self, random: &mut Random, is_reboot: bool) {
        if self.daemon.is_none() {
            return;
        }
        self.say(|_| if is_reboot { "the PC loses its power".to_owned() } else { "the daemon is killed".to_owned() });
        // The process of the log may still write what it was given.
        let reached = if self.log.is_faulty { 0 } else { random.index(self.log.waiting.len() + 1) };
        for _ in 0..reached {
            if let Some(waiting) = self.log.waiting.pop_front() {
                self.durable(waiting.entry);
            }
        }
        self.daemon_is_gone();
        let down = random.between(300, 5000);
        if is_reboot {
            for place in 0..self.on_bus.len() {
                if self.lying[place].is_some() {
                    self.leave_bus(place, true);
                    let salt = random.next();
                    self.arrives(random.between(1, 200), place, None, salt, false);
                }
            }
        }
        self.later(down, What::Up);
    }

    fn daemon_is_gone(&mut self) {
        self.daemon = None;
        self.run += 1;
        (self.log.is_writing, self.log.slow_until) = (false, 0);
        self.log.waiting.clear();
        self.visits.iter_mut().for_each(|visit| visit.told = None);
        self.books.end();
    }

    pub(crate) fn ask_to_stop(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        if daemon.is_stopping {
            return;
        }
        daemon.is_stopping = true;
        self.say(|_| "the daemon is told to stop".to_owned());
        self.in_daemon(3000, What::Down);
        self.tell(Event::Stop);
    }

    /// The daemon ends in order: the log takes what it can.
    pub(crate) fn end_daemon(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        if !daemon.is_stopping {
            return;
        }
        let changed: Vec<u64> = daemon.claims.iter().filter(|claim| claim.is_changed).map(|claim| claim.attempt).collect();
        for attempt in changed {
            self.noticed(attempt);
        }
        self.record(Box::new(Entry::StationStopped), None);
        while let Some(waiting) = self.log.waiting.pop_front().filter(|_| !self.log.is_faulty) {
            self.durable(waiting.entry);
        }
        self.daemon_is_gone();
        let down = stream(self.seed ^ self.now, 25).between(200, 3000);
        self.later(down, What::Up);
    }

    /// A write to a proven card is noticed.
    pub(crate) fn noticed(&mut self, attempt: u64) {
        if self.books.notice(attempt) {
            self.send(0, Event::Changed { attempt, sectors: 8 });
        }
    }

    pub(crate) fn proved(&mut self, asked_by: Option<u32>) {
        let armed = self.floor.configuration(&self.file, self.file.by(Occasion::Reload, None), Vec::new()).armed;
        let Some(daemon) = &mut self.daemon else { return };
        daemon.is_proving = false;
        if daemon.is_stopping {
            return;
        }
        if daemon.station.orphaned_by(&armed).is_some() {
            let before = daemon.draft.clone();
            self.say(|_| "the configuration is not taken over: an order would have no model".to_owned());
            self.file = before;
            return;
        }
        self.say(|_| "the new configuration holds".to_owned());
        // A copy that was damaged may have been staged anew by the reading.
        for copy in self.copies.iter_mut().filter(|copy| copy.is_damaged) {
            if stream(self.now, 26).chance(300) {
                *copy = Copy { is_damaged: false, number: copy.number + 1 };
            }
        }
        self.configure(Occasion::Reload, asked_by);
    }

    pub(crate) fn restaged(&mut self, digest: Digest, is_good: bool) {
        let copy = &mut self.copies[usize::from(image_of(digest))];
        if is_good {
            *copy = Copy { is_damaged: false, number: copy.number + 1 };
        }
        self.tell(Event::Restaged { digest, result: if is_good { Ok(()) } else { Err("its source is another image now".to_owned()) } });
    }
}
