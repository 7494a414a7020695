//! Cards that come to the bus and leave it, and the watch that reports this: it looks after hints and once a second, and hints get lost.

use crate::floor::{Contents, Kind};
use crate::plant::Plant;
use crate::station::card::{Bus, Card, Cid, DevNum, Identity, Use, Visit as KernelVisit};
use crate::station::port::Chain;
use crate::station::survey::Survey;
use crate::station::units::Bytes;
use crate::station::{Before, Event};
use crate::world::{Arrival, Facts, Visit, What, World};
use std::time::Duration;

/// How long a lost hint goes unnoticed.
const RECONCILE: u64 = 1000;

/// For so long a device that leaves may show no medium before it does.
const LEAVES_WITHIN: u64 = 3000;

/// For so long after a wake-up every new card counts as one that was there.
const WAKES_WITHIN: u64 = 10_000;

/// For longer than this, a card that comes back by itself is not known from one that a hand put in.
const RETURNS_WITHIN: u64 = 2000;

/// Within this time after a card left, the station may not be able to tell a hand from a card that comes back by itself.
const AMBIGUOUS_WITHIN: u64 = 5000;

impl World {
    /// A card comes to the bus.
    pub(crate) fn arrive(&mut self, Arrival { place, connected, salt, is_hand, laid }: Arrival) {
        let is_its = self.laid[place] == laid && self.on_bus[place].is_none();
        let Some(card) = self.lying[place].filter(|_| is_its) else { return };
        let ports = self.floor.places[place].ports.len();
        let mut random = crate::random::stream(salt, 8);
        let diskseq = u64::try_from(self.visits.len()).unwrap_or(0) + 1;
        let minor = 16 * u32::try_from(place).unwrap_or(0);
        let before = self.visits.iter().rev().find(|visit| visit.place == place);
        let is_same = before.is_some_and(|before| before.card == card) && !is_hand;
        let began = self.daemon.as_ref().map_or(u64::MAX, |daemon| daemon.began);
        // Nobody who did not see it leave can know that it came back.
        let since = self.daemon.as_ref().map_or(0, |daemon| daemon.watched_since[place]);
        let is_unseen = self.left[place].is_some_and(|left| left <= since) || before.is_some_and(|before| before.told_in != self.run);
        // Of two blinks that follow each other only one may be seen: away for longer than two seconds counts as a hand.
        let is_long = self.left[place].is_some_and(|left| connected.unwrap_or(self.now).saturating_sub(left) > RETURNS_WITHIN);
        let may_begin = is_hand
            || is_unseen
            || is_long
            || (is_same && before.is_some_and(|before| before.may_begin && (!before.has_begun || before.was_sent_away)));
        let was_there = self.daemon.is_some() && connected.is_some_and(|connected| connected < began);
        let flash_present = self.daemon.as_ref().is_some_and(|daemon| daemon.draft.station.flash_present);
        let is_close = self.left[place].is_some_and(|left| connected.unwrap_or(self.now).saturating_sub(left) < AMBIGUOUS_WITHIN);
        self.visits.push(Visit {
            card,
            place,
            port: if random.chance(700) { 0 } else { random.index(ports) },
            kernel: KernelVisit { devnum: DevNum { major: 8, minor }, diskseq },
            salt,
            may_begin: (may_begin && !was_there) || (was_there && flash_present),
            is_ambiguous: is_close
                || (self.daemon.is_some() && self.now - since < 2 * RECONCILE)
                || was_there
                || is_unseen
                || self.has_just_woken()
                || self.is_just_plugged(place),
            has_begun: false,
            was_sent_away: false,
            connected,
            device_left: false,
            facts: None,
            surveys: 0,
            told: None,
            told_in: 0,
            has_slept: false,
            is_known_to_have_slept: false,
        });
        self.on_bus[place] = Some(self.visits.len() - 1);
        self.hint();
    }

    fn has_just_woken(&self) -> bool {
        let woke = self.daemon.as_ref().and_then(|daemon| daemon.woke);
        woke.is_some_and(|woke| self.now - woke < WAKES_WITHIN + RECONCILE)
    }

    /// A reader that has just come to the bus: a card that is put into it looks as if it had come with it.
    fn is_just_plugged(&self, place: usize) -> bool {
        let reader = self.floor.places[place].reader;
        let visits = self.visits.iter().rev().take(8);
        reader.is_some()
            && visits
                .filter(|visit| self.floor.places[visit.place].reader == reader)
                .any(|visit| visit.connected.is_some_and(|connected| self.now - connected.min(self.now) < AMBIGUOUS_WITHIN))
    }

    /// The kernel loses the card in this place.
    pub(crate) fn leave_bus(&mut self, place: usize, with_device: bool) {
        let Some(visit) = self.on_bus[place].take() else { return };
        self.left[place] = Some(self.now);
        self.visits[visit].device_left = with_device;
        let card = self.visits[visit].card;
        self.cards[card].mounted = false;
        self.disturb_thread(visit);
        self.hint();
    }

    /// udev is done with a disk: the watch looks soon, or within a second if the hint is lost.
    pub(crate) fn hint(&mut self) {
        let mut random = crate::random::stream(self.now ^ self.seed, 9);
        let after = random.between(10, 150);
        let is_lost = self.now < self.hints_lost_until || random.chance(30);
        if self.daemon.is_some() && !is_lost {
            self.look_within(after);
        }
    }

    /// The watch looks at the latest after this time.
    pub(crate) fn look_within(&mut self, after: u64) {
        let at = self.now + after;
        let Some(daemon) = &mut self.daemon else { return };
        if daemon.next_look > at {
            daemon.next_look = at;
            self.in_daemon(after, What::Look);
        }
    }

    /// The watch compares what it has reported with what is there.
    pub(crate) fn look(&mut self) {
        let now = self.now;
        let Some(daemon) = &mut self.daemon else { return };
        if daemon.next_look > now {
            return;
        }
        daemon.next_look = u64::MAX;
        let mut events = Vec::new();
        let just_woke = std::mem::take(&mut daemon.just_woke);
        let is_waking = daemon.woke.is_some_and(|woke| now - woke < WAKES_WITHIN);
        let visits = &mut self.visits;
        daemon.ending.retain(|(visit, since)| {
            if visits[*visit].device_left {
                events.push(Event::Gone { visit: visits[*visit].kernel, with_device: true });
            }
            !visits[*visit].device_left && now - since < LEAVES_WITHIN
        });
        let mut swapped: Vec<usize> = Vec::new();
        let mut left: Vec<(usize, bool)> = Vec::new();
        let ending = &mut daemon.ending;
        let (on_bus, plant) = (&self.on_bus, self.plant);
        daemon.reported.retain(|visit| {
            let place = visits[*visit].place;
            let stays = on_bus[place] == Some(*visit) && !just_woke;
            if !stays && plant == Some(Plant::WatchMissesSwap) && on_bus[place].is_some() && !just_woke {
                swapped.push(place);
                return true;
            }
            if !stays {
                let device_left = visits[*visit].device_left;
                left.push((*visit, !just_woke && device_left));
                if !just_woke && !device_left {
                    ending.push((*visit, now));
                }
            }
            stays
        });
        let tell_all = std::mem::take(&mut daemon.tell_all);
        let new_places = std::mem::take(&mut daemon.new_places);
        let mut seen = Vec::new();
        let watched = daemon.watched.clone();
        for place in watched.iter().copied() {
            let Some(visit) = self.on_bus[place].filter(|_| !swapped.contains(&place)) else { continue };
            let is_known = daemon.reported.contains(&visit);
            if is_known && !tell_all {
                continue;
            }
            let connected = self.visits[visit].connected.filter(|_| !is_known);
            let was_there = connected.is_some_and(|connected| connected < daemon.began);
            let is_from_before = is_known || new_places.contains(&place) || was_there;
            let before = match (is_waking && !is_known, is_from_before && self.plant != Some(Plant::WatchForgetsBefore)) {
                (true, _) => Some(Before::Sleep),
                (false, true) => Some(Before::Start),
                (false, false) => None,
            };
            if !is_known {
                daemon.reported.push(visit);
            }
            seen.push((visit, before, connected));
        }
        for event in events {
            self.send(0, event);
        }
        for (visit, with_device) in left {
            // The slot that has its place now has to know what left.
            if tell_all && watched.contains(&self.visits[visit].place) {
                let card = Box::new(self.look_at(visit, false));
                self.send(0, Event::Seen { card, before: Some(Before::Start), with_device: None });
            }
            self.send(0, Event::Gone { visit: self.visits[visit].kernel, with_device });
        }
        for (visit, before, connected) in seen {
            let card = Box::new(self.look_at(visit, false));
            let with_device = connected.map(|connected| Duration::from_millis(now - connected.min(now)));
            self.send(0, Event::Seen { card, before, with_device });
        }
        self.look_within(RECONCILE);
    }

    /// The facts about a card, without the strings of its device if it is only seen.
    pub(crate) fn look_at(&self, visit: usize, strings: bool) -> Card {
        let visit = &self.visits[visit];
        let (card, place) = (&self.cards[visit.card], &self.floor.places[visit.place]);
        let text = |text: &str| strings.then(|| text.to_owned());
        let (bus, cid, serial, identified) = match place.kind {
            Kind::Host => {
                let cid = Cid { raw: card.register.clone(), serial: card.serial.clone(), ..Cid::default() };
                (Bus::Mmc("SD".to_owned()), Some(cid), card.serial.clone(), Identity::Cid)
            }
            Kind::Lun => (Bus::Usb, None, text("READER"), if strings { Identity::ReaderOnly } else { Identity::None }),
            Kind::Socket => {
                let serial = card.serial.clone().filter(|_| strings);
                let identified = if serial.is_some() { Identity::UsbSerial } else { Identity::None };
                (Bus::Usb, None, serial, identified)
            }
        };
        let at = visit.place;
        Card {
            port: place.ports[visit.port].clone(),
            visit: visit.kernel,
            kernel_name: String::new(),
            hangs_on: if strings { self.floor.chain(at, &self.is_other, card.serial.as_deref()) } else { Chain::default() },
            bus,
            whole_disk: true,
            vendor: text("Acme"),
            product: text("Stick"),
            serial,
            wwn: None,
            cid,
            identified,
            capacity: Bytes(card.capacity),
            logical_block: if strings { card.block } else { 0 },
            write_protected: card.locked,
            partitioned: matches!(card.contents, Contents::Old | Contents::Image(_) | Contents::Foreign),
        }
    }

    /// The facts about a card are read for an admission.
    pub(crate) fn read_survey(&mut self, visit: usize) {
        let mut random = self.salt_of(visit, 200 + self.visits[visit].surveys);
        let kernel = self.visits[visit].kernel;
        let place = self.visits[visit].place;
        self.visits[visit].surveys += 1;
        let after = if random.chance(20) { random.between(500, 2500) } else { random.between(1, 60) };
        let is_lost = self.plant == Some(Plant::SurveyIsLost) && random.chance(125);
        let fails = !self.is_cured && random.chance(30);
        if is_lost {
            return;
        }
        if fails || self.on_bus[place] != Some(visit) {
            return self.send(after, Event::Surveyed { visit: kernel, survey: None });
        }
        let card = self.look_at(visit, true);
        let Some(daemon) = &self.daemon else { return };
        let slot = daemon.draft.slots.iter().find(|slot| slot.place == place).map_or("", |slot| slot.name.as_str());
        let past = self.log.past(&card, slot);
        let truth = &self.cards[self.visits[visit].card];
        let at = &self.floor.places[place];
        let is_recabled = at.hub.into_iter().chain(at.reader).any(|device| self.is_other[device]);
        let facts = Facts { is_mounted: truth.mounted, is_partitioned: card.partitioned, is_covered: self.is_covered[place], is_recabled };
        let is_seen = truth.mounted && self.plant != Some(Plant::SurveyMissesUse);
        let survey = Survey {
            card,
            uses: if is_seen { vec![Use::Mounted("/media/card".to_owned())] } else { Vec::new() },
            marks: if truth.marks { vec!["LVM".to_owned()] } else { Vec::new() },
            covered: Some(facts.is_covered),
            past,
        };
        self.visits[visit].facts = Some(facts);
        self.send(after, Event::Surveyed { visit: kernel, survey: Some(Box::new(survey)) });
    }

    /// A held card is asked for its identity.
    pub(crate) fn read_identity(&mut self, visit: usize) {
        let mut random = self.salt_of(visit, 300 + self.now);
        let is_there = self.on_bus[self.visits[visit].place] == Some(visit) && !random.chance(100);
        let card = is_there.then(|| Box::new(self.look_at(visit, true)));
        self.send(random.between(1, 80), Event::Identified { visit: self.visits[visit].kernel, card });
    }
}
