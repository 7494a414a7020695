//! Tests with a good image in which one thing is changed: each is refused with its own sentence.

use flashline::image::inspect::Wanted;
use flashline::image::inspect::page::{Answer, Check, Page};

use crate::fixtures::{Changed, data, model, no, only_no, wanted};
use crate::forge;

const PI_KERNEL: &str = "jeIuP6tfFrvAdic8DMWqHmoaoukAPNbJ";
const FIRST_APP: &str = "aW3s0meSnapIdForTheFixtureNo0001";
const BRAND: &str = "Fx7Qm2VtY9sKd4RwLpZ3bN8cHjG6aTu1";

fn for_model(name: &str) -> Wanted {
    Wanted { model: Some(model(name)), ..wanted() }
}

/// Trusts the tests' own root as well, which signs the changed assertions.
fn told(assertion: &str) -> Wanted {
    let mut wanted = wanted();
    wanted.trust.add_roots(forge::root().as_bytes()).expect("a root");
    wanted.trust.add_known(assertion.as_bytes()).expect("an assertion");
    wanted
}

/// The place of the snap with a squashfs of this length, plus or minus the file's padding.
fn snap_of(image: &Changed, from: u64, file: u64) -> u64 {
    let mut at = from;
    loop {
        at = image.find_from(at, b"hsqs").expect("the snap is in it");
        let used = u64::from_le_bytes(image.bytes(at + 40, 8).try_into().expect("eight"));
        if at.is_multiple_of(512) && (file - 4096..=file).contains(&used) {
            return at;
        }
        at += 1;
    }
}

/// The beginning of `writable` in the images for the Raspberry Pi.
const WRITABLE: u64 = 51_380_224;

#[test]
fn the_image_of_another_model_is_refused() {
    let said = only_no(&Changed::of("uc18-pi").judged_by(&for_model("my-pc16.model")), Check::Model);
    assert!(said.contains("it is the image of another model") && said.contains("my-pi18") && said.contains("my-pc16"), "{said}");
    let page = Changed::of("uc18-pi").judged_by(&for_model("my-pc16.model"));
    assert!(page.refusal().expect("refused").contains("another model"));
}

#[test]
fn another_revision_of_the_model_is_refused() {
    let said = only_no(&Changed::of("uc16-pi3-seed-sample").judged_by(&for_model("my-pi3.model")), Check::Model);
    assert!(said.contains("its model is revision 1") && said.contains("revision 0 is wanted"), "{said}");
}

#[test]
fn a_model_that_says_something_else_under_the_same_revision_is_refused() {
    let text = std::fs::read_to_string(data("brand/my-pi18.model")).expect("it is there");
    let headers = text.split_once("\nsign-key-sha3-384").expect("it is signed").0.replace("armhf", "arm64");
    let other = snap_assertions::assertion::Assertion::read_all(forge::signed(&headers, "").as_bytes()).expect("well formed").remove(0);
    let page = Changed::of("uc18-pi").judged_by(&Wanted { model: Some(other), ..wanted() });
    assert!(only_no(&page, Check::Model).contains("its model differs from the wanted one of the same revision"));
}

/// FAT keeps a file's length in its directory, without a checksum.
fn with_model(model: &[u8]) -> Changed {
    let image = Changed::of("uc22-amd64");
    let old = std::fs::read(data("brand/my-pc22.model")).expect("it is there");
    let at = image.find(&old);
    let mut directory = 0;
    loop {
        directory = image.find_from(directory, b"MODEL      ").expect("its entry");
        let length = image.bytes(directory + 28, 4);
        if length == u32::try_from(old.len()).expect("short").to_le_bytes() {
            break;
        }
        directory += 1;
    }
    let mut contents = model.to_vec();
    contents.resize(old.len().max(model.len()), 0);
    assert!(contents.len().div_ceil(512) == old.len().div_ceil(512), "as many clusters");
    image.put(at, &contents).put(directory + 28, &u32::try_from(model.len()).expect("short").to_le_bytes())
}

#[test]
fn a_model_swapped_inside_the_image_is_refused() {
    let old = std::fs::read(data("brand/my-pc22.model")).expect("it is there");
    assert!(with_model(&old).judged().is_good(), "the swap itself breaks nothing");
    let other = std::fs::read(data("brand/my-pi18.model")).expect("it is there");
    let page = with_model(&[other.as_slice(), b""].concat()).judged_by(&for_model("my-pc22.model"));
    let said = no(&page, Check::Model);
    assert!(said.contains("it is the image of another model: it has") && said.contains("/my-pi18, and"), "{said}");
    // A person who replaces it has no key that the station knows.
    let text = String::from_utf8(old).expect("text");
    let headers = text.split_once("\nsign-key-sha3-384").expect("it is signed").0;
    let own = forge::signed(headers, "");
    let page = with_model(own.as_bytes()).judged();
    let said = no(&page, Check::Model);
    assert!(said.contains("no account-key assertion of it is known: it must be in the seed"), "{said}");
    let said = no(&page, Check::FirstBoot);
    assert!(said.contains("the device could not verify this at its first boot: account-key"), "{said}");
    let byte = text.replace("core22", "core24");
    let said = no(&with_model(byte.as_bytes()).judged(), Check::Model);
    assert!(said.contains("the contents were changed after signing"), "{said}");
}

#[test]
fn a_model_signed_by_a_key_that_nobody_trusts_is_refused() {
    let other = std::fs::read(data("brand/other-key.model")).expect("it is there");
    let said = no(&with_model(&[other.as_slice(), b""].concat()).judged(), Check::Model);
    assert!(said.contains("no account-key assertion of it is known"), "{said}");
}

#[test]
fn a_required_snap_taken_out_is_named() {
    // The name in the directory of FAT, as a deleted one begins.
    let image = Changed::of("uc22-amd64");
    let entry = image.find(b"MYAWES~1SNA");
    let mut without = image.put(entry, &[0xe5]);
    // And every part of its long name, which precedes it.
    for part in 1..=2 {
        without = without.put(entry - 32 * part, &[0xe5]);
    }
    let said = only_no(&without.judged(), Check::SnapsPresent);
    assert!(said.contains("the model requires myawesomesnap, and the seed does not have it"), "{said}");
    // In a seed.yaml, the name of its file.
    let image = Changed::of("uc18-pi").replace(b"  file: myawesomesnap_8.snap", b"  file: myawesomesnap_9.snap");
    let page = image.judged();
    assert!(no(&page, Check::SnapsPresent).contains("seed.yaml names \"myawesomesnap_9.snap\", and there is no such file"));
    assert!(no(&page, Check::NothingExtra).contains("seed.yaml does not name it"));
}

#[test]
fn an_asserted_snap_that_the_model_does_not_require_is_refused() {
    // A later declaration gives the snap another name, so the model's own is missing and another one is there.
    let page = Changed::of("uc18-pi").judged_by(&told(&forge::declaration(FIRST_APP, "another-snap", BRAND)));
    let said = no(&page, Check::NothingExtra);
    assert!(
        said.contains("another-snap (myawesomesnap_8.snap) is in the seed: the model does not require it, so the customer could remove it"),
        "{said}"
    );
}

#[test]
fn one_byte_of_the_kernel_snap_is_enough() {
    // In `writable` a file may consist of several parts.
    for (name, from, places) in [("uc18-pi", WRITABLE, [8, 100, 1000]), ("uc22-amd64", 0, [8, 40_000, 69_631])] {
        let image = Changed::of(name);
        let at = snap_of(&image, from, 69_632);
        for place in places.map(|place| at + place) {
            let page = image.clone().flip(place).judged();
            let said = no(&page, Check::SnapsPresent);
            assert!(said.contains("kernel") && said.contains("is not asserted: no snap-revision of this file is known"), "{said}");
            assert!(no(&page, Check::Unmodified).contains("kernel is not asserted"));
        }
    }
}

#[test]
fn a_boot_partition_that_cannot_be_found_is_none_that_was_compared() {
    // The first entry of the partition table.
    let page = Changed::of("uc18-pi").put(446, &[0; 16]).judged();
    let said = no(&page, Check::BootFiles);
    assert!(said.contains("no boot partition whose files can be read"), "{said}");
    assert!(no(&page, Check::NothingUnsigned).contains("lie outside of every partition"), "its bytes are still there");
}

#[test]
fn one_byte_of_what_boots_is_enough() {
    // The last difference between the fixture with the wrong kernel and the good one is in the kernel that boots.
    let (good, bad) = (Changed::of("uc18-pi"), Changed::of("bad-boot-kernel-differs-from-snap"));
    let mut differing = (0..WRITABLE / 512).rev().map(|block| block * 512).filter(|at| good.bytes(*at, 512) != bad.bytes(*at, 512));
    let kernel = differing.next().expect("they differ");
    let said = only_no(&good.clone().flip(kernel + 511).judged(), Check::BootFiles);
    assert!(said.contains("pi-kernel_794.snap/kernel.img differs from kernel.img in the kernel snap"), "{said}");

    let cases: [(&str, &[u8], &[u8], &str); 7] = [
        ("uc16-amd64", b"snap_mode=\n", b"snap_mode=x", "sets snap_mode to"),
        ("uc22-amd64", b"\nsnapd_recovery_mode=install", b"\nsnapd_recovery_mode=recover", "names \"recover\" as snapd_recovery_mode"),
        ("uc18-pi", b"kernel=uboot.bin", b"kernel=other.bin", "config.txt differs from boot-assets/config.txt in the gadget snap"),
        ("uc16-amd64", b"# grub.cfg of the gadget", b"# grub.cfg of somebody..", "efi/ubuntu/grub.cfg differs from the gadget's grub.conf"),
        ("uc16-amd64", b"snap_kernel=pc-kernel_1954.snap", b"snap_kernel=pc-kernel_1953.snap", "names \"pc-kernel_1953.snap\""),
        ("uc22-amd64", b"snapd_recovery_system=20261122", b"snapd_recovery_system=20261121", "names \"20261121\" as snapd_recovery_system"),
        ("uc22-amd64", b"snapd_full_cmdline_args=\n##########", b"snapd_full_cmdline_args=init=/x\n###", "gives the kernel \"init=/x\""),
    ];
    for (name, old, new, sentence) in cases {
        let image = Changed::of(name);
        // The first occurrence: in `writable` the same words are also inside snaps.
        let at = image.find(old);
        let page = image.put(at, new).judged();
        assert!(!page.is_good(), "{name}: {sentence}");
        let said = only_no(&page, Check::BootFiles);
        assert!(said.contains(sentence), "{name}: {said}");
    }
}

#[test]
fn boot_code_outside_of_every_file_system_is_compared_too() {
    let image = Changed::of("uc16-amd64");
    for (at, sentence) in [
        (10, "the boot code at byte 0 differs from the gadget's pc-boot.img, from byte 10 on"),
        (439, "from byte 439 on"),
        (93, "the boot code leads elsewhere"),
        ((1 << 20) + 5999, "differs from the gadget's pc-core.img, from byte 5999 on"),
    ] {
        let said = only_no(&image.clone().flip(at).judged(), Check::BootFiles);
        assert!(said.contains(sentence), "{at}: {said}");
    }
}

#[test]
fn a_file_on_the_boot_partition_that_no_snap_has_is_refused() {
    let image = Changed::of("uc18-pi");
    let entry = image.find(b"FIXUP   DAT");
    let page = image.put(entry, b"USERDATADAT").judged();
    let said = only_no(&page, Check::BootFiles);
    assert!(said.contains("fixup.dat is missing on system-boot"), "{said}");
    assert!(said.contains("system-boot/userdata.dat is in neither the kernel nor the gadget snap, and nothing signs it"), "{said}");
}

#[test]
fn a_revoked_snap_is_refused() {
    let page = Changed::of("uc18-pi").judged_by(&told(&forge::declaration(FIRST_APP, "", BRAND)));
    let said = no(&page, Check::SnapsPresent);
    assert!(said.contains("taken"), "{said}");
    assert!(!page.is_good());
}

#[test]
fn a_kernel_that_somebody_else_publishes_is_refused() {
    let page = Changed::of("uc18-pi").judged_by(&told(&forge::declaration(PI_KERNEL, "pi-kernel", BRAND)));
    let said = only_no(&page, Check::Unmodified);
    assert!(said.contains(&format!("pi-kernel is published by {BRAND}, not by Canonical")), "{said}");
}

#[test]
fn what_seed_yaml_asks_for_and_nothing_signs_is_refused() {
    let image = Changed::of("uc18-pi").replace(b"  channel: stable\n  file: myaw", b"  devmode: true  \n  file: myaw");
    assert!(only_no(&image.judged(), Check::NothingExtra).contains("to be installed as devmode, which nothing signs"));
    let image = Changed::of("uc18-pi").replace(b"- name: myawesomesnap\n", b"- name: myawesomesna_\n");
    assert!(no(&image.judged(), Check::SnapsPresent).contains("seed.yaml calls it \"myawesomesna_\""));
}

#[test]
fn keys_are_judged_at_the_time_that_is_given() {
    let image = Changed::of("uc18-pi");
    let mut early = wanted();
    early.at = "2020-01-01T00:00:00Z".parse().expect("a time");
    assert!(no(&image.judged_by(&early), Check::Model).contains("2020-01-01"));
}

#[test]
fn without_signatures_the_model_counts_and_what_they_would_prove_is_not_covered() {
    let image = Changed::of("uc18-pi");
    let mut matching = for_model("my-pi18.model");
    matching.signatures = false;
    matching.trust = snap_assertions::trust::Trust::canonical();
    let page = image.clone().judged_by(&matching);
    assert!(page.is_good(), "{page:#?}");
    let unmodified: &Page = &page;
    assert_eq!(unmodified.verdict(Check::Unmodified).expect("a verdict").answer, Answer::NotCovered);
    assert!(page.not_covered().iter().any(|sentence| sentence.contains("signatures are not demanded")), "{page:#?}");
    matching.model = Some(model("my-pc16.model"));
    assert!(only_no(&image.judged_by(&matching), Check::Model).contains("another model"));
}

#[test]
fn a_file_cut_short_is_told_by_its_length_wherever_it_is_cut() {
    for name in ["uc18-pi", "uc16-amd64", "uc22-amd64"] {
        let image = Changed::of(name);
        let whole = image.length_now();
        for cut in [1, 512, 4096, 70_000, whole / 3, whole / 2, whole - (1 << 20), whole - 600] {
            let said = no(&image.clone().cut(whole - cut).judged(), Check::Whole);
            assert!(said.contains("cut short"), "{name}: {said}");
            // In a shorter file not even the table is complete.
            let words = format!("it ends at byte {} of {whole}, {cut} bytes are missing", whole - cut);
            assert!(said.contains(&words) || whole - cut < 40_000, "{name}: {said}");
        }
    }
}
