//! Tests with disks whose use is easily missed, and with marks that are not a use.

use std::io;
use std::path::Path;

use super::super::tables::swaps_in;
use super::super::testing::FakeSysfs;
use super::tests::tables;
use super::*;
use crate::device::loops::Backing;

const CARD: DevNum = DevNum { major: 4000, minor: 16 };
const PARTITION: DevNum = DevNum { major: 4000, minor: 17 };

/// A stick with a partition.
fn stick() -> FakeSysfs {
    let fake = FakeSysfs::new();
    fake.stick("sdb", "1", 7);
    fake.set("sdb", "dev", &CARD.to_string());
    fake.partition("sdb", &PARTITION.to_string());
    fake
}

fn numbers(fake: &FakeSysfs) -> BTreeSet<DevNum> {
    fake.sysfs().numbers("sdb").expect("they are told")
}

#[test]
fn a_loop_device_on_the_disk_or_a_partition_of_it_is_a_use_whatever_its_path_says() {
    let fake = stick();
    for name in ["loop3", "loop4", "loop5", "loop6", "loop7"] {
        fake.built(name, "7:3", &[]);
    }
    for (name, path) in
        [("loop3", "/dev/disk/by-id/elsewhere (deleted)"), ("loop4", "/in/a/container"), ("loop5", "/srv/file"), ("loop6", "/mnt/nfs/file")]
    {
        fake.file(name, "loop/backing_file", path);
    }
    let ask = |name: &str| match name {
        "loop3" => Ok(Some(Backing { device: Some(CARD), file_system: None })),
        "loop4" => Ok(Some(Backing { device: None, file_system: Some(PARTITION) })),
        "loop5" => Ok(Some(Backing { device: None, file_system: Some(DevNum { major: 8, minor: 1 }) })),
        other => panic!("{other} is not asked: it is a file on a server, or has nothing behind it"),
    };
    let mounts = tables("36 35 0:50 / /mnt/nfs rw - nfs4 server:/x rw\n");
    let found = loops::on(&fake.sysfs(), &mounts, &numbers(&fake), ask).expect("all is told");
    let held = |name: &str| Use::Holder { name: name.to_owned(), cure: Some(format!("losetup -d /dev/{name}")) };
    assert_eq!(found, [held("loop3"), held("loop4")]);
    let fails = loops::on(&fake.sysfs(), &mounts, &numbers(&fake), |_| Err(io::Error::from_raw_os_error(nix::libc::EACCES)));
    assert!(fails.is_err(), "a question that fails is no answer");
}

#[test]
fn a_loop_device_that_the_station_may_not_open_is_judged_by_its_path_and_keeps_no_other_card_out() {
    let fake = stick();
    for (name, path) in [("loop1", "/home/op/snap.img"), ("loop2", "/mnt/card/disk.img (deleted)")] {
        fake.built(name, "7:1", &[]);
        fake.file(name, "loop/backing_file", path);
    }
    let refused = |_: &str| Err(io::Error::from_raw_os_error(nix::libc::EACCES));
    let found = |mounts: &str| loops::on(&fake.sysfs(), &tables(mounts), &numbers(&fake), refused).expect("the paths tell");
    let root = "1 0 8:2 / / rw - ext4 /dev/sda2 rw\n";
    assert_eq!(found(root), []);
    let card = format!("{root}36 1 {PARTITION} / /mnt/card rw - ext4 /dev/sdb1 rw\n");
    assert_eq!(found(&card), [Use::Holder { name: "loop2".to_owned(), cure: Some("losetup -d /dev/loop2".to_owned()) }]);
}

#[test]
fn a_question_that_fails_is_a_refusal() {
    let fake = stick();
    let survey_of = |own: &[OwnPart]| survey(&fake.sysfs(), &tables(""), own, "sdb");
    assert!(survey_of(&[]).is_some());
    // Below a file, no path can be examined.
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    assert_eq!(survey_of(&[OwnPart { name: "state", path: file.path().join("below") }]), None);
    std::fs::remove_dir_all(fake.sysfs().root.join("block/sdb/sdb1/holders")).expect("it is there");
    assert_eq!(survey_of(&[]), None);
}

#[test]
fn what_only_this_card_is_in_is_told_with_what_stops_it_and_what_holds_more_without() {
    let fake = stick();
    fake.built("md77", "9:77", &["sdb"]);
    fake.built("dm-0", "253:0", &["md77"]);
    fake.file("dm-0", "dm/name", "my--group-volume");
    fake.file("dm-0", "dm/uuid", "LVM-abc");
    let mounts = tables("36 35 253:0 / /mnt/volume rw - ext4 /dev/dm-0 rw\n");
    let cure = |tables: &Tables, name: &str, numbers: &BTreeSet<DevNum>| match held_by(&fake.sysfs(), tables, name, numbers) {
        Use::Holder { cure, .. } => cure,
        other => panic!("{other:?}"),
    };
    let said = cure(&mounts, "md77", &numbers(&fake)).expect("only the card is in it");
    assert_eq!(said, "umount /mnt/volume; vgchange -an my-group; mdadm --stop /dev/md77");
    fake.built("bcache0", "251:0", &["sdb"]);
    assert_eq!(cure(&mounts, "bcache0", &numbers(&fake)).as_deref(), Some("echo 1 > /sys/block/bcache0/bcache/stop"));
    // The PC's own array, to which the card was added.
    fake.stick("sda", "2", 8);
    fake.built("md0", "9:0", &["sdb", "sda"]);
    assert_eq!(cure(&mounts, "md0", &numbers(&fake)), None);
}

#[test]
fn what_is_found_behind_the_lock_refuses_a_card_that_was_admitted_and_what_is_not_known_does_too() {
    let policy = Policy::default();
    let marked =
        |number| if number == PARTITION { Found::Mark(Mark::of("zfs_member", None, false).expect("a mark")) } else { Found::Other };
    let numbers = BTreeSet::from([CARD, PARTITION]);
    let found = marks(&numbers, marked).expect("udev has looked");
    assert_eq!(judged(Ok((Vec::new(), BTreeSet::new())), &policy), Ok(()));
    assert_eq!(judged(Ok((Vec::new(), found.clone())), &policy), Err(Refusal::Marked { of: "zfs".to_owned() }));
    assert_eq!(judged(Ok((Vec::new(), found)), &Policy { erase_marks: true, ..policy.clone() }), Ok(()));
    let held = Use::Holder { name: "loop3".to_owned(), cure: None };
    assert_eq!(judged(Ok((vec![held.clone()], BTreeSet::new())), &policy), Err(Refusal::InUse(held)));
    assert_eq!(judged(Err(io::Error::from_raw_os_error(nix::libc::EIO)), &policy), Err(Refusal::Unknown));
    assert_eq!(marks(&numbers, |_| Found::Nothing), None, "what udev has not looked at is not free of marks");
}

#[test]
fn a_mark_is_called_what_it_is_and_a_file_system_is_none() {
    let of = |kind: &str| Mark::of(kind, Some("tank".to_owned()), false).map(|mark| mark.of);
    let called = ["linux_raid_member", "LVM2_member", "zfs_member", "bcache", "isw_raid_member", "ext4", "crypto_LUKS", "swap"].map(of);
    let expected = [Some("a RAID"), Some("LVM"), Some("zfs"), Some("bcache"), Some("isw_raid"), None, None, None];
    assert_eq!(called, expected.map(|word| word.map(str::to_owned)));
    assert_eq!((of("btrfs"), Mark::of("btrfs", None, true).is_some()), (None, true), "alone it is a file system, as a part it is missed");
    assert_eq!(Mark::of("zfs_member", Some("tank".to_owned()), false).and_then(|mark| mark.cure()).as_deref(), Some("zpool export tank"));
}

#[test]
fn a_disk_that_multipath_takes_for_a_path_bears_the_mark_of_its_contents_and_none_of_multipath() {
    let of = |found: Option<&str>| match on_a_path(found.map(str::to_owned)) {
        Found::Mark(mark) => Some(mark.of),
        Found::Other => None,
        Found::Nothing => panic!("udev has examined it"),
    };
    assert_eq!(of(Some("ID_PART_TABLE_TYPE=gpt\n")), None);
    assert_eq!(of(Some("ID_FS_TYPE=ext4\n")), None);
    assert_eq!(of(Some("ID_FS_TYPE=linux_raid_member\n")).as_deref(), Some("a RAID"));
    assert_eq!(of(None).as_deref(), Some("multipath"), "what is on it is not known");
}

#[test]
fn no_source_is_asked_for_that_is_not_below_dev() {
    assert_eq!(node_number(Path::new("/srv/nodes/sdb"), |_| panic!("the server that it is on may hang")), None);
    assert_eq!(node_number(Path::new("/dev/sdb"), |_| Some(CARD)), Some(CARD));
    assert_eq!(swaps_in("Filename Type Size Used Priority\n/dev/my\\040disk partition 1 0 -2\n"), [PathBuf::from("/dev/my disk")]);
}

#[test]
fn a_mark_that_was_written_a_moment_ago_is_found_on_the_medium_itself() {
    assert_eq!(mark_in("ID_FS_VERSION=LVM2 001\nID_FS_TYPE=LVM2_member\nID_FS_USAGE=raid\n").map(|mark| mark.of).as_deref(), Some("LVM"));
    let zfs = mark_in("ID_FS_LABEL=tank\nID_FS_LABEL_ENC=tank\nID_FS_TYPE=zfs_member\n").expect("a mark");
    assert_eq!((zfs.of.as_str(), zfs.label.as_deref()), ("zfs", Some("tank")));
    assert_eq!(mark_in("ID_FS_TYPE=ext4\nID_FS_LABEL=LVM2_member\n"), None, "a file system is no mark, whatever its label is");
    assert_eq!(mark_in(""), None);
    // Asked of the program itself: a swap area in a file, whose type is told and is no mark.
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut area = vec![0; 64 << 10];
    area[4086..4096].copy_from_slice(b"SWAPSPACE2");
    area[1024] = 1;
    area[1028] = 15;
    fs::write(file.path(), &area).expect("written");
    let found = probe(file.path()).expect("blkid answers");
    assert!(found.contains("ID_FS_TYPE=swap"), "{found:?}");
    assert_eq!(mark_in(&found), None);
}
