//! A card in use is found however its use is hidden, and the message names the program or device that uses it. A leftover mark is reported
//! as a mark.

use flashline_lab::{MIB, Pc, Signal, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, Station};

#[test]
fn loop_devices_and_a_volume_group_on_a_card_are_told_with_their_cures_and_what_only_left_its_mark_as_a_mark() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 7);
    let factory = Factory::new(&pc, &image.raw()).slot("A1", usb("1"));
    // A used card in a port that is not a slot.
    let used = pc.usb("3").serial("USED").size(32 * MIB).filled(3).plug();
    let node = used.node();
    let flash_to = |node: &str| pc.run(&format!("flashline flash /srv/images/image.img {node} --yes 2>&1")).stdout;

    // Neither loop device claims the device below it. The path of the first one names nothing of it.
    pc.sh(&format!("modprobe loop; cp -a {node} /dev/elsewhere; losetup /dev/loop3 /dev/elsewhere && rm /dev/elsewhere && losetup /dev/loop4 /dev/loop3"));
    for (on, by) in [(node.as_str(), "loop3"), ("/dev/loop3", "loop4")] {
        let said = flash_to(on);
        assert!(said.contains(&format!("in use: held by {by}")) && said.contains(&format!("`losetup -d /dev/{by}`")), "{on}: {said}");
    }
    // A loop device on the image itself: the image would be overwritten while it is read.
    pc.sh("ln /srv/images/image.img /srv/images/linked.img; losetup /dev/loop5 /srv/images/linked.img");
    let before = pc.sh("sha256sum < /srv/images/image.img");
    let said = flash_to("/dev/loop5");
    assert!(said.contains("/dev/loop5 is a loop device on /srv/images/image.img"), "{said}");
    assert_eq!(pc.sh("sha256sum < /srv/images/image.img"), before);
    // A log on a disk: writing the disk would overwrite it.
    let said = pc.run(&format!("flashline flash /srv/images/image.img /dev/loop3 --yes --log {node} 2>&1")).stdout;
    assert!(said.contains("a device, a pipe or a socket, and no file"), "{said}");
    pc.sh("losetup -d /dev/loop5; rm /srv/images/linked.img");
    pc.sh("losetup -d /dev/loop4; losetup -d /dev/loop3; udevadm settle");
    assert!(used.untouched(), "touched at {:?}", used.first_touched());

    pc.sh(&format!("pvcreate -qy {node} && vgcreate -qy my-cards {node} && lvcreate -qy -L 8M -n one my-cards"));
    let said = flash_to(&node);
    assert!(said.contains("in use: held by dm-0") && said.contains("`vgchange -an my-cards`"), "{said}");
    // Carries out the cure that the message names.
    pc.sh("vgchange -an my-cards");
    let before = used.medium().read(0, 32 << 20);
    let said = flash_to(&node);
    assert!(said.contains("bears the mark of LVM, which does not run here") && !said.contains("in use"), "{said}");

    used.pull();
    used.wait_gone();
    // In a slot, no program of this PC starts it.
    let pc = factory.configured();
    pc.sh("flashline slots rules --write");
    let station = Factory::new(pc, &image.raw()).slot("A1", usb("1")).run();
    used.plug_into("1");
    let line = station.wait_for("A1", "REFUSED");
    assert!(line.contains("bears the mark of LVM") && line.contains("wipefs -a") && line.contains("call the station engineer"), "{line}");
    assert_eq!(station.rows_of("A1")[0]["code"], "marked");
    assert_eq!(used.medium().read(0, 32 << 20), before, "refused is untouched");

    pc.sh("sed -i 's/^done = .*/&\\nmarks = \"erase\"/' /etc/flashline/config.toml && kill -HUP $(pidof flashline)");
    station.job.wait_for_line("the new configuration holds", secs(60));
    used.pull();
    used.wait_gone();
    std::thread::sleep(secs(3));
    used.plug();
    station.wait_for("A1", "PASS");
    assert!(used.reads_as(image.raw()));

    // Puts it into the port that is no slot, has a mark written, and expects a refusal that touches nothing.
    let refused_with_mark_by = |script: &str| {
        used.pull();
        used.wait_gone();
        used.plug_into("3");
        let node = used.node();
        pc.sh(&script.replace("NODE", &node));
        let marked = used.medium().read(0, 32 << 20);
        let refused = pc.run(&format!("flashline flash /srv/images/image.img {node} --yes --marks refuse 2>&1")).stdout;
        assert!(refused.contains("bears the mark of LVM") && refused.contains("--marks erase"), "{refused}");
        assert_eq!(used.medium().read(0, 32 << 20), marked, "refused is untouched");
        node
    };
    // A mark that udev does not know of yet is found on the medium.
    refused_with_mark_by("wipefs -qa NODE && udevadm settle && udevadm control --stop-exec-queue && pvcreate -qy NODE");
    pc.sh("udevadm control --start-exec-queue && udevadm settle");
    // `flashline flash` follows the configuration unless an option says otherwise.
    let node = refused_with_mark_by("wipefs -qa NODE && pvcreate -qy NODE && udevadm settle");
    let flashed = flash_to(&node);
    assert!(flashed.contains("VERIFIED"), "{flashed}");
    assert!(used.reads_as(image.raw()));
}

/// udev holds the lock of a card while it probes it, and may start a device on it by then.
#[test]
fn what_comes_onto_a_card_while_its_lock_is_waited_for_is_found_and_the_card_is_untouched() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 7);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    let card = pc.usb("1").size(32 * MIB).filled(1).plug();
    let node = card.node();
    let probing = pc.spawn(&format!("exec flock --no-fork --exclusive {node} sh -c 'echo locked; exec sleep 300'"));
    probing.wait_for_line("^locked$", secs(30));
    pc.sh("modprobe loop; sed -i 's/^\\[station\\]/[station]\\nflash_present = true/' /etc/flashline/config.toml");
    let station = Station::start(&pc);
    // The station admitted it by what it knew before.
    station.wait_for("A1", "WRITING");
    pc.sh(&format!("losetup /dev/loop3 {node}"));
    probing.kill(Signal::SIGKILL);
    let line = station.wait_for("A1", "(REFUSED|PASS)");
    assert!(line.contains("in use: held by loop3") && line.contains("losetup -d /dev/loop3"), "{line}");
    assert!(card.untouched(), "touched at {:?}", card.first_touched());
}
