//! Whether the verifier of the station was proven, as the flash log says.

use std::path::Path;

use super::finding::{Finding, Subject};
use crate::ledger::{LogEvent, LogReader};
use crate::panel::lines::local_time;
use crate::report::harmless;

/// A station that has just started is given this time, microseconds: the proof takes seconds, and a minute at the most.
const JUST_STARTED: i64 = 120_000_000;

/// The newest proof of the verifier, at the time `now`, microseconds UTC. A log that cannot be read has a finding of its own, and one of a
/// station that never started, or has just started, has none.
pub(super) fn finding(log: &Path, now: i64) -> Option<Finding> {
    let events = LogReader::open(log).and_then(|log| log.prover_events()).ok()?;
    let newest = events.last()?;
    let is_under_way = newest.kind == "station-started" && (0..JUST_STARTED).contains(&(now - newest.at));
    (!is_under_way).then(|| of_event(newest))
}

fn of_event(event: &LogEvent) -> Finding {
    let body = serde_json::from_str::<serde_json::Value>(&event.body).unwrap_or_default();
    let (at, reason) = (local_time(event.at), body["reason"].as_str().map(harmless).unwrap_or_default());
    let program = body["station_version"]["program"].as_str().map(harmless).unwrap_or_default();
    match event.kind.as_str() {
        "prover-proven" => Finding::good(Subject::Verifier, format!("proven {at}, by program {program}: it found every planted fault")),
        "prover-failed" => Finding::bad(Subject::Verifier, format!("{at}, program {program}: {reason}")).cure(
            "test the memory of this PC, install another version of flashline, then systemctl restart flashline. No card is started before",
        ),
        "prover-unproven" => Finding::bad(Subject::Verifier, format!("{at}: {reason}")),
        // The station has started, and has not said anything of its verifier yet.
        _ => Finding::warning(Subject::Verifier, format!("not proven since the station started {at}: no card is started before it is")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::finding::Mark;
    use super::*;
    use crate::ledger::Ledger;
    use crate::station::prover::{MissedFault, PlantedFault, ProverObstacle, ProvingTime, Said, VerifierProof};
    use crate::station::record::Entry;
    use crate::station::units::Bytes;

    #[test]
    fn the_newest_proof_counts_and_what_was_missed_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        let later = || crate::ledger::Stamp::now().at + 2 * JUST_STARTED;
        assert_eq!(finding(&path, later()), None, "no log is there");
        let mut ledger = Ledger::open_on(&path, "bench-1", "0123456789abcdef0123456789abcdef").expect("the log opens");
        assert_eq!(finding(&path, later()), None, "no station has started");
        let time = ProvingTime::Start;
        let missed = MissedFault { planted: Some((PlantedFault::AliasedWrite, Bytes(77))), said: Said::Good };
        let obstacle = ProverObstacle::StateDisk { folder: "/state/prover".to_owned(), errno: Some(28) };
        for (entry, mark, says) in [
            (Entry::StationStarted { version: "1".to_owned(), volatile: None }, Mark::Warning, "not proven since"),
            (Entry::VerifierUnproven { time, obstacle }, Mark::Bad, "make room on it"),
            (
                Entry::VerifierProven { time, proof: VerifierProof { direct: true, planted: 17, took: Duration::ZERO } },
                Mark::Good,
                env!("CARGO_PKG_VERSION"),
            ),
            (Entry::VerifierMissed { time, missed }, Mark::Bad, "lands in another place at byte 77"),
        ] {
            ledger.append(&entry).expect("appended");
            let found = finding(&path, later()).expect("a finding");
            assert!(found.mark == mark && found.what.contains(says), "{found:?}");
            let just_started = matches!(entry, Entry::StationStarted { .. });
            assert_eq!(finding(&path, crate::ledger::Stamp::now().at).is_none(), just_started, "a proof takes its time: {entry:?}");
        }
    }
}
