//! Why a check failed or was not made: a stable code for programs, and a sentence for people that may change.

use serde::Serialize;

/// Declares the codes, each once: the variant, its word, and the list of all.
macro_rules! verdict_codes {
    ($($(#[doc = $doc:literal])+ $name:ident => $word:literal,)+) => {
        /// The subject of a reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum VerdictCode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl VerdictCode {
            /// All codes, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as it is written.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

verdict_codes! {
    /// There is no partition table.
    NoTable => "no-partition-table",
    /// The partition table is not reliable.
    TableDamaged => "partition-table-damaged",
    /// The file ends before its last partition does.
    CutShort => "cut-short",
    /// Reading the image does not end.
    Endless => "endless",
    /// A reader panicked while it read the image.
    ReaderGaveUp => "reader-gave-up",
    /// An input of this check was not found, or is refused by another check.
    NotReached => "not-reached",
    /// Signatures were not required.
    SignaturesNotDemanded => "signatures-not-demanded",
    /// A partition cannot be read.
    PartitionUnreadable => "partition-unreadable",
    /// There is no seed.
    NoSeed => "no-seed",
    /// There are several seeds.
    SeveralSeeds => "several-seeds",
    /// The seed is damaged, or has an unknown layout.
    SeedUnusable => "seed-unusable",
    /// A file of assertions cannot be read.
    AssertionUnreadable => "assertion-unreadable",
    /// An assertion contradicts another, or is of an unknown type.
    AssertionRejected => "assertion-rejected",
    /// A model, or another assertion, is in the wrong file.
    AssertionMisplaced => "assertion-misplaced",
    /// An assertion that makes logins, or that belongs to one device.
    AssertionNotForImages => "assertion-not-for-images",
    /// An assertion that no trusted key signs.
    AssertionNotProven => "assertion-not-proven",
    /// The seed has no model.
    NoModel => "no-model",
    /// The seed has several models.
    SeveralModels => "several-models",
    /// The model is not proven.
    ModelNotProven => "model-not-proven",
    /// Model and seed belong to different generations of Ubuntu Core.
    ModelOfOtherGeneration => "model-of-other-generation",
    /// The image is for another model.
    OtherModel => "other-model",
    /// The model is of another series.
    OtherSeries => "other-series",
    /// The model has another revision.
    OtherRevision => "other-revision",
    /// The model of this revision has other contents.
    OtherContents => "other-contents",
    /// The given wanted model is not a model.
    NotAModel => "not-a-model",
    /// The device needs an assertion that is not in the seed.
    NotInSeed => "not-in-seed",
    /// The device does not trust an assertion of its seed.
    NotVerifiable => "not-verifiable",
    /// An assertion, a name or a key that must be unique occurs twice.
    Doubled => "doubled",
    /// Of a snap-revision and its snap-declaration, one is missing.
    Unpaired => "unpaired",
    /// A required or essential snap is missing.
    SnapMissing => "snap-missing",
    /// There are several snaps with one name.
    SeveralSnaps => "several-snaps",
    /// No trusted publisher signed the bytes of a snap.
    SnapNotProven => "snap-not-proven",
    /// The id of a snap is not the one in the model.
    OtherSnapId => "other-snap-id",
    /// The model requires a component.
    ComponentRequired => "component-required",
    /// A snap that the model does not require.
    SnapNotRequired => "snap-not-required",
    /// The seed contradicts itself, or needs something that nothing signs.
    SeedOdd => "seed-odd",
    /// An essential snap is not published by Canonical.
    NotCanonicals => "not-canonicals",
    /// The model names a store of the brand.
    BrandStore => "brand-store",
    /// A snap cannot be read because of its compression.
    SnapNotRead => "snap-not-read",
    /// A snap is damaged.
    SnapDamaged => "snap-damaged",
    /// A snap is made for another architecture.
    OtherArchitecture => "other-architecture",
    /// A snap has another type than in the model.
    OtherSnapType => "other-snap-type",
    /// The gadget is made for another base.
    OtherBase => "other-base",
    /// There is no readable boot partition.
    NoBootPartition => "no-boot-partition",
    /// There are several boot partitions.
    SeveralBootPartitions => "several-boot-partitions",
    /// The boot files cannot be compared.
    BootNotCompared => "boot-not-compared",
    /// A file that boots, or controls what boots, has no original to compare with.
    NoOriginal => "no-original",
    /// A boot file differs from its original.
    BootFileDiffers => "boot-file-differs",
    /// A boot file is missing.
    BootFileMissing => "boot-file-missing",
    /// A file on the boot partition that is in no snap.
    BootFileForeign => "boot-file-foreign",
    /// Boot code outside of every file system differs from the gadget's.
    BootCodeDiffers => "boot-code-differs",
    /// The gadget names a file that it does not contain.
    GadgetFileMissing => "gadget-file-missing",
    /// An environment of the boot loader is damaged, or ambiguous.
    EnvironmentDamaged => "environment-damaged",
    /// An environment of the boot loader has contents that no fresh image has.
    EnvironmentDiffers => "environment-differs",
    /// The kernel's command line is not that of menu and gadget.
    CommandLineDiffers => "command-line-differs",
    /// A file beside the seed that nothing signs.
    FileNotSigned => "file-not-signed",
    /// A partition that nothing describes.
    PartitionNotSigned => "partition-not-signed",
    /// Bytes outside of every partition that nothing describes.
    GapNotSigned => "gap-not-signed",
    /// The contents beside the seed cannot be read.
    RestUnreadable => "rest-unreadable",
    /// The number of further reasons.
    More => "more",
}

impl VerdictCode {
    /// A reason with this code and sentence.
    pub(super) fn with(self, text: impl Into<String>) -> VerdictReason {
        VerdictReason { code: self, text: text.into() }
    }
}

impl Serialize for VerdictCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// Why a check failed or was not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictReason {
    /// The stable code for programs.
    pub code: VerdictCode,
    /// The sentence for people, in English; its words may change.
    pub text: String,
}

impl std::fmt::Display for VerdictReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_a_word_of_its_own() {
        let words: BTreeSet<&str> = VerdictCode::ALL.iter().map(|code| code.code()).collect();
        assert_eq!(words.len(), VerdictCode::ALL.len());
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    }
}
