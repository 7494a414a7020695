//! How slots are taught: what was seen and which key was pressed goes in, sentences come out. Touches no device.
//!
//! ```text
//!             one new card sits still            it is gone
//!   put in ─────────────────────────▶ take out ─────────────▶ put in (the next slot)
//!     ▲ │ two at once, another slot's place:       │ b: the same slot again
//!     └─┘ said, and not taken                      ▼
//!                                               put in
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use super::names::Names;
use crate::report::harmless;
use crate::station::card::Visit;
use crate::station::port::{Chain, Port};
use crate::station::units::Moment;
use crate::watch::topology::{Companion, Socket};

/// Contacts bounce, and some USB 3 sticks show as USB 2 first.
const SETTLE: Duration = Duration::from_millis(1500);

/// What the teacher can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Leave this slot as it is.
    Skip,
    /// Once more: this slot, or the one before.
    Back,
    /// The guessed port is the same socket.
    Add,
    /// End the lesson and keep what was taught.
    Quit,
}

/// A slot and the ports that were taught for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taught {
    /// As on its sticker.
    pub(super) name: String,
    /// Its ports, and what each hangs on. The first is the one a card was seen in.
    pub(super) ports: Vec<(Port, Chain)>,
}

impl Taught {
    fn has(&self, port: &Port) -> bool {
        self.ports.iter().any(|(own, _)| own == port)
    }

    /// A card was seen there; any other port of its was concluded.
    fn was_seen_in(&self, port: &Port) -> bool {
        self.ports.first().is_some_and(|(seen, _)| seen == port)
    }
}

#[derive(Clone, Debug)]
enum Step {
    PutIn {
        /// Visits that were in a port already: these were not put in for this slot.
        known: BTreeSet<Visit>,
        /// Came since, and may still be bouncing.
        fresh: Option<(BTreeSet<Visit>, Moment)>,
        /// Slots of readers, seen empty: these stay when a card is taken out.
        empty: BTreeSet<Port>,
    },
    TakeOut {
        visit: Visit,
        guess: Option<Companion>,
    },
    Over,
}

/// A lesson under way.
#[derive(Debug)]
pub(super) struct Lesson {
    names: Names,
    /// The slots of the configuration, with their ports.
    configured: Vec<(String, Vec<Port>)>,
    taught: Vec<Taught>,
    /// The slot whose turn it is.
    turn: usize,
    step: Step,
}

impl Lesson {
    /// `present` is what is in the ports before anybody put a card in.
    pub(super) fn new(names: Names, configured: Vec<(String, Vec<Port>)>, present: &[Socket]) -> Self {
        let mut lesson = Self { names, configured, taught: Vec::new(), turn: 0, step: Step::Over };
        lesson.start_turn(0, present);
        lesson
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.step, Step::Over)
    }

    /// The slot whose turn it is.
    pub(super) fn slot(&self) -> Option<String> {
        if self.is_over() { None } else { self.names.name(self.turn) }
    }

    /// What the teacher is asked to do now.
    pub(super) fn asks(&self) -> Option<String> {
        let slot = self.slot()?;
        match &self.step {
            Step::PutIn { .. } => Some(format!("put a card into slot {slot} …")),
            Step::TakeOut { .. } => Some(format!("  take it out of {slot}")),
            Step::Over => None,
        }
    }

    /// Every slot that was taught, in the order of their names.
    pub(super) fn taught(self) -> Vec<Taught> {
        self.taught
    }

    fn start_turn(&mut self, turn: usize, now_in: &[Socket]) {
        self.turn = turn;
        self.step = match self.names.name(turn) {
            Some(_) => Step::PutIn { known: visits(now_in), fresh: None, empty: BTreeSet::new() },
            None => Step::Over,
        };
    }

    /// Takes what is in the ports now.
    pub(super) fn look(&mut self, now: Moment, sockets: &[Socket]) -> Vec<String> {
        match &mut self.step {
            Step::Over => Vec::new(),
            Step::TakeOut { visit, .. } => {
                if !visits(sockets).contains(visit) {
                    self.start_turn(self.turn + 1, sockets);
                }
                Vec::new()
            }
            Step::PutIn { known, fresh, empty } => {
                empty.extend(sockets.iter().filter(|socket| socket.card.is_none()).map(|socket| socket.port.clone()));
                let present = visits(sockets);
                known.retain(|visit| present.contains(visit));
                let came: BTreeSet<Visit> = present.difference(known).copied().collect();
                let since = match fresh {
                    Some((before, since)) if *before == came => *since,
                    _ => now,
                };
                *fresh = (!came.is_empty()).then(|| (came.clone(), since));
                if came.is_empty() || now.since(since) < SETTLE {
                    return Vec::new();
                }
                known.extend(came.iter().copied());
                let in_ports: Vec<&Socket> =
                    sockets.iter().filter(|socket| socket.card.as_ref().is_some_and(|card| came.contains(&card.visit))).collect();
                match in_ports.as_slice() {
                    [socket] => {
                        let stays = empty.contains(&socket.port);
                        self.learn(socket, stays)
                    }
                    several => {
                        let ports: Vec<&str> = several.iter().map(|socket| socket.port.0.as_str()).collect();
                        vec![format!("  {} cards came at once, in {}: take them out, and put in one", ports.len(), ports.join(" and "))]
                    }
                }
            }
        }
    }

    fn learn(&mut self, socket: &Socket, stays: bool) -> Vec<String> {
        let (Some(name), Some(card)) = (self.slot(), &socket.card) else { return Vec::new() };
        let port = &socket.port;
        if let Some(owner) = self.taught.iter().find(|other| other.name != name && other.was_seen_in(port)) {
            let owner = &owner.name;
            return vec![format!("  {port} is {owner} already: take it out, and put it into {name}; b goes back")];
        }
        let owner = self.configured.iter().find(|(other, ports)| *other != name && ports.contains(port) && !self.names.contains(other));
        if let Some((owner, _)) = owner {
            return vec![format!(
                "  {port} is slot {owner} in the configuration, which is not taught now:\n  take it out, and put it into {name}"
            )];
        }
        let mut said = Vec::new();
        for other in self.taught.iter_mut().filter(|other| other.name != name && other.has(port)) {
            other.ports.retain(|(own, _)| own != port);
            said.push(format!("  {port} is not the same socket as {}, after all", other.name));
        }
        // A stick is not part of the place: only what is left when it is taken out is.
        let mut chain = socket.chain.clone();
        if !stays {
            chain.0.pop();
        }
        let on = match socket.reader() {
            Some(device) if stays => format!(" ({})", harmless(&device.words())),
            _ => String::new(),
        };
        said.push(format!("  {name} is {port}{on}, with {} in it", harmless(&card.label())));
        let before = self.configured.iter().find(|(other, _)| *other == name).map(|(_, ports)| ports.as_slice()).unwrap_or_default();
        if let Some(was) = before.first().filter(|_| !before.contains(port)) {
            said.push(format!("  it was {was}"));
        }
        let mut ports = vec![(port.clone(), chain)];
        let free = |companion: &Companion| {
            let taken = self.taught.iter().any(|other| other.name != name && other.has(&companion.port));
            let elsewhere =
                |(other, ports): &(String, Vec<Port>)| *other != name && ports.contains(&companion.port) && !self.names.contains(other);
            !taken && !self.configured.iter().any(elsewhere)
        };
        let companion = socket.companion.clone().filter(free);
        let (known, guess) = companion.into_iter().partition::<Vec<_>, _>(|companion| companion.known);
        for companion in known {
            said.push(format!("  and {}, the same socket under the other USB generation", companion.port));
            ports.push((companion.port, companion.chain));
        }
        let guess = guess.into_iter().next();
        if let Some(guess) = &guess {
            said.push(format!(
                "  {} may be the same socket under the other USB generation,\n  by its number alone: press a to add it",
                guess.port
            ));
        }
        self.taught.retain(|other| other.name != name);
        let place = self.taught.iter().take_while(|other| self.turn_of(&other.name) < Some(self.turn)).count();
        self.taught.insert(place, Taught { name, ports });
        self.step = Step::TakeOut { visit: card.visit, guess };
        said
    }

    fn turn_of(&self, name: &str) -> Option<usize> {
        (0..=self.turn).find(|turn| self.names.name(*turn).as_deref() == Some(name))
    }

    /// Takes a key, with what is in the ports now.
    pub(super) fn key(&mut self, key: Key, now_in: &[Socket]) -> Vec<String> {
        let Some(name) = self.slot() else { return Vec::new() };
        match (key, &mut self.step) {
            (Key::Quit, _) => {
                self.step = Step::Over;
                Vec::new()
            }
            (Key::Skip, Step::PutIn { .. }) => {
                self.start_turn(self.turn + 1, now_in);
                vec![format!("  {name} is left as it is")]
            }
            // The card may stay where it is.
            (Key::Skip, _) => {
                self.start_turn(self.turn + 1, now_in);
                Vec::new()
            }
            (Key::Back, step) => {
                let again = if matches!(step, Step::PutIn { .. }) { self.turn.saturating_sub(1) } else { self.turn };
                let name = self.names.name(again).unwrap_or_default();
                self.taught.retain(|taught| taught.name != name);
                self.start_turn(again, now_in);
                vec![format!("  {name} once more")]
            }
            (Key::Add, Step::TakeOut { guess, .. }) => {
                let Some(guess) = guess.take() else { return Vec::new() };
                let said = vec![format!("  {name} is {} as well", guess.port)];
                if let Some(taught) = self.taught.iter_mut().find(|taught| taught.name == name) {
                    taught.ports.push((guess.port, guess.chain));
                }
                said
            }
            (Key::Add, _) => Vec::new(),
        }
    }
}

fn visits(sockets: &[Socket]) -> BTreeSet<Visit> {
    sockets.iter().filter_map(|socket| Some(socket.card.as_ref()?.visit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::testing::FakeSysfs;

    /// A lesson beside a sysfs; time passes with every look.
    struct LessonFixture {
        fake: FakeSysfs,
        lesson: Lesson,
        now: Duration,
    }

    impl LessonFixture {
        fn new(names: &str, configured: &[(&str, &str)], fake: FakeSysfs) -> Self {
            let configured = configured.iter().map(|(name, port)| ((*name).to_owned(), vec![usb(port)])).collect();
            let lesson = Lesson::new(names.parse().expect("they are names"), configured, &fake.sysfs().sockets());
            Self { fake, lesson, now: Duration::ZERO }
        }

        fn look(&mut self) -> String {
            self.now += Duration::from_millis(250);
            self.lesson.look(Moment(self.now), &self.fake.sysfs().sockets()).join("\n")
        }

        /// Until what came has settled.
        fn wait(&mut self) -> String {
            (0..10).map(|_| self.look()).filter(|said| !said.is_empty()).collect()
        }

        fn key(&mut self, key: Key) -> String {
            self.lesson.key(key, &self.fake.sysfs().sockets()).join("\n")
        }

        fn asks(&self) -> String {
            self.lesson.asks().unwrap_or_default()
        }

        fn ports(self) -> Vec<String> {
            let text = |(port, chain): &(Port, Chain)| format!("{}|{chain}", port.0.trim_start_matches("pci-0000:00:1c.0/"));
            self.lesson
                .taught()
                .iter()
                .map(|slot| format!("{} {}", slot.name, slot.ports.iter().map(text).collect::<Vec<_>>().join(" ")))
                .collect()
        }
    }

    fn usb(chain: &str) -> Port {
        Port(format!("pci-0000:00:1c.0/usb3-{chain}/lun-0"))
    }

    #[test]
    fn a_card_put_in_after_the_question_is_the_slot_and_one_that_was_there_before_is_not() {
        let fake = FakeSysfs::new();
        fake.hub("3", "05e3", "0610");
        fake.stick("sda", "1", 1);
        let mut fixture = LessonFixture::new("A1,A2", &[], fake);
        assert_eq!(fixture.wait(), "", "the card in port 1 was there before");
        assert_eq!(fixture.asks(), "put a card into slot A1 …");
        fixture.fake.stick("sdb", "3.1", 2);
        assert_eq!(fixture.look(), "", "it may still bounce in its contacts");
        assert!(fixture.wait().starts_with("  A1 is pci-0000:00:1c.0/usb3-3.1/lun-0, with Ultra"));
        assert_eq!(fixture.asks(), "  take it out of A1");
        fixture.fake.remove("sdb");
        fixture.look();
        assert_eq!(fixture.asks(), "put a card into slot A2 …");
        // Taken out and put in again, the other one counts.
        fixture.fake.remove("sda");
        fixture.look();
        fixture.fake.stick("sdc", "1", 3);
        fixture.wait();
        fixture.fake.remove("sdc");
        fixture.look();
        assert!(fixture.lesson.is_over());
        assert_eq!(fixture.ports(), ["A1 usb3-3.1/lun-0|05e3:0610", "A2 usb3-1/lun-0|"], "a stick is no part of its place, a hub is");
    }

    #[test]
    fn a_reader_is_part_of_the_place_because_it_stays_when_the_card_is_taken_out() {
        let fake = FakeSysfs::new();
        fake.lun("sda", "2", 0, 1);
        fake.lun("sdb", "2", 1, 2);
        fake.set("sda", "size", "0");
        fake.set("sdb", "size", "0");
        let mut fixture = LessonFixture::new("A1", &[], fake);
        fixture.wait();
        fixture.fake.set("sdb", "size", "131072");
        fixture.fake.set("sdb", "diskseq", "9");
        assert!(fixture.wait().contains("A1 is pci-0000:00:1c.0/usb3-2/lun-1 (reader Ultra 0781:5581:4C53)"));
        assert_eq!(fixture.ports(), ["A1 usb3-2/lun-1|0781:5581:4C53"]);
    }

    #[test]
    fn two_cards_at_once_teach_nothing_and_a_place_is_only_one_slots() {
        let mut fixture = LessonFixture::new("A1,A2", &[("B1", "7")], FakeSysfs::new());
        fixture.fake.stick("sda", "1", 1);
        fixture.fake.stick("sdb", "2", 2);
        assert!(fixture.wait().contains("2 cards came at once"), "nobody knows which one is A1");
        fixture.fake.remove("sda");
        fixture.fake.remove("sdb");
        fixture.wait();
        fixture.fake.stick("sda", "7", 3);
        assert!(fixture.wait().contains("is slot B1 in the configuration"));
        fixture.fake.remove("sda");
        fixture.wait();
        fixture.fake.stick("sda", "1", 4);
        assert!(fixture.wait().contains("A1 is "));
        fixture.fake.remove("sda");
        fixture.wait();
        fixture.fake.stick("sda", "1", 5);
        assert!(fixture.wait().contains("is A1 already: take it out, and put it into A2"));
        assert_eq!(fixture.asks(), "put a card into slot A2 …");
        assert_eq!(fixture.ports(), ["A1 usb3-1/lun-0|"]);
    }

    #[test]
    fn a_slot_taught_again_says_where_it_was_and_keys_skip_go_back_and_end() {
        let mut fixture = LessonFixture::new("A1..A4", &[("A1", "5")], FakeSysfs::new());
        fixture.fake.stick("sda", "1", 1);
        assert!(fixture.wait().contains("it was pci-0000:00:1c.0/usb3-5/lun-0"));
        assert_eq!(fixture.key(Key::Back), "  A1 once more");
        assert_eq!(fixture.wait(), "", "the card that is still in was there before");
        fixture.fake.remove("sda");
        fixture.look();
        fixture.fake.stick("sda", "5", 2);
        assert!(!fixture.wait().contains("it was"));
        fixture.fake.remove("sda");
        fixture.look();
        assert_eq!(fixture.key(Key::Skip), "  A2 is left as it is");
        assert_eq!(fixture.asks(), "put a card into slot A3 …");
        assert_eq!(fixture.key(Key::Back), "  A2 once more");
        fixture.fake.stick("sda", "1", 3);
        fixture.wait();
        fixture.key(Key::Quit);
        assert!(fixture.lesson.is_over());
        assert_eq!(fixture.ports(), ["A1 usb3-5/lun-0|", "A2 usb3-1/lun-0|"]);
    }

    #[test]
    fn the_other_port_of_a_socket_is_taken_where_it_is_known_and_else_only_when_somebody_says_so() {
        for (location, key, expected) in [
            ("0x80000013", None, "A1 usb3-2/lun-0| usb2-2/lun-0|"),
            ("0x00000000", None, "A1 usb3-2/lun-0|"),
            ("0x00000000", Some(Key::Add), "A1 usb3-2/lun-0| usb2-2/lun-0|"),
        ] {
            let mut fixture = LessonFixture::new("A1", &[], FakeSysfs::new());
            fixture.fake.stick("sda", "2", 1);
            fixture.fake.peers("2", location);
            let said = fixture.wait();
            assert!(said.contains("usb2-2/lun-0"), "{said}");
            if let Some(key) = key {
                fixture.key(key);
            }
            assert_eq!(fixture.ports(), [expected]);
        }
    }
}
