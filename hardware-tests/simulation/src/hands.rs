//! What happens by itself or by a hand: every action of a history, and what it does to the world.

use std::time::Duration;

use crate::floor::{Contents, Kind};
use crate::history::{Action, Verb};
use crate::random::{Random, stream};
use crate::station::restriction::Restriction;
use crate::station::{Before, Event};
use crate::world::{What, World};

/// A number that no attempt has.
const NO_ATTEMPT: u64 = 1_000_000;

/// The longest time for which a device may be off the bus and still have come back by itself: the station's limit is two seconds.
const BLINKS_WITHIN: u64 = 1600;

impl World {
    /// An action happens. One that does not fit does nothing.
    pub(crate) fn perform(&mut self, action: Action) {
        let mut random = stream(action.salt, 0);
        let place = usize::from(action.place) % self.floor.places.len();
        match action.verb {
            Verb::Insert => self.put_in(place, action.salt, &mut random),
            Verb::TakeOut => self.take_out(place),
            Verb::Swap => {
                self.take_out(place);
                if !self.choose_card(place, &mut random) {
                    return;
                }
                let after = random.between(50, 2500);
                let connected = (self.floor.places[place].kind == Kind::Socket).then_some(self.now + after.saturating_sub(30));
                self.arrives(after, place, connected, action.salt, true);
                self.say(|world| format!("a quick hand puts {} into {} after {after} ms", world.card_in(place), world.place(place)));
            }
            Verb::Blink => self.blink_of(place, &mut random),
            Verb::BlinkHub => {
                if let Some(hub) = self.floor.places[place].hub {
                    self.off_and_on(hub, random.between(50, BLINKS_WITHIN), &mut random);
                }
            }
            Verb::Unplug => {
                let above = self.floor.places[place].reader.or(self.floor.places[place].hub);
                if let Some(device) = above {
                    self.off_and_on(device, random.between(6000, 12_000), &mut random);
                }
            }
            Verb::Mount => self.mount(place),
            Verb::Unmount => {
                if let Some(card) = self.lying[place] {
                    self.cards[card].mounted = false;
                }
            }
            Verb::ForeignWrite => self.write_by_force(place, &mut random),
            Verb::LogFails => self.log_fails(&mut random),
            Verb::LogRecovers => self.log_recovers(),
            Verb::LogSlow => {
                self.log.slow_until = self.now + random.between(1000, 8000);
                self.say(|_| "the disk of the flash log is slow".to_owned());
            }
            Verb::Crash => self.crash(&mut random, false),
            Verb::Reboot => self.crash(&mut random, true),
            Verb::Stop => self.ask_to_stop(),
            Verb::Sleep => self.sleep(&mut random),
            Verb::Restrict => {
                let all =
                    [Restriction::DisksHidden, Restriction::UdevHidden { why: "permission denied".to_owned() }, Restriction::SwapsHidden];
                let restriction = all[random.index(all.len())].clone();
                self.say(|_| format!("the unit restricts the station: {}", restriction.code()));
                self.send(0, Event::Restricted(vec![restriction]));
            }
            Verb::Unrestrict => {
                self.say(|_| "nothing restricts the station".to_owned());
                self.send(0, Event::Restricted(Vec::new()));
            }
            Verb::Cover => {
                self.is_covered[place] = !self.is_covered[place];
                self.say(|world| {
                    format!("{} is {}covered by the udev rules", world.place(place), if world.is_covered[place] { "" } else { "not " })
                });
                self.tell_cover();
            }
            Verb::Recable => {
                let at = &self.floor.places[place];
                if let Some(device) = at.hub.or(at.reader) {
                    self.is_other[device] = !self.is_other[device];
                    self.say(|world| {
                        format!(
                            "the device on {} is {}",
                            world.floor.devices[device].at,
                            if world.is_other[device] { "exchanged" } else { "put back" }
                        )
                    });
                    self.tell_cabling();
                }
            }
            Verb::DamageImage => self.damage(random.index(self.copies.len()), &mut random),
            Verb::Nonsense => self.nonsense(&mut random),
            Verb::Flood => self.flood(place, &mut random),
            Verb::LoseHints => {
                self.hints_lost_until = self.now + random.between(1000, 10_000);
                self.say(|_| "udev gives no hints".to_owned());
            }
            Verb::Jump => {
                let hours = random.between(1, 72);
                self.say(|_| format!("{hours} h pass"));
                // First everything comes to rest.
                self.pass_until(self.now + 12_000);
                self.skip(hours * 3_600_000);
                // What was about to be begun has its time from here on.
                self.books.eligible_since.clear();
            }
            Verb::Disarm
            | Verb::Arm
            | Verb::StartOrder
            | Verb::StopOrder
            | Verb::Approve
            | Verb::BeginMaintenance
            | Verb::EndMaintenance
            | Verb::Restart
            | Verb::Confirm
            | Verb::Identify
            | Verb::Reload => self.ask(action.verb, place, &mut random),
        }
    }

    /// Takes a card that fits the place and lies in none, and lays it there.
    fn choose_card(&mut self, place: usize, random: &mut Random) -> bool {
        let wants_stick = self.floor.places[place].kind == Kind::Socket;
        let is_free = |card: usize| self.cards[card].is_stick == wants_stick && !self.lying.contains(&Some(card));
        let free: Vec<usize> = (0..self.cards.len()).filter(|card| is_free(*card)).collect();
        if free.is_empty() || self.lying[place].is_some() {
            return false;
        }
        let card = free[random.index(free.len())];
        self.lying[place] = Some(card);
        self.laid[place] += 1;
        // On its way another PC may have formatted it.
        if random.chance(100) && self.cards[card].contents != Contents::Blank {
            (self.cards[card].contents, self.cards[card].good_for) = (Contents::Old, None);
        }
        true
    }

    fn put_in(&mut self, place: usize, salt: u64, random: &mut Random) {
        if !self.choose_card(place, random) {
            return;
        }
        self.say(|world| format!("a hand puts {} into {}", world.card_in(place), world.place(place)));
        // A stick may need seconds to become a disk.
        let is_stick = self.floor.places[place].kind == Kind::Socket;
        let late = if is_stick && random.chance(50) { random.between(1000, 4000) } else { random.between(5, 200) };
        let connected = is_stick.then_some(self.now);
        self.arrives(late, place, connected, salt, true);
    }

    pub(crate) fn take_out(&mut self, place: usize) {
        if self.lying[place].is_none() {
            return;
        }
        self.say(|world| format!("a hand takes {} out of {}", world.card_in(place), world.place(place)));
        self.lying[place] = None;
        self.laid[place] += 1;
        self.leave_bus(place, self.floor.places[place].kind == Kind::Socket);
    }

    fn blink_of(&mut self, place: usize, random: &mut Random) {
        let away = random.between(50, BLINKS_WITHIN);
        match self.floor.places[place].kind {
            Kind::Socket if self.on_bus[place].is_some() => {
                self.say(|world| {
                    format!("{} in {} leaves the bus and comes back after {away} ms", world.card_in(place), world.place(place))
                });
                self.leave_bus(place, true);
                self.come_back(place, away, false, random);
            }
            Kind::Lun => {
                if let Some(reader) = self.floor.places[place].reader {
                    self.off_and_on(reader, away, random);
                }
            }
            Kind::Socket | Kind::Host => {}
        }
    }

    /// The card in a place comes back with its device, which may need some time to become a disk.
    fn come_back(&mut self, place: usize, away: u64, is_hand: bool, random: &mut Random) {
        let late = if random.chance(100) { random.between(500, 3000) } else { random.between(5, 150) };
        self.arrives(away + late, place, Some(self.now + away), random.next(), is_hand);
    }

    /// A reader or hub leaves the bus with everything that hangs on it, and comes back.
    fn off_and_on(&mut self, device: usize, away: u64, random: &mut Random) {
        let is_on_it = |place: &usize| [self.floor.places[*place].reader, self.floor.places[*place].hub].contains(&Some(device));
        let places: Vec<usize> = (0..self.floor.places.len()).filter(is_on_it).collect();
        self.say(|world| format!("{} leaves the bus for {away} ms, with {} cards", world.floor.devices[device].at, places.len()));
        // Some readers show no medium a moment before they leave.
        let early = !self.floor.devices[device].is_hub && random.chance(300);
        let lead = if early { random.between(50, 300) } else { 0 };
        for place in places {
            let visit = self.on_bus[place];
            let is_hand = away > BLINKS_WITHIN;
            self.leave_bus(place, !early);
            if let Some(visit) = visit.filter(|_| early) {
                self.later(lead, What::DeviceLeft { visit });
            }
            let away = if away > BLINKS_WITHIN { away } else { away.min(BLINKS_WITHIN - lead) };
            // A card that is on its way to the bus arrives as it would.
            if visit.is_some() {
                self.come_back(place, lead + away, is_hand, random);
            }
        }
    }

    fn mount(&mut self, place: usize) {
        let Some(visit) = self.on_bus[place] else { return };
        let is_claimed = self.daemon.as_ref().is_some_and(|daemon| {
            daemon.threads.iter().any(|thread| thread.visit == visit) || daemon.claims.iter().any(|claim| claim.visit == visit)
        });
        if is_claimed {
            return;
        }
        let card = self.visits[visit].card;
        self.say(|world| format!("another program mounts {} in {}, and writes to it", world.card_in(place), world.place(place)));
        self.cards[card].mounted = true;
        if self.cards[card].contents != Contents::Blank {
            (self.cards[card].contents, self.cards[card].good_for) = (Contents::Foreign, None);
        }
    }

    fn write_by_force(&mut self, place: usize, random: &mut Random) {
        let Some(visit) = self.on_bus[place] else { return };
        let Some(daemon) = &mut self.daemon else { return };
        if daemon.threads.iter().any(|thread| thread.visit == visit) {
            return;
        }
        let claim = daemon.claims.iter_mut().find(|claim| claim.visit == visit && !claim.is_changed);
        let attempt = claim.map(|claim| {
            claim.is_changed = true;
            claim.attempt
        });
        // A proof without a claim would hide the write: then only programs that may claim the card write to it.
        let card = self.visits[visit].card;
        (self.cards[card].contents, self.cards[card].good_for) = (Contents::Foreign, None);
        self.say(|world| format!("a program of root writes to {} in {}", world.card_in(place), world.place(place)));
        if let Some(attempt) = attempt {
            self.in_daemon(random.between(1, 1000), What::Noticed { attempt });
        }
    }

    fn sleep(&mut self, random: &mut Random) {
        let long = random.between(2000, 600_000);
        self.say(|_| format!("the PC sleeps for {} s", long / 1000));
        self.skip(long);
        let now = self.now;
        for visit in self.on_bus.iter().flatten() {
            let visit = &mut self.visits[*visit];
            (visit.is_ambiguous, visit.has_slept) = (true, true);
        }
        for place in 0..self.on_bus.len() {
            // Devices start anew.
            if self.on_bus[place].is_some() && random.chance(300) {
                let with_device = self.floor.places[place].kind != Kind::Host;
                self.leave_bus(place, with_device);
                let late = random.between(5, 4000);
                let connected = with_device.then_some(self.now + late);
                self.arrives(late, place, connected, random.next(), false);
            }
        }
        if let Some(daemon) = &mut self.daemon {
            (daemon.just_woke, daemon.woke) = (true, Some(now));
            self.look_within(0);
        }
    }

    fn damage(&mut self, image: usize, random: &mut Random) {
        if self.copies[image].is_damaged {
            return;
        }
        self.say(|_| format!("the staged copy of image {image} is damaged"));
        self.copies[image].is_damaged = true;
        // A card finds it, or a check.
        if random.chance(300) {
            let digest = crate::floor::digest_of(u8::try_from(image).unwrap_or(0));
            let fault = crate::station::outcome::StationFault::Image { at: crate::station::units::Bytes(0), errno: None };
            self.send(random.between(10, 2000), Event::ImageFault { digest, fault });
        }
    }

    fn flood(&mut self, place: usize, random: &mut Random) {
        let Some(visit) = self.on_bus[place] else { return };
        if !self.daemon.as_ref().is_some_and(|daemon| daemon.reported.contains(&visit)) {
            return;
        }
        self.say(|world| format!("the kernel announces {} again and again", world.card_in(place)));
        for _ in 0..random.between(3, 40) {
            let card = Box::new(self.look_at(visit, false));
            // As the watch reports again what it has reported.
            self.send(0, Event::Seen { card, before: Some(Before::Start), with_device: None });
        }
    }

    fn nonsense(&mut self, random: &mut Random) {
        use crate::station::End;
        use crate::station::card::{DevNum, Visit};
        use crate::station::outcome::Effort;
        use crate::station::record::{Receipt, Step};
        let visit = Visit { devnum: DevNum { major: 9, minor: 9 }, diskseq: 1 << 40 };
        let Some(daemon) = &self.daemon else { return };
        let number = NO_ATTEMPT + random.below(9);
        let is_over = |number: &u64| !daemon.threads.iter().any(|thread| thread.number == *number);
        let closed = self.books.closed_before(random).filter(is_over);
        let events = [
            Event::Gone { visit, with_device: random.chance(500) },
            Event::Surveyed { visit, survey: None },
            Event::Identified { visit, card: None },
            Event::Recorded(Receipt::Started(number)),
            Event::Recorded(Receipt::Closed(number)),
            Event::Recorded(Receipt::Changed(number)),
            Event::Ended { attempt: closed.unwrap_or(number), end: End::Gone, effort: Effort::default() },
            Event::Ended { attempt: number, end: End::Cancelled, effort: Effort::default() },
            Event::Stalled {
                attempt: closed.unwrap_or(number),
                waited: Duration::from_secs(90),
                on_image: random.chance(500),
                effort: Effort::default(),
            },
            Event::Advanced { attempt: number, step: Step::Writing, done: Default::default(), of: Default::default() },
            Event::Changed { attempt: number, sectors: 8 },
            Event::Recorded(Receipt::Closed(closed.unwrap_or(number))),
            Event::Recorded(Receipt::Started(closed.unwrap_or(number))),
        ];
        self.say(|_| "events that fit nothing reach the station".to_owned());
        let before: Vec<Option<Before>> = vec![None, Some(Before::Start)];
        let elsewhere = crate::station::port::Port("pci-0000:00:99.0/usb3-9/lun-0".to_owned());
        let stranger = self.visits.len().checked_sub(1).map(|last| {
            let mut card = self.look_at(last, true);
            (card.port, card.visit) = (elsewhere, visit);
            Event::Seen { card: Box::new(card), before: before[random.index(2)], with_device: None }
        });
        for event in events.into_iter().chain(stranger) {
            self.tell_nonsense(event);
        }
    }

    pub(crate) fn place(&self, place: usize) -> String {
        let slot = self.file.slots.iter().find(|slot| slot.place == place);
        slot.map_or_else(|| format!("place {place}, which is in no slot"), |slot| format!("slot {}", slot.name))
    }

    pub(crate) fn card_in(&self, place: usize) -> String {
        self.lying[place].map_or_else(|| "nothing".to_owned(), |card| self.card(card))
    }

    pub(crate) fn card(&self, card: usize) -> String {
        let truth = &self.cards[card];
        let kind = if truth.is_stick { "stick" } else { "SD card" };
        format!("{kind} {card} ({:?}, fault: {:?})", truth.contents, truth.fault)
    }
}
