//! Which disks the kernel lets the station open: those in its slots, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::{Finding, Subject};

/// Who the station is to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) groups: BTreeSet<u32>,
}

/// Who may write to a file, as its inode says it (inode(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
}

impl Access {
    pub(super) fn of(node: &Path) -> Option<Self> {
        let metadata = fs::metadata(node).ok()?;
        Some(Self { uid: metadata.uid(), gid: metadata.gid(), mode: metadata.mode() })
    }

    /// The first class that fits decides, also where a later one has more rights (path_resolution(7)).
    fn lets(self, who: &Identity) -> bool {
        let bit = match () {
            () if self.uid == who.uid => 0o200,
            () if who.groups.contains(&self.gid) => 0o020,
            () => 0o002,
        };
        self.mode & bit != 0
    }
}

/// A disk, the slot it is in, and who may write to it; no access where it has no node.
pub(super) type Disk<'a> = (&'a str, Option<&'a str>, Option<Access>);

/// Can the station write to the cards in its slots, and to no other disk?
pub(super) fn findings(who: &Identity, disks: &[Disk<'_>]) -> Vec<Finding> {
    if who.uid == 0 {
        return vec![
            Finding::warning(Subject::Rights, "the station runs as root: the kernel refuses it no disk of this PC")
                .cure("run it as the user `flashline`, as the shipped unit does"),
        ];
    }
    let mut findings = Vec::new();
    let mut refused = 0;
    for (name, slot, access) in disks {
        let Some(access) = access else { continue };
        match (slot, access.lets(who)) {
            (Some(slot), false) => findings.push(
                Finding::bad(Subject::Rights, format!("slot {slot}: the station may not write to /dev/{name}"))
                    .cure(format!("renew the udev rules: {RENEW}")),
            ),
            (None, true) => findings.push(
                Finding::bad(Subject::Rights, format!("the station may write to /dev/{name}, which is in no slot"))
                    .cure(format!("renew the udev rules: {RENEW}; and take the station's user out of the group `disk`")),
            ),
            (Some(_), true) => {}
            (None, false) => refused += 1,
        }
    }
    if findings.is_empty() {
        findings
            .push(Finding::good(Subject::Rights, format!("the kernel refuses the station every disk outside its slots: {refused} now")));
    }
    findings
}

/// How the rules of the slots are written and take effect.
const RENEW: &str = "flashline slots rules --write";

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;

    const DISK: u32 = 6;
    const FLASHLINE: u32 = 990;

    fn access(gid: u32, mode: u32) -> Option<Access> {
        Some(Access { uid: 0, gid, mode })
    }

    #[test]
    fn a_station_that_can_write_to_a_disk_outside_its_slots_or_not_to_one_in_them_is_told_which() {
        let who = Identity { uid: 990, groups: BTreeSet::from([FLASHLINE]) };
        let good: [Disk<'_>; 2] = [("sda", None, access(DISK, 0o660)), ("sdb", Some("A1"), access(FLASHLINE, 0o660))];
        let said = findings(&who, &good);
        assert!(said.iter().all(|finding| finding.mark == Mark::Good), "{said:?}");
        assert!(said[0].what.ends_with("1 now"), "{said:?}");
        let bad: [Disk<'_>; 4] = [
            ("sda", None, access(DISK, 0o666)),
            ("sdb", Some("A1"), access(DISK, 0o660)),
            ("sdc", None, access(FLASHLINE, 0o660)),
            ("sdd", Some("A2"), access(FLASHLINE, 0o640)),
        ];
        let said = findings(&who, &bad);
        let named: Vec<bool> = said.iter().zip(["sda", "A1", "sdc", "A2"]).map(|(finding, name)| finding.what.contains(name)).collect();
        assert_eq!((said.len(), named), (4, vec![true; 4]), "{said:?}");
        assert!(said.iter().all(|finding| finding.mark == Mark::Bad && finding.cure.is_some()), "{said:?}");
        let in_disk = Identity { groups: BTreeSet::from([FLASHLINE, DISK]), ..who };
        assert_eq!(findings(&in_disk, &good)[0].mark, Mark::Bad, "a member of `disk` may write to all");
    }

    #[test]
    fn root_is_refused_nothing_and_that_is_said() {
        let root = Identity { uid: 0, groups: BTreeSet::from([0]) };
        let said = findings(&root, &[("sda", None, access(DISK, 0o660))]);
        assert_eq!((said.len(), said[0].mark), (1, Mark::Warning));
    }

    #[test]
    fn the_class_that_fits_first_decides() {
        let owner = Identity { uid: 5, groups: BTreeSet::from([7]) };
        assert!(!Access { uid: 5, gid: 7, mode: 0o020 }.lets(&owner), "the owner's bits, and not those of the group");
        assert!(!Access { uid: 1, gid: 7, mode: 0o002 }.lets(&owner), "the group's bits, and not those of the others");
        assert!(Access { uid: 1, gid: 1, mode: 0o002 }.lets(&owner));
    }
}
