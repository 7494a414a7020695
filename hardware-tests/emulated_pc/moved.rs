//! A station's log outlives its PC: it moves to another one as one history, its old PC is found out, and it is backed up every night.

use flashline_lab::{MIB, Pc, Signal, UsbStick, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{FileSystem, Run, STATE, Station, mounted, next_state_disk, state_disk};

const LOG: &str = "/var/lib/flashline/flash-log.db";
/// Where the disk is mounted that goes from one PC to the other.
const CARRIED: &str = "/mnt/carried";

fn factory<'a>(pc: &'a Pc, image: &Image) -> Factory<'a> {
    Factory::new(pc, &image.raw()).slot("A1", usb("1"))
}

fn stick(pc: &Pc, number: u64) -> UsbStick {
    pc.usb("1").serial(&format!("STICK-{number:03}")).size(16 * MIB).filled(number).plug()
}

fn digest_of_log(pc: &Pc) -> String {
    pc.sh(&format!("sha256sum {LOG}"))
}

/// The station is started, and ends with the sentence about its log.
fn refused(pc: &Pc) {
    let said = pc.run("flashline run 2>&1");
    let words = format!("STATION FAULT  opening the flash log {LOG}: this log has moved to {CARRIED} on ");
    assert!(said.status == 2 && said.stdout.contains(&words) && said.stdout.contains("switch on the new PC"), "{said}");
}

#[test]
fn long_a_station_that_moved_goes_on_as_one_history_and_its_old_pc_that_is_switched_on_again_is_a_station_fault() {
    let image = Image::new(4 * MIB, 7);
    let old = Pc::start();
    let state = state_disk(&old, FileSystem::Ext4);
    let carried = old.disk("carried").size(48 * MIB).plug();
    old.sh(&format!("mkfs.ext4 -q {0} && mkdir -p {CARRIED} && mount {0} {CARRIED}", carried.node()));
    let station = factory(&old, &image).run();
    let _first = stick(&old, 1);
    station.wait_for("A1", "PASS");
    let busy = old.run(&format!("flashline move --to {CARRIED}"));
    assert!(busy.status == 2 && busy.stderr.contains("the station runs on this PC"), "{busy}");
    station.stop();
    let moved = old.sh(&format!("flashline move --to {CARRIED}"));
    let folder = moved.split_once(": ").expect("the folder comes first").0.to_owned();
    refused(&old);
    let before = digest_of_log(&old);
    old.sh(&format!("sync; umount {CARRIED} {STATE}"));
    drop(old);

    let new = Pc::start();
    // All PCs of the lab have one machine-id.
    new.sh("umount -l /etc/machine-id 2>/dev/null || true; echo fedcba9876543210fedcba9876543210 >/etc/machine-id");
    let carried = mounted(&new, "carried", &carried, CARRIED);
    let _state = state_disk(&new, FileSystem::Ext4);
    // The program and the image; the configuration comes from the folder.
    let _unconfigured = factory(&new, &image);
    let restored = new.sh(&format!("flashline restore {folder}"));
    assert!(restored.contains("the log of emulated goes on on this PC"), "{restored}");
    new.sh(&format!("cmp {folder}/config.toml /etc/flashline/config.toml"));
    let station = Station::start(&new);
    station.job.wait_for_line("the station runs", secs(60));
    let second = stick(&new, 2);
    station.wait_for("A1", "PASS");
    assert_eq!(second.first_difference(image.raw()), None);
    let serials: Vec<String> = station.rows().iter().map(|row| row["serial"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(serials, ["STICK-001", "STICK-002"], "the rows of both PCs");
    let verified = new.sh(&format!("flashline log verify --against {folder}"));
    assert!(verified.contains("same history: ") && verified.contains(" is a beginning of this log"), "{verified}");
    let again = new.run(&format!("flashline restore {folder}"));
    assert!(again.status == 2 && again.stderr.contains("the station runs on this PC"), "{again}");
    station.stop();
    let again = new.run(&format!("flashline restore {folder}"));
    assert!(again.status == 2 && again.stderr.contains(&format!("a flash log is already at {LOG}, the same history")), "{again}");
    new.sh(&format!("flashline log export {CARRIED}/new.db && sync && umount {CARRIED} {STATE}"));
    drop(new);

    let old = Pc::start();
    let _carried = mounted(&old, "carried", &carried, CARRIED);
    let _state = next_state_disk(&old, &state);
    factory(&old, &image).configured();
    refused(&old);
    let panel = old.spawn("exec flashline console --plain");
    panel.wait_for_line("STATION FAULT .*this log has moved to", secs(30));
    panel.kill(Signal::SIGKILL);
    let check = old.run("flashline check");
    assert!(check.status == 1 && check.stdout.contains(&format!("✗ {:14} this log has moved to", "log")), "{check}");
    let third = stick(&old, 3);
    let _seen = third.node();
    std::thread::sleep(secs(3));
    assert!(third.untouched(), "no card is written");
    assert_eq!(digest_of_log(&old), before, "nor is the log");
    let compared = old.sh(&format!("flashline log verify --against {CARRIED}/new.db"));
    assert!(compared.contains("this log is a beginning of"), "{compared}");

    // Somebody insists: both are recorded, and found out.
    third.pull();
    third.wait_gone();
    let undone = old.run("flashline move --undo --why 'the new PC is broken'");
    assert!(undone.success() && undone.stderr.contains("there are two histories now"), "{undone}");
    let station = Station::start(&old);
    station.job.wait_for_line("the station runs", secs(60));
    std::thread::sleep(secs(3));
    third.plug();
    station.wait_for("A1", "PASS");
    let compared = old.run(&format!("flashline log verify --against {CARRIED}/new.db"));
    assert!(compared.status == 1 && compared.stdout.contains("forked after event "), "{compared}");
}

#[test]
fn long_the_service_backs_up_beside_the_station_and_a_disk_that_takes_nothing_leaves_no_backup_and_says_why() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    factory(&pc, &image).and("\n[backup]\nfolder = \"/mnt/backup\"\nkeep = 2\n").configured();
    let disk = pc.disk("backup").size(32 * MIB).plug();
    pc.sh(&format!("mkfs.ext4 -q {0} && mkdir -p /mnt/backup && mount {0} /mnt/backup", disk.node()));
    let station = Station::under_systemd(&pc, "");
    pc.sh("chown flashline:flashline /mnt/backup && systemctl is-active flashline-backup.timer");
    let _card = stick(&pc, 1);
    station.wait_for("A1", "PASS");
    let backups = || pc.sh("ls -A /mnt/backup | grep -v lost+found || true").lines().map(str::to_owned).collect::<Vec<_>>();
    // A person does not start it six times in ten seconds, which systemd refuses.
    let run = || pc.run("systemctl reset-failed flashline-backup.service; systemctl start flashline-backup.service");
    for _ in 0..3 {
        let done = run();
        assert!(done.success(), "{done} {}", pc.sh("journalctl --unit flashline-backup --output cat"));
    }
    let kept = backups();
    assert!(kept.len() == 2 && kept.iter().all(|name| name.starts_with("emulated-")), "{kept:?}");
    let check = pc.run("flashline check");
    assert!(check.stdout.contains(&format!("✓ {:14} the newest backup, /mnt/backup/emulated-", "backup")), "{check}");
    pc.sh(&format!("flashline log verify --against /mnt/backup/{}", kept[1]));

    for (breaks, mends, says) in [
        ("mount -o remount,ro /mnt/backup", "mount -o remount,rw /mnt/backup", "it may only be read"),
        ("dd if=/dev/zero of=/mnt/backup/fill bs=64k 2>/dev/null || true; sync", "rm /mnt/backup/fill", "the disk is full"),
    ] {
        pc.sh(breaks);
        let mark = pc.sh("date +%s.%N");
        let failed = run();
        let journal = pc.sh(&format!("journalctl --unit flashline-backup --output cat --since @{}", mark.trim()));
        assert!(!failed.success() && journal.contains(says), "{breaks}: {failed} {journal}");
        pc.sh(mends);
        assert_eq!(backups(), kept, "{breaks}: the earlier ones stay, and nothing is beside them");
    }
    let done = run();
    assert!(done.success(), "all is mended: {done} {}", pc.sh("journalctl --unit flashline-backup --output cat --lines 5"));
    pc.sh(&format!("echo '{} /mnt/backup ext4 defaults,nofail 0 0' >>/etc/fstab && umount /mnt/backup", disk.node()));
    assert!(!run().success());
    let journal = pc.sh("journalctl --unit flashline-backup --output cat");
    assert!(journal.contains("nothing is mounted on /mnt/backup"), "{journal}");
    assert_eq!(backups(), [""; 0], "nothing is written below the mount point");
    assert!(station.job.is_running());
}
