//! Images that may be written: their contents, how these are proven, and who armed them.

use super::outcome::Digest;
use super::request::Who;
use super::units::Bytes;

/// The kinds of contents of an image that the configuration accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Contents {
    /// A disk image: a complete partition table, or one file system from the first byte on.
    #[default]
    Disk,
    /// Also data whose completeness cannot be checked: raw firmware, only zeroes, a length between two blocks. A file that is known to be
    /// something else than an image, or cut short, is refused here as well.
    Any,
}

/// How the parts of an image that are zeroes are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Zeroes {
    /// They are read back like everything else, and written only if the card does not already hold zeroes.
    #[default]
    Prove,
    /// They are always written.
    Write,
    /// They are neither written nor read back, as a block map (bmap) asks for: the card keeps its old contents there, and nothing is
    /// claimed about them. Such a card never shows PASS.
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
    /// The revision of the assertion.
    pub revision: u64,
    /// SHA3-384 of the assertion.
    pub sha3_384: String,
    /// The key that it names as its signer.
    pub sign_key: Option<String>,
}

/// How it is proven which device an image is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ModelProof {
    /// The image was not inspected: `require = "none"`, or `flashline flash`.
    #[default]
    None,
    /// The model inside is the configured one; signatures were not required.
    Matching(DeviceModel),
    /// Also, a chain of signatures reaches from it, and from every snap, to a trusted root.
    Proven(DeviceModel),
}

/// How it is proven which device an image is for, without the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProofClass {
    /// The image was not inspected: see [`ModelProof::None`].
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

    /// The meaning of a log's word; `None` for an unknown word of another program.
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

    /// The kind of proof, without the model.
    #[must_use]
    pub(crate) fn class(&self) -> ProofClass {
        match self {
            Self::None => ProofClass::None,
            Self::Matching(_) => ProofClass::Matching,
            Self::Proven(_) => ProofClass::Proven,
        }
    }

    /// The model, if one was found.
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
    /// The model for which it is armed, as slots name it.
    pub model: String,
    /// The proof of its model.
    pub model_proof: ModelProof,
    /// The checks that could not be made when it was armed, in words.
    pub uncovered: Vec<String>,
    /// BLAKE3 of its raw bytes.
    pub digest: Digest,
    /// Its source file, as configured.
    pub source: String,
    /// Length of the raw image.
    pub span: Bytes,
    /// The logical block for which its partition table was made, if it shows that.
    pub block: Option<u32>,
    /// How its zeroes are handled.
    pub zeroes: Zeroes,
}

impl Armed {
    /// `BRAND/MODEL` by the assertion inside; by the configuration if the image was not inspected.
    #[must_use]
    pub(crate) fn logged_model(&self) -> String {
        self.model_proof.device().map_or_else(|| self.model.clone(), |device| format!("{}/{}", device.brand, device.model))
    }
}

/// A configured model whose image may not be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnarmedModel {
    /// The model, as slots name it.
    pub model: String,
    /// Why, as a sentence.
    pub reason: String,
}

/// The reason for which the station armed an image.
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

/// Who armed an image and from where. The owner of the configuration decides what is armed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArmedBy {
    /// The reason for which it was armed.
    pub occasion: Occasion,
    /// The configuration that names the image.
    pub config: String,
    /// BLAKE3 of that file as it was read, as `b3sum` prints it.
    pub digest: Digest,
    /// The owner of that file.
    pub owner: Option<Who>,
    /// When the file was last written: UTC, microseconds since 1970.
    pub changed: Option<i64>,
    /// The user who requested the reload, if known.
    pub asked_by: Option<Who>,
}

impl ArmedBy {
    /// Everybody who decided that the image is armed, each once: the owner of the configuration, and the user who asked for the reload. If
    /// nobody asked over the socket, root did: only root, and the user of the station itself, can start a station or send it a signal.
    #[must_use]
    pub(crate) fn people(&self) -> Vec<Who> {
        Self::people_of(self.owner.clone(), self.asked_by.clone())
    }

    /// The same for an arming of which only the two users are known.
    #[must_use]
    pub(crate) fn people_of(owner: Option<Who>, asked_by: Option<Who>) -> Vec<Who> {
        let asked = asked_by.unwrap_or_else(|| Who { uid: 0, name: "root".to_owned() });
        let other = owner.filter(|owner| owner.uid != asked.uid);
        other.into_iter().chain([asked]).collect()
    }
}
