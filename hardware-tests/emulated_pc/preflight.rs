//! `flashline check` as a preflight: a healthy station has no ✗, and each thing that is broken is named, and nothing else.

use std::collections::BTreeSet;

use flashline_lab::{MIB, Pc, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, usb};
use crate::station::{READ_RULES, Station};

/// What is broken, what breaks it, what mends it, the subject that is named, with its mark, and a word of what is said.
type Break = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

/// Replaces the drop-in of the unit: lines of `[Service]`.
const DROP_IN: &str = "/etc/systemd/system/flashline.service.d/broken.conf";

const BREAKS: [Break; 18] = [
    (
        "no rules",
        "mv /etc/udev/rules.d/61-flashline.rules /root/ && READ_RULES && udevadm trigger --settle --subsystem-match=block",
        "mv /root/61-flashline.rules /etc/udev/rules.d/ && READ_RULES && udevadm trigger --settle --subsystem-match=block",
        "rules",
        "warning",
        "A1",
    ),
    (
        "an empty image",
        "cp -a /srv/images/two.img /root/ && : >/srv/images/two.img",
        "cp -a /root/two.img /srv/images/",
        "image",
        "bad",
        "acme/two",
    ),
    ("no LED", "sed -i 's/::capslock/::none/' CONFIG", "sed -i 's/::none/::capslock/' CONFIG", "lamp", "warning", "::none"),
    (
        "another controller",
        "sed -i 's,0000:00:1c.0/usb3-2,0000:00:1f.7/usb3-2,' CONFIG && flashline slots rules --write >/dev/null",
        "sed -i 's,0000:00:1f.7/usb3-2,0000:00:1c.0/usb3-2,' CONFIG && flashline slots rules --write >/dev/null",
        "port",
        "warning",
        "slot A2",
    ),
    (
        "no bell",
        "sed -i 's,^name = \"emulated\",&\\nbell = \"/dev/input/none\",' CONFIG",
        "sed -i '/^bell = /d' CONFIG",
        "bell",
        "warning",
        "/dev/input/none",
    ),
    ("PrivateUsers", "echo PrivateUsers=yes", "", "unit", "bad", "PrivateUsers=yes"),
    ("ProcSubset", "echo ProcSubset=pid", "", "unit", "bad", "ProcSubset=pid"),
    ("PrivateDevices", "echo PrivateDevices=yes", "", "unit", "bad", "PrivateDevices=yes"),
    ("no socket", "printf 'RestrictAddressFamilies=\\nRestrictAddressFamilies=AF_INET\\n'", "", "unit", "bad", "AF_UNIX"),
    ("a system call", "echo 'SystemCallFilter=~ioctl'", "", "unit", "bad", "ioctl"),
    ("no watchdog", "echo WatchdogSec=0", "", "watchdog", "warning", "hangs"),
    ("first to be killed", "echo OOMScoreAdjust=0", "", "unit", "warning", "OOMScoreAdjust=0"),
    ("few files", "echo LimitNOFILE=256", "", "unit", "warning", "LimitNOFILE=256"),
    ("root", "printf 'User=root\\n'", "", "rights", "warning", "root"),
    ("a disk of the PC that anybody may write to", "chmod 666 DISK", "chmod 660 DISK", "rights", "bad", "in no slot"),
    ("a card that the station may not write to", "chown root:disk CARD", "chown flashline:disk CARD", "rights", "bad", "slot A1"),
    (
        "a clock of the past",
        "date +%s >/root/now && date -s @1000000000 >/dev/null",
        "date -s @$(cat /root/now) >/dev/null",
        "clock",
        "bad",
        "behind",
    ),
    (
        "an event of the log that somebody changed",
        "systemctl stop flashline && cp -a /var/lib/flashline/flash-log.db /root/ && LC_ALL=C sed -i 's/\"station_name\":\"emulated\"/\"station_name\":\"emulateD\"/;s/emulated/emulateD/' /var/lib/flashline/flash-log.db && ! cmp -s /root/flash-log.db /var/lib/flashline/flash-log.db",
        "cp -a /root/flash-log.db /var/lib/flashline/ && systemctl start flashline",
        "log",
        "bad",
        "flash-log.db",
    ),
];

fn checked(pc: &Pc) -> (u32, Vec<Value>) {
    let output = pc.run("flashline check --json 2>/dev/null");
    let said: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
    (output.status, said["findings"].as_array().expect("findings").clone())
}

/// What is not good: subject, mark and words.
fn complaints(findings: &[Value]) -> BTreeSet<(String, String, String)> {
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("a text").to_owned();
    let bad = findings.iter().filter(|finding| finding["mark"] != "good");
    bad.map(|finding| (text(finding, "subject"), text(finding, "mark"), text(finding, "what"))).collect()
}

#[test]
fn long_a_check_of_a_healthy_station_has_no_cross_and_each_thing_that_is_broken_is_named_and_nothing_else() {
    let pc = Pc::start();
    let (image, two) = (Image::new(4 * MIB, 7), Image::new(2 * MIB, 8));
    let own = pc.disk("own").size(16 * MIB).plug();
    pc.put_file(two.raw(), "/srv/images/two.img", 0o644);
    Factory::new(&pc, &image.raw())
        .lit_slot("A1", usb("1"), "led = \"input*::capslock\"")
        .slot("A2", usb("2"))
        .and("\n[[model]]\nname = \"acme/two\"\nimage = \"/srv/images/two.img\"\nrequire = \"none\"\n")
        .configured();
    let station = Station::under_systemd(&pc, "");
    let card = pc.usb("1").size(32 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    let (status, findings) = checked(&pc);
    let healthy = complaints(&findings);
    assert!(status == 0 && healthy.iter().all(|(_, mark, _)| mark != "bad"), "{healthy:#?}");
    let subjects: BTreeSet<&str> = findings.iter().filter_map(|finding| finding["subject"].as_str()).collect();
    for subject in ["configuration", "image", "port", "rules", "lamp", "unit", "watchdog", "rights", "state-disk", "log", "clock", "memory"]
    {
        assert!(subjects.contains(subject), "{subject} was looked at: {subjects:?}");
    }
    for (name, breaks, mends, subject, mark, words) in BREAKS {
        let here = |script: &str| {
            let script = script.replace("CONFIG", "/etc/flashline/config.toml").replace("READ_RULES", READ_RULES);
            script.replace("DISK", own.node()).replace("CARD", &card.node())
        };
        if mends.is_empty() {
            pc.sh(&format!("mkdir -p $(dirname {DROP_IN}) && {{ echo '[Service]'; {breaks}; }} >{DROP_IN} && systemctl daemon-reload"));
        } else {
            pc.sh(&here(breaks));
        }
        let (status, findings) = checked(&pc);
        let now = complaints(&findings);
        let new: Vec<_> = now.difference(&healthy).collect();
        assert!(
            !new.is_empty() && new.iter().all(|(of, how, what)| of == subject && how == mark && what.contains(words)),
            "{name}: {new:#?}"
        );
        assert_eq!(status, u32::from(mark == "bad"), "{name}: the worst one is the exit code");
        if mends.is_empty() {
            pc.sh(&format!("rm {DROP_IN} && systemctl daemon-reload"));
        } else {
            pc.sh(&here(mends));
        }
    }
    let again = complaints(&checked(&pc).1);
    assert_eq!(again, healthy, "all is mended");
    let page = pc.sh("flashline check");
    assert!(page.lines().last().is_some_and(|line| line.starts_with("0 ✗")), "{page}");
    assert!(station.job.is_running() && card.reads_as(image.raw()));
    pc.wait_for("systemctl is-active flashline", secs(30));
}
