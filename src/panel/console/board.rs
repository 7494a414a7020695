//! The contents of the panel as plain data, made from the state of a station.

use std::time::Duration;

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
    /// What is to be known of the flash log, by its words.
    pub log: Vec<String>,
    /// What the bins beside the station are called.
    pub bins: Bins,
}

/// How the station itself is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Health {
    /// The station has no fault.
    #[default]
    Well,
    /// Nothing new is begun, for this reason.
    Fault(String),
    /// Nobody answers; why it cannot be asked, where it is not simply down.
    Down(Option<String>),
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
    /// What a station shows, at this time of day.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn of(view: &crate::station::view::View, clock: &str) -> Self {
        let models = view.models.iter().map(|model| BoardModel {
            name: model.name.clone(),
            device: model.device.clone(),
            image: model.armed.as_ref().map(|armed| (armed.source.clone(), armed.digest.to_string())),
            order: model.order.as_ref().map(|order| (order.passed, order.count)),
            open_box: model
                .order
                .as_ref()
                .and_then(|order| order.open_box.map(|open| BoardBox { number: open.number, cards: open.cards, left: open.left })),
        });
        let slots = view.slots.iter().map(|slot| BoardSlot {
            name: slot.slot.clone(),
            model: slot.model.clone(),
            sign: slot.sign.code().to_owned(),
            word: slot.sign.word().to_owned(),
            call: slot.call,
            why: slot.sign.why().map(|why| Why {
                code: why.code.to_owned(),
                facts: why.facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect(),
                text: slot.sign.reason().unwrap_or_default(),
            }),
            todo: slot.sign.todo().code().to_owned(),
            todo_text: slot.sign.todo().text().to_owned(),
            card: slot.card.clone(),
            progress: slot.progress.map(|progress| BoardProgress {
                done: progress.done,
                of: progress.of,
                rate: progress.rate,
                left: progress.left,
            }),
            identify: slot.identify,
        });
        Self {
            station: view.station.clone(),
            health: view.fault.clone().map_or(Health::Well, Health::Fault),
            models: models.collect(),
            slots: slots.collect(),
            passed: view.today.passed,
            failed: view.today.failed,
            anchor: view.anchor.as_ref().map(|anchor| (crate::panel::lines::local_time(anchor.at), anchor.text.clone())),
            clock: clock.to_owned(),
            exposed: view.exposed.clone(),
            faults: view.faults.clone(),
            log: view.log.iter().map(|note| note.word().to_owned()).collect(),
            bins: Bins::default(),
        }
    }

    /// Nobody answers, or for this reason not to us: what stood here is not to be believed any more.
    #[must_use]
    pub(crate) fn down(clock: &str, why: Option<String>) -> Self {
        Self { health: Health::Down(why), clock: clock.to_owned(), ..Self::default() }
    }
}
