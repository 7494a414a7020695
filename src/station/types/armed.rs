//! Images that may be written: what is inside them, how far that is proven, and who armed them.

use super::outcome::Digest;
use super::request::Who;
use super::units::Bytes;

/// Which contents of an image the configuration accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Contents {
    /// A disk image: a partition table that is whole, or one file system from the first byte on.
    #[default]
    Disk,
    /// Also data whose completeness cannot be checked: raw firmware, nothing but zeroes, a length between two blocks. What is
    /// known to be something else than an image, or cut short, is not written for this word either.
    Any,
}

/// What is done about the parts of an image that are zeroes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Zeroes {
    /// They are read back like everything else, and written only where the card does not hold zeroes already.
    #[default]
    Prove,
    /// They are always written.
    Write,
    /// They are neither written nor read back, as a block map (bmap) asks for: what the card held there stays, and nothing is
    /// claimed of it. Such a card never passes as a whole.
    Skip,
}

impl Zeroes {
    /// The word in configuration and log; stable.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Prove => "prove",
            Self::Write => "write",
            Self::Skip => "skip",
        }
    }
}

/// The model assertion that was found inside an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceModel {
    /// The account id of the maker of the device.
    pub brand: String,
    /// The value of the header `model`.
    pub model: String,
    /// The series of snapd, `16`.
    pub series: String,
    /// Which edition of the assertion.
    pub revision: u64,
    /// SHA3-384 of the assertion.
    pub sha3_384: String,
    /// The key that signed it, as it says.
    pub sign_key: Option<String>,
}

/// How far it is known what device an image is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ModelProof {
    /// The image was not inspected: `require = "none"`, or a bench.
    #[default]
    None,
    /// The model inside is the one configured; signatures were not demanded.
    Matching(DeviceModel),
    /// And a chain of signatures reaches from it, and from every snap, to a trusted root.
    Proven(DeviceModel),
}

/// How far it is known what device an image is for, without the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProofClass {
    /// The image was not looked into: see [`ModelProof::None`].
    None,
    /// The configured model was found: see [`ModelProof::Matching`].
    Matching,
    /// A chain of signatures was verified: see [`ModelProof::Proven`].
    Proven,
}

impl ProofClass {
    /// The word in the log; stable.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Matching => "matching",
            Self::Proven => "proven",
        }
    }

    /// What a log's word means; nothing for a word of another program's.
    #[must_use]
    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::None, Self::Matching, Self::Proven].into_iter().find(|class| class.word() == word)
    }
}

impl ModelProof {
    /// The word in the log; stable.
    #[must_use]
    pub(crate) fn word(&self) -> &'static str {
        self.class().word()
    }

    /// How far, without the model.
    #[must_use]
    pub(crate) fn class(&self) -> ProofClass {
        match self {
            Self::None => ProofClass::None,
            Self::Matching(_) => ProofClass::Matching,
            Self::Proven(_) => ProofClass::Proven,
        }
    }

    /// The model, where one was found.
    #[must_use]
    pub(crate) fn device(&self) -> Option<&DeviceModel> {
        match self {
            Self::None => None,
            Self::Matching(device) | Self::Proven(device) => Some(device),
        }
    }
}

/// An image that may be written: staged, hashed, immutable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Armed {
    /// The model it is armed for, as slots name it in the configuration.
    pub model: String,
    /// What was found inside it.
    pub model_proof: ModelProof,
    /// What could not be covered when it was armed, in words.
    pub uncovered: Vec<String>,
    /// BLAKE3 of its raw bytes.
    pub digest: Digest,
    /// The file it came from, as configured.
    pub source: String,
    /// Length of the raw image.
    pub span: Bytes,
    /// The logical block its partition table was made for, where it says.
    pub block: Option<u32>,
    /// What is done about its zeroes.
    pub zeroes: Zeroes,
}

impl Armed {
    /// `BRAND/MODEL` by the assertion inside; by the configuration if the image was not inspected.
    #[must_use]
    pub(crate) fn logged_model(&self) -> String {
        self.model_proof.device().map_or_else(|| self.model.clone(), |device| format!("{}/{}", device.brand, device.model))
    }
}

/// A model that is configured, and whose image may not be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnarmedModel {
    /// Which, as slots name it.
    pub model: String,
    /// Why, as a sentence.
    pub reason: String,
}

/// What made the station arm an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// The station started.
    Start,
    /// It was told to read its configuration again.
    Reload,
    /// The staged copy was damaged, and the station staged the same image anew from its source.
    Restage,
}

impl Occasion {
    /// The word in the log; stable.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reload => "reload",
            Self::Restage => "restage",
        }
    }
}

/// Who armed an image and from where. Who may write the configuration decides what is armed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArmedBy {
    /// When this took hold.
    pub occasion: Occasion,
    /// The configuration that names the image.
    pub config: String,
    /// Whose file that is: the name, or the number of a user without one.
    pub owner: Option<String>,
    /// When it was last written: UTC, microseconds since 1970.
    pub changed: Option<i64>,
    /// Who told the station to read it again, where that is known.
    pub asked_by: Option<Who>,
}
