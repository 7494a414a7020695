//! The result of an inspection, for people, for programs, and for the station that arms by it.

use serde::Serialize;

use super::codes::{VerdictCode, VerdictReason};
use super::readers::table;

/// What the simple production model promises of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The file is whole, and so is its partition table.
    Whole,
    /// One model, verified, and the one that is wanted.
    Model,
    /// The seed needs nothing that only the station knows.
    FirstBoot,
    /// What must be there is, and somebody published it.
    SnapsPresent,
    /// The image holds nothing that the model does not account for.
    NothingExtra,
    /// Core or base, kernel and gadget as Canonical published them.
    Unmodified,
    /// Every snap comes from the public store.
    PublicStore,
    /// Architectures and bases agree.
    Agreement,
    /// What boots is what was proven.
    BootFiles,
    /// Nothing in `writable` that nothing signs.
    NothingUnsigned,
}

impl Check {
    /// All of them, in the order they are made.
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

    /// What a yes means.
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
            Self::BootFiles => "what boots equals what is in the kernel and gadget snaps",
            Self::NothingUnsigned => "nothing that nobody signed, beyond what is allowed",
        }
    }
}

/// The answer to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was looked at and holds.
    Yes,
    /// It does not hold.
    No,
    /// It could not be looked at.
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
    /// Why; empty for a plain yes.
    pub reasons: Vec<VerdictReason>,
}

impl Verdict {
    /// Its reasons without their codes.
    #[must_use]
    pub fn sentences(&self) -> Vec<&str> {
        self.reasons.iter().map(|reason| reason.text.as_str()).collect()
    }
}

/// A partition and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundPartition {
    /// As the table has it.
    #[serde(flatten)]
    pub entry: table::Partition,
    /// `fat`, `ext4`, or nothing that is read here.
    pub filesystem: Option<&'static str>,
    /// The file system's own.
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
    /// Which edition of the assertion.
    pub revision: u64,
    /// The architecture by its Debian name, such as `arm64`.
    pub architecture: String,
    /// None is core, of Ubuntu Core 16.
    pub base: Option<String>,
    /// From Ubuntu Core 20 on.
    pub grade: Option<&'static str>,
    /// When it was made.
    pub timestamp: Option<String>,
    /// What it requires beside the essential snaps.
    pub required_snaps: Vec<String>,
    /// SHA3-384 of the assertion.
    pub sha3_384: String,
    /// The key that signed it, as it says.
    pub sign_key: Option<String>,
    /// The keys from it to a root, where that was proven.
    pub chain: Option<Vec<String>>,
    /// Why it was not.
    pub problems: Vec<String>,
}

/// A snap in the seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundSnap {
    /// Its file in the seed.
    pub file: String,
    /// By its declaration; by itself where there is none.
    pub name: String,
    /// `app`, `base`, `gadget`, `kernel`, `core`, `snapd`; unknown where it could not be looked into.
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
    /// Of its bytes, as assertions write it.
    pub sha3_384: String,
    /// The keys from its snap-revision to a root, where its bytes were proven.
    pub chain: Option<Vec<String>>,
    /// Why they were not.
    pub problems: Vec<String>,
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Length of the image in bytes.
    pub span: u64,
    /// The kind of partition table: `mbr` or `gpt`.
    pub table: Option<table::Kind>,
    /// In the order of the card.
    pub partitions: Vec<FoundPartition>,
    /// Where the seed is.
    pub seed: Option<String>,
    /// The model inside, if there is exactly one.
    pub model: Option<FoundModel>,
    /// The snaps of the seed.
    pub snaps: Vec<FoundSnap>,
    /// One for every [`Check`], in its order.
    pub verdicts: Vec<Verdict>,
    /// What no check covers, in words.
    pub uncovered: Vec<String>,
    /// What is worth knowing and refuses nothing.
    pub warnings: Vec<String>,
}

impl Page {
    /// Of an image of which nothing is known yet.
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

    /// Of an image that cannot be read at all.
    pub(super) fn unreadable(span: u64, why: VerdictReason) -> Self {
        let mut page = Self::new(span);
        page.say(Check::Whole, Answer::No, vec![why]);
        page.rest("the image could not be read");
        page
    }

    pub(super) fn say(&mut self, check: Check, answer: Answer, reasons: Vec<VerdictReason>) {
        self.verdicts.push(Verdict { check, answer, reasons });
    }

    /// Yes where there is no reason against it.
    pub(super) fn unless(&mut self, check: Check, reasons: Vec<VerdictReason>) {
        let answer = if reasons.is_empty() { Answer::Yes } else { Answer::No };
        self.say(check, answer, reasons);
    }

    /// Every check that was not made was not covered, and in its place.
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

    /// May the image be written to cards, as far as what was wanted goes?
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.verdicts.is_empty() && self.verdicts.iter().all(|verdict| verdict.answer != Answer::No)
    }

    /// Why it may not, in one sentence: the first thing that is wrong.
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

    /// What could not be covered, in words, for the log.
    #[must_use]
    pub fn not_covered(&self) -> Vec<String> {
        let checks = self.verdicts.iter().filter(|verdict| verdict.answer == Answer::NotCovered);
        let checks = checks.map(|verdict| format!("{}: {}", verdict.check.statement(), verdict.sentences().join("; ")));
        checks.chain(self.uncovered.iter().cloned()).collect()
    }
}
