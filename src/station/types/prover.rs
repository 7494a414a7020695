//! The proof of the prover: whether this program, on this PC, still detects the faults of cards. Until that is proven, no card is begun.

use std::time::Duration;
use std::{fmt, io};

use super::outcome::Failure;
use super::units::Bytes;

/// What a service manager's user does about a program that cannot be trusted.
const REINSTALL: &str = "the program or the memory of this PC is damaged, or this version has a bug: test the memory, install another \
                         version of flashline, then systemctl restart flashline";

/// A fault that is planted into a medium, to see whether the verifier finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlantedFault {
    /// One bit that was written is another one on the medium.
    FlippedBit,
    /// A write is acknowledged, and the medium keeps its old contents.
    IgnoredWrite,
    /// The contents of a write are one sector further than they should be.
    ShiftedSector,
    /// A write to one place lands in another, as on a card with a false capacity.
    AliasedWrite,
    /// A written block is read back from a cache until the next flush, and the medium keeps its old contents.
    StaleCache,
}

impl PlantedFault {
    /// Every kind of planted fault.
    pub const ALL: [Self; 5] = [Self::FlippedBit, Self::IgnoredWrite, Self::ShiftedSector, Self::AliasedWrite, Self::StaleCache];

    /// The stable word in the log.
    #[must_use]
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::FlippedBit => "flipped-bit",
            Self::IgnoredWrite => "ignored-write",
            Self::ShiftedSector => "shifted-sector",
            Self::AliasedWrite => "aliased-write",
            Self::StaleCache => "stale-cache",
        }
    }
}

impl fmt::Display for PlantedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FlippedBit => "one flipped bit",
            Self::IgnoredWrite => "an ignored write",
            Self::ShiftedSector => "a sector that is shifted",
            Self::AliasedWrite => "a write that lands in another place",
            Self::StaleCache => "a cache that loses a write",
        })
    }
}

/// When the verifier is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProvingTime {
    /// The station has started.
    Start,
    /// A shift has begun.
    Shift,
}

impl ProvingTime {
    /// The stable word in the log.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Shift => "shift",
        }
    }
}

/// The verifier found every planted fault, and called the healthy medium good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerifierProof {
    /// The medium was read and written past the page cache, as a card is; false if its file system does not allow that.
    pub direct: bool,
    /// How many faults were planted and found.
    pub planted: u32,
    /// How long it took.
    pub took: Duration,
}

/// What the verifier said of a medium.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Said {
    /// It is good: every byte is the image's.
    Good,
    /// It is good, and it does not hold the image.
    GoodUnwritten,
    /// It has this fault.
    Bad(Failure),
    /// It does not hold the image, and that is no fault of it.
    NotDone,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::GoodUnwritten => f.write_str("good, although it does not hold the image"),
            Self::Bad(failure) => write!(f, "bad: {failure}"),
            Self::NotDone => f.write_str("a card that does not hold the image"),
        }
    }
}

/// A fault that the verifier missed, or did not recognise; or a healthy medium that it called bad.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MissedFault {
    /// The planted fault, and the byte of the medium at which it was; `None` for a healthy medium.
    pub planted: Option<(PlantedFault, Bytes)>,
    /// What the verifier said.
    pub said: Said,
}

impl MissedFault {
    /// What the verifier did not do, in English.
    #[must_use]
    pub(crate) fn what(&self) -> String {
        let said = &self.said;
        match self.planted {
            Some((fault, at)) => format!("the verifier missed a planted fault, {fault} at byte {}: it called the medium {said}", at.0),
            None => format!("the verifier called a healthy medium {said}"),
        }
    }

    /// The whole sentence, with the cure.
    #[must_use]
    pub(crate) fn sentence(&self) -> String {
        format!("{}; nothing is armed. {REINSTALL}", self.what())
    }
}

/// Why the verifier could be neither proven nor found to miss a fault. The verifier did not cause it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProverObstacle {
    /// A file on the state disk could not be made, written or read.
    StateDisk {
        /// The folder of the file.
        folder: String,
        /// The errno of the failed call; `None` if it ended early without an error.
        errno: Option<i32>,
    },
    /// The state disk returned something else than was written to it.
    Contents {
        /// The folder of the file.
        folder: String,
        /// The first byte of the file that differs.
        at: Bytes,
    },
    /// The state disk has not answered for so long.
    Silent {
        /// The folder of the file.
        folder: String,
        /// The time that has passed.
        waited: Duration,
    },
    /// No memory, no thread, or a bug that stopped the verifier before it could judge.
    Internal {
        /// The error of the system, or the panic's message.
        message: String,
    },
}

/// Error numbers of Linux (`asm-generic/errno-base.h`, `asm-generic/errno.h`) that have a cure of their own.
const EPERM: i32 = 1;
const EACCES: i32 = 13;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EDQUOT: i32 = 122;

impl ProverObstacle {
    /// The stable word in the log.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::StateDisk { errno: Some(ENOSPC | EDQUOT), .. } => "disk-full",
            Self::StateDisk { errno: Some(EPERM | EACCES | EROFS), .. } => "disk-read-only",
            Self::StateDisk { .. } | Self::Contents { .. } => "disk-error",
            Self::Silent { .. } => "disk-silent",
            Self::Internal { .. } => "internal",
        }
    }

    /// What was in the way, in English, with the cure.
    #[must_use]
    pub(crate) fn why(&self) -> String {
        match self {
            Self::StateDisk { folder, errno } => {
                let cause = errno.map_or_else(
                    || "a call stopped short without an error".to_owned(),
                    |errno| io::Error::from_raw_os_error(errno).to_string(),
                );
                let cure = match self.code() {
                    "disk-full" => "its disk is full; make room on it",
                    "disk-read-only" => "check its owner, its mode and that its disk is not mounted read-only",
                    _ => "its disk answered with an error; check the disk",
                };
                format!("{folder} cannot be used ({cause}): {cure}")
            }
            Self::Contents { folder, at } => {
                format!("what was written to {folder} reads back different at byte {}: check its disk and the memory of this PC", at.0)
            }
            Self::Silent { folder, waited } => {
                format!("the disk with {folder} has not answered for {} s: check the disk", waited.as_secs())
            }
            Self::Internal { message } => format!("{message}: start the program again, and report it if it comes again"),
        }
    }

    /// The whole sentence of a station.
    #[must_use]
    pub(crate) fn sentence(&self) -> String {
        format!("the verifier could not be proven, so nothing is armed: {}. It is tried again by itself", self.why())
    }
}

/// What came of a proof of the prover.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProverVerdict {
    /// The verifier detects faults.
    Proven(VerifierProof),
    /// It does not.
    Missed(MissedFault),
    /// This is not known.
    Impossible(ProverObstacle),
}

/// A report about the proof of the prover.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProverReport {
    /// A proof has begun: no card is begun until it has ended.
    Begun,
    /// It has ended.
    Ended {
        /// Why it was made.
        time: ProvingTime,
        /// What came of it.
        verdict: ProverVerdict,
    },
}

/// The verifier is not proven now, and no card is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnprovenVerifier {
    /// A proof is under way: cards wait, and no person is needed.
    BeingProven,
    /// It missed a fault.
    MissedFault,
    /// It could not be proven.
    Impossible,
}

impl UnprovenVerifier {
    /// Every state, for tables.
    pub const ALL: [Self; 3] = [Self::BeingProven, Self::MissedFault, Self::Impossible];

    /// The stable code for programs.
    #[must_use]
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::BeingProven => "being-proven",
            Self::MissedFault => "missed-fault",
            Self::Impossible => "impossible",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_fault_names_the_fault_its_place_and_the_cure() {
        let missed = MissedFault { planted: Some((PlantedFault::FlippedBit, Bytes(77))), said: Said::Good };
        let sentence = missed.sentence();
        assert!(sentence.contains("one flipped bit at byte 77: it called the medium good; nothing is armed"), "{sentence}");
        assert!(sentence.contains("install another version"), "{sentence}");
        let healthy = MissedFault { planted: None, said: Said::Bad(Failure::WriteIgnored { at: Bytes(5) }) };
        assert!(healthy.what().contains("a healthy medium bad: write ignored: byte 5"), "{}", healthy.what());
    }

    #[test]
    fn what_hinders_the_proof_is_called_the_fault_of_the_disk_and_each_has_its_own_cure() {
        let disk = |errno| ProverObstacle::StateDisk { folder: "/var/lib/flashline/prover".to_owned(), errno };
        for (errno, code, cure) in [
            (Some(ENOSPC), "disk-full", "make room on it"),
            (Some(EROFS), "disk-read-only", "not mounted read-only"),
            (Some(5), "disk-error", "check the disk"),
            (None, "disk-error", "check the disk"),
        ] {
            let obstacle = disk(errno);
            let sentence = obstacle.sentence();
            assert_eq!(obstacle.code(), code);
            assert!(sentence.contains("could not be proven") && sentence.contains(cure) && sentence.contains("/prover"), "{sentence}");
            assert!(!sentence.contains("missed"), "it is no fault of the verifier: {sentence}");
        }
        let silent = ProverObstacle::Silent { folder: "/prover".to_owned(), waited: Duration::from_secs(60) };
        assert!(silent.sentence().contains("for 60 s: check the disk"), "{}", silent.sentence());
    }
}
