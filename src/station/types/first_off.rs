//! The first card that is made after an image was armed, and the approval that the cards after it wait for.

use super::armed::Armed;
use super::outcome::Digest;
use super::request::Who;

/// The contents that an approval is for. If any of them changes, the approval has ended, also if it changes back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Binding {
    /// The model as in the log: `BRAND/MODEL`.
    pub device: String,
    /// BLAKE3 of the raw image.
    pub image: Digest,
    /// SHA3-384 of the model assertion inside; `None` if the image was not inspected.
    pub assertion: Option<String>,
    /// BLAKE3 of the configuration: every key of the file counts, because any of them may change what is written, or where.
    pub config: Digest,
}

impl Binding {
    /// The binding of this image, armed by the configuration with this digest.
    #[must_use]
    pub(crate) fn of(armed: &Armed, config: Digest) -> Self {
        let assertion = armed.model_proof.device().map(|device| device.sha3_384.clone());
        Self { device: armed.logged_model(), image: armed.digest, assertion, config }
    }

    /// Is this an image with the same contents, whatever the configuration?
    #[must_use]
    pub(crate) fn is_of(&self, armed: &Armed) -> bool {
        Self::of(armed, self.config) == *self
    }
}

/// The first card of an armed image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FirstCard {
    /// The number of the attempt that made it.
    pub attempt: u64,
    /// The slot that it was made in.
    pub slot: String,
    /// Its serial, as far as it has one.
    pub serial: Option<String>,
}

impl FirstCard {
    /// Its name for people: serial and attempt, which together are only of this card.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        match &self.serial {
            Some(serial) => format!("{serial}, attempt {}", self.attempt),
            None => format!("attempt {}", self.attempt),
        }
    }

    /// Does a person mean this card by these words: its serial in any case of letters, or the number of its attempt?
    #[must_use]
    pub(crate) fn is_called(&self, words: &str) -> bool {
        self.serial.as_ref().is_some_and(|serial| serial.eq_ignore_ascii_case(words)) || self.attempt.to_string() == words
    }
}

/// The approval of a model: since its image was armed, one card may be made, and the others wait for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FirstOff {
    /// The model, as slots name it.
    pub model: String,
    /// What the approval is for.
    pub binding: Binding,
    /// Everybody who armed the image. None of them may approve.
    pub armed_by: Vec<Who>,
    /// The number of the first attempt since then. Cards of attempts before it were begun with what was armed before.
    pub from: u64,
    /// The card to be approved, if one was made.
    pub card: Option<FirstCard>,
    /// The user who approved it.
    pub approved_by: Option<Who>,
}

impl FirstOff {
    /// The card that waits for its approval, if one does.
    #[must_use]
    pub(crate) fn waiting(&self) -> Option<&FirstCard> {
        self.card.as_ref().filter(|_| self.approved_by.is_none())
    }
}

/// How the approval stands when an image is armed, as the event of arming says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FirstOffRule {
    /// No approval is wanted: every card may be made.
    Off,
    /// From here on one card may be made, and is to be approved.
    Wanted,
    /// Image, model and configuration are those of before: what was approved still is, and what was not is not.
    AsBefore,
}

impl FirstOffRule {
    /// The word in the log; stable. `None` where no approval is wanted.
    #[must_use]
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Wanted => Some("wanted"),
            Self::AsBefore => Some("as-before"),
        }
    }
}
