//! The package `flashline-fetch` beside a station: what it brings, who may read it, and what it may not do.

use flashline_lab::{MIB, Pc, secs};
use serde_json::Value;

use super::{built, installed};
use crate::factory::Image;
use crate::station::{armed, digest};

const CONFIG: &str = "/etc/flashline/fetch.toml";
const DIRECTORY: &str = "/var/lib/flashline-fetch";

#[test]
fn an_image_of_a_release_directory_is_fetched_by_a_user_without_rights_and_armed_only_when_the_engineer_says_so() {
    let pc = Pc::start();
    let (first, next) = (Image::new(4 * MIB, 7), Image::new(4 * MIB, 8));
    let station = installed(&pc, &first, 1);
    pc.put_file(&built()[2], "/tmp/fetch.deb", 0o644);
    let done = pc.run("dpkg -i /tmp/fetch.deb 2>&1");
    assert!(done.success() && done.stdout.contains("next: name images in /etc/flashline/fetch.toml"), "{done}");
    assert_eq!(pc.sh(&format!("stat -c '%U %G %a' {DIRECTORY}")), "flashline-fetch flashline 2750");
    assert_eq!(pc.sh("systemctl is-enabled flashline-fetch.timer || true"), "disabled", "nothing is fetched unasked");
    assert_eq!(pc.sh("id -Gn flashline-fetch"), "flashline-fetch", "it is in no group of the station");
    assert!(
        !pc.run("setpriv --reuid flashline-fetch --regid flashline-fetch --clear-groups cat /var/lib/flashline/flash-log.db").success(),
        "it cannot read the flash log"
    );

    pc.put_file(next.raw(), "/srv/release/next.img", 0o644);
    pc.sh("cd /srv/release && sha256sum next.img >SHA256SUMS");
    // The emulated PC has less free space than a PC is to keep.
    pc.sh(&format!("printf 'keep_free_gb = 0\\n[[image]]\\nsource = \"/srv/release/\"\\ndigest = \"SHA256SUMS\"\\n' >>{CONFIG}"));
    pc.sh("systemctl start flashline-fetch");
    let image = format!("{DIRECTORY}/next.img");
    assert_eq!(pc.sh(&format!("stat -c '%U %G %a' {image}")), "flashline-fetch flashline 444");
    pc.sh(&format!("setpriv --reuid flashline --regid flashline --clear-groups cmp {image} /srv/release/next.img"));
    assert!(pc.run("flashline-fetch list").success());
    assert_eq!(armed(&pc), Value::from(digest(&first)), "what is fetched is not armed");
    pc.sh(&format!("sed -i 's,^image = .*,image = \"{image}\",' /etc/flashline/config.toml; flashline reload"));
    assert_eq!(armed(&pc), Value::from(digest(&next)));
    let card = pc.usb("1").size(16 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    assert!(card.reads_as(next.raw()));

    // Another file under that name at the source, and one with another digest than its list says.
    pc.sh("cd /srv/release && echo another >next.img && sha256sum next.img >SHA256SUMS");
    assert!(!pc.run("systemctl start flashline-fetch").success());
    pc.wait_for(
        &format!("journalctl --unit flashline-fetch --output cat | grep -q '{image} is there already, and is another file'"),
        secs(30),
    );
    pc.sh("cd /srv/release && mv next.img third.img && sed -i s,next.img,third.img, SHA256SUMS && echo more >>third.img");
    assert!(!pc.run("systemctl start flashline-fetch").success());
    pc.wait_for("journalctl --unit flashline-fetch --output cat | grep -q 'the digest of /srv/release/third.img is sha256:'", secs(30));
    assert_eq!(pc.sh(&format!("ls {DIRECTORY}")), "next.img", "it has no name, and the image that is armed is as it was");

    let said = pc.run("systemd-analyze security --no-pager --threshold=15 flashline-fetch.service");
    println!("flashline-fetch: {}", said.stdout.lines().last().unwrap_or_default());
    assert!(said.success(), "{said}");
    pc.sh("dpkg -P flashline-fetch 2>&1");
    assert_eq!(pc.sh(&format!("ls -d {DIRECTORY} {CONFIG} 2>/dev/null || true")), "", "a purge deletes them");
    assert!(pc.run("flashline status").success(), "the station has its own copy, and goes on");
}
