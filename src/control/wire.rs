//! The messages of the control socket: one JSON object a line. They have separate types, so that the types of the station can change
//! without a change for clients.

use serde::{Deserialize, Serialize};

use super::first_card::FirstCardStatus;
use crate::station::reason::Fact;
use crate::station::restriction::Restriction;
use crate::station::sign::OperatorAction;
use crate::station::suspect::Finding;
use crate::station::view;
use crate::station::view::{ModelView, Progress, SlotView, View};

/// The version of the protocol. A client that knows another version must not continue.
pub(crate) const VERSION: u32 = 1;

/// The requests of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// The whole state, once.
    Status {},
    /// The whole state, and again after each change, at most ten times a second.
    Watch {},
    /// Read the configuration again; answered when the new one is in effect.
    Reload {},
    /// Start no card in this slot, or in any slot of this model. Exactly one of them is named.
    Disarm {
        /// Name of the slot, as on its sticker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<String>,
        /// A model, as slots name it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// The reason, for the operator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Re-enable a slot or model that was disarmed.
    Arm {
        /// Name of the slot, as on its sticker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<String>,
        /// A model, as slots name it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    /// Blink a slot's lamp for half a minute.
    Identify {
        /// Name of the slot, as on its sticker.
        slot: String,
    },
    /// Make a number of good cards of a model, and then stop.
    OrderStart {
        /// `BRAND/MODEL`, or the name that slots use for it.
        model: String,
        /// The number of good cards to make.
        count: u32,
        /// The name of the order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The work order, which is recorded in each row.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        work_order: Option<String>,
    },
    /// Confirm that the flash log was begun anew on purpose.
    LogConfirm {},
    /// Begin no card any more, and restart when the last one is out.
    Restart {},
    /// Approve the first card that was made of a model since its image was armed.
    Approve {
        /// `BRAND/MODEL`, or the name that slots use for it.
        model: String,
        /// The card that is meant, by its serial or the number of its attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<String>,
    },
    /// Begin no card any more, because somebody works on the station.
    MaintenanceOn {
        /// The reason, for the operator.
        reason: String,
    },
    /// Begin cards again.
    MaintenanceOff {},
    /// End the order of a model.
    OrderStop {
        /// `BRAND/MODEL`, or the name that slots use for it.
        model: String,
    },
}

/// The answer to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// The version of the protocol: [`VERSION`].
    pub flashline: u32,
    /// The answer to `status` and `watch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The answer to every other request that was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<bool>,
    /// The answer to a request that was refused.
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

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// A stable code for programs.
    pub code: String,
    /// A sentence for people, in English.
    pub message: String,
}

/// The state of the station.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The name of the station.
    pub station: String,
    /// BLAKE3 of the configuration file that is in effect, as `b3sum` prints it; left out by an older station.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Every reason why nothing can be flashed; `None` if the station has no fault.
    pub fault: Option<String>,
    /// The call of the whole station, as its lamp and bell show it: `well`, `wanted`, `fault`. Empty in the messages of an older station.
    #[serde(default)]
    pub call: String,
    /// Good and bad cards since midnight.
    pub today: Today,
    /// The head of the flash log at the end of the last shift; `None` before the first one.
    #[serde(default)]
    pub anchor: Option<ShiftAnchor>,
    /// Every model that slots name, followed by models that only an order names and for which no image is armed.
    pub models: Vec<ModelStatus>,
    /// Every slot, in the order of the configuration.
    pub slots: Vec<SlotStatus>,
    /// Slots that are not protected from the PC's other programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<String>,
    /// Faults of the station that concern only some slots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// What the PC or the unit does not let the station do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restrictions: Vec<RestrictionStatus>,
    /// The verifier is not proven now, and no card is begun: `being-proven`, `missed-fault`, `impossible`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<String>,
    /// Facts about the flash log: `begun`, `volatile`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// The station restarts when its last card is out; no card is begun until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// Somebody works on the station; no card is begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// Readers, hubs, card types and lots with more failures than chance explains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<SuspectStatus>,
}

/// Something with more failures than chance explains. Cards go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspectStatus {
    /// `reader`, `hub`, `card-type` or `lot`.
    pub what: String,
    /// The place of the device, the make and size of the cards, or the lot.
    pub name: String,
    /// The make and size of the cards of a lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_type: Option<String>,
    /// The number of failed cards.
    pub failed: u64,
    /// The number of written cards.
    pub of: u64,
    /// The number of failed cards of all others.
    pub others_failed: u64,
    /// The number of written cards of all others.
    pub others_of: u64,
    /// All of it as a sentence, in English.
    pub text: String,
}

/// A maintenance that nobody has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// The user who began it.
    pub by: String,
    /// The reason, in their words.
    pub reason: String,
}

/// Something that the PC or the unit does not let the station do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestrictionStatus {
    /// A stable code for programs.
    pub code: String,
    /// What does not work, why, and the cure: in English.
    pub text: String,
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

/// The text for the shift sheet.
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
    /// The name that slots use.
    pub name: String,
    /// The name in the log: `BRAND/MODEL`.
    pub device: String,
    /// Its image; `None` if none may be written.
    pub image: Option<Image>,
    /// Its order, if any.
    pub order: Option<OrderStatus>,
    /// Its first card and the approval; left out if no approval is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_card: Option<FirstCardStatus>,
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
    /// How the model inside is proven: `proven`, `matching` or `none`.
    pub model_proof: String,
}

/// The state of a production order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStatus {
    /// The number of the order in the flash log.
    pub number: u64,
    /// The name of the order.
    pub name: Option<String>,
    /// Its work order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_order: Option<String>,
    /// The number of good cards to make.
    pub count: u32,
    /// The number of good cards so far.
    pub passed: u32,
    /// The number of cards under way.
    pub under_way: u32,
    /// The box for its good cards.
    #[serde(rename = "box", default, skip_serializing_if = "Option::is_none")]
    pub open_box: Option<BoxStatus>,
}

/// The open box of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxStatus {
    /// Its number within its order, from 1: the number of closed boxes plus one.
    pub number: u32,
    /// How many good cards fill a box.
    pub size: u32,
    /// The number of good cards in it.
    pub cards: u32,
    /// The number of good cards until it is closed.
    pub left: u32,
}

/// The state of a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotStatus {
    /// Its name, as on its sticker.
    pub slot: String,
    /// The model it is for.
    pub model: String,
    /// The sign's stable code, as `reading-back`.
    pub sign: String,
    /// The same as the panel shows it, as `READING BACK`.
    pub word: String,
    /// The call that lamps and colours follow: `put-in`, `wait`, `take-good`, `take-aside`, `take-bad`, `nothing`, `station-fault`.
    pub call: String,
    /// The reason, if the word alone does not tell it.
    pub reason: Option<SlotReason>,
    /// The instruction for the operator.
    pub todo: SlotInstruction,
    /// The card in a few words.
    pub card: Option<String>,
    /// The number of the attempt that is shown.
    pub attempt: Option<u64>,
    /// The kernel's sequence number (`DISKSEQ`) of that card's visit.
    pub diskseq: Option<u64>,
    /// A user is looking for the slot: its lamp blinks.
    pub identify: bool,
    /// The progress, while busy.
    pub progress: Option<Done>,
    /// How often a card left the bus and came back by itself since it was put in by hand.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub returns: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A reason, as code, facts and sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotReason {
    /// A stable code for programs.
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
    /// A number of bytes, or a place on a card.
    Bytes(u64),
    /// A number of things.
    Count(u64),
    /// A duration in seconds.
    Seconds(u64),
    /// An errno; 0 if there was none.
    Errno(i32),
    /// A text in the station's words.
    Text(String),
}

/// An instruction for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotInstruction {
    /// A stable code for programs.
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
    /// A snapshot to be sent.
    #[must_use]
    pub(crate) fn of(view: &View) -> Self {
        Self {
            station: view.station.clone(),
            config: view.config.map(|digest| digest.to_string()),
            fault: view.fault.clone(),
            call: view.call().code().to_owned(),
            today: Today { passed: view.today.passed, failed: view.today.failed },
            anchor: view.anchor.as_ref().map(ShiftAnchor::of),
            models: view.models.iter().map(ModelStatus::of).collect(),
            slots: view.slots.iter().map(SlotStatus::of).collect(),
            exposed: view.exposed.clone(),
            faults: view.faults.clone(),
            restrictions: view.restrictions.iter().map(RestrictionStatus::of).collect(),
            verifier: view.verifier.map(|state| state.code().to_owned()),
            log: view.log.iter().map(|note| note.word().to_owned()).collect(),
            maintenance: view.maintenance.as_ref().map(|view| Maintenance { by: view.by.clone(), reason: view.why.clone() }),
            suspects: view.suspects.iter().map(SuspectStatus::of).collect(),
            restart: view.restart.as_ref().map(|restart| Restart { by: restart.by.clone(), waits_for: restart.waits_for.clone() }),
        }
    }

    /// The restrictions that `fault` names: those that stop the station.
    pub(crate) fn stopping_restrictions(&self) -> impl Iterator<Item = &RestrictionStatus> {
        self.restrictions.iter().filter(move |restriction| view::is_named_in(self.fault.as_deref(), &restriction.text))
    }

    /// The restrictions that `fault` does not name.
    pub(crate) fn other_restrictions(&self) -> impl Iterator<Item = &RestrictionStatus> {
        self.restrictions.iter().filter(move |restriction| !view::is_named_in(self.fault.as_deref(), &restriction.text))
    }

    /// The reasons in `fault` that are no restriction, such as why the flash log cannot be written; `None` if there is none.
    #[must_use]
    pub(crate) fn fault_besides_restrictions(&self) -> Option<String> {
        let fault = self.fault.clone()?;
        let rest = self.stopping_restrictions().fold(fault, |rest, restriction| rest.replace(&restriction.text, ""));
        let reasons: Vec<&str> = rest.split(view::REASONS_APART).filter(|reason| !reason.is_empty()).collect();
        (!reasons.is_empty()).then(|| reasons.join(view::REASONS_APART))
    }

    /// Every fault that the station shows, each once ([`view::all_faults`]).
    #[must_use]
    pub(crate) fn all_faults(&self) -> Vec<&str> {
        let restrictions = self.restrictions.iter().map(|restriction| restriction.text.as_str());
        view::all_faults(self.fault.as_deref(), &self.faults, restrictions)
    }
}

impl SuspectStatus {
    fn of(finding: &Finding) -> Self {
        Self {
            what: finding.suspect.word().to_owned(),
            name: finding.suspect.name().to_owned(),
            card_type: finding.suspect.card_type().map(str::to_owned),
            failed: finding.failed,
            of: finding.of,
            others_failed: finding.others_failed,
            others_of: finding.others_of,
            text: finding.to_string(),
        }
    }
}

impl RestrictionStatus {
    fn of(restriction: &Restriction) -> Self {
        Self { code: restriction.code().to_owned(), text: restriction.sentence() }
    }
}

impl ShiftAnchor {
    fn of(view: &view::Anchor) -> Self {
        let at = jiff::Timestamp::from_microsecond(view.at).unwrap_or_default();
        Self { at: at.to_string(), text: view.text.clone() }
    }

    /// The time when the shift ended, in microseconds since 1970; `None` if the text has another form.
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
        let first_card = view.first_off.as_ref().map(FirstCardStatus::of);
        Self { name: view.name.clone(), device: view.device.clone(), image, order, first_card }
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

    /// The call, if its code is known here.
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
