//! Tests of the Debian packages: what their scripts say and do, without a package being installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn script(path: &str) -> PathBuf {
    root().join("packaging").join(path)
}

/// A directory of programs that take the place of the PC's own: each is a shell script.
struct Programs(tempfile::TempDir);

impl Programs {
    fn new(programs: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in programs {
            let path = directory.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("it can be written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        Self(directory)
    }

    fn run(&self, script: &Path, arguments: &[&str]) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.0.path().display());
        Command::new("sh").arg(script).args(arguments).env("PATH", path).output().expect("a shell")
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The numbers that `flashline formats` prints.
fn number(text: &str, of: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(of)?.trim().parse().ok())
}

#[test]
fn a_package_knows_the_formats_that_its_program_knows() {
    let known = Command::new(env!("CARGO_BIN_EXE_flashline")).args(["formats", "--config", "/nonexistent"]).output().expect("it runs");
    let known = String::from_utf8(known.stdout).expect("text");
    let packed = fs::read_to_string(script("flashline/preinst")).expect("it is there");
    for (line, variable) in [("knows-log", "knows_log="), ("knows-configuration", "knows_configuration=")] {
        assert!(number(&known, line).is_some(), "{known}");
        assert_eq!(number(&packed, variable), number(&known, line), "{variable} in packaging/flashline/preinst");
    }
    assert_eq!(fs::read(script("station/preinst")).expect("it is there"), packed.as_bytes(), "either package may be unpacked first");
}

#[test]
fn a_package_is_refused_in_a_sentence_where_log_or_configuration_are_newer_and_nowhere_else() {
    let packed = fs::read_to_string(script("flashline/preinst")).expect("it is there");
    let log = number(&packed, "knows_log=").expect("a number");
    let configuration = number(&packed, "knows_configuration=").expect("a number");
    let preinst = |formats: &str, argument: &str| {
        let programs = Programs::new(&[("flashline", &format!("printf '{formats}'"))]);
        programs.run(&script("flashline/preinst"), &[argument, "0.0.1-1"])
    };
    for argument in ["install", "upgrade"] {
        let same = preinst(&format!("knows-log 99\\nlog {log}\\nconfiguration {configuration}\\n"), argument);
        assert!(same.status.success() && said(&same).is_empty(), "{}", said(&same));
        for (formats, what) in [
            (format!("log {}\\nconfiguration {configuration}\\n", log + 1), "the flash log of this PC has format"),
            (format!("log {log}\\nconfiguration {}\\n", configuration + 1), "the configuration of this PC has format"),
        ] {
            let refused = preinst(&formats, argument);
            assert_eq!(refused.status.code(), Some(1), "{formats}");
            let said = said(&refused);
            assert!(said.contains(what) && said.contains("nothing is changed") && said.lines().count() == 1, "{said}");
        }
    }
    // Nothing is known: an empty PC, an installed program without the command, and a call that is no installation.
    for (formats, argument) in [("", "install"), ("error: unrecognized subcommand\\n", "upgrade"), ("log 99\\n", "abort-upgrade")] {
        let done = preinst(formats, argument);
        assert!(done.status.success() && said(&done).is_empty(), "{formats}: {}", said(&done));
    }
}

#[test]
fn no_script_restarts_stops_or_enables_the_station_but_the_removal_of_its_package() {
    for name in ["flashline/preinst", "station/preinst", "station/postinst", "station/postrm"] {
        let text = fs::read_to_string(script(name)).expect("it is there");
        let commands = text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.contains("echo "));
        for line in commands.filter(|line| line.contains("systemctl") || line.contains("deb-systemd")) {
            let harmless = ["daemon-reload", "systemd-logind", "flashline-console.service"].iter().any(|word| line.contains(word));
            assert!(harmless, "{name}: {line}");
        }
    }
    let prerm = fs::read_to_string(script("station/prerm")).expect("it is there");
    assert!(prerm.contains("remove) ;;\n*) exit 0 ;;"), "an upgrade leaves the station alone: {prerm}");
}

/// Runs the script as if systemd ran, whether or not it does where the tests run.
fn under_systemd(name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let text = fs::read_to_string(script(name)).expect("it is there");
    assert!(text.contains("/run/systemd/system"), "{name}");
    let path = directory.path().join("script");
    fs::write(&path, text.replace("/run/systemd/system", "/tmp").replace("/run/systemd/seats", "/nonexistent")).expect("written");
    (directory, path)
}

#[test]
fn a_removal_is_refused_while_cards_are_busy_and_stops_the_station_otherwise() {
    let (_directory, prerm) = under_systemd("station/prerm");
    let remove = |status: &str, argument: &str| {
        let programs = Programs::new(&[("flashline", status), ("deb-systemd-invoke", "echo invoked \"$@\"")]);
        programs.run(&prerm, &[argument])
    };
    let busy = remove(r#"echo '{"slots":[{"call":"wait"},{"call":"take-good"},{"call":"wait"}]}'"#, "remove");
    assert_eq!(busy.status.code(), Some(1));
    assert!(said(&busy).contains("2 cards are busy: nothing is removed") && !said(&busy).contains("invoked"), "{}", said(&busy));
    for status in [r#"echo '{"slots":[{"call":"take-good"},{"call":"put-in"}]}'; exit 1"#, "exit 2"] {
        let idle = remove(status, "remove");
        assert!(idle.status.success(), "{}", said(&idle));
        assert_eq!(
            said(&idle),
            "invoked stop flashline-console.service flashline.service flashline-backup.timer flashline-backup.service \
             flashline-awake.socket flashline-rules.socket\n"
        );
    }
    for argument in ["upgrade", "deconfigure", "failed-upgrade"] {
        let upgrade = remove(r#"echo '{"slots":[{"call":"wait"}]}'"#, argument);
        assert!(upgrade.status.success() && said(&upgrade).is_empty(), "{argument}: {}", said(&upgrade));
    }
}

#[test]
fn an_upgrade_asks_the_station_to_restart_and_says_what_it_answers() {
    let (_directory, postinst) = under_systemd("station/postinst");
    let configure = |flashline: &str, arguments: &[&str]| {
        let nothing = |name: &'static str| (name, "");
        let programs = Programs::new(&[
            ("flashline", flashline),
            nothing("systemctl"),
            nothing("systemd-sysusers"),
            nothing("systemd-tmpfiles"),
            nothing("deb-systemd-invoke"),
        ]);
        let script = fs::read_to_string(&postinst).expect("it is there").replace("/usr/lib/systemd/systemd-sysctl", "true");
        let path = programs.0.path().join("postinst");
        fs::write(&path, script).expect("written");
        let output = programs.run(&path, arguments);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    let asked = r#"[ "$1" = restart ] || exit 9; echo "it restarts""#;
    assert_eq!(configure(asked, &["configure", "0.0.1-1"]), "flashline-station: it restarts\n");
    assert_eq!(configure("exit 2", &["configure", "0.0.1-1"]), "", "no station runs");
    let refused = configure("echo 'the flash log cannot be written' >&2; exit 1", &["configure", "0.0.1-1"]);
    assert!(refused.contains("goes on as the version") && refused.contains("the flash log cannot be written"), "{refused}");
    assert!(configure("exit 9", &["configure", ""]).contains("flashline setup"), "at first nothing is asked, and the next step is said");
    assert_eq!(configure("exit 9", &["abort-upgrade", "0.0.1-1"]), "");
}

#[test]
fn the_station_depends_on_exactly_this_version_of_the_program() {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    let expected = format!("flashline (= {}-1)", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&expected), "Cargo.toml: depends of flashline-station is to name {expected}");
}

/// The configuration that is packed is a beginning: it can be read, and what it lacks is said with its cure.
#[test]
fn the_packed_configuration_lacks_only_models_and_slots() {
    let check = Command::new(env!("CARGO_BIN_EXE_flashline")).args(["check", "--config"]).arg(script("station/config.toml")).output();
    let check = check.expect("it runs");
    assert_eq!(check.status.code(), Some(2), "{}", said(&check));
    assert!(said(&check).contains("add a [[model]]") && !said(&check).contains("unknown key"), "{}", said(&check));
}

#[test]
fn every_file_that_is_packed_is_there() {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    let sources = text.lines().filter_map(|line| {
        line.trim().strip_prefix("[\"")?.split_once("\", \"usr/").or(line.trim().strip_prefix("[\"")?.split_once("\", \"etc/"))
    });
    let mut packed = 0;
    for (source, _) in sources.filter(|(source, _)| !source.starts_with("target/") && !source.contains('*')) {
        packed += 1;
        assert!(root().join(source).is_file(), "Cargo.toml packs {source}, which is not there");
    }
    assert!(packed > 12, "the files are found: {packed}");
}
