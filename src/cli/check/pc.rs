//! What the PC as a whole gives a station: its clock, its memory, and that it stays awake.

use std::path::Path;
use std::process::Command;

use super::finding::{Finding, Subject};
use crate::ledger::Stamp;
use crate::station::units::Bytes;

/// The clock, and whether it may be believed. `newest` is when the newest event of the flash log happened.
pub(super) fn clock(now: &Stamp, newest: Option<i64>, zone: Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let built = env!("FLASHLINE_BUILT").parse::<i64>().unwrap_or(0).saturating_mul(1_000_000);
    let cure = "set the clock, and see that it is set from the network, or that the battery of the PC is full";
    if now.at < built {
        findings.push(Finding::bad(Subject::Clock, "the clock is behind the day that this program was built").cure(cure));
    } else if newest.is_some_and(|newest| now.at < newest) {
        findings.push(Finding::bad(Subject::Clock, "the clock is behind the newest event of the flash log").cure(cure));
    } else {
        findings.push(match now.synced {
            Some(true) => Finding::good(Subject::Clock, "the clock was set from the network"),
            Some(false) => Finding::warning(Subject::Clock, "the clock was not set from the network since this PC was started").cure(cure),
            None => Finding::good(
                Subject::Clock,
                "the clock is ahead of every event; systemd-timesyncd does not run, so whether it was set is unknown",
            ),
        });
    }
    findings.extend(zone.map(|complaint| Finding::warning(Subject::Clock, complaint)));
    findings
}

/// Whether the data of all armed images fits into memory: where it does not, cards are written at the speed of the state disk.
pub(super) fn memory(needed: Bytes, meminfo: &str) -> Option<Finding> {
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    let all = Bytes(kib.checked_mul(1024)?);
    // A quarter is left to the system and the station.
    let room = Bytes(all.0 / 4 * 3);
    let what = format!("the data of all armed images is {needed}, and this PC has {all} of memory");
    Some(if needed <= room {
        Finding::good(Subject::Memory, what)
    } else {
        Finding::warning(Subject::Memory, what)
            .cure("with more memory, or fewer models at a time, cards are not written at the speed of the state disk")
    })
}

/// What keeps the PC awake while cards are written.
pub(super) fn sleep() -> Finding {
    let answer = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        Some((output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    };
    // However it is masked: the package does so by a generator, which `is-enabled` does not look at (systemd 252).
    let masked =
        answer("systemctl", &["show", "--value", "--property=LoadState", "sleep.target"]).is_some_and(|(_, word)| word == "masked");
    let logind = answer("systemctl", &["is-active", "systemd-logind.service"]).is_some_and(|(active, _)| active);
    let never =
        !Path::new("/sys/power/state").exists() || std::fs::read_to_string("/sys/power/state").is_ok_and(|states| states.trim().is_empty());
    judged(masked, logind, never)
}

fn judged(masked: bool, logind: bool, never: bool) -> Finding {
    match (masked, logind, never) {
        (true, ..) => Finding::good(Subject::Sleep, "this PC does not sleep: sleep.target is masked"),
        (_, true, _) => Finding::good(Subject::Sleep, "the station keeps this PC awake while cards are written"),
        (.., true) => Finding::good(Subject::Sleep, "the kernel of this PC cannot sleep"),
        _ => Finding::warning(Subject::Sleep, "nothing keeps this PC from sleeping while cards are written: systemd-logind does not run")
            .cure("systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;

    fn stamp(at: i64, synced: Option<bool>) -> Stamp {
        Stamp { at, boot: String::new(), since_boot_ms: None, synced }
    }

    #[test]
    fn a_clock_that_is_behind_what_already_happened_is_bad_and_one_that_was_not_set_a_warning() {
        let now = Stamp::now().at;
        let mark = |at, synced, newest| clock(&stamp(at, synced), newest, None)[0].mark;
        assert_eq!(mark(now, Some(true), Some(now - 1)), Mark::Good);
        assert_eq!(mark(now, None, None), Mark::Good);
        assert_eq!(mark(now, Some(false), None), Mark::Warning);
        assert_eq!(mark(now, Some(true), Some(now + 1)), Mark::Bad);
        assert_eq!(mark(0, Some(true), None), Mark::Bad, "1970 is before the program was built");
        assert_eq!(clock(&stamp(now, None), None, Some("no such zone".to_owned()))[1].mark, Mark::Warning);
    }

    #[test]
    fn images_that_do_not_fit_into_three_quarters_of_the_memory_are_a_warning() {
        let meminfo = "MemTotal:        4000000 kB\nMemFree:  1 kB\n";
        let mark = |needed| memory(Bytes(needed), meminfo).map(|finding| finding.mark);
        assert_eq!(mark(3_000_000 * 1024), Some(Mark::Good));
        assert_eq!(mark(3_000_001 * 1024), Some(Mark::Warning));
        assert_eq!(memory(Bytes(1), "nothing known"), None);
    }

    #[test]
    fn a_pc_that_may_sleep_with_cards_in_it_is_told_how_not_to() {
        assert_eq!(judged(false, false, false).mark, Mark::Warning);
        assert!(
            [judged(true, false, false), judged(false, true, false), judged(false, false, true)].iter().all(|it| it.mark == Mark::Good)
        );
    }
}
