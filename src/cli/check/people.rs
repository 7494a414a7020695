//! What only people change: a maintenance that nobody has ended, and whether somebody may approve a first card.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Group, Uid, User};

use super::finding::{Finding, Subject};
use crate::control::access::ADMINS;
use crate::daemon::arming::{NAMES, in_time};
use crate::ledger::LogReader;

/// The maintenance of the station with this log, if it is in one. A log that cannot be read has a finding of its own.
pub(super) fn maintenance(log: &Path) -> Option<Finding> {
    let work = LogReader::open(log).and_then(|log| log.maintenance()).ok().flatten()?;
    let what = format!("{} works on the station, and no card is started: {}", work.by.name, work.why);
    Some(Finding::warning(Subject::Maintenance, what).cure("when that is done, run `flashline maintenance off`"))
}

/// Who may approve first cards, if the configuration wants that. Only then the user database is asked: each reload runs a check, and must
/// not wait for a directory service that it does not need.
pub(super) fn approval(is_wanted: bool, config: &Path) -> Option<Finding> {
    let config = config.to_owned();
    is_wanted.then(|| of_answer(in_time(move || people(&config))))
}

/// The owner of the configuration, and the members of the group that may approve.
fn people(config: &Path) -> (Option<String>, Vec<String>) {
    let owner = fs::metadata(config).ok().and_then(|there| User::from_uid(Uid::from_raw(there.uid())).ok().flatten());
    let members = Group::from_name(ADMINS).ok().flatten().map(|group| group.mem).unwrap_or_default();
    (owner.map(|owner| owner.name), members)
}

fn of_answer(answer: Option<(Option<String>, Vec<String>)>) -> Finding {
    match answer {
        Some((owner, members)) => approvers(owner.as_deref(), &members),
        None => Finding::warning(
            Subject::Approval,
            format!(
                "`first_off` is true, and who may approve a first card is not known: the user database of this PC did not answer within \
                 {} s",
                NAMES.as_secs()
            ),
        )
        .cure(format!("correct the directory service of this PC until `getent group {ADMINS}` answers at once")),
    }
}

/// The owner of the configuration arms its images, and so approves nothing; nor does root, which starts the station.
fn approvers(owner: Option<&str>, members: &[String]) -> Finding {
    let others: Vec<&str> = members.iter().map(String::as_str).filter(|name| Some(*name) != owner && *name != "root").collect();
    if others.is_empty() {
        Finding::warning(Subject::Approval, format!("`first_off` is true, and nobody in the group `{ADMINS}` may approve a first card"))
            .cure(format!("add somebody who does not own the configuration: adduser NAME {ADMINS}"))
    } else {
        let names = others.join(" ");
        Finding::good(Subject::Approval, format!("first cards may be approved by {names}, except by whoever asked for the reload"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;
    use crate::ledger::Ledger;
    use crate::station::record::Entry;
    use crate::station::request::Who;

    #[test]
    fn a_station_where_nobody_could_approve_is_warned_of_before_its_line_stands_still() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mark = |owner, members: &[&str]| approvers(owner, &names(members)).mark;
        assert_eq!(mark(Some("root"), &["ann"]), Mark::Good);
        assert_eq!(mark(Some("ann"), &["ann", "bob"]), Mark::Good);
        for (owner, members) in [(Some("root"), &[][..]), (Some("root"), &["root"]), (Some("ann"), &["ann"]), (None, &[])] {
            let finding = approvers(owner, &names(members));
            assert!(finding.mark == Mark::Warning && finding.cure.is_some_and(|cure| cure.contains("adduser")), "{owner:?} {members:?}");
        }
        assert!(approval(false, Path::new("/etc/passwd")).is_none(), "where it is not wanted, nobody has to");
    }

    #[test]
    fn a_user_database_that_does_not_answer_in_time_is_a_finding_with_its_cure_and_nobody_is_called_missing() {
        let finding = of_answer(None);
        assert!(finding.mark == Mark::Warning && finding.what.contains("within 2 s"), "{finding:?}");
        assert!(!finding.what.contains("nobody") && finding.cure.is_some_and(|cure| cure.contains("getent group")));
        assert_eq!(of_answer(Some((None, vec!["ann".to_owned()]))).mark, Mark::Good);
    }

    #[test]
    fn a_maintenance_is_named_with_its_user_and_reason_until_somebody_ends_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        assert_eq!(maintenance(&path), None, "there is no log yet");
        let mut ledger = Ledger::open_on(&path, "bench", "0123456789abcdef0123456789abcdef").expect("a log");
        let by = Who { uid: 1000, name: "ann".to_owned() };
        assert_eq!(maintenance(&path), None);
        ledger.append(&Entry::MaintenanceBegun { by: by.clone(), why: "new readers".to_owned() }).expect("appended");
        let said = maintenance(&path).expect("it is named");
        assert!(
            said.mark == Mark::Warning && said.what.contains("ann works on the station") && said.what.ends_with("new readers"),
            "{said:?}"
        );
        ledger.append(&Entry::MaintenanceEnded { by }).expect("appended");
        assert_eq!(maintenance(&path), None);
    }
}
