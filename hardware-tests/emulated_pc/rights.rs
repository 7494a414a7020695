//! The station as its unit runs it: a user without any capability, in a sandbox. What it can do all the same, and what the kernel refuses it.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, install_units, lun, sd, usb};
use crate::station::Station;

/// Runs in the sandbox of the unit, as every command of it does, each time that the station is reloaded.
const PROBED: &str = "[Service]\nExecReload=/bin/bash /srv/probe /var/lib/flashline/probed\n";

/// What the programs in the sandbox may: a line each. `PLACES` is filled in by the scenario.
const PROBE: &str = r#"
PLACES
probe() { if eval "$2" 2>/dev/null; then echo "$1 opens"; else echo "$1 is refused"; fi; }
{
    probe 'a SATA disk' '(: <$sata)'
    probe 'a virtio disk' '(: <$virtio)'
    probe 'a stick that is in no slot' '(: <$stick)'
    probe 'the network' '(: <>/dev/tcp/127.0.0.1/7777)'
    probe 'a home' '(: </home/op/plan)'
    probe "another user's process" '[ -e /proc/$process/status ]'
    probe 'the card in the slot' '(: <>$card)'
} >$1.new
mv $1.new $1
"#;

/// The rights of a running process, as the kernel has them.
fn capabilities(pc: &Pc) -> Vec<String> {
    let status = pc.sh("grep -E '^(Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs)' /proc/$(systemctl show --value -p MainPID flashline)/status");
    status.lines().map(|line| line.split_whitespace().last().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_station_without_a_capability_writes_the_card_in_its_slot_and_the_kernel_refuses_it_everything_else_of_the_pc() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 7);
    let virtio = pc.disk("own").size(16 * MIB).plug();
    // To the kernel as a SATA disk is: an sd, and not on USB.
    pc.sh("modprobe scsi_debug dev_size_mb=16 && udevadm settle");
    let other = pc.usb("9").size(16 * MIB).filled(9).plug();
    let other_node = other.node();
    pc.sh("mkdir -p /home/op && echo secret >/home/op/plan && chmod 755 /home/op && chmod 644 /home/op/plan");
    let process = pc.spawn("exec setpriv --reuid=65534 sleep 1000");
    pc.put(b"[Socket]\nListenStream=127.0.0.1:7777\n", "/etc/systemd/system/listener.socket", 0o644);
    pc.put(b"[Service]\nExecStart=/bin/sleep 1000\n", "/etc/systemd/system/listener.service", 0o644);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    let station = Station::under_systemd(&pc, PROBED);
    pc.sh("systemctl start listener.socket");
    assert_eq!(pc.sh("stat -c %U /proc/$(systemctl show --value -p MainPID flashline)"), "flashline");
    assert_eq!(capabilities(&pc), ["0000000000000000", "0000000000000000", "0000000000000000", "0000000000000000", "1"]);

    let card = pc.usb("1").size(32 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    assert!(card.reads_as(image.raw()));
    let places = format!(
        "sata=/dev/$(basename /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/*) virtio={} stick={other_node} card={} \
         process=$(cat /srv/process)",
        virtio.node(),
        card.node()
    );
    pc.sh("pidof sleep >/srv/process");
    pc.put(PROBE.replace("PLACES", &places).as_bytes(), "/srv/probe", 0o644);
    let of_the_pc = [
        "a SATA disk",
        "a virtio disk",
        "a stick that is in no slot",
        "the network",
        "a home",
        "another user's process",
        "the card in the slot",
    ];
    let expected = |may: fn(&str) -> bool| {
        let line = |what: &&str| format!("{what} {}", if may(what) { "opens" } else { "is refused" });
        of_the_pc.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(pc.sh("bash /srv/probe /srv/probed && cat /srv/probed"), expected(|_| true), "all of it is there, for root");
    pc.sh("systemctl reload flashline");
    assert_eq!(pc.sh("cat /var/lib/flashline/probed"), expected(|what| what == "the card in the slot"));
    assert!(other.untouched() && virtio.medium().untouched());
    assert!(process.is_running());
    // A card that is taken out leaves nothing to the station.
    card.pull();
    card.wait_gone();
    card.plug_into("8");
    assert_eq!(pc.sh(&format!("stat -c %U {}", card.node())), "root");
}

#[test]
fn lamps_and_the_watchdog_work_without_root_and_a_reload_gives_the_station_the_slot_that_is_new() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let reader = pc.reader("READER-1").slots(2).plug();
    let factory = Factory::new(&pc, &image.raw()).lit_slot("A1", usb("1"), "led = \"input*::capslock\"").slot("A2", usb("2"));
    factory.slot("S1", sd(0)).slot("R1", lun(0)).configured();
    let station = Station::under_systemd(&pc, "[Service]\nWatchdogSec=5\n");
    let led = "/sys/class/leds/input*::capslock";
    let main_pid = || pc.sh("systemctl show --value -p MainPID flashline");
    let before = main_pid();
    let card = pc.usb("1").size(16 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    pc.wait_for(&format!("grep -q '\\[none\\]' {led}/trigger && [ $(cat {led}/brightness) != 0 ]"), secs(20));
    card.pull();
    pc.sh("flashline disarm --slot A1 --reason test");
    // A trigger's files are new each time, and root's, until udev gives them to the station.
    pc.wait_for(&format!("grep -q '\\[pattern\\]' {led}/trigger && [ -s {led}/pattern ]"), secs(20));
    pc.sh("flashline arm --slot A1");
    pc.wait_for(&format!("grep -q '\\[none\\]' {led}/trigger && [ $(cat {led}/brightness) = 0 ]"), secs(20));
    assert_eq!(station.job.count_lines("cannot be switched"), 0);

    // A reader is asked for its media as often as the rules say, and a card in it and in an SD host is the station's as a stick is.
    assert_eq!(pc.sh(&format!("cat /sys/block/{}/events_poll_msecs", reader.node(0).trim_start_matches("/dev/"))), "500");
    let in_reader = reader.card(0).size(16 * MIB).filled(4).insert();
    let sd_card = pc.sd(0).size(16 * MIB).filled(5).insert();
    station.wait_for("R1", "PASS");
    station.wait_for("S1", "PASS");
    in_reader.settle();
    assert!(in_reader.reads_as(image.raw()) && sd_card.reads_as(image.raw()));

    // Another port, and nobody but the station to tell udev.
    let rules = || pc.sh("cat /etc/udev/rules.d/61-flashline.rules");
    assert!(rules().contains("*/*-2:*/host") && !rules().contains("*/*-3:*/host"), "{}", rules());
    pc.sh("sed -i 's,usb\\([23]\\)-2/,usb\\1-3/,g' /etc/flashline/config.toml && flashline reload");
    assert!(!rules().contains("*/*-2:*/host") && rules().contains("*/*-3:*/host"), "{}", rules());
    let card = pc.usb("3").size(16 * MIB).filled(3).plug();
    station.wait_for("A2", "PASS");
    assert!(card.reads_as(image.raw()));
    let status: serde_json::Value = serde_json::from_str(&pc.sh("flashline status --json")).expect("JSON");
    assert!(status["exposed"].is_null(), "every slot is kept from others: {status}");
    // One that is not taken over changes nothing.
    pc.sh("sed -i 's,usb\\([23]\\)-3/,usb\\1-4/,g; s,/srv/images/image.img,/srv/images/none.img,' /etc/flashline/config.toml");
    assert!(!pc.run("flashline reload").success());
    assert!(rules().contains("*/*-3:*/host"), "{}", rules());

    std::thread::sleep(secs(12));
    assert_eq!((main_pid(), pc.sh("systemctl show --value -p NRestarts flashline")), (before, "0".to_owned()), "systemd hears from it");
}

#[test]
fn what_is_in_use_by_the_pc_is_seen_from_the_sandbox_and_a_loop_device_of_somebody_keeps_no_card_out() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    pc.sh("mkdir -p /home/op /mnt/before /mnt/later && modprobe loop && truncate -s 1M /home/op/snap && losetup --find /home/op/snap && chmod 700 /home/op");
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).configured();
    pc.sh("sed -i 's/^\\[station\\]/[station]\\nflash_present = true/' /etc/flashline/config.toml");
    let mkfs = "mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0";
    let before = pc.usb("1").size(32 * MIB).plug();
    pc.sh(&format!("{mkfs} {0} && mount -o ro {0} /mnt/before", before.node()));
    let later = pc.usb("9").size(32 * MIB).plug();
    pc.sh(&format!("{mkfs} -L later {}", later.node()));
    later.pull();
    later.wait_gone();
    let station = Station::under_systemd(&pc, "");
    let line = station.wait_for("A1", "REFUSED");
    assert!(line.contains("in use: mounted at /mnt/before"), "{line}");
    // The sandbox has the mount of the time when it was made: it must not keep it for longer than the PC does.
    pc.sh("umount /mnt/before");
    before.pull();
    before.wait_gone();
    before.plug();
    station.wait_for("A1", "PASS");
    assert!(before.reads_as(image.raw()));

    // And a mount that is made while the station runs is seen.
    let mounts = pc.spawn("until mount -t ext4 -o ro /dev/disk/by-label/later /mnt/later 2>/dev/null || mount -t ext4 -o ro /dev/sdb /mnt/later 2>/dev/null; do :; done");
    later.plug_into("2");
    let line = station.wait_for("A2", "REFUSED");
    assert!(mounts.wait(secs(20)).success());
    assert!(line.contains("in use: mounted at /mnt/later"), "{line}");
}

#[test]
fn files_that_a_station_of_root_left_are_the_next_ones_and_a_pc_is_kept_awake_without_root() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 7);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).configured();
    install_units(&pc);
    let by_hand = Station::start(&pc);
    by_hand.job.wait_for_line("the station runs", secs(60));
    let card = pc.usb("1").size(32 * MIB).filled(1).plug();
    by_hand.wait_for("A1", "PASS");
    by_hand.job.kill(flashline_lab::Signal::SIGKILL);
    pc.wait_for("! pidof flashline", secs(20));
    card.pull();
    assert!(pc.sh("find /var/lib/flashline -user root").lines().count() > 1, "root was there");

    pc.sh("systemctl unmask systemd-logind && systemctl start systemd-logind");
    let station = Station::under_systemd(&pc, "");
    assert_eq!(pc.sh("find /var/lib/flashline /run/flashline ! -user flashline"), "");
    let card = pc.usb("2").size(32 * MIB).filled(2).plug();
    card.faults(|faults| faults.bytes_per_second = Some(MIB));
    station.wait_for("A2", "WRITING");
    let awake = || pc.sh("systemd-inhibit --list --no-legend --no-pager | grep flashline || true");
    pc.wait_until("the PC to be kept awake", secs(20), || awake().contains("cards are being written").then_some(()));
    assert_eq!(station.job.count_lines("nothing keeps this PC from sleeping"), 0);
    card.faults(|faults| faults.bytes_per_second = None);
    station.wait_for("A2", "PASS");
    pc.wait_until("the PC to be given back", secs(40), || awake().is_empty().then_some(()));
    assert_eq!(station.rows().len(), 2, "one log, of both");
    pc.sh("flashline log verify");
}

#[test]
fn systemd_finds_little_that_the_units_could_do_without() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    let _station = Station::under_systemd(&pc, "");
    pc.sh("systemctl start flashline-console");
    let units =
        [("flashline", 10), ("flashline-console", 15), ("flashline-backup", 15), ("flashline-awake@1", 15), ("flashline-rules@1", 15)];
    for (unit, most) in units {
        let said = pc.run(&format!("systemd-analyze security --no-pager --threshold={most} {unit}.service"));
        let overall = said.stdout.lines().last().unwrap_or_default();
        println!("{unit}: {overall}");
        assert!(said.success() && overall.contains("Overall exposure level"), "{unit} may be exposed by {most} tenths: {overall}");
    }
}
