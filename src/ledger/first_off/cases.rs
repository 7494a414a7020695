use std::time::Duration;

use super::*;
use crate::ledger::Ledger;
use crate::station::armed::Armed;
use crate::station::outcome::{Effort, Outcome};
use crate::station::port::Port;
use crate::station::record::{Attempt, Entry};
use crate::station::request::Command;
use crate::station::settings::{Configuration, Policy, SlotSettings, StationSettings};
use crate::station::testing::{armed_by, attempt, card, image, proof, survey};
use crate::station::units::Moment;
use crate::station::view::FirstOffState;
use crate::station::{Effect, End, Event, Station};

fn open(path: &std::path::Path) -> Ledger {
    Ledger::open_on(path, "bench", "0123456789abcdef0123456789abcdef").expect("a log")
}

fn who(uid: u32, name: &str) -> Who {
    Who { uid, name: name.to_owned() }
}

fn armed(model: &str, config: u8, first_off: FirstOffRule) -> Entry {
    let armed = Armed { model: model.to_owned(), ..image() };
    let by = ArmedBy { digest: Digest([config; 32]), asked_by: Some(who(1000, "ann")), ..armed_by() };
    Entry::ModelArmed { armed, by, first_off }
}

fn starts(number: u64, model: &str) -> Entry {
    Entry::AttemptStarted(Box::new(of(number, model)))
}

fn of(number: u64, model: &str) -> Attempt {
    let image = Armed { model: model.to_owned(), ..image() };
    Attempt { model: model.to_owned(), image: Some(image), ..attempt(number, "A1", card("p1", number)) }
}

fn ends(number: u64, model: &str, outcome: Outcome) -> Entry {
    Entry::AttemptClosed { attempt: Box::new(of(number, model)), outcome, effort: Effort::default() }
}

#[test]
fn the_first_card_and_its_approval_are_read_from_the_log_and_end_with_another_configuration() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("flash-log.db");
    let mut ledger = open(&path);
    let mut now = |entries: Vec<Entry>| {
        for entry in entries {
            ledger.append(&entry).expect("appended");
        }
        ledger.standing().expect("it can be read").first_offs
    };
    let first = |number| Some(FirstCard { attempt: number, slot: "A1".to_owned(), serial: Some("S-1".to_owned()) });
    let old = vec![starts(1, "box")];
    assert_eq!(now(old), []);
    let read = now(vec![armed("box", 1, FirstOffRule::Wanted), armed("bag", 1, FirstOffRule::Wanted), armed("jar", 1, FirstOffRule::Off)]);
    assert_eq!(read.iter().map(|read| read.model.as_str()).collect::<Vec<_>>(), ["box", "bag"]);
    assert_eq!(read[0].armed_by, [who(0, "root"), who(1000, "ann")], "the owner of the file, and whoever asked for it");
    assert_eq!(read[0].binding, Binding { device: "box".to_owned(), image: image().digest, assertion: None, config: Digest([1; 32]) });
    // Begun before; failed; written, but of another model.
    let others = vec![ends(1, "box", Outcome::Passed(proof())), starts(2, "box"), ends(2, "box", Outcome::Interrupted)];
    assert!(now(others).iter().all(|read| read.card.is_none()));
    let read =
        now(vec![starts(3, "bag"), ends(3, "bag", Outcome::Passed(proof())), starts(4, "box"), ends(4, "box", Outcome::Found(proof()))]);
    assert_eq!((&read[0].card, &read[1].card), (&None, &first(3)), "one that was only found is not the first");
    let read = now(vec![starts(5, "box"), ends(5, "box", Outcome::Passed(proof()))]);
    assert_eq!(read[0].card, first(5));
    let read = now(vec![Entry::AttemptChanged { attempt: Box::new(of(5, "box")), outcome: Outcome::Changed { sectors: 8 } }]);
    assert_eq!(read[0].card, None, "another program wrote to it");
    let read = now(vec![starts(6, "box"), ends(6, "box", Outcome::Passed(proof())), armed("box", 1, FirstOffRule::AsBefore)]);
    assert_eq!((&read[0].card, &read[0].approved_by), (&first(6), &None), "a restart approves nothing");
    let approval = |config| Entry::Approved {
        armed: Armed { model: "box".to_owned(), ..image() },
        config: Digest([config; 32]),
        card: first(6).expect("one"),
        by: who(1001, "bob"),
    };
    assert_eq!(now(vec![approval(9)])[0].approved_by, None, "of another configuration");
    let read = now(vec![approval(1), armed("box", 1, FirstOffRule::AsBefore)]);
    assert_eq!((&read[0].card, &read[0].approved_by), (&first(6), &Some(who(1001, "bob"))));
    assert_eq!(now(vec![armed("bag", 2, FirstOffRule::Wanted)]).len(), 1, "all that the old configuration approved has ended");
    assert_eq!(now(vec![armed("bag", 2, FirstOffRule::Off)]), []);
}

/// A station whose effects are written into a log.
struct Line {
    ledger: Ledger,
    station: Station,
    held: (bool, u8, u8),
    cards: u64,
    request: u64,
}

impl Line {
    fn configuration((first_off, image_of, config): (bool, u8, u8)) -> Configuration {
        let station = StationSettings {
            name: "bench".to_owned(),
            settle: Duration::ZERO,
            flash_present: false,
            recheck_done: false,
            first_off,
            box_size: None,
        };
        let slot = SlotSettings {
            name: "A1".to_owned(),
            ports: vec![Port("p1".to_owned())],
            model: "acme/box".to_owned(),
            policy: Policy::default(),
        };
        let armed = vec![Armed { digest: Digest([image_of; 32]), ..image() }];
        let by = ArmedBy { digest: Digest([config; 32]), ..armed_by() };
        Configuration { station, slots: vec![slot], armed, unarmed: Vec::new(), distrusted: Vec::new(), by }
    }

    /// A station that starts now from this log.
    fn started(ledger: &Ledger, held: (bool, u8, u8)) -> (Station, Vec<Effect>) {
        let configuration = Self::configuration(held);
        let standing = ledger.standing().expect("it can be read");
        let mut station = Station::new_proven(configuration.station.clone(), ledger.next_attempt().expect("it can be read"), standing);
        let effects = station.apply(Moment::default(), Event::Configure(Box::new(configuration)));
        (station, effects)
    }

    fn apply(&mut self, event: Event) {
        let effects = self.station.apply(Moment(Duration::from_secs(self.cards)), event);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Record(entry) | Effect::RecordAsked { entry, .. } => {
                    let receipt = self.ledger.append(&entry).expect("appended");
                    receipt.into_iter().for_each(|receipt| self.apply(Event::Recorded(receipt)));
                }
                Effect::Survey(card) => {
                    let visit = card.visit;
                    self.apply(Event::Surveyed { visit, survey: Some(Box::new(survey("p1", visit.diskseq))) });
                }
                _ => {}
            }
        }
    }

    /// A card is put in, ends like this if it is begun, and is taken out.
    fn card(&mut self, end: End, is_changed: bool) {
        self.cards += 1;
        let diskseq = self.cards;
        self.apply(Event::Seen { card: Box::new(card("p1", diskseq)), before: None, with_device: None });
        self.apply(Event::Tick);
        let attempt = self.station.view(Moment::default()).slots[0].attempt;
        if let Some(attempt) = attempt {
            self.apply(Event::Ended { attempt, end, effort: Effort::default() });
            if is_changed {
                self.apply(Event::Changed { attempt, sectors: 8 });
            }
        }
        self.apply(Event::Gone { visit: card("p1", diskseq).visit, with_device: false });
    }

    fn approval(station: &Station) -> Option<FirstOffState> {
        station.view(Moment::default()).models[0].first_off.clone().map(|first_off| first_off.state)
    }
}

#[test]
fn whatever_happened_a_station_that_starts_again_approves_what_the_one_before_did_and_nothing_else() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..10_u64 {
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = open(&directory.path().join("flash-log.db"));
        let held = (true, 7, 1);
        let (station, effects) = Line::started(&ledger, held);
        let mut line = Line { ledger, station, held, cards: 0, request: 0 };
        line.carry_out(effects);
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for step in 0..14 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            match random % 12 {
                0..=3 => line.card(End::Verified(proof()), random.is_multiple_of(5)),
                4 => line.card(End::Failed(crate::station::outcome::Failure::Changed), false),
                5..=7 => {
                    line.request += 1;
                    let command = Command::Approve { model: "acme/box".to_owned(), card: None };
                    line.apply(Event::Asked { request: line.request, by: who(1001, "bob"), command });
                }
                8 => {
                    let (station, effects) = Line::started(&line.ledger, line.held);
                    line.station = station;
                    line.carry_out(effects);
                }
                kind => {
                    let (first_off, image_of, config) = line.held;
                    line.held = match kind {
                        9 => (first_off, if image_of == 7 { 8 } else { 7 }, config),
                        10 => (first_off, image_of, if config == 1 { 2 } else { 1 }),
                        _ => (!first_off, image_of, config + 2),
                    };
                    line.apply(Event::Configure(Box::new(Line::configuration(line.held))));
                }
            }
            let lived = Line::approval(&line.station);
            let (again, _) = Line::started(&line.ledger, line.held);
            assert_eq!(Line::approval(&again), lived, "seed {seed}, step {step}");
            seen.insert(lived.map_or("off", |state| state.code()));
        }
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["approved", "off", "waits", "wanted"],
        "every state was seen, or this proves nothing"
    );
}
