//! Why a check says no, or was not made: a code that programs may rely on, beside a sentence for people that may change.

use serde::Serialize;

/// Declares the codes, each once: the variant, its word, and the list of all.
macro_rules! verdict_codes {
    ($($(#[doc = $doc:literal])+ $name:ident => $word:literal,)+) => {
        /// What a reason is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum VerdictCode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl VerdictCode {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As it is written.
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
    /// The partition table cannot be relied on.
    TableDamaged => "partition-table-damaged",
    /// The file ends before its last partition does.
    CutShort => "cut-short",
    /// Reading it comes to no end.
    Endless => "endless",
    /// A reader panicked over it.
    ReaderGaveUp => "reader-gave-up",
    /// What this check needs was not found, or is refused by another check.
    NotReached => "not-reached",
    /// Signatures were not asked for.
    SignaturesNotDemanded => "signatures-not-demanded",
    /// A partition cannot be read.
    PartitionUnreadable => "partition-unreadable",
    /// There is no seed.
    NoSeed => "no-seed",
    /// There are several.
    SeveralSeeds => "several-seeds",
    /// The seed is damaged, or not laid out as one.
    SeedUnusable => "seed-unusable",
    /// A file of assertions cannot be read.
    AssertionUnreadable => "assertion-unreadable",
    /// An assertion contradicts another, or is none that is known.
    AssertionRejected => "assertion-rejected",
    /// A model, or something else, stands in the wrong file.
    AssertionMisplaced => "assertion-misplaced",
    /// An assertion that makes logins or belongs to one device.
    AssertionNotForImages => "assertion-not-for-images",
    /// An assertion that nobody trusted vouches for.
    AssertionNotProven => "assertion-not-proven",
    /// The seed has no model.
    NoModel => "no-model",
    /// The seed has several.
    SeveralModels => "several-models",
    /// The model is not proven.
    ModelNotProven => "model-not-proven",
    /// Model and seed are of two generations of Ubuntu Core.
    ModelOfOtherGeneration => "model-of-other-generation",
    /// The image is for another model.
    OtherModel => "other-model",
    /// The model is of another series.
    OtherSeries => "other-series",
    /// The model has another revision.
    OtherRevision => "other-revision",
    /// The model of this revision says something else.
    OtherContents => "other-contents",
    /// What was given as the wanted model is none.
    NotAModel => "not-a-model",
    /// An assertion is not in the seed, and the device needs it.
    NotInSeed => "not-in-seed",
    /// The device does not believe an assertion of its seed.
    NotVerifiable => "not-verifiable",
    /// An assertion, a name or a key that may be there once is there twice.
    Doubled => "doubled",
    /// A snap-revision and its snap-declaration are not both there.
    Unpaired => "unpaired",
    /// A required or essential snap is not there.
    SnapMissing => "snap-missing",
    /// There are several snaps of one name.
    SeveralSnaps => "several-snaps",
    /// Nobody trusted published the bytes of a snap.
    SnapNotProven => "snap-not-proven",
    /// A snap has another id than the model says.
    OtherSnapId => "other-snap-id",
    /// The model requires a component.
    ComponentRequired => "component-required",
    /// A snap that the model does not require.
    SnapNotRequired => "snap-not-required",
    /// The seed contradicts itself, or asks for what nothing signs.
    SeedOdd => "seed-odd",
    /// An essential snap is not Canonical's.
    NotCanonicals => "not-canonicals",
    /// The model names a store of the brand.
    BrandStore => "brand-store",
    /// A snap cannot be looked into because it is packed in a way that is not read here.
    SnapNotRead => "snap-not-read",
    /// A snap is damaged.
    SnapDamaged => "snap-damaged",
    /// A snap is made for another architecture.
    OtherArchitecture => "other-architecture",
    /// A snap is of another type than the model takes it for.
    OtherSnapType => "other-snap-type",
    /// The gadget is made for another base.
    OtherBase => "other-base",
    /// There is no boot partition that can be read.
    NoBootPartition => "no-boot-partition",
    /// There are several.
    SeveralBootPartitions => "several-boot-partitions",
    /// What boots cannot be compared.
    BootNotCompared => "boot-not-compared",
    /// A file that boots, or tells what boots, has no original it could be compared with.
    NoOriginal => "no-original",
    /// A boot file differs from its original.
    BootFileDiffers => "boot-file-differs",
    /// A boot file is missing.
    BootFileMissing => "boot-file-missing",
    /// A file on the boot partition that no snap has.
    BootFileForeign => "boot-file-foreign",
    /// Boot code outside of every file system differs from the gadget's.
    BootCodeDiffers => "boot-code-differs",
    /// The gadget names a file that it does not have.
    GadgetFileMissing => "gadget-file-missing",
    /// An environment of the boot loader is damaged, or is read in two ways.
    EnvironmentDamaged => "environment-damaged",
    /// An environment of the boot loader says what no fresh image says.
    EnvironmentDiffers => "environment-differs",
    /// The kernel is told something else than menu and gadget say.
    CommandLineDiffers => "command-line-differs",
    /// A file beside the seed that nothing signs.
    FileNotSigned => "file-not-signed",
    /// A partition that nothing accounts for.
    PartitionNotSigned => "partition-not-signed",
    /// Bytes outside of every partition that nothing accounts for.
    GapNotSigned => "gap-not-signed",
    /// What lies beside the seed cannot be read.
    RestUnreadable => "rest-unreadable",
    /// How many more reasons there are.
    More => "more",
}

impl VerdictCode {
    /// With its sentence.
    pub(super) fn with(self, text: impl Into<String>) -> VerdictReason {
        VerdictReason { code: self, text: text.into() }
    }
}

impl Serialize for VerdictCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// Why a check says no, or was not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictReason {
    /// The code, which programs may rely on.
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
