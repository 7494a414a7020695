//! People and programs around the station that do not listen: clients that never read, a screen and a pipe that accept nothing.

use flashline_lab::{MIB, Pc, Signal, secs};

use crate::factory::{Factory, Image, rows, usb};
use crate::station::Run;

/// Two hundred clients of root: each requests everything and reads nothing.
const DEAF: &str = r#"use Socket; my @all;
for my $one (1 .. 200) {
    socket(my $client, AF_UNIX, SOCK_STREAM, 0) or die;
    connect($client, sockaddr_un("/run/flashline/control.sock")) or next;
    syswrite($client, qq({"request":"watch"}\n));
    push @all, $client;
}
$| = 1; print "deaf\n"; sleep 600;
"#;

#[test]
fn long_two_hundred_clients_that_never_read_and_a_pipe_that_nobody_empties_hold_up_no_card() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    pc.put(DEAF.as_bytes(), "/tmp/deaf.pl", 0o644);
    let deaf = pc.spawn("exec perl /tmp/deaf.pl");
    let stick = pc.usb("1").size(16 * MIB).filled(1).plug();
    stick.faults(|faults| faults.bytes_per_second = Some(2 * MIB));
    station.wait_for("A1", "WRITING");
    deaf.wait_for_line("^deaf$", secs(60));
    station.wait_for("A1", "PASS");
    assert_eq!(stick.first_difference(image.raw()), None);
    // Another user is still answered, whatever root's programs do.
    pc.sh("echo 'flashline-admin:x:7001:' >>/etc/group");
    let status = pc.run("timeout 8 setpriv --reuid 4321 --regid 7001 --clear-groups flashline status");
    assert!(status.success() && status.stdout.contains("A1  PASS"), "{status}");
    deaf.kill(Signal::SIGKILL);
    station.stop();

    // Its output is never read, from the first line on.
    let run = "mkfifo /tmp/full; exec 3<>/tmp/full; dd if=/dev/zero bs=64k count=1 >&3 2>/dev/null; FLASHLINE_LOG=trace exec flashline run >&3 2>&3";
    let mute = pc.spawn(run);
    pc.wait_for("timeout 8 flashline status | grep -q A2", secs(60));
    let other = pc.usb("2").size(16 * MIB).filled(2).plug();
    pc.wait_for("timeout 8 flashline status | grep -q 'A2  PASS'", secs(120));
    assert_eq!(other.first_difference(image.raw()), None);
    mute.kill(Signal::SIGTERM);
    mute.wait(secs(10));
    let outcomes: Vec<_> = rows(&pc).iter().map(|row| (row["slot"].clone(), row["outcome"].clone())).collect();
    assert_eq!(outcomes, [("A1".into(), "passed".into()), ("A2".into(), "passed".into())]);
    pc.sh("flashline log verify");
}
