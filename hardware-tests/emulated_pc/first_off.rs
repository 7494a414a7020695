//! First-off approval: after an image was armed one card is made, and the others wait until a second person has approved it.

use flashline_lab::{Disk, Job, MIB, Output, Pc, Signal, UsbStick, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, rows, usb};
use crate::station::{FileSystem, Run, Station, next_state_disk, state_disk};

const CONFIG: &str = "/etc/flashline/config.toml";
/// Runs a command as a member of `flashline-admin` with this number, which has no account.
const ANN: &str = "setpriv --reuid 4321 --regid 7001 --clear-groups";
const BOB: &str = "setpriv --reuid 4322 --regid 7001 --clear-groups";

fn factory<'a>(pc: &'a Pc, image: &Image, slots: u64) -> Factory<'a> {
    pc.sh("grep -q flashline-admin /etc/group || echo 'flashline-admin:x:7001:' >>/etc/group");
    let factory = Factory::new(pc, &image.raw()).replaced("[policy]\n", "[policy]\nfirst_off = true\n");
    (1..=slots).fold(factory, |factory, slot| factory.slot(&format!("A{slot}"), usb(&slot.to_string())))
}

fn stick(pc: &Pc, port: u64) -> UsbStick {
    pc.usb(&port.to_string()).serial(&format!("STICK-{port:03}")).size(16 * MIB).filled(port).plug()
}

/// What the station says about the first card of its only model.
fn first_card(pc: &Pc) -> Value {
    let told: Value = serde_json::from_str(&pc.sh("flashline status --json || true")).expect("JSON");
    told["models"][0]["first_card"].clone()
}

fn state(pc: &Pc) -> String {
    first_card(pc)["state"].as_str().unwrap_or_default().to_owned()
}

fn approve(pc: &Pc, as_user: &str, card: &str) -> Output {
    pc.run(&format!("{as_user} flashline model approve acme/box {card}"))
}

/// The number of rows that passed.
fn passed(pc: &Pc) -> u64 {
    rows(pc).iter().filter(|row| row["outcome"] == "passed").map(|_| 1).sum()
}

/// Is this exactly a refusal that says so?
fn refused(answer: &Output, says: &str) {
    assert!(answer.status == 1 && answer.stderr.contains(says), "{says}: {answer}");
}

#[test]
fn one_card_is_made_and_the_line_waits_for_a_second_person_over_kill_restart_and_reload() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let station = factory(&pc, &image, 4).run();
    refused(&approve(&pc, BOB, ""), "no card of acme/box has passed since its image was armed");
    let sticks = [1, 2, 3].map(|port| stick(&pc, port));
    // Whichever was seen first.
    let line = station.job.wait_for_line("^A.  PASS", secs(120));
    let first: usize = line[1..2].parse().expect("the number of a slot");
    let others: Vec<usize> = (1..=3).filter(|slot| *slot != first).collect();
    for slot in others.iter().copied().chain([4]) {
        let line = station.wait_for(&format!("A{slot}"), "NOT APPROVED");
        let says = format!("the first card (STICK-00{first}, attempt 1) waits for approval: tell the supervisor");
        assert!(line.contains(&says), "{line}");
    }
    assert_eq!(first_card(&pc)["armed_by"], serde_json::json!(["root"]));
    let told = pc.sh("flashline status");
    assert!(told.contains("WAITS FOR APPROVAL by somebody other than root: `flashline model approve acme/box`"), "{told}");
    refused(&approve(&pc, "", ""), "root may not approve the first card of acme/box, because root armed its image");

    let waits = |station: &Station<'_>| {
        assert_eq!(state(&pc), "waits");
        assert!(others.iter().all(|slot| sticks[slot - 1].untouched()), "no other card is touched");
        assert_eq!(station.rows().len(), 1, "and none has a row");
    };
    std::thread::sleep(secs(3));
    waits(&station);
    station.job.kill(Signal::SIGHUP);
    station.job.wait_for_line("the new configuration holds", secs(60));
    waits(&station);
    pc.sh("kill -9 $(pidof flashline)");
    assert_eq!(station.job.wait(secs(20)).status, 137);
    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    station.wait_for("A4", "NOT APPROVED");
    waits(&station);

    refused(&approve(&pc, BOB, "--card STICK-009"), "the card STICK-009 is not the first one of acme/box");
    let done = approve(&pc, BOB, &format!("--card stick-00{first}"));
    assert!(done.success() && done.stdout.contains("the first card of acme/box is approved"), "{done}");
    refused(&approve(&pc, ANN, ""), "is approved already, by 4322");
    let again = stick(&pc, 4);
    station.wait_for("A4", "PASS");
    assert_eq!(again.first_difference(image.raw()), None);
    // Those that were in when the station was killed were not put in to be written by this one.
    station.wait_for(&format!("A{}", others[0]), "HELD");
    let report = pc.sh("flashline log report -o /tmp/lot.html; cat /tmp/lot.html");
    assert!(
        report.contains("first card approved") && report.contains(&format!("by 4322: the card of attempt 1, serial STICK-00{first}")),
        "{report}"
    );

    // A restart on request keeps it, too: the next card is made at once.
    station.stop();
    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    let approved = first_card(&pc);
    assert_eq!((approved["state"].as_str(), approved["approved_by"].as_str()), (Some("approved"), Some("4322")), "{approved}");
    again.pull();
    again.wait_gone();
    // One that is back within two seconds came back by itself.
    std::thread::sleep(secs(3));
    again.plug();
    station.wait_for("A4", "PASS");
}

#[test]
fn long_another_image_another_allow_and_another_model_end_an_approval_and_whoever_armed_them_gives_none() {
    let pc = Pc::start();
    let (image, other) = (Image::new(4 * MIB, 7), Image::new(4 * MIB, 8));
    let station = factory(&pc, &image, 2).run();
    let mut made = 0;
    let mut make = |image: &Image| {
        made += 1;
        let stick = pc.usb("1").serial(&format!("STICK-1{made:02}")).size(16 * MIB).filled(made).plug();
        pc.wait_until("a card to pass", secs(120), || (passed(&pc) == made).then_some(()));
        assert_eq!(stick.first_difference(image.raw()), None);
        stick.pull();
        stick.wait_gone();
    };
    make(&image);
    assert!(approve(&pc, BOB, "").success());
    pc.sh(&format!("cp {CONFIG} /tmp/good.toml; cp /srv/images/image.img /tmp/good.img"));
    pc.put_file(other.raw(), "/tmp/other.img", 0o644);
    let reload = || pc.sh(&format!("{ANN} flashline reload"));
    reload();
    assert_eq!(state(&pc), "approved", "a reload that changes nothing");
    pc.sh(&format!("touch {CONFIG}"));
    reload();
    assert_eq!(state(&pc), "approved", "a file with the same contents");
    for (what, change, back) in [
        ("image", "cp /tmp/other.img /srv/images/image.img", "cp /tmp/good.img /srv/images/image.img"),
        (
            "allow",
            "sed -i 's,^require = .*,&\\nallow = [\"gaps\"],' /etc/flashline/config.toml",
            "cp /tmp/good.toml /etc/flashline/config.toml",
        ),
        ("model", "sed -i s,acme/box,acme/crate, /etc/flashline/config.toml", "cp /tmp/good.toml /etc/flashline/config.toml"),
    ] {
        pc.sh(change);
        reload();
        assert_eq!(state(&pc), "wanted", "another {what}");
        pc.sh(back);
        reload();
        assert_eq!(state(&pc), "wanted", "what was approved is not, although the {what} is that of before");
        // For the next one.
        make(&image);
        let armed_by = first_card(&pc)["armed_by"].clone();
        assert_eq!(armed_by, serde_json::json!(["root", "4321"]), "the owner of the file, and the user who asked");
        refused(&approve(&pc, ANN, ""), "4321 may not approve the first card of acme/box, because root and 4321 armed its image");
        refused(&approve(&pc, "", ""), "root may not approve");
        assert_eq!(state(&pc), "waits");
        assert!(approve(&pc, BOB, "").success());
        assert_eq!(state(&pc), "approved");
    }
    // While nobody asks it, the file changes: the station that starts notices.
    station.stop();
    pc.sh("cp /tmp/other.img /srv/images/image.img");
    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    assert_eq!(state(&pc), "wanted");
    make(&other);
    station.wait_for("A2", "NOT APPROVED");
}

/// The power fails: half of what the state disk had in its cache is lost.
fn cut(pc: Pc, job: &Job, disk: &Disk, seed: u64) {
    pc.power_cut();
    while job.is_running() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    disk.power_cut(50, seed);
}

/// Another start of the PC, with this disk for the state.
fn powered(disk: &Disk) -> (Pc, Disk) {
    let pc = Pc::start();
    let disk = next_state_disk(&pc, disk);
    (pc, disk)
}

#[test]
fn long_a_power_cut_gives_no_approval_and_takes_none_back() {
    let image = Image::new(4 * MIB, 7);
    let pc = Pc::start();
    let disk = state_disk(&pc, FileSystem::Ext4);
    disk.faults(|faults| faults.volatile_cache = true);
    let station = factory(&pc, &image, 2).run();
    let first = stick(&pc, 1);
    station.wait_for("A1", "PASS");
    let job = station.job;
    cut(pc, &job, &disk, 1);

    let (pc, disk) = powered(&disk);
    let station = factory(&pc, &image, 2).run();
    station.wait_for("A2", "NOT APPROVED");
    assert_eq!(first_card(&pc)["serial"], first.serial());
    let second = stick(&pc, 2);
    let _seen = second.node();
    std::thread::sleep(secs(3));
    assert!(second.untouched(), "it waits under the same sign");
    assert!(approve(&pc, BOB, "").success());
    // As soon as it is said to be approved, it is on the disk.
    let job = station.job;
    cut(pc, &job, &disk, 2);

    let (pc, _disk) = powered(&disk);
    let station = factory(&pc, &image, 2).run();
    assert_eq!(state(&pc), "approved");
    let third = stick(&pc, 2);
    station.wait_for("A2", "PASS");
    assert_eq!(third.first_difference(image.raw()), None);
    pc.sh("flashline log verify");
}
