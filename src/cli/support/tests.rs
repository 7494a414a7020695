//! No secret of a station is in its archive, and what support needs is.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::archive::tests::unpacked;
use super::source::Answer;
use super::*;
use crate::ledger::Ledger;
use crate::station::labels::Labels;
use crate::station::order::Order;
use crate::station::outcome::{Effort, Outcome};
use crate::station::record::{Attempt, Entry};
use crate::station::request::{Target, Who};
use crate::station::testing::{attempt, card, proof};
use crate::watch::testing::FakeSysfs;

const CONFIG: &str = "/etc/flashline/config.toml";
const DIGEST: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
/// The words of a sentence of the daemon, so that the sentence itself is not found in this file.
const OWN: [&str; 14] = ["the", "station", "has", "a", "fault:", "nothing", "new", "is", "begun", "in", "the", "slots", "it", "concerns"];

/// Texts that must not be in an archive, by where they are. They are made at random, so that they are not in the program either.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn plant(&mut self, place: &'static str) -> String {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("random");
        let secret = format!("Zq{}", bytes.map(|byte| format!("{byte:02x}")).concat());
        self.0.push((place, secret.clone()));
        secret
    }

    /// Where each of them that is in these bytes was planted.
    fn found_in(&self, bytes: &[u8]) -> Vec<&'static str> {
        let found = |secret: &String| {
            let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
            let mut forms = vec![secret.clone(), secret.to_lowercase(), hex.to_uppercase(), hex];
            // Base64 depends on how many bytes stand before; its first and last letters on which.
            forms.extend((0..3).map(|before| {
                let text = STANDARD.encode([&vec![b'-'; before][..], secret.as_bytes()].concat());
                text[4..text.len() - 4].to_owned()
            }));
            forms.iter().any(|form| memchr::memmem::find(bytes, form.as_bytes()).is_some())
        };
        self.0.iter().filter(|(_, secret)| found(secret)).map(|(place, _)| *place).collect()
    }
}

struct FakePc {
    root: tempfile::TempDir,
    sysfs: FakeSysfs,
    secrets: Secrets,
    serial: String,
}

impl FakePc {
    fn write(&self, path: &str, text: &str) {
        let place = self.root.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("a directory")).expect("made");
        fs::write(place, text).expect("written");
    }

    /// A station whose every corner has a secret, with this addition to its configuration.
    fn new(addition: &str) -> Self {
        let mut pc = Self {
            root: tempfile::tempdir().expect("a directory"),
            sysfs: FakeSysfs::new(),
            secrets: Secrets::default(),
            serial: String::new(),
        };
        pc.serial = pc.secrets.plant("a card's serial");
        let serial = pc.serial.clone();
        let mut plant = |place| pc.secrets.plant(place);
        let config = format!(
            "# {}\n[station]\nname = \"line 3\" # {}\n[panel.bins]\nbad = {{ word = \"{}\" }}\n[[model]]\nname = \"acme/box\"\nimage = \"/srv/images/box.img\"\n\
             require = \"none\"\n[[model]]\nname = \"acme/net\"\nimage = \"https://station:{}@{}/{}/net.img?token={}\"\nrequire = \"none\"\n\
             [[slot]]\nname = \"A1\"\nports = [\"pci-0000:00:1c.0/usb3-3/lun-0\"]\nhangs_on = [\"0781:5581:{serial}\"]\nmodel = \"acme/box\"\n\
             [[own_disk]]\nvendor = \"ATA\"\nproduct = \"SSD\"\nserial = \"{serial}\"\nbytes = 1000\n{addition}",
            plant("a remark"), plant("a remark behind a value"), plant("a bin"), plant("a URL's password"), plant("a URL's host"), plant("a URL's path"), plant("a URL's token")
        )
        .replace("ADDED", &plant("a value of an unknown key"));
        let (host, command_line, environment) = (plant("the host name"), plant("the kernel's command line"), plant("the environment"));
        let (keys, key, drop_in, rule) =
            (plant("authorized_keys"), plant("a key beside the image"), plant("a drop-in"), plant("a line in the rules"));
        let staged = plant("a file beside the staged images");
        pc.write(CONFIG, &config);
        pc.write("/etc/hostname", &format!("{host}.factory.example\n"));
        pc.write("/proc/sys/kernel/hostname", &format!("{host}\n"));
        pc.write("/proc/sys/kernel/ostype", "Linux\n");
        pc.write("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
        pc.write("/proc/sys/kernel/version", "#1 SMP\n");
        pc.write("/proc/cmdline", &format!("root=/dev/sda1 luks.key={command_line}\n"));
        pc.write("/proc/self/environ", &format!("TOKEN={environment}\0"));
        pc.write("/proc/meminfo", "MemTotal:  4000000 kB\nNodeName: x\n");
        pc.write("/proc/cpuinfo", "processor : 0\nmodel name : Quick 1000\nprocessor : 1\n");
        pc.write("/run/flashline/none", "");
        pc.write("/proc/uptime", "17.04 20.00\n");
        pc.write("/proc/loadavg", "0.1 0.2 0.3 1/100 17\n");
        pc.write("/etc/os-release", &format!("ID=debian\nVERSION_ID=\"12\"\nHOME_URL=\"https://{host}/\"\n"));
        pc.write("/home/op/.ssh/authorized_keys", &keys);
        pc.write("/srv/images/box.key", &key);
        pc.write("/srv/images/box.img", "image");
        pc.write("/etc/systemd/system/flashline.service", "[Service]\nPrivateUsers=no\nUser=flashline\n");
        pc.write(
            "/etc/systemd/system/flashline.service.d/local.conf",
            &format!("# {drop_in}\n[Service]\nEnvironment=TOKEN={drop_in}\nExecStart=/usr/bin/env KEY={drop_in} flashline run\nUser={drop_in}\nPrivateUsers=yes\n"),
        );
        pc.write(crate::watch::rules::FILE, &format!("# {rule}\nACTION==\"add\", RUN+=\"/bin/notify {rule}\"\n"));
        pc.write(&format!("/var/lib/flashline/images/{DIGEST}.img"), "image");
        pc.write(&format!("/var/lib/flashline/images/{staged}.img"), "image");
        pc.sysfs.stick("sda", "3", 7);
        pc.sysfs.device("pci0000:00/0000:00:1c.0/usb2/2-3", "usb", &[("serial", &serial)]);
        pc.log();
        pc
    }

    /// A flash log with everything that people write into one.
    fn log(&mut self) {
        let mut plant = |place| self.secrets.plant(place);
        let by = Who { uid: 1000, name: plant("a user of the log") };
        let labels = Labels {
            work_order: Some(plant("a work order")),
            operator: Some(plant("an operator")),
            card_lot: Some(plant("a lot of cards")),
        };
        let order = Order {
            number: 1,
            model: "acme/box".to_owned(),
            name: Some(plant("the name of an order")),
            work_order: None,
            count: 20,
            passed: 0,
            boxes: None,
        };
        let reason = Some(plant("the reason of a disarming"));
        let mut card = card("pci-0000:00:1c.0/usb3-3/lun-0", 7);
        card.serial = Some(self.serial.clone());
        let attempt = Box::new(Attempt { labels, ..attempt(1, "A1", card) });
        let path = self.root.path().join("var/lib/flashline/flash-log.db");
        let mut ledger = Ledger::open_on(&path, "line 3", "0123456789abcdef0123456789abcdef").expect("a log");
        for entry in [
            Entry::Disarmed { target: Target::Slot("A1".to_owned()), by: by.clone(), reason },
            Entry::OrderStarted { order, by },
            Entry::AttemptStarted(attempt.clone()),
            Entry::AttemptClosed { attempt, outcome: Outcome::Passed(proof()), effort: Effort::default() },
        ] {
            ledger.append(&entry).expect("appended");
        }
    }

    /// The answers of systemd, of the journal and of `flashline check`, with secrets where they could have some.
    fn source(&mut self) -> Source {
        let mut plant = |place| self.secrets.plant(place);
        let show = format!(
            "LoadState=loaded\nFragmentPath=/etc/systemd/system/flashline.service\nDropInPaths=/etc/systemd/system/flashline.service.d/local.conf /srv/images/box.key\n\
             PrivateUsers=yes\nEnvironment=TOKEN={}\nUser={}\n",
            plant("the environment of a unit"),
            plant("the user of a unit")
        );
        let serial = self.serial.clone();
        let mut entry = |unit: &str, facts: Value| {
            let mut entry = json!({"_SYSTEMD_UNIT": unit, "_PID": "17", "__REALTIME_TIMESTAMP": "1700000000000000", "_BOOT_ID": "b", "_HOSTNAME": plant("a host in the journal"), "_CMDLINE": plant("a command line in the journal")});
            entry.as_object_mut().expect("an object").extend(facts.as_object().expect("an object").clone());
            entry.to_string()
        };
        let lines = [
            entry("flashline.service", json!({"MESSAGE": OWN.join(" "), "PRIORITY": "6", "CODE_FILE": "src/daemon/mod.rs", "CODE_LINE": "425"})),
            entry("flashline.service", json!({"MESSAGE": format!("A1  REFUSED  in use: mounted at /media/op/LABEL: umount it [{serial}]"), "FLASHLINE_SLOT": "A1", "FLASHLINE_REASON": "REASON"})),
            entry("flashline.service", json!({"MESSAGE": "an entry was dropped: WORDS", "FLASHLINE_ERROR": "reading /home/op/PATH: No such file or directory (os error 2)"})),
            entry("flashline.service", json!({"MESSAGE": "asked", "FLASHLINE_COMMAND": "COMMAND", "FLASHLINE_BY": "PERSON"})),
            entry("ssh.service", json!({"MESSAGE": "OTHER"})),
            json!({"_PID": "1", "UNIT": "flashline.service", "MESSAGE_ID": "39f53479d3a045ac8e11786248231fbf", "MESSAGE": "Started DESCRIPTION.", "JOB_RESULT": "done"}).to_string(),
        ];
        let mut journal = lines.join("\n");
        for (word, place) in [
            ("LABEL", "a volume's label"),
            ("REASON", "a reason in the journal"),
            ("WORDS", "a row in the journal"),
            ("PATH", "a path in the journal"),
            ("COMMAND", "a request in the journal"),
            ("PERSON", "a person in the journal"),
            ("OTHER", "a line of another unit"),
            ("DESCRIPTION", "a unit's description"),
        ] {
            assert!(journal.contains(word), "{word}");
            journal = journal.replace(word, &self.secrets.plant(place));
        }
        let mut plant = |place| self.secrets.plant(place);
        let check = json!({
            "station": plant("a word of the check"), "verdict": "warning",
            "findings": [{
                "subject": "image", "mark": "good", "what": format!("acme/box  /srv/images/box.img  in A1: model proof: none {}", plant("a word of an image")),
                "details": [plant("a detail of an image")], "cure": null, "more": plant("a new key of the check"),
            }],
        })
        .to_string();
        let run = move |program: &str, arguments: &[&str], _limit: Duration| {
            let said = match (program, arguments) {
                ("systemctl", ["show", "flashline.service", ..]) => show.clone(),
                ("systemctl", _) => "LoadState=not-found\n".to_owned(),
                ("journalctl", _) => journal.clone(),
                ("timedatectl", _) => "Timezone=Europe/Berlin\nNTPSynchronized=yes\n".to_owned(),
                ("/proc/self/exe", ["check", "--json", "--config", CONFIG]) => check.clone(),
                other => panic!("{other:?} was asked"),
            };
            Ok(Answer { good: true, said })
        };
        Source { root: self.root.path().to_owned(), sysfs: self.sysfs.sysfs(), run: Box::new(run) }
    }

    /// All files of an archive of this station, by name, and what could not be found out.
    fn archive(&mut self, wishes: Wishes) -> (Vec<Member>, Vec<String>) {
        let source = self.source();
        let out = self.root.path().join("support.tar.gz");
        let unread = make(source, Path::new(CONFIG), wishes, &out).expect("it is made");
        (unpacked(&out), unread)
    }
}

const PLAIN: Wishes = Wishes { serials: false, host_name: false, lines: 100 };

fn text(members: &[Member], name: &str) -> String {
    let member = members.iter().find(|member| member.name == format!("{DIRECTORY}/{name}")).unwrap_or_else(|| panic!("{name} is in it"));
    String::from_utf8(member.contents.clone()).expect("text")
}

fn everything(members: &[Member]) -> Vec<u8> {
    members.iter().flat_map(|member| [member.name.as_bytes(), &[0], &member.contents, &[0]].concat()).collect()
}

#[test]
fn no_secret_of_a_station_is_in_its_archive_and_what_support_needs_is() {
    let mut pc = FakePc::new("");
    let (members, unread) = pc.archive(PLAIN);
    assert!(pc.secrets.0.len() >= 40, "{}", pc.secrets.0.len());
    assert_eq!(pc.secrets.found_in(&everything(&members)), [""; 0]);
    let names: Vec<&str> = members.iter().map(|member| member.name.trim_start_matches("flashline-support/")).collect();
    assert_eq!(names, [&[PAGE][..], &PARTS.iter().map(|part| part.name).collect::<Vec<_>>()].concat());
    assert_eq!(unread.len(), 1, "only the station does not run: {unread:?}");
    assert!(unread[0].starts_with("status.json: the station: no station answers"), "{unread:?}");
    for (file, words) in [
        ("configuration.txt", "image = \"/srv/images/box.img\"  # line 8"),
        ("configuration.txt", "image = \"https://…\" (left out)"),
        ("check.json", "acme/box  /srv/images/box.img"),
        ("pc.json", "\"VERSION_ID\": \"12\""),
        ("pc.json", "Quick 1000"),
        ("slots.json", "pci-0000:00:1c.0/usb3-3/lun-0"),
        ("slots.json", "0781:5581:serial-"),
        ("rules.txt", "they are NOT those of the configuration"),
        ("units.json", "\"PrivateUsers=yes\""),
        ("units.json", "\"other_lines\": 2"),
        ("journal.jsonl", &OWN.join(" ")),
        ("journal.jsonl", "src/daemon/mod.rs:425"),
        ("journal.jsonl", "\"systemd\":\"started\""),
        ("journal.jsonl", "(os error 2)"),
        ("log.json", "\"passed\": 1"),
        ("log.json", "\"whole\": true"),
        ("images.json", DIGEST),
        ("README.txt", "status.json: the station: no station answers"),
    ] {
        assert!(text(&members, file).contains(words), "{file} has {words}:\n{}", text(&members, file));
    }
    assert_eq!(text(&members, "journal.jsonl").lines().count(), 5, "lines of other units are not in it");
}

#[test]
fn a_configuration_that_is_wrong_shows_no_secret_either_in_its_mistakes() {
    for (addition, words) in [
        ("ADDED = \"ADDED\"\n", "unknown key `"),
        ("[wifi]\npassword = \"ADDED\"\n", "there is no table `"),
        ("password = ADDED\n", "a text stands in quotes"),
        ("serial = \"ADDED\"\n", "there twice in one table"),
        ("[order]\nbox = \"ADDED\"\n", "is a whole number, not below zero"),
        ("[panel]\nlanguage = \"ADDED\"\n", ""),
        ("\"ADDED", ""),
    ] {
        let mut pc = FakePc::new(addition);
        let (members, unread) = pc.archive(PLAIN);
        assert_eq!(pc.secrets.found_in(&everything(&members)), [""; 0], "{addition}");
        assert_eq!(unread.len(), 1, "only the station does not run: {unread:?}");
        let check: Value = serde_json::from_str(&text(&members, "check.json")).expect("JSON");
        let mistake = check["mistakes"][0].clone();
        assert!(
            mistake["line"].as_u64() > Some(1) && mistake["problem"].as_str().is_some_and(|said| said.contains(words)),
            "{addition}: {check}"
        );
    }
}

#[test]
fn serials_and_the_host_name_are_in_it_only_if_asked_for() {
    let mut pc = FakePc::new("");
    let (members, _) = pc.archive(Wishes { serials: true, ..PLAIN });
    assert_eq!(pc.secrets.found_in(&everything(&members)), ["a card's serial"]);
    let mut pc = FakePc::new("");
    let (members, _) = pc.archive(Wishes { host_name: true, ..PLAIN });
    assert_eq!(pc.secrets.found_in(&everything(&members)), ["the host name"]);
}

#[test]
fn a_pc_of_which_nothing_can_be_read_has_an_archive_that_says_so() {
    let (root, sysfs) = (tempfile::tempdir().expect("a directory"), FakeSysfs::new());
    let run = |_: &str, _: &[&str], _| Err(io::Error::from_raw_os_error(nix::libc::EACCES));
    let source = Source { root: root.path().to_owned(), sysfs: sysfs.sysfs(), run: Box::new(run) };
    let out = root.path().join("support.tar.gz");
    let unread = make(source, Path::new(CONFIG), PLAIN, &out).expect("it is made");
    for name in
        ["pc.json", "configuration.txt", "check.json", "status.json", "rules.txt", "units.json", "journal.jsonl", "log.json", "images.json"]
    {
        assert!(unread.iter().any(|line| line.starts_with(&format!("{name}: "))), "{name}: {unread:#?}");
    }
    assert!(unread.contains(&"journal.jsonl: the journal: Permission denied (os error 13)".to_owned()), "{unread:#?}");
    assert_eq!(unpacked(&out).len(), PARTS.len() + 1);
}

#[test]
fn a_part_that_hangs_or_panics_keeps_no_other_out() {
    let pc = || FakePc::new("").source();
    let context = Arc::new(Context::new(pc(), Path::new(CONFIG), PLAIN).expect("it is there"));
    let hangs = Part {
        name: "x",
        what: "",
        make: |_| loop {
            thread::sleep(LIMIT);
        },
    };
    assert_eq!(in_time(&hangs, &context, Duration::from_millis(20)).unread, ["it took too long"]);
    let panics = Part { name: "y", what: "", make: |_| panic!("as planned") };
    assert_eq!(in_time(&panics, &context, LIMIT).unread, ["a fault of the program"]);
}

#[test]
fn the_list_names_every_file_and_what_is_never_in_it() {
    let list = list().join("\n");
    assert!(PARTS.iter().all(|part| list.contains(part.name) && list.contains(part.what)), "{list}");
    assert!(list.contains("Never in it") && list.contains(PAGE), "{list}");
}
