//! One station on a PC, and access to it by user and group.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, Station};

/// Prints the process id of the station itself, not of the processes that keep its log.
const STATION: &str =
    "for process in $(pidof flashline); do tr '\\0' ' ' </proc/$process/cmdline | grep -qx 'flashline run ' && echo $process; done; true";

/// Runs a command as a member of one group only, with a user id that has no account.
const ADMIN: &str = "setpriv --reuid 4321 --regid 7001 --clear-groups";

#[test]
fn a_second_station_refuses_with_cause_and_cure_and_a_member_of_the_admins_group_alone_may_look_and_change() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 7);
    pc.sh("echo 'flashline:x:7000:' >>/etc/group; echo 'flashline-admin:x:7001:' >>/etc/group");
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).run();
    pc.sh("sed 's,^name = \"emulated\",&\\nstate = \"/srv/other\",; s,^\\[policy\\],[control]\\nsocket = \"/srv/other.sock\"\\n\\n&,' /etc/flashline/config.toml >/srv/other.toml");
    let second = pc.run("flashline run --config /srv/other.toml");
    assert_eq!(second.status, 2, "{second}");
    let first = format!("process {}, configuration /etc/flashline/config.toml", pc.sh(STATION));
    assert!(second.stderr.contains(&first) && second.stderr.contains("systemctl stop flashline"), "{second}");
    pc.sh("[ ! -e /srv/other ]");

    let status = pc.sh(&format!("{ADMIN} flashline status"));
    assert!(status.contains("A1"), "{status}");
    pc.sh(&format!("{ADMIN} flashline disarm --slot A1 --reason 'bent contacts'"));
    station.job.wait_for_line("^A1  DISARMED", secs(30));
    let reader = pc.run(&format!("{} flashline arm --slot A1", ADMIN.replace("7001", "7000")));
    assert!(reader.status != 0 && reader.stderr.contains("may look at the station and not change it"), "{reader}");
    let stranger = pc.run(&format!("{} flashline status", ADMIN.replace("7001", "7002")));
    assert!(stranger.status != 0 && stranger.stderr.contains("in neither `flashline` nor `flashline-admin`"), "{stranger}");

    // The file of the lock stays and blocks no later start.
    pc.sh(&format!("kill -KILL $({STATION}); while pidof flashline; do sleep 0.1; done"));
    let next = Station::start(&pc);
    next.job.wait_for_line("the station runs", secs(60));
}
