//! The promises that the oracle checks, each as a sentence.

use std::fmt;

macro_rules! properties {
    ($($name:ident = $sentence:literal,)*) => {
        /// A promise of the station.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Property {
            $(#[doc = $sentence] $name,)*
        }

        impl Property {
            /// Every promise, in the order of the list above.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The promise as a sentence.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

properties! {
    TruePass = "A card that shows PASS or DONE holds exactly the image of its attempt, and its row is on disk.",
    NeverTouched = "No card is begun that a hand did not put in, or that the station may not erase.",
    NothingForbidden = "No card is begun while the log, the PC, a user, the image or the configuration forbids it.",
    OneThread = "No card and no slot has two running attempts.",
    OneClosingRow = "Every started attempt has exactly one closing row.",
    NoGoodCardIsBad = "A good card is never called bad for a fault of the station, its image, its reader or its neighbour.",
    OrderQuantity = "An order never has more good cards than it wants, and its count is what the log says.",
    FirstOff = "After an image is armed, one card is made, and no other before a second person has approved it.",
    OwnCard = "The sign of a slot never speaks of another card.",
    Invitation = "No slot asks for a card that it would not begin.",
    NextCard = "A slot begins the next good card within a bounded time, whatever other slots do, if nothing forbids it.",
    NothingLost = "When faults end, every entry becomes durable and every attempt is closed.",
    OneAnswer = "Every request is answered exactly once, and a change only when it is on disk.",
    NoEffect = "An event that does not fit changes nothing.",
    NoPanic = "The station never panics.",
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The promise that was broken.
    pub property: Property,
    /// What was seen instead.
    pub detail: String,
    /// When, in milliseconds since the history began.
    pub at: u64,
    /// How much of that time was skipped.
    pub skipped: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nAt {}: {}", self.property.sentence(), seconds(self.at), self.detail)
    }
}

/// A time as a history shows it.
#[must_use]
pub(crate) fn seconds(at: u64) -> String {
    format!("{}.{:03} s", at / 1000, at % 1000)
}
