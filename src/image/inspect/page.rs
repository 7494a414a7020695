//! The result of an inspection, for people, for programs, and for the station, which arms by it.

use serde::Serialize;

use super::codes::{VerdictCode, VerdictReason};
use super::readers::table;

/// The promises of the simple production model about an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The file and its partition table are complete.
    Whole,
    /// There is exactly one model, verified, and it is the wanted one.
    Model,
    /// The seed needs nothing that only the station knows.
    FirstBoot,
    /// Every required snap is present and published.
    SnapsPresent,
    /// The image contains no snap that the model does not require.
    NothingExtra,
    /// Core or base, kernel and gadget are as Canonical published them.
    Unmodified,
    /// Every snap comes from the public store.
    PublicStore,
    /// Architectures and bases agree.
    Agreement,
    /// The boot files equal the proven ones.
    BootFiles,
    /// `writable` contains nothing that is not signed.
    NothingUnsigned,
}

impl Check {
    /// All checks, in their order.
    pub const ALL: [Self; 10] = [
        Self::Whole,
        Self::Model,
        Self::FirstBoot,
        Self::SnapsPresent,
        Self::NothingExtra,
        Self::Unmodified,
        Self::PublicStore,
        Self::Agreement,
        Self::BootFiles,
        Self::NothingUnsigned,
    ];

    /// The meaning of a yes.
    #[must_use]
    pub(crate) fn statement(self) -> &'static str {
        match self {
            Self::Whole => "the file is whole",
            Self::Model => "exactly one model, verified, and the one wanted",
            Self::FirstBoot => "the device can verify all of it at its first boot, from its own seed",
            Self::SnapsPresent => "every required and essential snap is there and asserted",
            Self::NothingExtra => "no snap that the model does not require",
            Self::Unmodified => "core or base, kernel and gadget are unmodified and Canonical's",
            Self::PublicStore => "all from the public store",
            Self::Agreement => "architectures and the gadget's base agree with the model",
            Self::BootFiles => "the boot files equal those in the kernel and gadget snaps",
            Self::NothingUnsigned => "no unsigned contents, except those that are allowed",
        }
    }
}

/// The answer to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was checked and holds.
    Yes,
    /// It does not hold.
    No,
    /// It could not be checked.
    NotCovered,
}

impl Answer {
    /// The word in the page and in JSON.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::NotCovered => "not covered",
        }
    }
}

/// A check, its answer, and the reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The check that was made.
    pub check: Check,
    /// The result of the check.
    pub answer: Answer,
    /// The reasons; empty for a plain yes.
    pub reasons: Vec<VerdictReason>,
}

impl Verdict {
    /// Its reasons without their codes.
    #[must_use]
    pub fn sentences(&self) -> Vec<&str> {
        self.reasons.iter().map(|reason| reason.text.as_str()).collect()
    }
}

/// A partition and its contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundPartition {
    /// The partition in the table.
    #[serde(flatten)]
    pub entry: table::Partition,
    /// `fat`, `ext4`, or `None` for one that is not read here.
    pub filesystem: Option<&'static str>,
    /// The label of the file system.
    pub label: Option<String>,
    /// Why it could not be read.
    pub trouble: Option<String>,
}

/// The model assertion inside the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundModel {
    /// The account that makes the device.
    pub brand: String,
    /// The value of the header `model`.
    pub model: String,
    /// The series of snapd, `16`.
    pub series: String,
    /// The revision of the assertion.
    pub revision: u64,
    /// The architecture by its Debian name, such as `arm64`.
    pub architecture: String,
    /// `None` is core, of Ubuntu Core 16.
    pub base: Option<String>,
    /// Present from Ubuntu Core 20 on.
    pub grade: Option<&'static str>,
    /// When it was made.
    pub timestamp: Option<String>,
    /// The snaps that it requires beside the essential ones.
    pub required_snaps: Vec<String>,
    /// SHA3-384 of the assertion.
    pub sha3_384: String,
    /// The key that it names as its signer.
    pub sign_key: Option<String>,
    /// The keys from it to a root, if it is proven.
    pub chain: Option<Vec<String>>,
    /// Why it is not proven.
    pub problems: Vec<String>,
}

/// A snap in the seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundSnap {
    /// Its file in the seed.
    pub file: String,
    /// The name by its declaration; its own name without one.
    pub name: String,
    /// `app`, `base`, `gadget`, `kernel`, `core`, `snapd`; unknown if it could not be read.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The version that the snap gives itself.
    pub version: Option<String>,
    /// The revision, from its snap-revision assertion.
    pub revision: Option<u64>,
    /// The snap id, from its snap-declaration.
    pub snap_id: Option<String>,
    /// The account id of the publisher.
    pub publisher_id: Option<String>,
    /// Its name for people.
    pub publisher: Option<String>,
    /// Length of the snap file in bytes.
    pub size: u64,
    /// The digest of its bytes, as assertions write it.
    pub sha3_384: String,
    /// The keys from its snap-revision to a root, if its bytes are proven.
    pub chain: Option<Vec<String>>,
    /// Why they are not proven.
    pub problems: Vec<String>,
}

/// All findings of an inspection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Length of the image in bytes.
    pub span: u64,
    /// The kind of partition table: `mbr` or `gpt`.
    pub table: Option<table::Kind>,
    /// The partitions, in the order of the card.
    pub partitions: Vec<FoundPartition>,
    /// The place of the seed.
    pub seed: Option<String>,
    /// The model inside, if there is exactly one.
    pub model: Option<FoundModel>,
    /// The snaps of the seed.
    pub snaps: Vec<FoundSnap>,
    /// One for every [`Check`], in its order.
    pub verdicts: Vec<Verdict>,
    /// Properties that no check covers, in words.
    pub uncovered: Vec<String>,
    /// Warnings, which refuse nothing.
    pub warnings: Vec<String>,
}

impl Page {
    /// The page of an image before anything is known.
    pub(super) fn new(span: u64) -> Self {
        Self {
            span,
            table: None,
            partitions: Vec::new(),
            seed: None,
            model: None,
            snaps: Vec::new(),
            verdicts: Vec::new(),
            uncovered: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The page of an image that cannot be read at all.
    pub(super) fn unreadable(span: u64, why: VerdictReason) -> Self {
        let mut page = Self::new(span);
        page.say(Check::Whole, Answer::No, vec![why]);
        page.rest("the image could not be read");
        page
    }

    pub(super) fn say(&mut self, check: Check, answer: Answer, reasons: Vec<VerdictReason>) {
        self.verdicts.push(Verdict { check, answer, reasons });
    }

    /// Records a yes if there is no reason against it.
    pub(super) fn unless(&mut self, check: Check, reasons: Vec<VerdictReason>) {
        let answer = if reasons.is_empty() { Answer::Yes } else { Answer::No };
        self.say(check, answer, reasons);
    }

    /// Records every check that was not made as not covered, in its place.
    pub(super) fn rest(&mut self, why: &str) {
        for check in Check::ALL {
            if self.verdict(check).is_none() {
                self.say(check, Answer::NotCovered, vec![VerdictCode::NotReached.with(why)]);
            }
        }
        self.verdicts.sort_by_key(|verdict| verdict.check);
    }

    /// The verdict on one check.
    #[must_use]
    pub fn verdict(&self, check: Check) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.check == check)
    }

    /// May the image be written to cards, by the requirements?
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.verdicts.is_empty() && self.verdicts.iter().all(|verdict| verdict.answer != Answer::No)
    }

    /// Why not, in one sentence: the first problem.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let first = self.verdicts.iter().find(|verdict| verdict.answer == Answer::No)?;
        Some(first.reasons.first().map_or_else(|| format!("not so: {}", first.check.statement()), |reason| reason.text.clone()))
    }

    /// The code of that reason.
    #[must_use]
    pub(crate) fn refusal_code(&self) -> Option<VerdictCode> {
        let first = self.verdicts.iter().find(|verdict| verdict.answer == Answer::No)?;
        first.reasons.first().map(|reason| reason.code)
    }

    /// The properties that could not be checked, in words, for the log.
    #[must_use]
    pub fn not_covered(&self) -> Vec<String> {
        let checks = self.verdicts.iter().filter(|verdict| verdict.answer == Answer::NotCovered);
        let checks = checks.map(|verdict| format!("{}: {}", verdict.check.statement(), verdict.sentences().join("; ")));
        checks.chain(self.uncovered.iter().cloned()).collect()
    }
}
