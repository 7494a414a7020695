//! An image of the wrong model: the contents of an image decide in which slots it is written.

use std::path::{Path, PathBuf};
use std::process::Command;

use flashline_lab::{MIB, Pc, secs};

use crate::factory::usb;
use crate::station::Station;

const BRAND: &str = "Fx7Qm2VtY9sKd4RwLpZ3bN8cHjG6aTu1";

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/snap").join(path)
}

/// A model, its image and its slots. Only the configuration uses this name of it.
fn model(name: &str, image: &str, assertion: &str, slots: &[(&str, &str)]) -> String {
    let mut text = format!("\n[[model]]\nname = \"{name}\"\nimage = \"/srv/images/{image}\"\nassertion = \"/srv/images/{assertion}\"\n");
    for (slot, port) in slots {
        text.push_str(&format!("\n[[slot]]\nname = \"{slot}\"\nports = {:?}\nmodel = \"{name}\"\n", usb(port)));
    }
    text
}

#[test]
fn the_image_of_one_model_configured_for_another_is_disarmed_and_touches_no_card() {
    let pc = Pc::start();
    pc.install(env!("CARGO_BIN_EXE_flashline"));
    for file in
        ["images/uc18-pi.img.xz", "brand/my-pi18.model", "brand/my-pc16.model", "chain/test-root.trusted", "chain/accounts-and-keys.bundle"]
    {
        let name = Path::new(file).file_name().expect("a name").to_string_lossy().into_owned();
        pc.put_file(data(file), &format!("/srv/images/{name}"), 0o644);
    }
    let trust = "[trust]\nroots = [\"/srv/images/test-root.trusted\"]\nwith = [\"/srv/images/accounts-and-keys.bundle\"]\n";
    let pi = model("pi", "uc18-pi.img.xz", "my-pi18.model", &[("A1", "1"), ("A2", "2")]);
    let pc16 = model("pc", "uc18-pi.img.xz", "my-pc16.model", &[("B1", "3"), ("B2", "4")]);
    pc.put(format!("[log]\nvolatile = true\n\n{trust}{pi}{pc16}").as_bytes(), "/etc/flashline/config.toml", 0o644);
    let checked = pc.run("flashline check");
    assert_eq!(checked.status, 1, "{}", checked.stderr);
    assert!(checked.stdout.contains("DISARMED: it is the image of another model"), "{}", checked.stdout);

    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(120));
    for slot in ["B1", "B2"] {
        let line = station.wait_for(slot, "DISARMED");
        assert!(line.contains(&format!("it has {BRAND}/my-pi18, and {BRAND}/my-pc16 is wanted")), "the slot says why: {line}");
    }
    let right = pc.usb("1").size(160 * MIB).filled(1).plug();
    let wrong = pc.usb("3").size(160 * MIB).filled(3).plug();
    station.wait_for("B1", "REFUSED");
    station.wait_for("A1", "PASS");
    assert!(wrong.untouched(), "no card in the slots of the other model is touched");
    let raw = tempfile::NamedTempFile::new().expect("a temporary file");
    let unpacked = Command::new("xz").args(["-dc"]).arg(data("images/uc18-pi.img.xz")).stdout(raw.reopen().expect("a file")).status();
    assert!(unpacked.expect("xz runs").success());
    assert!(right.reads_as(raw.path()), "and the right one is written");

    let rows = station.rows_of("A1");
    assert_eq!((&rows[0]["outcome"], &rows[0]["model_proof"]), (&"passed".into(), &"proven".into()));
    assert_eq!(
        rows[0]["model"],
        format!("{BRAND}/my-pi18"),
        "the log knows the model by its assertion, not by the name in the configuration"
    );
    for column in ["model_sha3_384", "model_sign_key", "model_series"] {
        assert!(rows[0][column].is_string(), "{column}: {}", rows[0]);
    }
    assert_eq!(rows[0]["model_revision"], 0);
    let rows = station.rows_of("B1");
    assert_eq!((&rows[0]["outcome"], &rows[0]["code"]), (&"refused".into(), &"no-armed-image".into()));
    assert_eq!(pc.sh(&format!("flashline log --model {BRAND}/my-pi18 --json | wc -l")), "1");
}
