//! The messages of the control socket: one JSON object a line. They have types of their own, so that the types of the station can change
//! without a change for clients.

use serde::{Deserialize, Serialize};

use crate::station::reason::Fact;
use crate::station::sign::OperatorAction;
use crate::station::view;
use crate::station::view::{ModelView, Progress, SlotView, View};

/// The version of what is said here. A client that knows another one does not go on.
pub(crate) const VERSION: u32 = 1;

/// What a client may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// The whole state, once.
    Status {},
    /// Everything, and again whenever something changed, at most ten times a second.
    Watch {},
    /// Read the configuration again; answered when the new one holds.
    Reload {},
    /// Begin no card in this slot, or in any slot of this model. Exactly one of them.
    Disarm {
        /// Name of the slot, as on its sticker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<String>,
        /// A model, as slots name it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// Why, for the operator to read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Take a disarming back.
    Arm {
        /// Name of the slot, as on its sticker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<String>,
        /// A model, as slots name it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    /// Let a slot's lamp wink for half a minute.
    Identify {
        /// Name of the slot, as on its sticker.
        slot: String,
    },
    /// Make a number of good cards of a model, and no more.
    OrderStart {
        /// `BRAND/MODEL`, or the name that slots use for it.
        model: String,
        /// How many good cards to make.
        count: u32,
        /// What people call it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The work order it is for, which each of its rows then names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        work_order: Option<String>,
    },
    /// The flash log was begun anew, and that is right.
    LogConfirm {},
    /// Begin no card any more, and restart when the last one is out.
    Restart {},
    /// End the order of a model.
    OrderStop {
        /// `BRAND/MODEL`, or the name that slots use for it.
        model: String,
    },
}

/// What a client is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// The version of the protocol: [`VERSION`].
    pub flashline: u32,
    /// To `status` and `watch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// To everything else that was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<bool>,
    /// To what was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<WireError>,
}

impl Reply {
    pub(super) fn of_status(view: &View) -> Self {
        Self { flashline: VERSION, status: Some(Status::of(view)), done: None, error: None }
    }

    pub(super) fn done() -> Self {
        Self { flashline: VERSION, status: None, done: Some(true), error: None }
    }

    pub(super) fn error(code: &str, message: impl Into<String>) -> Self {
        Self { flashline: VERSION, status: None, done: None, error: Some(WireError { code: code.to_owned(), message: message.into() }) }
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// A word for programs; stable.
    pub code: String,
    /// A sentence for people, in English.
    pub message: String,
}

/// The state of the station.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The name of the station.
    pub station: String,
    /// Why nothing can be flashed at all, where that is so.
    pub fault: Option<String>,
    /// What the station asks for as a whole, as its lamp and its bell say it: `well`, `wanted`, `fault`. Empty in the words of an older
    /// station.
    #[serde(default)]
    pub call: String,
    /// Good and bad cards since midnight.
    pub today: Today,
    /// The flash log's head when a shift ended last; nothing before the first one did.
    #[serde(default)]
    pub anchor: Option<ShiftAnchor>,
    /// Every model that slots name; then those that only an order names, which no armed model answers to.
    pub models: Vec<ModelStatus>,
    /// Every slot, in the order of the configuration.
    pub slots: Vec<SlotStatus>,
    /// Slots from which the PC's other programs are not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<String>,
    /// Faults of the station that concern some slots only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// What is to be known of the flash log: `begun`, `volatile`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// The station restarts when its last card is out; no card is begun until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
}

/// A restart that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// The user who asked for it.
    pub by: String,
    /// Slots whose cards are waited for.
    pub waits_for: Vec<String>,
}

/// Cards since midnight, by the PC's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Today {
    /// Good cards since midnight.
    pub passed: u64,
    /// Attempts since midnight that failed, were pulled or were interrupted.
    pub failed: u64,
}

/// What is to be written on the shift sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShiftAnchor {
    /// When the shift ended: UTC, RFC 3339.
    pub at: String,
    /// The head of the flash log: `COUNT:HASH`.
    pub text: String,
}

/// The state of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStatus {
    /// As slots name it.
    pub name: String,
    /// As the log names it: `BRAND/MODEL`.
    pub device: String,
    /// Its image; nothing where none may be written.
    pub image: Option<Image>,
    /// What is ordered of it.
    pub order: Option<OrderStatus>,
}

/// An image that may be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The file it came from.
    pub source: String,
    /// BLAKE3 of its raw bytes.
    pub digest: String,
    /// Raw length in bytes.
    pub span: u64,
    /// How far the model inside is proven: `proven`, `matching` or `none`.
    pub model_proof: String,
}

/// The state of a production order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStatus {
    /// The number of the order in the flash log.
    pub number: u64,
    /// What people call it.
    pub name: Option<String>,
    /// The work order it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_order: Option<String>,
    /// How many are wanted.
    pub count: u32,
    /// How many are good.
    pub passed: u32,
    /// How many are being made.
    pub under_way: u32,
    /// The box that its good cards go to.
    #[serde(rename = "box", default, skip_serializing_if = "Option::is_none")]
    pub open_box: Option<BoxStatus>,
}

/// The open box of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxStatus {
    /// Its number within its order, from 1: one more than the boxes that are closed.
    pub number: u32,
    /// How many good cards fill a box.
    pub size: u32,
    /// How many are in it.
    pub cards: u32,
    /// How many are still made before it is closed.
    pub left: u32,
}

/// The state of a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotStatus {
    /// As on its sticker.
    pub slot: String,
    /// The model it is for.
    pub model: String,
    /// The sign's stable code, as `reading-back`.
    pub sign: String,
    /// The same as shown, as `READING BACK`.
    pub word: String,
    /// What lamps and colours follow: `put-in`, `wait`, `take-good`, `take-aside`, `take-bad`, `nothing`, `station-fault`.
    pub call: String,
    /// Why, where the word alone does not say it.
    pub reason: Option<SlotReason>,
    /// What the operator does now.
    pub todo: SlotInstruction,
    /// The card in a few words.
    pub card: Option<String>,
    /// The attempt that is shown.
    pub attempt: Option<u64>,
    /// The kernel's count of media for that card.
    pub diskseq: Option<u64>,
    /// Somebody looks for the slot: its lamp winks.
    pub identify: bool,
    /// How far, while busy.
    pub progress: Option<Done>,
    /// How often a card left the bus and came back by itself, since one was put in by hand.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub returns: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A reason, in pieces and as a sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotReason {
    /// A word for programs; stable.
    pub code: String,
    /// The reason as a sentence, in English.
    pub text: String,
    /// The facts of the reason, by name.
    pub facts: Vec<(String, Value)>,
}

/// A fact of a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Bytes, or a place on a card.
    Bytes(u64),
    /// A number of things.
    Count(u64),
    /// A duration in seconds.
    Seconds(u64),
    /// A number of the system's errors; 0 where there was none.
    Errno(i32),
    /// A text of the station.
    Text(String),
}

/// What the operator shall do now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotInstruction {
    /// A word for programs; stable.
    pub code: String,
    /// The instruction as a sentence, in English.
    pub text: String,
}

/// How far a step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Bytes done in this step.
    pub done: u64,
    /// Bytes of this step.
    pub of: u64,
    /// Bytes per second in this step.
    pub rate: Option<u64>,
    /// Estimated seconds left in this step.
    pub left: Option<u64>,
}

impl Status {
    /// What is shown, to be sent.
    #[must_use]
    pub(crate) fn of(view: &View) -> Self {
        Self {
            station: view.station.clone(),
            fault: view.fault.clone(),
            call: view.call().code().to_owned(),
            today: Today { passed: view.today.passed, failed: view.today.failed },
            anchor: view.anchor.as_ref().map(ShiftAnchor::of),
            models: view.models.iter().map(ModelStatus::of).collect(),
            slots: view.slots.iter().map(SlotStatus::of).collect(),
            exposed: view.exposed.clone(),
            faults: view.faults.clone(),
            log: view.log.iter().map(|note| note.word().to_owned()).collect(),
            restart: view.restart.as_ref().map(|restart| Restart { by: restart.by.clone(), waits_for: restart.waits_for.clone() }),
        }
    }
}

impl ShiftAnchor {
    fn of(view: &view::Anchor) -> Self {
        let at = jiff::Timestamp::from_microsecond(view.at).unwrap_or_default();
        Self { at: at.to_string(), text: view.text.clone() }
    }

    /// When the shift ended, in microseconds since 1970; nothing where it does not say so in our way.
    #[must_use]
    pub(crate) fn micros(&self) -> Option<i64> {
        self.at.parse().ok().map(jiff::Timestamp::as_microsecond)
    }
}

impl ModelStatus {
    fn of(view: &ModelView) -> Self {
        let image = view.armed.as_ref().map(|armed| Image {
            source: armed.source.clone(),
            digest: armed.digest.to_string(),
            span: armed.span.0,
            model_proof: armed.model_proof.word().to_owned(),
        });
        let order = view.order.as_ref().map(|order| OrderStatus {
            number: order.number,
            name: order.name.clone(),
            work_order: order.work_order.clone(),
            count: order.count,
            passed: order.passed,
            under_way: order.under_way,
            open_box: order.open_box.map(|open| BoxStatus { number: open.number, size: open.size, cards: open.cards, left: open.left }),
        });
        Self { name: view.name.clone(), device: view.device.clone(), image, order }
    }
}

impl SlotStatus {
    fn of(view: &SlotView) -> Self {
        let sign = &view.sign;
        let reason = sign.why().map(|why| SlotReason {
            code: why.code.to_owned(),
            text: sign.reason().unwrap_or_default(),
            facts: why.facts.into_iter().map(|(name, fact)| (name.to_owned(), Value::of(fact))).collect(),
        });
        let todo = sign.todo();
        Self {
            slot: view.slot.clone(),
            model: view.model.clone(),
            sign: sign.code().to_owned(),
            word: sign.word().to_owned(),
            call: view.call.code().to_owned(),
            reason,
            todo: SlotInstruction { code: todo.code().to_owned(), text: todo.text().to_owned() },
            card: view.card.clone(),
            attempt: view.attempt,
            diskseq: view.diskseq,
            identify: view.identify,
            progress: view.progress.as_ref().map(Done::of),
            returns: view.returns,
        }
    }

    /// The call, where it is one that is known here.
    #[must_use]
    pub(crate) fn call(&self) -> Option<OperatorAction> {
        OperatorAction::ALL.into_iter().find(|call| call.code() == self.call)
    }
}

impl Done {
    fn of(progress: &Progress) -> Self {
        Self {
            done: progress.done.0,
            of: progress.of.0,
            rate: progress.rate.map(|rate| rate.0),
            left: progress.left.map(|left| left.as_secs()),
        }
    }
}

impl Value {
    fn of(fact: Fact) -> Self {
        match fact {
            Fact::Bytes(bytes) => Self::Bytes(bytes),
            Fact::Count(count) => Self::Count(count),
            Fact::Seconds(seconds) => Self::Seconds(seconds),
            Fact::Errno(errno) => Self::Errno(errno),
            Fact::Text(text) => Self::Text(text),
        }
    }
}
