//! Tests of the events for cards that come and go.

use super::super::polls::MEDIA_POLL;
use super::super::testing::FakeSysfs;
use super::*;

pub(super) fn names(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| match event {
            Event::Seen { card, before, .. } => format!("seen {} {} {}", card.kernel_name, card.visit.diskseq, before.is_some()),
            Event::Gone { visit, .. } => format!("gone {}", visit.diskseq),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// Looks at the first two ports of the controller.
pub(super) fn seen() -> Seen {
    let mut seen = Seen::new(Duration::from_secs(3600), Instant::now());
    seen.set_ports(["1", "2"].map(port).into());
    seen
}

pub(super) fn port(chain: &str) -> Port {
    Port(format!("pci-0000:00:1c.0/usb3-{chain}/lun-0"))
}

#[test]
fn what_was_there_at_the_start_is_told_apart_from_what_came_later() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    fake.stick("sda", "1", 11);
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), ["seen sda 11 true"]);
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), [""; 0], "nothing changed");
    fake.stick("sdb", "2", 12);
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), ["seen sdb 12 false"]);
    fake.remove("sda");
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), ["gone 11"]);
}

#[test]
fn a_card_that_leaves_before_it_was_told_to_the_slot_that_has_its_port_now_is_told_before_it_is_gone() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    fake.stick("sda", "1", 11);
    fake.stick("sdb", "2", 12);
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), ["seen sda 11 true", "seen sdb 12 true"]);
    // A reload gives port 1 to another slot, and port 2 to none.
    seen.set_ports([port("1")].into());
    fake.remove("sda");
    fake.remove("sdb");
    let events = seen.look(&fake.sysfs(), Instant::now);
    assert_eq!(names(&events), ["seen sda 11 true", "gone 11", "gone 12"]);
}

#[test]
fn a_card_is_not_gone_because_this_process_cannot_look() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    fake.stick("sda", "1", 11);
    fake.mmc("mmcblk5", 5, "SD", 12);
    seen.set_ports(BTreeSet::from([port("1"), fake.sysfs().port("mmcblk5").expect("it is there")]));
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)).len(), 2);
    let away = fake.hide("block");
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), [""; 0], "what cannot be seen may be there");
    away.give_back();
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), [""; 0], "nothing has changed, and nothing is new");
    assert!(fake.sysfs().visits().is_ok());
}

#[test]
fn a_card_swapped_between_two_looks_is_gone_and_seen_although_its_name_stayed() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    fake.stick("sda", "1", 11);
    seen.look(&fake.sysfs(), Instant::now);
    fake.set("sda", "diskseq", "12");
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), ["gone 11", "seen sda 12 false"]);
}

#[test]
fn an_empty_reader_is_no_card_and_a_port_nobody_asked_for_is_never_told() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    fake.stick("sda", "1", 11);
    fake.set("sda", "size", "0");
    fake.stick("sdb", "3", 12);
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), [""; 0]);
    fake.set("sda", "size", "131072");
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), ["seen sda 11 false"]);
}

#[test]
fn a_port_added_later_tells_its_card_as_one_that_was_there_before() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    seen.look(&fake.sysfs(), Instant::now);
    fake.stick("sdc", "3", 13);
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), [""; 0]);
    seen.set_ports(["1", "2", "3"].map(port).into());
    fake.stick("sda", "1", 14);
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), ["seen sda 14 false", "seen sdc 13 true"]);
}

#[test]
fn a_card_in_a_port_added_later_that_cannot_be_read_at_first_was_there_before_all_the_same() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    seen.look(&fake.sysfs(), Instant::now);
    fake.stick("sdc", "3", 13);
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), [""; 0]);
    seen.set_ports(["1", "2", "3", "4"].map(port).into());
    // It is there, and one of its attributes says nothing yet.
    fake.set("sdc", "ro", "");
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), [""; 0]);
    // A reload tells the same ports in between.
    seen.set_ports(["1", "2", "3", "4"].map(port).into());
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), [""; 0]);
    fake.set("sdc", "ro", "0");
    fake.stick("sdd", "4", 14);
    let told = names(&seen.look(&fake.sysfs(), Instant::now));
    assert_eq!(told, ["seen sdc 13 true", "seen sdd 14 false"], "the other new port was looked at and was empty");
    fake.set("sdc", "diskseq", "15");
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), ["gone 13", "seen sdc 15 false"], "the next card is put in by hand");
}

#[test]
fn the_same_ports_told_again_make_no_card_one_that_was_there_before() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    seen.look(&fake.sysfs(), Instant::now);
    fake.stick("sda", "1", 11);
    seen.set_ports(["1", "2"].map(port).into());
    assert_eq!(names(&seen.look(&fake.sysfs(), Instant::now)), ["seen sda 11 false"]);
}

#[test]
fn our_readers_are_asked_for_their_media_more_often_and_no_others() {
    let fake = FakeSysfs::new();
    fake.lun("sda", "1", 0, 11);
    fake.lun("sdb", "3", 0, 12);
    for name in ["sda", "sdb"] {
        fake.set(name, "size", "0");
        fake.set(name, "removable", "1");
        fake.set(name, "events", "media_change");
        fake.set(name, "events_poll_msecs", "-1");
    }
    seen().look(&fake.sysfs(), Instant::now);
    let wanted = MEDIA_POLL.as_millis().to_string();
    let began = Instant::now();
    while fake.get("sda", "events_poll_msecs") != wanted && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!((fake.get("sda", "events_poll_msecs"), fake.get("sdb", "events_poll_msecs")), (wanted, "-1".to_owned()));
}
