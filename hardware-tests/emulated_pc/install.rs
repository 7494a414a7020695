//! The station from its Debian packages, as `hardware-tests/package` builds them: what they do to a PC, to a station that runs, and to the
//! flash log.

mod clean;
mod fetch;
mod reboots;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use flashline_lab::{MIB, Output, Pc, UsbStick, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::Station;

/// The version that the packages have, and one before and one behind it.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-1");
const EARLIER: &str = "0.0.1-1";
const LATER: &str = "999.0.0-1";

/// All packages, built of the program that every other scenario runs and of `flashline-fetch` beside it; once for all scenarios.
fn built() -> &'static [PathBuf; 3] {
    static BUILT: OnceLock<([PathBuf; 3], tempfile::TempDir)> = OnceLock::new();
    let build = || {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // Where the program of the station lies, cargo puts the other one, too.
        let station = Path::new(env!("CARGO_BIN_EXE_flashline"));
        let profile = station.parent().expect("a directory");
        // With the features of the whole workspace, so that no library is built a second time.
        host(
            Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--locked", "--workspace", "--bin", "flashline-fetch", "--target-dir"])
                .arg(profile.parent().expect("a directory"))
                .current_dir(env!("CARGO_MANIFEST_DIR")),
        );
        let [program, fetch] = ["flashline", "flashline-fetch"].map(|name| {
            let stripped = directory.path().join(name);
            // Without its debug information, which is packed apart and takes a minute.
            host(Command::new("strip").arg("-o").arg(&stripped).arg(profile.join(name)));
            stripped
        });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hardware-tests/package");
        host(Command::new(script).arg("--program").arg(program).arg("--fetch").arg(fetch).arg("--out").arg(directory.path().join("out")));
        let package = |name: &str| directory.path().join(format!("out/{name}_{VERSION}_amd64.deb"));
        (["flashline", "flashline-station", "flashline-fetch"].map(package), directory)
    };
    &BUILT.get_or_init(build).0
}

/// Both packages of the station.
fn packages() -> &'static [PathBuf] {
    &built()[..2]
}

fn host(command: &mut Command) {
    let output = command.output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// The same packages under another version, with another line in the scripts that run before they are unpacked.
fn with_version(version: &str, preinst: (&str, &str)) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for package in packages() {
        let tree = directory.path().join("tree");
        host(Command::new("dpkg-deb").arg("-R").arg(package).arg(&tree));
        for (file, from, to) in [("control", VERSION, version), ("preinst", preinst.0, preinst.1)] {
            let path = tree.join("DEBIAN").join(file);
            let text = std::fs::read_to_string(&path).expect("it is there");
            assert!(text.contains(from), "{}: {from}", path.display());
            std::fs::write(&path, text.replace(from, to)).expect("it can be written");
        }
        let name = package.file_name().expect("a name").to_string_lossy().replace(VERSION, version);
        host(Command::new("dpkg-deb").args(["--root-owner-group", "-b"]).arg(&tree).arg(directory.path().join(name)));
        std::fs::remove_dir_all(&tree).expect("it can be removed");
    }
    directory
}

/// Brings both packages of this version into the PC.
fn bring(pc: &Pc, directory: &Path, version: &str) {
    for name in ["flashline", "flashline-station"] {
        let file = format!("{name}_{version}_amd64.deb");
        pc.put_file(directory.join(&file), &format!("/tmp/debs/{file}"), 0o644);
    }
}

/// Has dpkg install both packages of this version, in one call as apt does.
fn try_install(pc: &Pc, version: &str) -> Output {
    pc.run(&format!(
        "dpkg -i /tmp/debs/*_{version}_amd64.deb 2>&1; exit $(dpkg-query -W -f '${{db:Status-Status}} ${{Version}}\\n' flashline flashline-station | grep -vc '^installed {version}$')"
    ))
}

/// Packages, configuration and a station that runs under its unit.
fn installed<'a>(pc: &'a Pc, image: &Image, slots: u64) -> Station<'a> {
    bring(pc, packages()[0].parent().expect("a directory"), VERSION);
    let done = try_install(pc, VERSION);
    assert!(done.success(), "{done}");
    (1..=slots)
        .fold(Factory::new(pc, &image.raw()), |factory, port| factory.slot(&format!("A{port}"), usb(&port.to_string())))
        .configured();
    pc.sh("systemctl start flashline.service");
    Station::journal(pc)
}

fn slow_stick(pc: &Pc, port: u64) -> UsbStick {
    let stick = pc.usb(&port.to_string()).size(16 * MIB).filled(port).plug();
    stick.faults(|faults| faults.bytes_per_second = Some(400_000));
    stick
}

fn hurry(stick: &UsbStick) {
    stick.faults(|faults| faults.bytes_per_second = None);
}

fn eight_busy_cards(station: &Station<'_>) -> Vec<UsbStick> {
    let sticks: Vec<UsbStick> = (1..=8).map(|port| slow_stick(station.pc, port)).collect();
    for port in 1..=8 {
        station.wait_for(&format!("A{port}"), "WRITING");
    }
    sticks
}

fn main_pid(pc: &Pc) -> String {
    pc.sh("systemctl show --value -p MainPID flashline")
}

fn outcomes(station: &Station<'_>) -> Vec<String> {
    station.rows().iter().map(|row| row["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_station_installed_by_dpkg_flashes_a_card_and_is_removed_only_when_none_is_busy() {
    let pc = Pc::start();
    let image = Image::new(6 * MIB, 7);
    let station = installed(&pc, &image, 2);
    assert_eq!(pc.sh("getent group flashline flashline-admin | wc -l"), "2");
    assert_eq!(pc.sh("systemctl is-enabled flashline.service || true"), "disabled", "what is not configured is not started by itself");
    let stick = pc.usb("1").size(16 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    assert!(stick.reads_as(image.raw()));
    pc.sh("systemctl enable flashline.service");

    let busy = slow_stick(&pc, 2);
    station.wait_for("A2", "WRITING");
    let refused = pc.run("dpkg -r flashline-station 2>&1");
    assert!(!refused.success() && refused.stdout.contains("1 cards are busy: nothing is removed"), "{refused}");
    hurry(&busy);
    station.wait_for("A2", "PASS");
    assert!(busy.reads_as(image.raw()), "the card went on");
    pc.sh("dpkg -r flashline-station 2>&1");
    assert_eq!(pc.sh("systemctl is-active flashline.service || true"), "inactive");
    let left = "find /etc /usr/lib/systemd /usr/lib/sysctl.d /usr/lib/tmpfiles.d /usr/lib/sysusers.d -name '*flashline*' -not -path '/etc/systemd/system/flashline-agent*' | grep -v agent || true";
    assert_eq!(pc.sh(left), "/etc/flashline", "of a removal only the configuration stays");
    assert_eq!(outcomes(&station), ["passed", "passed"], "and the flash log");
    pc.sh("dpkg -P flashline-station 2>&1");
    assert_eq!(pc.sh("ls -d /var/lib/flashline /etc/flashline 2>/dev/null || true"), "", "a purge deletes them");
}

#[test]
fn an_upgrade_interrupts_none_of_eight_busy_cards_and_the_station_restarts_when_the_last_is_out() {
    let pc = Pc::start();
    let image = Image::new(6 * MIB, 7);
    let station = installed(&pc, &image, 9);
    let before = main_pid(&pc);
    bring(&pc, with_version(LATER, ("set -e", "set -e")).path(), LATER);
    let sticks = eight_busy_cards(&station);
    let done = try_install(&pc, LATER);
    assert!(done.success() && done.stdout.contains("restarts when the last one is out"), "{done}");
    assert_eq!(station.job.count_lines("PASS"), 0, "all cards are still busy, or this proves nothing");
    station.wait_for("A9", "RESTARTING");
    let late = pc.usb("9").size(16 * MIB).filled(9).plug();
    station.wait_for("A9", "HELD");
    sticks.iter().for_each(hurry);
    for port in 1..=8 {
        station.wait_for(&format!("A{port}"), "PASS");
    }
    assert!(sticks.iter().all(|stick| stick.reads_as(image.raw())));
    assert!(late.untouched(), "nothing new is begun");
    assert_eq!(main_pid(&pc), before, "green stays true until the card is out");
    let shown = pc.run("flashline status").stdout;
    assert!(shown.contains("RESTARTS when the cards of A1, A2, A3, A4, A5, A6, A7, A8 are out: asked for by root"), "{shown}");
    for stick in &sticks {
        stick.pull();
    }
    pc.wait_until("the station of the later version", secs(60), || (main_pid(&pc) != before).then_some(()));
    pc.wait_for("flashline status", secs(60));
    assert_eq!(pc.sh("readlink /proc/$(systemctl show --value -p MainPID flashline)/exe"), "/usr/bin/flashline", "the new program runs");
    assert_eq!(outcomes(&station), ["passed"; 8]);
    let next = pc.usb("1").size(16 * MIB).filled(1).plug();
    station.job.wait_for_nth_line(9, "^A.  PASS", secs(120));
    assert!(next.reads_as(image.raw()));
}

#[test]
fn a_plain_restart_interrupts_eight_of_eight_busy_cards() {
    let pc = Pc::start();
    let station = installed(&pc, &Image::new(6 * MIB, 7), 8);
    let _sticks = eight_busy_cards(&station);
    pc.sh("systemctl try-restart flashline.service");
    pc.wait_for("flashline status", secs(60));
    assert_eq!(outcomes(&station), ["interrupted"; 8], "what a package that restarts its service would cost");
}

#[test]
fn a_version_that_cannot_read_the_flash_log_or_the_configuration_is_refused_and_the_station_goes_on() {
    let pc = Pc::start();
    let image = Image::new(6 * MIB, 7);
    let station = installed(&pc, &image, 1);
    let before = main_pid(&pc);
    let stick = slow_stick(&pc, 1);
    station.wait_for("A1", "WRITING");
    let knows = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/flashline/preinst")).expect("it is there");
    let line = |name: &str| knows.lines().find(|line| line.starts_with(name)).expect("what it reads").to_owned();
    for (line, says) in [
        (line("knows_log="), "the flash log of this PC has format"),
        (line("knows_configuration="), "the configuration of this PC has format"),
    ] {
        let name = line.split('=').next().expect("a name");
        let earlier = with_version(EARLIER, (&line, &format!("{name}=0")));
        bring(&pc, earlier.path(), EARLIER);
        let refused = try_install(&pc, EARLIER);
        assert!(!refused.success() && refused.stdout.contains(says) && refused.stdout.contains("at most format 0"), "{refused}");
        let status = pc.sh("dpkg-query -W -f '${db:Status-Status} ${Version}\\n' flashline flashline-station | sort -u");
        assert_eq!(status, format!("installed {VERSION}"), "nothing is changed");
    }
    hurry(&stick);
    station.wait_for("A1", "PASS");
    assert!(stick.reads_as(image.raw()));
    assert_eq!(main_pid(&pc), before);
    assert!(!pc.run("flashline status").stdout.contains("RESTARTS"), "a station that keeps its version has nothing to restart for");
}

#[test]
fn ctrl_alt_del_sysrq_and_suspend_do_nothing_while_a_card_is_busy() {
    let pc = Pc::start();
    let image = Image::new(6 * MIB, 7);
    let station = installed(&pc, &image, 1);
    let boot = pc.sh("cat /proc/sys/kernel/random/boot_id");
    let stick = slow_stick(&pc, 1);
    station.wait_for("A1", "WRITING");
    pc.sh("systemctl start flashline-console.service");
    let panel = || pc.sh("systemctl show --value -p MainPID -p NRestarts flashline-console.service");
    // Until then the keys are the kernel's, and the panel is started again if they end it.
    pc.wait_for("stty --file /dev/tty1 --all | grep -q -- '-isig'", secs(30));
    let shown_by = panel();
    for keys in [&["q"][..], &["ctrl", "c"], &["1"], &["ret"]] {
        pc.press(keys);
    }
    for _ in 0..10 {
        pc.press(&["ctrl", "alt", "delete"]);
    }
    pc.press(&["alt", "sysrq", "b"]);
    let suspend = pc.run("systemctl suspend 2>&1");
    assert!(!suspend.success() && suspend.stdout.contains("masked"), "{suspend}");
    hurry(&stick);
    station.wait_for("A1", "PASS");
    assert!(stick.reads_as(image.raw()));
    assert_eq!(pc.sh("cat /proc/sys/kernel/random/boot_id"), boot);
    assert_eq!(panel(), shown_by, "no key ends the panel");
    assert_eq!(pc.sh("systemctl show --value -p LoadState ctrl-alt-del.target; cat /proc/sys/kernel/sysrq"), "masked\n0");
    // Undone by its removal.
    stick.pull();
    pc.sh("dpkg -r flashline-station 2>&1");
    assert_eq!(pc.sh("systemctl show --value -p LoadState ctrl-alt-del.target suspend.target | sort -u | xargs"), "loaded");
}
