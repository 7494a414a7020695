//! `flashline support`: the archive of a station with secrets in every corner has none of them, and what support needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flashline_lab::{MIB, Pc, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, usb};
use crate::station::{Station, digest};

/// Where each secret is, and the secret. None of them is a word of the program.
const SECRETS: [(&str, &str); 17] = [
    ("a remark in the configuration", "sekret01remark"),
    ("an unknown key of the configuration", "sekret02key"),
    ("a URL's password", "sekret03password"),
    ("the environment of the command", "sekret04environment"),
    ("a drop-in's environment", "sekret05dropin"),
    ("a key beside the image", "sekret06key"),
    ("a line of the journal", "sekret07journal"),
    ("the work order", "sekret08workorder"),
    ("the name of the order", "sekret09order"),
    ("the reason of a disarming", "sekret10reason"),
    ("a card's serial", "SEKRET11SERIAL"),
    ("the host name", "sekret12host"),
    ("authorized_keys", "sekret13authorized"),
    ("a volume's label", "sekret14label"),
    ("the kernel's command line", "sekret15cmdline"),
    ("the operator", "sekret16operator"),
    ("a file of udev rules", "sekret17rule"),
];

fn secret(place: &str) -> &'static str {
    SECRETS.iter().find(|(name, _)| *name == place).map(|(_, secret)| *secret).expect("it is in the list")
}

/// Where each secret that is in these bytes was planted: as it is, in other letters, in hexadecimal or in base64.
fn found_in(bytes: &[u8]) -> Vec<&'static str> {
    let lower = bytes.to_ascii_lowercase();
    let has = |bytes: &[u8], form: &[u8]| bytes.windows(form.len()).any(|window| window == form);
    let found = |secret: &str| {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let in_base64 = |before: usize| {
            let text = STANDARD.encode([&vec![b'-'; before][..], secret.as_bytes()].concat());
            has(bytes, &text.as_bytes()[4..text.len() - 4])
        };
        has(&lower, secret.to_lowercase().as_bytes()) || has(&lower, hex.as_bytes()) || (0..3).any(in_base64)
    };
    SECRETS.iter().filter(|(_, secret)| found(secret)).map(|(place, _)| *place).collect()
}

/// Makes an archive, and answers everything in it, names included, and what the command said.
fn archive(pc: &Pc, options: &str) -> (Vec<u8>, String) {
    let said = pc.run(&format!(
        "rm -rf /tmp/s && mkdir /tmp/s && cd /tmp/s && TOKEN={} flashline support --out s.tar.gz {options}",
        secret("the environment of the command")
    ));
    assert!(said.status < 2, "{said}");
    pc.sh("cd /tmp/s && tar -xzf s.tar.gz && { tar -tvzf s.tar.gz; cat flashline-support/*; } >all");
    assert_eq!(pc.sh("stat -c %a /tmp/s/s.tar.gz"), "600");
    let packed = pc.get("/tmp/s/s.tar.gz");
    println!("{} bytes packed, exit code {}: {}", packed.len(), said.status, said.stdout.replace('\n', " | "));
    ([packed, pc.get("/tmp/s/all")].concat(), said.stdout)
}

fn json(pc: &Pc, file: &str) -> Value {
    serde_json::from_slice(&pc.get(&format!("/tmp/s/flashline-support/{file}"))).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn long_the_archive_for_support_has_no_secret_of_the_station_whether_it_runs_is_stopped_or_cannot_be_configured() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    pc.sh(&format!("hostname {0} && echo {0} >/etc/hostname", secret("the host name")));
    pc.sh(&format!("mkdir -p /home/op/.ssh && echo {} >/home/op/.ssh/authorized_keys", secret("authorized_keys")));
    pc.sh(&format!(
        "echo \"$(cat /proc/cmdline) key={}\" >/run/cmdline && mount --bind /run/cmdline /proc/cmdline",
        secret("the kernel's command line")
    ));
    pc.sh(&format!("mkdir -p /srv/images && echo {} >/srv/images/image.key", secret("a key beside the image")));
    Factory::new(&pc, &image.raw())
        .slot("A1", usb("1"))
        .slot("A2", usb("2"))
        .and(&format!("# {}\n", secret("a remark in the configuration")))
        .configured();
    let drop_in = format!("[Service]\nEnvironment=TOKEN={}\nWatchdogSec=20\n", secret("a drop-in's environment"));
    let station = Station::under_systemd(&pc, &drop_in);
    pc.sh(&format!(
        "flashline order start --model acme/box --count 5 --name {} --work-order {}",
        secret("the name of the order"),
        secret("the work order")
    ));
    let card = pc.usb("1").serial(secret("a card's serial")).size(32 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    // A card that this PC uses: the reason names where, and so the label.
    let used = pc.usb("9").size(16 * MIB).plug();
    let label = secret("a volume's label");
    pc.sh(&format!("mkfs.ext4 -q -F -L {label} {0} && mkdir -p /media/op/{label} && mount {0} /media/op/{label}", used.node()));
    pc.sh(&format!("umount /media/op/{label}"));
    used.pull();
    used.wait_gone();
    let mounts = pc.spawn(&format!("until mount -o ro /dev/disk/by-label/{label} /media/op/{label} 2>/dev/null || mount -t ext4 -o ro /dev/sdb /media/op/{label} 2>/dev/null; do :; done"));
    used.plug_into("2");
    let line = station.wait_for("A2", "REFUSED");
    assert!(line.contains(label), "{line}");
    assert!(mounts.wait(secs(20)).success());
    pc.sh(&format!("flashline disarm --slot A2 --reason {}", secret("the reason of a disarming")));
    pc.sh(&format!(
        "systemd-cat -t flashline echo {0}; systemd-run --quiet --wait --unit=flashline-other --setenv=X={0} echo {0}",
        secret("a line of the journal")
    ));
    pc.sh("journalctl --sync");

    let (running, said) = archive(&pc, "");
    assert_eq!(found_in(&running), [""; 0], "{said}");
    assert!(json(&pc, "status.json")["slots"][0]["sign"] == "passed", "{}", json(&pc, "status.json"));
    assert!(json(&pc, "check.json")["checked"] == true && json(&pc, "log.json")["log"]["verify"]["whole"] == true);
    assert!(json(&pc, "images.json")["images"][digest(&image)]["bytes"] == 4 * MIB);
    let units = json(&pc, "units.json")["flashline.service"].to_string();
    assert!(units.contains("WatchdogSec=20") && units.contains("flashline.service.d/scenario.conf"), "{units}");
    let journal = String::from_utf8(pc.get("/tmp/s/flashline-support/journal.jsonl")).expect("text");
    for words in ["the station runs", "\"systemd\":\"started\"", "src/daemon/", "in use: mounted at"] {
        assert!(journal.contains(words), "{words}\n{journal}");
    }
    assert!(json(&pc, "slots.json")["sockets"].as_array().is_some_and(|sockets| sockets.iter().any(|socket| socket["slot"] == "A1")));
    assert_eq!(found_in(&archive(&pc, "--serials --host-name").0), ["a card's serial", "the host name"]);

    // A user who may see little has an archive that says what is missing.
    let nobody =
        pc.run("mkdir -m 777 /tmp/n && cd /tmp/n && setpriv --reuid=65534 --regid=65534 --clear-groups flashline support --out n.tar.gz");
    assert!(
        nobody.status == 1 && nobody.stdout.contains("log.json: the flash log") && nobody.stdout.contains("status.json: the station"),
        "{nobody}"
    );

    // Stopped, with a row of a bench in the same log, and then with a configuration that cannot be used.
    card.pull();
    pc.sh("systemctl stop flashline");
    card.wait_gone();
    card.plug();
    pc.sh(&format!(
        "flashline flash --yes --zeroes prove --log /var/lib/flashline/flash-log.db --operator {} /srv/images/image.img {}",
        secret("the operator"),
        card.node()
    ));
    pc.sh(&format!("echo '# {0}' >>/etc/udev/rules.d/61-flashline.rules", secret("a file of udev rules")));
    let (stopped, said) = archive(&pc, "");
    assert_eq!(found_in(&stopped), [""; 0], "{said}");
    assert_eq!(json(&pc, "status.json")["runs"], false);
    let broken = format!(
        "[[model]]\nname = \"acme/net\"\nimage = \"https://op:{}@host/x.img\"\n{} = 1\n",
        secret("a URL's password"),
        secret("an unknown key of the configuration")
    );
    pc.sh(&format!("cat >>/etc/flashline/config.toml <<'E'\n{broken}E"));
    let (broken, said) = archive(&pc, "");
    assert_eq!(found_in(&broken), [""; 0], "{said}");
    assert!(json(&pc, "check.json")["mistakes"][0]["line"].is_u64(), "{}", json(&pc, "check.json"));
}
