//! A green sign stays true until the card is out: a proven card stays claimed, and a write to it turns the sign into CHANGED.

use std::path::{Path, PathBuf};
use std::process::Command;

use flashline_lab::{MIB, Pc, UsbStick, secs};

use crate::factory::{Factory, Image, lun, sd, usb};
use crate::station::{Run, Station, rules};

/// As on PCs that mount every disk they see; desktops do the same through udisks.
const AUTOMOUNT: &str = r#"ACTION!="remove", SUBSYSTEM=="block", ENV{ID_FS_USAGE}=="filesystem", RUN{program}+="/usr/bin/systemd-mount --no-block --collect --automount=no $devnode"
"#;

/// An image with a partition table and an ext4 in its one partition, which a PC would mount and write to.
fn mountable(directory: &Path) -> PathBuf {
    let raw = directory.join("mountable.img");
    std::fs::copy(Image::new(8 * MIB, 7).raw(), &raw).expect("a temporary file");
    let script = format!(
        "printf 'label: dos\\nstart=2048,type=83\\n' | sfdisk --quiet --no-reread --no-tell-kernel {0} && mkfs.ext4 -qF -E offset={MIB} {0} 7168k",
        raw.display()
    );
    assert!(Command::new("sh").args(["-c", &script]).status().expect("sh runs").success(), "{script}");
    raw
}

fn automount(pc: &Pc) {
    pc.put(AUTOMOUNT.as_bytes(), "/etc/udev/rules.d/99-automount.rules", 0o644);
    rules(pc, "true");
}

fn is_mounted(pc: &Pc, node: &str) -> bool {
    !pc.sh(&format!("grep -c '^{node}' /proc/mounts || true")).trim().starts_with('0')
}

/// Waits until the card is CHANGED in sign, row and status, and checks that it was green until then.
fn is_changed(station: &Station<'_>, slot: &str) {
    let line = station.wait_for(slot, "CHANGED");
    assert!(line.contains("take out, put in again") && line.contains("after it was proven"), "{line}");
    let row = station.rows_of(slot).pop().expect("it has a row");
    assert_eq!((row["outcome"].as_str(), row["code"].as_str()), (Some("changed"), Some("written-after-proof")), "{row}");
    let status = station.pc.sh("flashline status --json || true");
    let of = status.lines().find(|line| line.contains("changed"));
    assert!(of.is_some(), "{status}");
}

#[test]
fn a_green_card_is_never_mounted_and_whoever_writes_to_it_all_the_same_turns_it_into_changed() {
    let pc = Pc::start();
    automount(&pc);
    let directory = tempfile::tempdir().expect("a directory");
    let image = mountable(directory.path());
    let reader = pc.reader("READER0001").plug();
    let station = Factory::new(&pc, &image)
        .slot("A1", usb("1"))
        .slot("A2", usb("2"))
        .slot("A3", usb("3"))
        .slot("S1", sd(0))
        .slot("R1", lun(0))
        .slot("R2", lun(1))
        .run();
    pc.sh("flashline order start --model acme/box --count 6");
    let sticks = ["1", "2", "3"].map(|port| pc.usb(port).size(16 * MIB).filled(1).plug());
    let sd = pc.sd(0).size(16 * MIB).filled(2).insert();
    let cards = [0, 1].map(|slot| reader.card(slot).size(16 * MIB).filled(3).insert());
    for slot in ["A1", "A2", "A3", "S1", "R1", "R2"] {
        station.wait_for(slot, "PASS");
    }
    let row = station.rows_of("A1").pop().expect("it has a row");
    assert!(row["writes_at_proof"].as_u64().is_some_and(|sectors| sectors * 512 >= 8 * MIB), "{row}");
    // If no program uses force, the cards stay green.
    std::thread::sleep(secs(4));
    let nodes = [sticks[0].node(), sticks[1].node(), sticks[2].node(), sd.node(), reader.node(0), reader.node(1)];
    for node in &nodes {
        assert!(!is_mounted(&pc, node), "{node} is mounted: {}", pc.sh("cat /proc/mounts"));
    }
    assert_eq!(station.job.count_lines("CHANGED"), 0, "{}", station.job.printed());
    assert!(sticks.iter().all(|stick| stick.reads_as(&image)));
    for (node, by) in [(&nodes[0], ""), (&nodes[4], "")] {
        let tried = pc.run(&format!("mkdir -p /mnt/card; partx --add {node}; mount {node}1 /mnt/card{by} || mount {node} /mnt/card"));
        assert!(!tried.success(), "a claimed card cannot be mounted");
    }
    // Root's own programs write without a claim.
    pc.sh(&format!("dd if=/dev/urandom of={} bs=512 count=1 seek=4096 conv=fsync,notrunc", nodes[0]));
    is_changed(&station, "A1");
    pc.sh(&format!("partx --add {0} || true; dd if=/dev/urandom of={0}1 bs=4096 count=1 seek=100 conv=fsync,notrunc", nodes[1]));
    is_changed(&station, "A2");
    pc.sh(&format!("wipefs --quiet --all --force {} || true", nodes[3]));
    is_changed(&station, "S1");
    pc.sh(&format!("blkdiscard --force --zeroout --offset {MIB} --length {MIB} {} || true", nodes[4]));
    is_changed(&station, "R1");
    // The disk of a reader stays when its card leaves, and is asked once more.
    pc.sh(&format!("dd if=/dev/urandom of={} bs=512 count=1 seek=4096 conv=fsync,notrunc", nodes[5]));
    cards[1].eject();
    station.job.wait_for_nth_line(2, "^R2  EMPTY", secs(20));
    pc.wait_until("the row of the card that is out", secs(10), || (station.rows_of("R2").pop()?["outcome"] == "changed").then_some(()));
    let order: serde_json::Value = serde_json::from_str(&pc.sh("flashline order status --json")).expect("JSON");
    assert_eq!(order["orders"][0]["passed"], 1, "of six only A3's is good: {order}");
    assert_eq!(station.job.count_lines("^A3  CHANGED"), 0);
    assert!(sticks[2].reads_as(&image));
    let summary: serde_json::Value = serde_json::from_str(&pc.sh("flashline log summary --json")).expect("JSON");
    assert_eq!((&summary["total"]["passed"], &summary["total"]["changed"]), (&1.into(), &5.into()), "{summary}");
    let serials = pc.run("flashline log serials --expect 6");
    assert!(!serials.success(), "five are missing");
    // Put in again, each is written anew; a kept claim does not block the next card.
    // What is mounted before the station claims it is refused: that is another promise. On a busy PC a mount may still wait for its disk.
    rules(&pc, "mv /etc/udev/rules.d/99-automount.rules /root/");
    pc.sh("udevadm settle; systemctl cancel");
    sticks[0].pull();
    sd.eject();
    cards[0].eject();
    station.job.wait_for_nth_line(2, "^A1  EMPTY", secs(20));
    station.job.wait_for_nth_line(2, "^S1  EMPTY", secs(20));
    station.job.wait_for_nth_line(2, "^R1  EMPTY", secs(20));
    // As long as a hand takes: a card that is back sooner came back by itself.
    std::thread::sleep(secs(3));
    sticks[0].plug();
    sd.insert();
    cards.iter().for_each(flashline_lab::reader::ReaderCard::insert);
    for slot in ["A1", "S1", "R1", "R2"] {
        station.job.wait_for_nth_line(2, &format!("^{slot}  PASS"), secs(120));
    }
    rules(&pc, "mv /root/99-automount.rules /etc/udev/rules.d/");
    cards.iter().for_each(|card| card.settle());
    assert!(sticks[0].reads_as(&image) && sd.reads_as(&image) && cards.iter().all(|card| card.reads_as(&image)));
    left_in_over_a_restart(&pc, station, &sticks[2], &image);
}

/// A card that was left in is green again only after it was read completely, and is claimed from then on.
fn left_in_over_a_restart(pc: &Pc, station: Station<'_>, stick: &UsbStick, image: &Path) {
    station.stop();
    pc.sh("sed -i 's/^name = \"emulated\"/&\\nflash_present = true/; s/\"reflash\"/\"recheck\"/' /etc/flashline/config.toml");
    rules(pc, "rm /etc/udev/rules.d/99-automount.rules");
    pc.sh("for _ in 1 2 3 4 5; do umount --quiet /run/media/system/*; sleep 1; done; ! grep /run/media /proc/mounts");
    let station = Station::start(pc);
    station.wait_for("A3", "(DONE|PASS)");
    assert!(stick.reads_as(image), "whatever became of it while nobody watched");
    let node = stick.node();
    assert!(!pc.run(&format!("mount {node}1 /mnt/card || mount {node} /mnt/card")).success(), "it is claimed again");
    pc.sh(&format!("dd if=/dev/urandom of={node} bs=512 count=1 seek=4096 conv=fsync,notrunc"));
    is_changed(&station, "A3");
}

/// The slots that `status` reports as not protected from the PC's other programs.
fn exposed(pc: &Pc) -> String {
    let status: serde_json::Value = serde_json::from_str(&pc.sh("flashline status --json || true")).expect("JSON");
    status["exposed"].to_string()
}

#[test]
fn a_slot_without_its_udev_rule_is_noticed_from_the_start_and_takes_no_card_where_the_rule_is_required() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).configured();
    let said = pc.sh("flashline check");
    assert!(said.contains("slots A1 A2 are not kept from this PC's other programs: run `flashline slots rules --write`"), "{said}");
    pc.sh("sed -i 's/^done = .*/&\\nrules = \"required\"/' /etc/flashline/config.toml");
    assert_eq!(pc.run("flashline check").status, 1, "no card would be begun");
    let station = Station::start(&pc);
    station.job.wait_for_line("slots A1 A2 are not kept from this PC's other programs", secs(60));
    let stick = pc.usb("1").size(16 * MIB).filled(1).plug();
    let line = station.wait_for("A1", "REFUSED");
    assert!(line.contains("not kept from this PC's other programs") && line.contains("call the station engineer"), "{line}");
    assert!(stick.untouched());
    stick.pull();
    stick.wait_gone();
    pc.sh("flashline slots rules --write");
    pc.wait_until("the rules to be noticed", secs(30), || (exposed(&pc) == "null").then_some(()));
    assert!(!pc.sh("flashline check").contains("not kept"));
    stick.plug();
    station.wait_for("A1", "PASS");
    assert!(stick.reads_as(image.raw()));
    // A reload that gives the slot another port does not renew the rules.
    pc.sh("sed -i 's,usb\\([23]\\)-2/,usb\\1-3/,g' /etc/flashline/config.toml && flashline reload");
    pc.wait_until("the stale rules to be noticed", secs(30), || (exposed(&pc) == "[\"A2\"]").then_some(()));
    assert_eq!(station.job.count_lines("^A1  CHANGED"), 0);
}
