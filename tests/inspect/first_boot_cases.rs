//! Tests: an image that the device cannot verify by itself is refused, even if the station could complete it. A device has the assertions
//! of its seed and those built into its snapd.

use std::fs;

use flashline::image::inspect::Wanted;
use flashline::image::inspect::page::{Answer, Check, Page};

use crate::core20::{Core20, LABEL, Loader, revision};
use crate::fixtures::{Changed, Place, data, fat_file, no, only_no, wanted};
use crate::forge;

const OF_PC: u64 = 2 << 20;
const OTHER: &str = "aW3s0meSnapIdForTheFixtureNo0001";
const SNAPD: &str = "PMrrV4ml8uWuEUDBT8dSGnKUYbevVhc4";
const COULD_NOT: &str = "the device could not verify this at its first boot: ";

/// The station knows every assertion of the fixtures.
fn knowing_all() -> Wanted {
    let mut wanted = wanted();
    wanted.trust.add_known(&fs::read(data("chain/accounts-and-keys.bundle")).expect("it is there")).expect("a bundle");
    for file in fs::read_dir(data("chain")).expect("it is there") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|kind| kind == "snap-declaration" || kind == "snap-revision") {
            wanted.trust.add_known(&fs::read(&path).expect("it can be read")).expect("an assertion");
        }
    }
    wanted
}

/// Each assertion of a stream, separately.
fn split(stream: &str) -> Vec<String> {
    let mut each: Vec<String> = Vec::new();
    for part in stream.split_inclusive("\n\n") {
        if part.starts_with("type: ") || each.is_empty() {
            each.push(String::new());
        }
        each.last_mut().expect("one was begun").push_str(part);
    }
    each
}

/// An image of Ubuntu Core 22 in which this file of the system has other contents: as long as before, or shorter.
fn with_file(short_name: &[u8; 11], change: impl FnOnce(&str) -> String) -> Changed {
    let image = Changed::of("uc22-amd64");
    let Place { entry, start, length } = fat_file(&image, OF_PC, short_name);
    let contents = change(&String::from_utf8(image.bytes(start, length)).expect("text"));
    assert!(contents.len() <= length, "it has no more room");
    image.put(start, contents.as_bytes()).put(entry + 28, &u32::try_from(contents.len()).expect("small").to_le_bytes())
}

#[test]
fn an_image_whose_seed_lacks_a_link_of_its_chain_is_refused_though_the_station_knows_it() {
    let image = Changed::of("uc22-amd64");
    let mut kinds = Vec::new();
    for file in [b"MODEL-~1   ", b"SNAPS      "] {
        let Place { start, length, .. } = fat_file(&image, OF_PC, file);
        for assertion in split(&String::from_utf8(image.bytes(start, length)).expect("text")) {
            let kind = assertion["type: ".len()..].split('\n').next().expect("a line").to_owned();
            let page = with_file(file, |all| all.replace(&assertion, "")).judged_by(&knowing_all());
            // An assertion of the seed that nothing in it needs is not part of the chain.
            if page.is_good() {
                continue;
            }
            let said = no(&page, Check::FirstBoot);
            assert!(said.contains(&format!("{COULD_NOT}{kind} ")) && said.contains(" is not in the seed, and "), "{kind}: {said}");
            if !kind.starts_with("snap-") {
                assert_eq!(page.refusal().as_deref(), said.lines().next(), "it is the one reason there is");
                assert_eq!(page.verdict(Check::Model).expect("a verdict").answer, Answer::Yes, "the station itself believes the model");
            }
            kinds.push(kind);
        }
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["account", "account-key", "snap-declaration", "snap-revision"], "each kind was missing once");
    assert!(image.judged_by(&knowing_all()).is_good(), "the whole one is good for the same station");
}

#[test]
fn a_link_missing_from_a_seed_of_ubuntu_core_18_is_named_with_its_key() {
    let mut named = 0;
    for file in fs::read_dir(data("chain")).expect("it is there") {
        let path = file.expect("a file").path();
        let text = fs::read_to_string(&path).expect("text");
        let image = Changed::of("uc18-pi");
        if path.extension().is_none_or(|kind| kind != "account-key") || image.find_from(0, text.as_bytes()).is_none() {
            continue;
        }
        let key = path.file_stem().expect("a name").to_str().expect("text").to_owned();
        // Another assertion in its place, of the same length: ext4 has no checksum over the contents of files.
        let other = forge::filled(
            &format!(
                "type: account\nauthority-id: {0}\naccount-id: somebody\ndisplay-name: S\nvalidation: unproven\ntimestamp: 2026-11-01T00:00:00Z",
                forge::ACCOUNT
            ),
            text.len(),
        );
        let mut station = knowing_all();
        station.trust.add_roots(forge::root().as_bytes()).expect("a root");
        let page = image.replace(text.as_bytes(), other.as_bytes()).judged_by(&station);
        let said = only_no(&page, Check::FirstBoot);
        assert!(said.starts_with(&format!("{COULD_NOT}account-key {key} is not in the seed, and ")), "{said}");
        named += 1;
    }
    assert!(named >= 2, "the store's key and the brand's are in it");
}

fn system_with(more: &str) -> Core20 {
    Core20::with(Loader::Grub).put(&format!("systems/{LABEL}/assertions/more"), more)
}

fn verdict(page: &Page) -> Answer {
    page.verdict(Check::FirstBoot).expect("a verdict").answer
}

#[test]
fn a_system_that_says_two_things_of_a_snap_is_refused_however_well_both_are_signed() {
    let path = format!("systems/{LABEL}/assertions/snaps");
    let image = Core20::with(Loader::Grub);
    let all = image.text(&path);
    let current = forge::declaration(SNAPD, "snapd", "canonical");
    assert!(all.contains(&current), "signatures are the same each time");
    let older = forge::signed(
        &format!(
            "type: snap-declaration\nauthority-id: {}\nrevision: 98\nseries: 16\nsnap-id: {SNAPD}\npublisher-id: canonical\nsnap-name: snapd\ntimestamp: 2026-11-01T00:00:00Z",
            forge::ACCOUNT
        ),
        "",
    );
    for text in [format!("{older}\n{all}"), format!("{all}{older}\n")] {
        let said = only_no(&image.clone().put(&path, text).judged(), Check::FirstBoot);
        assert!(said.contains(&format!("the system has two revisions of snap-declaration {SNAPD}: snapd takes a seed with one")), "{said}");
    }
    let other = current.replace("timestamp: 2026-11-01", "x-note: 1\ntimestamp: 2026-11-01");
    let other = forge::signed(other.split_once("\nsign-key").expect("it is signed").0, "");
    let said = only_no(&image.clone().put(&path, format!("{all}{other}\n")).judged(), Check::FirstBoot);
    assert!(said.contains("both of revision 99, with different contents"), "{said}");
    // Another snap with the same name, declared and published, but not in the seed.
    let second = format!("{}\n{}\n", forge::declaration(OTHER, "snapd", "canonical"), revision(&"A".repeat(64), OTHER, 4096));
    let said = only_no(&image.clone().put(&path, format!("{all}{second}")).judged(), Check::FirstBoot);
    assert!(said.contains(&format!("snap-declarations of two snaps called snapd, {SNAPD} and {OTHER}: snapd takes one")), "{said}");
    let page = image.put(&path, format!("{all}{current}\n")).judged();
    assert!(page.is_good(), "snapd drops the second of two that are equal: {page:#?}");
}

#[test]
fn what_is_allowed_by_name_must_still_be_what_the_device_takes() {
    let word = format!("ubuntu-seed/systems/{LABEL}/assertions/more");
    let login = "series:\n  - 16\nmodels:\n  - my-pi22\nbrand-id: forge\nemail: a@example.com\nname: A\nusername: a\nsince: 2026-01-01T00:00:00Z\nuntil: 2027-01-01T00:00:00Z";
    let login = forge::signed(&format!("type: system-user\nauthority-id: {}\n{login}", forge::ACCOUNT), "");
    let page = system_with(&login).judged_allowing(&[word.as_str()]);
    assert!(page.is_good() && page.not_covered().join("\n").contains("system-user in systems"), "{page:#?}");

    let changed = login.replace("username: a", "username: b");
    let said = only_no(&system_with(&changed).judged_allowing(&[word.as_str()]), Check::FirstBoot);
    assert!(said.contains(&format!("{COULD_NOT}system-user: the signature does not fit")), "{said}");
    let stranger = fs::read_to_string(data("impostor/canonical.account")).expect("it is there");
    let said = only_no(&system_with(&stranger).judged_allowing(&[word.as_str()]), Check::FirstBoot);
    assert!(
        said.contains(&format!("{COULD_NOT}account-key ")) && said.contains("is not in the seed, and account canonical needs it"),
        "{said}"
    );
    let unknown = forge::signed(&format!("type: future-thing\nauthority-id: {}", forge::ACCOUNT), "");
    let said = only_no(&system_with(&unknown).judged_allowing(&[word.as_str()]), Check::FirstBoot);
    assert!(said.contains("\"future-thing\" is no type of assertion that is known here"), "{said}");
}

#[test]
fn a_set_of_snaps_that_breaks_its_rules_keeps_the_seed_from_being_taken() {
    let set = |from: &str, to: &str| {
        let text = "series: 16\naccount-id: forge\nname: base-set\nsequence: 1\ntimestamp: 2026-11-01T00:00:00Z\nsnaps:\n  -\n    name: one\n    id: aW3s0meSnapIdForTheFixtureNo0001\n    presence: optional\n    components:\n      part: optional";
        assert!(text.contains(from), "{from}");
        forge::signed(&format!("type: validation-set\nauthority-id: {}\n{}", forge::ACCOUNT, text.replace(from, to)), "")
    };
    let page = system_with(&set("name: one", "name: two")).judged();
    assert!(page.is_good(), "{page:#?}");
    for (from, to) in [
        ("account-id: forge", "account-id: canonical"),
        ("series: 16\n", ""),
        ("name: base-set", "name: Base"),
        ("sequence: 1", "sequence: 0"),
        ("sequence: 1\n", ""),
        ("timestamp: 2026-11-01T00:00:00Z\n", ""),
        ("name: one", "name: ONE"),
        ("    id: aW3s0meSnapIdForTheFixtureNo0001\n", ""),
        ("presence: optional", "presence: perhaps"),
        ("presence: optional", "presence: invalid\n    revision: 3"),
        ("presence: optional", "revision: 0"),
        ("part: optional", "part:\n        revision: 3"),
        ("part: optional", "part:\n        presence: required\n        revision: 3"),
        ("snaps:\n  -\n    name: one", "snaps:\n  -\n    name: one\n    id: aW3s0meSnapIdForTheFixtureNo0002\n  -\n    name: one"),
    ] {
        let said = no(&system_with(&set(from, to)).judged(), Check::NothingUnsigned);
        assert!(said.contains("holds validation-set, which no trusted key signs: `"), "{to}: {said}");
    }
}

#[test]
fn what_the_seed_says_of_a_snap_counts_though_the_station_knows_better() {
    let path = format!("systems/{LABEL}/assertions/snaps");
    let image = Core20::with(Loader::Grub);
    let all = image.text(&path);
    let good = split(&all).into_iter().find(|text| text.contains("snap-revision: 7") && text.contains(SNAPD)).expect("it is in it");
    for (from, to, words) in [
        ("snap-size: ", "snap-size: 1", "bytes long, and its snap-revision says"),
        ("snap-revision: 7", "snap-revision: 17", "its file must be called snapd_17.snap"),
        ("\nsnap-id: ", "\nprovenance: other-way\nsnap-id: ", "it was published with the provenance other-way"),
    ] {
        let headers = good.split_once("\nsign-key").expect("it is signed").0.replacen(from, to, 1);
        let other = forge::signed(&headers, "");
        // As the store published it: of two with the same revision, the device uses its own.
        let image = image.clone().put(&path, all.replace(good.trim_end(), other.trim_end())).known(&good);
        let said = no(&image.judged(), Check::SnapsPresent);
        assert!(said.contains(words), "{from}: {said}");
    }
    let good = forge::declaration(SNAPD, "snapd", "canonical");
    let other = forge::declaration(SNAPD, "snape", "canonical");
    let image = image.clone().put(&path, all.replace(good.trim_end(), other.trim_end())).known(&good);
    let said = no(&image.judged(), Check::SnapsPresent);
    assert!(said.contains("the model requires snapd, and the seed does not have it"), "{said}");
}

#[test]
fn two_keys_of_one_account_do_not_share_a_name() {
    let key = |key: &forge::Key, name: &str| {
        let headers = format!(
            "type: account-key\nauthority-id: {0}\npublic-key-sha3-384: {1}\naccount-id: {0}\nname: {name}\nsince: 2026-01-01T00:00:00Z",
            forge::ACCOUNT,
            key.id()
        );
        forge::signed(&headers, &key.public())
    };
    let (one, other) = (forge::Key::random(), forge::Key::random());
    for (names, words) in [(["a", "a"], Some("with the name \"a\"")), (["a", "root"], Some("with the name \"root\"")), (["a", "b"], None)] {
        let page = system_with(&format!("{}\n{}", key(&one, names[0]), key(&other, names[1]))).judged();
        match words {
            None => assert!(page.is_good(), "{page:#?}"),
            Some(words) => {
                let said = only_no(&page, Check::FirstBoot);
                assert!(said.contains("the seed has two keys of forge") && said.contains(words), "{said}");
            }
        }
    }
}

#[test]
fn a_component_that_the_model_requires_is_missed() {
    let path = format!("systems/{LABEL}/model");
    let image = Core20::with(Loader::Grub);
    let model = image.text(&path);
    let with = |presence: &str| {
        let headers = model.split_once("\nsign-key").expect("it is signed").0;
        let headers = headers.replacen("    type: kernel\n", &format!("    type: kernel\n    components:\n      drivers: {presence}\n"), 1);
        image.clone().put(&path, forge::signed(&headers, "")).judged()
    };
    let page = with("optional");
    assert!(page.is_good(), "{page:#?}");
    let said = only_no(&with("required"), Check::SnapsPresent);
    assert!(
        said.contains("the model requires the component drivers of pi-kernel, and images with components are not taken here"),
        "{said}"
    );
}

#[test]
fn without_signatures_nobody_asks_what_the_device_could_verify() {
    let image = Changed::of("uc18-pi");
    let page = image.judged_by(&Wanted { signatures: false, ..wanted() });
    assert_eq!(verdict(&page), Answer::NotCovered, "{page:#?}");
}

#[test]
fn assertions_of_stores_parts_and_installed_systems_belong_into_no_image() {
    for kind in ["store", "preseed", "snap-resource-pair", "snap-resource-revision", "confdb-schema"] {
        let text = forge::signed(&format!("type: {kind}\nauthority-id: {}", forge::ACCOUNT), "");
        let said = no(&system_with(&text).judged(), Check::NothingUnsigned);
        assert!(said.contains(&format!("holds {kind}, which belongs into no image of many cards")), "{said}");
    }
}
