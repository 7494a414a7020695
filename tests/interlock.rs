//! Tests of the interlock as the engineer meets it: `flashline check` makes the same checks as a station that arms.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

const BRAND: &str = "Fx7Qm2VtY9sKd4RwLpZ3bN8cHjG6aTu1";

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/snap").join(path)
}

/// The exit code, and the output for each model.
fn check(trust: &str, models: &[String]) -> (i32, Vec<Value>) {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("config.toml");
    let slots: String = (0..models.len())
        .map(|number| {
            format!("\n[[slot]]\nname = \"A{number}\"\nports = [\"pci-0000:00:14.0/usb3-1/lun-{number}\"]\nmodel = \"m{number}\"\n")
        })
        .collect();
    let models: String = models.iter().enumerate().map(|(number, keys)| format!("\n[[model]]\nname = \"m{number}\"\n{keys}\n")).collect();
    let state = directory.path().join("state");
    fs::write(&config, format!("[station]\nstate = {state:?}\n\n[log]\nvolatile = true\n\n{trust}\n{models}{slots}"))
        .expect("it can be written");
    let output =
        Command::new(env!("CARGO_BIN_EXE_flashline")).args(["check", "--json", "--config"]).arg(&config).output().expect("it runs");
    let code = output.status.code().expect("it ends by itself");
    let object: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (code, object["models"].as_array().expect("a list").clone())
}

static TRUST: LazyLock<String> = LazyLock::new(|| {
    let (root, bundle) = (data("chain/test-root.trusted"), data("chain/accounts-and-keys.bundle"));
    format!("[trust]\nroots = [{root:?}]\nwith = [{bundle:?}]\n")
});

fn model(image: &str, assertion: &str, more: &str) -> String {
    let (image, assertion) = (data(&format!("images/{image}.img.xz")), data(assertion));
    format!("image = {image:?}\nassertion = {assertion:?}\n{more}")
}

/// Runs `flashline check` over a configuration with one model of these keys.
fn armed(keys: String) -> Result<Value, String> {
    let (code, models) = check(&TRUST, &[keys]);
    let armed = models[0]["armed"] == true;
    assert_eq!(code, i32::from(!armed), "{models:?}");
    if armed { Ok(models[0].clone()) } else { Err(models[0]["reason"].as_str().expect("a sentence").to_owned()) }
}

#[test]
fn an_image_is_armed_for_the_model_inside_it() {
    for (image, name) in [("uc18-pi", "my-pi18"), ("uc16-amd64", "my-pc16"), ("uc22-amd64", "my-pc22")] {
        let model = armed(model(image, &format!("brand/{name}.model"), "")).unwrap_or_else(|reason| panic!("{image}: {reason}"));
        assert_eq!((&model["model_proof"], &model["device"]), (&"proven".into(), &format!("{BRAND}/{name}").into()));
    }
}

#[test]
fn an_image_of_another_model_or_revision_is_not_armed() {
    let reason = armed(model("uc18-pi", "brand/my-pc16.model", "")).expect_err("another model");
    assert!(reason.contains(&format!("it has {BRAND}/my-pi18, and {BRAND}/my-pc16 is wanted")), "{reason}");
    let (one, other) = if armed(model("uc16-pi3-seed-sample", "brand/my-pi3.model", "")).is_ok() { (0, 1) } else { (1, 0) };
    let assertion = |revision: u64| if revision == 0 { "brand/my-pi3.model" } else { "brand/my-pi3-r1.model" };
    armed(model("uc16-pi3-seed-sample", assertion(one), "")).expect("its own revision");
    let reason = armed(model("uc16-pi3-seed-sample", assertion(other), "")).expect_err("another revision");
    assert!(reason.contains(&format!("revision {other} is wanted")), "{reason}");
}

#[test]
fn nothing_less_than_was_required_is_armed() {
    let reason = armed(format!("image = {:?}", data("images/uc18-pi.img.xz"))).expect_err("nobody said what is inside");
    assert!(reason.contains("set `assertion` to the signed model, or `require = \"none\"`"), "the cure: {reason}");
    let none = armed(format!("image = {:?}\nrequire = \"none\"", data("images/uc18-pi.img.xz"))).expect("nobody need look");
    assert_eq!((&none["model_proof"], &none["device"]), (&"none".into(), &Value::Null));
    assert!(none["uncovered"][0].as_str().is_some_and(|words| words.contains("the image was not inspected")));

    let (code, models) =
        check("", &[model("uc18-pi", "brand/my-pi18.model", ""), model("uc18-pi", "brand/my-pi18.model", "require = \"matching\"")]);
    assert_eq!((code, &models[0]["armed"], &models[1]["armed"]), (1, &false.into(), &true.into()), "without the root: {models:?}");
    assert_eq!((&models[1]["model_proof"], &models[1]["device"]), (&"matching".into(), &format!("{BRAND}/my-pi18").into()));
    let reason = armed(model("uc18-pi", "brand/my-pc16.model", "require = \"matching\"")).expect_err("it does not match");
    assert!(reason.contains("it is the image of another model"), "{reason}");
}

#[test]
fn a_model_that_breaks_a_rule_arms_nothing_whatever_is_required() {
    for require in ["proven", "matching"] {
        let reason = armed(model("uc18-pi", "tampered/s06-no-gadget.model", &format!("require = \"{require}\""))).expect_err("no gadget");
        assert!(reason.contains("s06-no-gadget.model cannot be used: `gadget` is missing") && reason.contains("model check"), "{reason}");
    }
}

#[test]
fn who_does_not_read_on_still_gets_the_exit_code() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("config.toml");
    let image = data("images/uc18-pi.img.xz");
    fs::write(&config, format!("[[model]]\nname = \"m\"\nimage = {image:?}\n[[slot]]\nname = \"A1\"\nports = [\"pci-0000:00:14.0/usb3-1/lun-0\"]\nmodel = \"m\"\n"))
        .expect("it can be written");
    for call in [&["check", "--config"][..], &["check", "--json", "--config"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_flashline"));
        let status = command.args(call).arg(&config).stdout(writer).status().expect("it runs");
        assert_eq!(status.code(), Some(1), "its model is not armed: {call:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_no_good_one() {
    let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let mut command = Command::new(env!("CARGO_BIN_EXE_flashline"));
    let output = command.args(["model", "check"]).arg(data("tampered/s00-control-good.model")).stdout(full).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("writing to standard output") && said.contains("No space left"), "{said}");
}

#[test]
fn what_is_unsigned_is_let_through_by_name_only() {
    let reason = armed(model("odd-cloud-init-user-data", "brand/my-pi18.model", ""));
    let named = |name: &str| armed(model("odd-cloud-init-user-data", name, ""));
    let (assertion, reason) = match reason {
        Err(reason) if reason.contains("another model") => {
            let name = ["brand/my-pi3.model", "brand/my-pi3-r1.model"]
                .into_iter()
                .find(|name| named(name).is_err_and(|reason| !reason.contains("wanted")));
            let name = name.expect("one of them is inside");
            (name, named(name).expect_err("it is refused"))
        }
        Err(reason) => ("brand/my-pi18.model", reason),
        Ok(model) => panic!("what nobody signed was armed: {model}"),
    };
    assert!(reason.contains("cloud"), "it names what nobody signed: {reason}");
    armed(model("odd-cloud-init-user-data", assertion, "allow = [\"system-data/var/lib/cloud\"]")).expect("it is allowed by name");
}

#[test]
fn one_model_that_fails_does_not_disarm_another() {
    let (code, models) = check(&TRUST, &[model("uc18-pi", "brand/my-pc16.model", ""), model("uc16-amd64", "brand/my-pc16.model", "")]);
    assert_eq!((code, &models[0]["armed"], &models[1]["armed"]), (1, &false.into(), &true.into()), "{models:?}");
}

#[test]
fn without_its_images_a_configuration_is_checked_as_far_as_it_goes() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("config.toml");
    let slot = "[[slot]]\nname = \"A1\"\nports = [\"pci-0000:00:14.0/usb3-1/lun-0\"]\nmodel = \"m\"\n";
    for (keys, code) in [("require = \"none\"", 0), ("", 1)] {
        let image = data("images/uc18-pi.img.xz");
        fs::write(&config, format!("[[model]]\nname = \"m\"\nimage = {image:?}\n{keys}\n{slot}")).expect("it can be written");
        let call = ["check", "--without-images", "--json", "--config"];
        let output = Command::new(env!("CARGO_BIN_EXE_flashline")).args(call).arg(&config).output().expect("it runs");
        let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(output.status.code(), Some(code), "{object}");
        let armed = &object["models"][0]["armed"];
        assert_eq!(*armed, if code == 0 { Value::Null } else { false.into() }, "nobody looked, unless it is wrong without a look");
    }
}

#[test]
fn what_keeps_the_station_from_judging_is_named() {
    for (assertion, words) in [
        ("brand/my-pi18.json", "no header"),
        ("chain/accounts-and-keys.bundle", "must hold one signed model and nothing else"),
        ("tampered/t16-empty.model", "must hold one signed model and nothing else"),
    ] {
        let reason = armed(model("uc18-pi", assertion, "")).expect_err("it is no signed model");
        assert!(reason.contains(words), "{assertion}: {reason}");
    }
    let trust = format!("[trust]\nroots = [{:?}]\n", data("chain/accounts-and-keys.bundle"));
    let (code, models) = check(
        &trust,
        &[model("uc18-pi", "brand/my-pi18.model", ""), format!("image = {:?}\nrequire = \"none\"", data("images/uc18-pi.img.xz"))],
    );
    let reason = models[0]["reason"].as_str().expect("a sentence");
    assert!(code == 1 && reason.contains("[trust]") && reason.contains("it is not signed by its own key"), "{reason}");
    assert_eq!(models[1]["armed"], true, "who needs no trust is armed all the same");
}

#[test]
fn a_word_of_allow_that_means_nothing_makes_the_call_unusable() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flashline"));
    command.args(["image", "inspect", "--allow", "partition-x"]).arg(data("images/uc18-pi.img.xz"));
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--allow: \"partition-x\" is no partition; write its number behind"), "{said}");
}

/// An image that is not inspected must still be a complete disk image.
mod cases {
    use super::*;

    /// The result of `check` for an image with these bytes: its exit code, the reason against it, and its warnings.
    fn looked_at(name: &str, contents: &[u8], more: &str) -> (i32, Option<String>, Vec<String>) {
        let directory = tempfile::tempdir().expect("a directory");
        let image = directory.path().join(name);
        fs::write(&image, contents).expect("it can be written");
        let (code, models) = check("", &[format!("image = {image:?}\nrequire = \"none\"\n{more}")]);
        let warnings = models[0]["warnings"].as_array().map(|all| all.iter().map(|one| one.as_str().unwrap_or("").to_owned()).collect());
        (code, models[0]["reason"].as_str().map(str::to_owned), warnings.unwrap_or_default())
    }

    /// One partition of 64 KiB at the second block, and the blocks behind it.
    fn card(length: usize) -> Vec<u8> {
        let mut card = vec![0; length];
        card[446 + 4] = 0x83;
        card[446 + 8] = 1;
        card[446 + 12] = 128;
        card[510..512].copy_from_slice(&[0x55, 0xaa]);
        card
    }

    fn gz(raw: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(raw).and_then(|()| encoder.finish()).expect("memory can be written")
    }

    #[test]
    fn check_opens_every_image_to_its_end_and_says_what_it_is_where_it_is_none() {
        let mut tar = vec![0; 10_240];
        tar[..8].copy_from_slice(b"card.img");
        tar[257..262].copy_from_slice(b"ustar");
        let good = card(1 << 17);
        let packed = gz(&good);
        for (name, contents, words) in [
            ("empty.img", Vec::new(), "is empty"),
            ("cut.img.gz", packed[..packed.len() - 9].to_vec(), "is cut short"),
            ("card.tar", tar.clone(), "is a tar archive, no disk image"),
            ("card.tar.gz", gz(&tar), "unpacks to a tar archive, no disk image"),
            ("page.img", b"<html><head><title>301</title></head></html>".to_vec(), "is a web page"),
            ("short.img", card(1 << 15), "is cut short: its partition table reaches to byte 66048"),
            ("short.img.gz", gz(&card(1 << 15)), "is cut short: its partition table reaches to byte 66048"),
            ("zeroes.img", vec![0; 1 << 16], "holds nothing but zeroes"),
        ] {
            let (code, reason, _) = looked_at(name, &contents, "");
            assert_eq!(code, 1, "{name}: {reason:?}");
            assert!(reason.as_ref().is_some_and(|reason| reason.contains(words)), "{name}: {reason:?}");
        }
        for (name, contents) in [("card.img", good.clone()), ("card.img.gz", packed)] {
            assert_eq!(looked_at(name, &contents, ""), (0, None, Vec::new()), "{name}");
        }
        let (code, _, warnings) = looked_at("zeroes.img", &vec![0; 1 << 16], "contents = \"any\"");
        assert!(code == 0 && warnings.len() == 1 && warnings[0].contains("nothing but zeroes"), "{warnings:?}");
        assert_eq!(looked_at("card.tar", &tar, "contents = \"any\"").0, 1, "what is known to be no image is none for a word either");
    }
}
