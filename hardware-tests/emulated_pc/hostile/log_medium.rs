//! The flash log is kept on a mounted disk or not at all, and the station reports a log that was begun anew.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{FileSystem, Run, STATE, Station, state_disk};

#[test]
fn a_log_in_memory_or_below_a_mount_point_without_its_disk_is_refused_and_a_new_one_says_so_until_it_is_confirmed() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let volatile = Factory::new(&pc, &image.raw()).slot("A1", usb("1"));
    volatile.replaced("\n[log]\nvolatile = true\n", "").configured();
    // The root of this PC is an overlay over memory.
    for command in ["check", "run"] {
        let refused = pc.run(&format!("timeout 60 flashline {command} 2>&1"));
        let words = refused.stdout;
        assert!(refused.status != 0 && words.contains("overlay") && words.contains("`volatile = true` in [log]"), "{command}: {words}");
        assert!(words.contains("set `state` in [station]"), "{command}: {words}");
    }
    pc.sh(&format!("test ! -e {STATE}/flash-log.db"));

    let disk = state_disk(&pc, FileSystem::Ext4);
    pc.sh(&format!("umount {STATE} && echo '{} {STATE} ext4 nofail 0 2' >>/etc/fstab", disk.node()));
    for command in ["check", "run"] {
        let refused = pc.run(&format!("timeout 60 flashline {command} 2>&1"));
        let words = refused.stdout;
        assert!(refused.status != 0 && words.contains(&format!("nothing is mounted on {STATE}")), "{command}: {words}");
    }
    pc.sh(&format!("test ! -e {STATE}/flash-log.db && mount {STATE}"));

    let station = Station::start(&pc);
    station.job.wait_for_line("^NEW FLASH LOG", secs(60));
    station.job.wait_for_line("the station runs", secs(60));
    assert!(pc.sh("flashline status").contains("flashline log confirm"), "whoever asks hears of it");
    station.stop();
    let station = Station::start(&pc);
    station.job.wait_for_line("^NEW FLASH LOG", secs(60));
    station.job.wait_for_line("the station runs", secs(60));
    pc.sh("flashline log confirm");
    assert!(!pc.sh("flashline status").contains("NEW FLASH LOG"), "until somebody confirmed it");
    assert_eq!(pc.run("flashline log confirm").status, 1, "once");
    station.stop();

    // If the configuration allows it, the log is accepted and reported as volatile.
    pc.sh(&format!("umount {STATE} && sed -i '$d' /etc/fstab"));
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).run();
    station.job.wait_for_line("^VOLATILE FLASH LOG", secs(60));
    assert!(pc.sh("flashline status").contains("VOLATILE FLASH LOG"), "whoever asks hears of it");
    let counted = || pc.sh("flashline log summary --json").contains("\"volatile\":\"");
    pc.wait_until("whoever counts to hear of it, too", secs(20), || counted().then_some(()));
}
