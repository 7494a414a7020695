//! The contents of the panel as plain data, made from what a station says over its control socket.

use std::time::Duration;

use crate::control::wire::{ModelStatus, RestrictionStatus, SlotStatus, Status, SuspectStatus, Value};
use crate::panel::lines::local_time;
use crate::station::bins::Bins;
use crate::station::reason::Fact;
use crate::station::sign::OperatorAction;
use crate::station::units::Bytes;

/// Everything that is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Board {
    /// The name of the station.
    pub station: String,
    /// How the station itself is.
    pub health: Health,
    /// Every model that slots name.
    pub models: Vec<BoardModel>,
    /// Every slot, in the order of the configuration.
    pub slots: Vec<BoardSlot>,
    /// Good cards since midnight.
    pub passed: u64,
    /// Bad cards since midnight.
    pub failed: u64,
    /// When the last shift ended, as people read it, and the flash log's head then.
    pub anchor: Option<(String, String)>,
    /// The time of day, as people read it.
    pub clock: String,
    /// Slots from which the PC's other programs are not kept.
    pub exposed: Vec<String>,
    /// Faults of the station that concern some slots only.
    pub faults: Vec<String>,
    /// Who works on the station, and why.
    pub maintenance: Option<(String, String)>,
    /// Readers, hubs and cards with more failures than chance explains, as the station says them.
    pub suspects: Vec<Suspected>,
    /// What the PC or the unit does not let the station do, unless it is in `health` already: code, and sentence in English for a code
    /// without a translation.
    pub restrictions: Vec<(String, String)>,
    /// What is to be known of the flash log, by its words.
    pub log: Vec<String>,
    /// What the bins beside the station are called.
    pub bins: Bins,
}

/// A reader, hub, card type or lot with too many failures: its name, failed cards, all cards, and the same of all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suspected {
    /// What it is, as a code, and its name.
    pub what: (String, String),
    /// Failed cards, and all of them.
    pub own: (u64, u64),
    /// The same of all others.
    pub others: (u64, u64),
}

/// How the station itself is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Health {
    /// The station has no fault.
    #[default]
    Well,
    /// Nothing new is begun, for these reasons.
    Fault(StopReasons),
    /// Nobody answers; why it cannot be asked, where it is not simply down.
    Down(Option<String>),
}

/// Why nothing new is begun.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StopReasons {
    /// What no restriction says, in the station's words: why the flash log cannot be written, or why no station runs.
    pub words: Option<String>,
    /// The restrictions that stop the station: code, and sentence in English for a code without a translation.
    pub restrictions: Vec<(String, String)>,
}

/// A model, as the panel shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BoardModel {
    /// As slots name it.
    pub name: String,
    /// The device the model is for: `BRAND/MODEL`.
    pub device: String,
    /// The image's file and digest; nothing where none may be written.
    pub image: Option<(String, String)>,
    /// Good cards and wanted ones, where there is an order.
    pub order: Option<(u32, u32)>,
    /// The box that good cards go to, where boxes are counted.
    pub open_box: Option<BoardBox>,
}

/// The open box of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BoardBox {
    /// Its number, from 1.
    pub number: u32,
    /// How many cards are in it.
    pub cards: u32,
    /// How many more until it is closed.
    pub left: u32,
}

/// A slot, as the panel shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BoardSlot {
    /// As on its sticker.
    pub name: String,
    /// The model it is for.
    pub model: String,
    /// The code of the sign.
    pub sign: String,
    /// The sign's word in English.
    pub word: String,
    /// What it asks for.
    pub call: OperatorAction,
    /// Why, where there is a reason.
    pub why: Option<Why>,
    /// What to do: its code.
    pub todo: String,
    /// The same in English.
    pub todo_text: String,
    /// The card in a few words.
    pub card: Option<String>,
    /// How far, while busy.
    pub progress: Option<BoardProgress>,
    /// Somebody looks for it.
    pub identify: bool,
}

/// Why a slot shows what it shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Why {
    /// The code of the reason.
    pub code: String,
    /// Its facts, by name.
    pub facts: Vec<(String, Fact)>,
    /// The reason as a sentence in English, for a code without a translation.
    pub text: String,
}

/// How far a step has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct BoardProgress {
    /// Bytes done in this step.
    pub done: Bytes,
    /// Bytes of the whole step.
    pub of: Bytes,
    /// Bytes per second in this step.
    pub rate: Option<Bytes>,
    /// Time left in this step.
    pub left: Option<Duration>,
}

impl Board {
    /// What a station that answers shows, at this time of day.
    #[must_use]
    pub(crate) fn of(status: &Status, clock: &str, bins: &Bins) -> Self {
        Self {
            station: status.station.clone(),
            health: if status.fault.is_some() { Health::Fault(StopReasons::of(status)) } else { Health::Well },
            models: status.models.iter().map(BoardModel::of).collect(),
            slots: status.slots.iter().map(BoardSlot::of).collect(),
            passed: status.today.passed,
            failed: status.today.failed,
            anchor: status.anchor.as_ref().and_then(|anchor| Some((local_time(anchor.micros()?), anchor.text.clone()))),
            clock: clock.to_owned(),
            exposed: status.exposed.clone(),
            faults: status.faults.clone(),
            maintenance: status.maintenance.as_ref().map(|work| (work.by.clone(), work.reason.clone())),
            suspects: status.suspects.iter().map(Suspected::of).collect(),
            restrictions: status.other_restrictions().map(code_and_text).collect(),
            log: status.log.clone(),
            bins: bins.clone(),
        }
    }

    /// Nobody answers, or for this reason not to us: what stood here is not to be believed any more.
    #[must_use]
    pub(crate) fn down(clock: &str, why: Option<String>) -> Self {
        Self { health: Health::Down(why), clock: clock.to_owned(), ..Self::default() }
    }

    /// No station runs, and none will before a person acts, for this reason.
    #[must_use]
    pub(crate) fn refused(clock: &str, why: String) -> Self {
        Self { health: Health::Fault(StopReasons::in_words(why)), clock: clock.to_owned(), ..Self::default() }
    }
}

impl Suspected {
    fn of(status: &SuspectStatus) -> Self {
        let name = status.card_type.as_ref().map_or_else(|| status.name.clone(), |cards| format!("{} ({cards})", status.name));
        Self { what: (status.what.clone(), name), own: (status.failed, status.of), others: (status.others_failed, status.others_of) }
    }
}

impl StopReasons {
    fn of(status: &Status) -> Self {
        Self { words: status.fault_besides_restrictions(), restrictions: status.stopping_restrictions().map(code_and_text).collect() }
    }

    /// A reason that is no restriction.
    #[must_use]
    pub(super) fn in_words(words: String) -> Self {
        Self { words: Some(words), restrictions: Vec::new() }
    }
}

fn code_and_text(restriction: &RestrictionStatus) -> (String, String) {
    (restriction.code.clone(), restriction.text.clone())
}

impl BoardModel {
    fn of(model: &ModelStatus) -> Self {
        let open_box = model.order.as_ref().and_then(|order| order.open_box);
        Self {
            name: model.name.clone(),
            device: model.device.clone(),
            image: model.image.as_ref().map(|image| (image.source.clone(), image.digest.clone())),
            order: model.order.as_ref().map(|order| (order.passed, order.count)),
            open_box: open_box.map(|open| BoardBox { number: open.number, cards: open.cards, left: open.left }),
        }
    }
}

impl BoardSlot {
    fn of(slot: &SlotStatus) -> Self {
        Self {
            name: slot.slot.clone(),
            model: slot.model.clone(),
            sign: slot.sign.clone(),
            word: slot.word.clone(),
            // A call that is not known here asks for somebody who knows it.
            call: slot.call().unwrap_or(OperatorAction::Nothing),
            why: slot.reason.as_ref().map(|why| Why {
                code: why.code.clone(),
                facts: why.facts.iter().map(|(name, value)| (name.clone(), fact(value))).collect(),
                text: why.text.clone(),
            }),
            todo: slot.todo.code.clone(),
            todo_text: slot.todo.text.clone(),
            card: slot.card.clone(),
            progress: slot.progress.map(|progress| BoardProgress {
                done: Bytes(progress.done),
                of: Bytes(progress.of),
                rate: progress.rate.map(Bytes),
                left: progress.left.map(Duration::from_secs),
            }),
            identify: slot.identify,
        }
    }
}

fn fact(value: &Value) -> Fact {
    match value {
        Value::Bytes(bytes) => Fact::Bytes(*bytes),
        Value::Count(count) => Fact::Count(*count),
        Value::Seconds(seconds) => Fact::Seconds(*seconds),
        Value::Errno(errno) => Fact::Errno(*errno),
        Value::Text(text) => Fact::Text(text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::outcome::Refusal;
    use crate::station::restriction::Restriction;
    use crate::station::sign::Sign;
    use crate::station::suspect::{Finding, Suspect};
    use crate::station::view::{Anchor, BoxView, DayCount, MaintenanceView, ModelView, OrderView, Progress, SlotView, View};

    #[test]
    fn what_a_station_says_over_its_socket_is_on_the_board() {
        let refusal = Refusal::TooSmall { capacity: Bytes(7_400_000_000), needs: Bytes(8_000_000_000) };
        let progress = Progress::new(Bytes(5), Bytes(10), Duration::from_secs(1));
        let order = OrderView {
            number: 1,
            name: None,
            work_order: None,
            count: 500,
            passed: 112,
            under_way: 1,
            open_box: Some(BoxView { number: 3, size: 50, cards: 12, left: 38 }),
        };
        let armed = crate::station::testing::image();
        let suspect = Suspect::Lot { lot: "L-9".into(), card_type: "SL16G 16 GB".into() };
        let view = View {
            station: "line 3".into(),
            slots: vec![
                SlotView {
                    slot: "A1".into(),
                    model: "box".into(),
                    card: Some("Ultra".into()),
                    progress: Some(progress),
                    ..SlotView::of(Sign::Writing)
                },
                SlotView { slot: "A2".into(), identify: true, ..SlotView::of(Sign::Refused(refusal)) },
            ],
            anchor: Some(Anchor { at: 1_700_000_000_000_000, text: "7:00ff".into() }),
            models: vec![ModelView {
                name: "box".into(),
                device: "acme/box".into(),
                armed: Some(armed.clone()),
                order: Some(order),
                first_off: None,
            }],
            today: DayCount { passed: 37, failed: 2 },
            exposed: vec!["A2".into()],
            faults: vec!["A2 has no lamp".into()],
            maintenance: Some(MaintenanceView { by: "ann".into(), why: "new readers".into() }),
            suspects: vec![Finding { suspect, failed: 9, of: 40, others_failed: 1, others_of: 200 }],
            restrictions: vec![Restriction::SwapsHidden],
            ..View::default()
        };
        let said = serde_json::to_string(&Status::of(&view)).expect("JSON");
        let board = Board::of(&serde_json::from_str(&said).expect("read back"), "12:00", &Bins::default());
        assert_eq!((board.station.as_str(), &board.health, board.clock.as_str()), ("line 3", &Health::Well, "12:00"));
        assert_eq!((board.passed, board.failed, board.exposed, board.faults), (37, 2, view.exposed, view.faults));
        let suspected = Suspected { what: ("lot".into(), "L-9 (SL16G 16 GB)".into()), own: (9, 40), others: (1, 200) };
        assert_eq!(board.suspects, [suspected]);
        assert_eq!(board.maintenance, Some(("ann".to_owned(), "new readers".to_owned())));
        assert_eq!(board.restrictions, [("swaps-hidden".to_owned(), Restriction::SwapsHidden.sentence())]);
        assert_eq!(board.anchor, Some((local_time(1_700_000_000_000_000), "7:00ff".to_owned())));
        let model = BoardModel {
            name: "box".into(),
            device: "acme/box".into(),
            image: Some((armed.source, armed.digest.to_string())),
            order: Some((112, 500)),
            open_box: Some(BoardBox { number: 3, cards: 12, left: 38 }),
        };
        assert_eq!(board.models, [model]);
        let [writing, refused] = board.slots.as_slice() else { panic!("two slots") };
        assert_eq!((writing.name.as_str(), writing.model.as_str(), writing.card.as_deref()), ("A1", "box", Some("Ultra")));
        assert_eq!((writing.sign.as_str(), writing.word.as_str(), writing.call), ("writing", "WRITING", OperatorAction::Wait));
        let shown = writing.progress.expect("it is busy");
        assert_eq!((shown.done, shown.of, shown.rate), (progress.done, progress.of, progress.rate));
        assert_eq!((refused.call, refused.identify, writing.identify), (OperatorAction::TakeAside, true, false));
        assert_eq!((refused.todo.as_str(), refused.todo_text.is_empty()), ("use-another", false));
        let why = refused.why.as_ref().expect("a reason");
        assert_eq!((why.code.as_str(), why.text.is_empty(), writing.why.is_none()), ("too-small", false, true));
        assert!(why.facts.contains(&("needs".to_owned(), Fact::Bytes(8_000_000_000))), "{why:?}");
        let down = Board { health: Health::Fault(StopReasons::in_words("disk full".into())), ..Board::default() };
        let view = View { fault: Some("disk full".into()), ..View::default() };
        assert_eq!(Board::of(&Status::of(&view), "", &Bins::default()), down);
    }

    #[test]
    fn a_restriction_that_stops_the_station_is_told_once_and_the_others_beside_it() {
        let (stops, other) = (Restriction::DisksHidden, Restriction::SwapsHidden);
        let view = View { fault: Some(stops.sentence()), restrictions: vec![stops.clone(), other.clone()], ..View::default() };
        let board = Board::of(&Status::of(&view), "", &Bins::default());
        let restrictions = vec![(stops.code().to_owned(), stops.sentence())];
        assert_eq!(board.health, Health::Fault(StopReasons { words: None, restrictions }));
        assert_eq!(board.restrictions, [(other.code().to_owned(), other.sentence())]);
    }

    #[test]
    fn a_fault_of_the_log_keeps_its_words_and_what_stops_the_station_beside_it_keeps_its_codes() {
        let log = "the flash log cannot be written: /var/lib/flashline; disk full";
        let udev = Restriction::UdevHidden { why: "Permission denied".into() };
        let fault = format!("{log}; {}; {}", udev.sentence(), Restriction::DisksHidden.sentence());
        let restrictions = vec![Restriction::SwapsHidden, udev, Restriction::DisksHidden];
        let view = View { fault: Some(fault), log_fault: Some(log.into()), restrictions, ..View::default() };
        let Health::Fault(why) = Board::of(&Status::of(&view), "", &Bins::default()).health else { panic!("{view:?}") };
        assert_eq!(why.words.as_deref(), Some(log));
        let codes: Vec<&str> = why.restrictions.iter().map(|(code, _)| code.as_str()).collect();
        assert_eq!(codes, ["udev-hidden", "disks-hidden"]);
    }
}
