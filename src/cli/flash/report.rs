//! Prints the result of a device that has ended: one line, or one JSON object.

use std::fmt;
use std::path::Path;

use crate::station::outcome::{Effort, Outcome};
use crate::station::sign::Sign;
use crate::station::units::{Bytes, KIB, seconds};

/// The printed result of a device.
pub(super) struct Report<'a> {
    pub(super) device: &'a Path,
    pub(super) outcome: &'a Outcome,
    pub(super) effort: &'a Effort,
    pub(super) span: Bytes,
    pub(super) recorded: bool,
}

impl Report<'_> {
    /// Only a recorded proof is called PASS.
    fn outcome(&self) -> String {
        match self.outcome {
            Outcome::Passed(_) if !self.recorded => "verified".to_owned(),
            Outcome::PassedMapped(_) if !self.recorded => "verified-mapped-only".to_owned(),
            other => other.word().to_string(),
        }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let digest = match self.outcome {
            Outcome::Passed(proof) => Some(proof.digest().to_string()),
            _ => None,
        };
        serde_json::json!({
            "device": self.device,
            "outcome": self.outcome(),
            "reason_code": self.outcome.code(),
            "reason": self.outcome.reason(),
            "failed_at": self.outcome.at().map(|at| at.0),
            "span": self.span.0,
            "seconds": seconds(self.effort.total),
            "writing_seconds": seconds(self.effort.writing),
            "reading_back_seconds": seconds(self.effort.reading),
            "slowest_call_seconds": seconds(self.effort.slowest_call),
            "slowest_call_act": self.effort.slowest_was.map(|(act, _)| act.to_string()),
            "slowest_call_at": self.effort.slowest_was.map(|(_, at)| at.0),
            "retries": self.effort.retries,
            "writing_kib_per_second_along": along(&self.effort.curve.writing),
            "reading_kib_per_second_along": along(&self.effort.curve.reading),
            "bytes_written": self.effort.written.0,
            "bytes_read_back": self.effort.read.0,
            "digest": digest,
            "readback_class": self.outcome.readback_class(),
        })
    }
}

/// KiB a second in parts of equal length along the image, as the flash log keeps it.
fn along(rates: &[Option<Bytes>]) -> Vec<Option<u64>> {
    rates.iter().map(|rate| rate.map(|rate| rate.0 / KIB)).collect()
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.outcome {
            Outcome::Passed(_) if self.recorded => "PASS",
            Outcome::Passed(_) => "VERIFIED",
            Outcome::PassedMapped(_) if !self.recorded => "VERIFIED (MAPPED ONLY)",
            other => Sign::of_outcome(other).word(),
        };
        write!(f, "{}  {word}", self.device.display())?;
        match self.outcome {
            Outcome::Passed(proof) => write!(
                f,
                "  {:.1} s (writing {:.1}, reading back {:.1})  {}",
                seconds(self.effort.total),
                seconds(self.effort.writing),
                seconds(self.effort.reading),
                proof.digest()
            ),
            Outcome::PassedMapped(proof) => write!(
                f,
                "  {:.1} s (writing {:.1}, reading back {:.1})  {} of {}",
                seconds(self.effort.total),
                seconds(self.effort.writing),
                seconds(self.effort.reading),
                proof.bytes(),
                self.span
            ),
            other => other.reason().map_or(Ok(()), |reason| write!(f, "  {reason}")),
        }
    }
}
