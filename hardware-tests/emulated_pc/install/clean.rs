//! From a clean Debian, by apt and one command, to the first PASS; and what the PC does when it is switched on again.

use std::time::Instant;

use flashline_lab::{MIB, Pc, UsbStick, secs};

use super::packages;
use crate::factory::Image;
use crate::station::{FileSystem, STATE, Station, state_disk};
use crate::teach::Lesson;

/// A person at the terminal of the PC, whose keys are counted.
struct Person<'a> {
    pc: &'a Pc,
    keys: usize,
}

impl<'a> Person<'a> {
    /// Types a command and Enter.
    fn types(&mut self, command: &str) -> Lesson<'a> {
        self.keys += command.len() + 1;
        Lesson::of(self.pc, &format!("cd /root; {command}"))
    }

    /// Answers a question, with Enter.
    fn answers(&mut self, terminal: &Lesson<'_>, question: &str, answer: &str) {
        self.keys += answer.len() + 1;
        terminal.answers(question, answer);
    }
}

fn teach(setup: &Lesson<'_>, pc: &Pc, slot: &str, port: &str) -> UsbStick {
    setup.asks_for(slot);
    let card = pc.usb(port).size(32 * MIB).filled(1).plug();
    setup.says(&format!("^  {slot} is "));
    card.pull();
    card
}

#[test]
fn a_clean_debian_becomes_a_station_by_apt_and_setup_alone_and_is_one_after_a_reboot_that_flashes_nothing_unasked() {
    let pc = Pc::builder().kept().boot(|_| ());
    pc.run("systemctl is-system-running --wait");
    let release = pc.sh(". /etc/os-release; echo $PRETTY_NAME, $(uname -r)");
    let clean =
        pc.run("command -v flashline; getent passwd flashline; ls -d /etc/flashline /run/flashline; systemctl cat flashline.service");
    assert!(clean.stdout.is_empty(), "nothing of the station is there: {clean}");
    // A disk for the state, the packages and the image are brought by hand.
    let _state = state_disk(&pc, FileSystem::Ext4);
    pc.sh(&format!(
        "echo /dev/disk/by-id/virtio-state {STATE} ext4 defaults,x-systemd.device-timeout=10min 0 2 >>/etc/fstab && systemctl daemon-reload"
    ));
    for package in packages() {
        pc.put_file(package, &format!("/root/{}", package.file_name().expect("a name").to_string_lossy()), 0o644);
    }
    let image = Image::new(4 * MIB, 7);
    pc.put_file(image.raw(), "/srv/images/image.img", 0o644);

    let begun = Instant::now();
    let mut person = Person { pc: &pc, keys: 0 };
    let apt = person.types("apt install ./flashline_*.deb ./flashline-station_*.deb");
    let (status, said) = apt.ends();
    assert!(status == 0 && said.contains("next: flashline setup"), "{said}");
    let installed = begun.elapsed();
    let audit = pc.run("dpkg --audit 2>&1; dpkg-query -W -f '${db:Status-Abbrev}' flashline flashline-station");
    assert_eq!(audit.stdout, "ii ii ", "{audit}");

    let setup = person.types("flashline setup");
    let cards = [("A1", "1"), ("A2", "2")].map(|(slot, port)| teach(&setup, &pc, slot, port));
    setup.asks_for("A3");
    setup.press("q");
    person.keys += 1;
    person.answers(&setup, "the image that is written to the cards", "/srv/images/image.img");
    person.answers(&setup, "its signed model assertion (empty: the image is not one of Ubuntu Core)", "");
    person.answers(&setup, "the name of the model, as BRAND/MODEL", "acme/box");
    let (status, said) = setup.ends();
    assert!(status == 0 && said.contains("the station runs: put a card into a slot"), "{said}");
    assert!(cards.iter().all(|card| card.untouched()), "no card is written while slots are taught");
    let station = Station::journal(&pc);
    cards[0].plug();
    station.wait_for("A1", "PASS");
    let green = begun.elapsed();
    assert!(cards[0].reads_as(image.raw()));
    println!(
        "{release}: {} keystrokes; installed after {:.0} s, the first card PASS after {:.0} s (in emulation, with the hands that put cards in)",
        person.keys,
        installed.as_secs_f64(),
        green.as_secs_f64()
    );

    // Both slots have a card: one is done, the other one was put in while the PC was off.
    let written = cards[0].counts().bytes_written;
    let boot = pc.sh("cat /proc/sys/kernel/random/boot_id");
    pc.sh("systemctl stop flashline");
    cards[1].plug();
    let _there = cards[1].node();
    pc.reboot();
    pc.wait_for("systemctl is-active flashline", secs(120));
    assert_ne!(pc.sh("cat /proc/sys/kernel/random/boot_id"), boot);
    let station = Station::journal(&pc);
    for slot in ["A1", "A2"] {
        station.wait_for(slot, "HELD");
    }
    assert_eq!(pc.sh("ps -o user= -p $(systemctl show --value -p MainPID flashline)").trim(), "flashline");
    assert_eq!(pc.sh(&format!("findmnt -no SOURCE {STATE}")), pc.sh("readlink -f /dev/disk/by-id/virtio-state"));
    let check = pc.run("flashline check");
    assert_eq!(check.status, 0, "{check}");
    assert!(check.stdout.contains("sleep.target is masked"), "the package's own mask is seen: {check}");
    cards[1].pull();
    cards[1].wait_gone();
    let fresh = pc.usb("2").size(32 * MIB).filled(9).plug();
    station.wait_for("A2", "PASS");
    assert!(fresh.reads_as(image.raw()));
    assert!(cards[1].untouched(), "touched at {:?}", cards[1].first_touched());
    assert_eq!(cards[0].counts().bytes_written, written, "nobody asked for it");
    assert_eq!(super::outcomes(&station), ["passed", "passed"], "the log goes on");
    pc.sh("flashline log verify");
    // Held means held until it is put in again.
    cards[0].pull();
    cards[0].wait_gone();
    cards[0].plug();
    station.wait_for("A1", "DONE");
}
