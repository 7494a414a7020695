//! Tests of boot loaders in the forms of real gadgets: empty environments, an environment in a partition, and gadgets that cannot be read.

use flashline::image::inspect::Wanted;
use flashline::image::inspect::page::Check;

use crate::core20::{Core20, LABEL, Loader, Snaps, ubootenv};
use crate::fixtures::{Changed, data, no, only_no, wanted};
use crate::forge;
use crate::snapmaker::file;

const SELECTION: &str = "uboot/ubuntu/boot.sel";
const PI: &str = "YbGa9O3dAXl88YLI6Y1bGG74pwBxZyKg";

fn fresh() -> [(&'static str, &'static str); 2] {
    [("snapd_recovery_mode", "install"), ("snapd_recovery_system", LABEL)]
}

/// An environment with these bytes, padded.
fn environment(contents: &[u8], flag: &[u8], padding: u8) -> Vec<u8> {
    let mut contents = contents.to_vec();
    contents.resize(4096 - 4 - flag.len(), padding);
    let mut crc = flate2::Crc::new();
    crc.update(&contents);
    [&crc.sum().to_le_bytes(), flag, &contents].concat()
}

/// A system whose gadget has this pattern, and whose environment has a flag or not.
fn with_pattern(pattern: &[u8], flag: &[u8]) -> Core20 {
    let mut snaps = Snaps::of(Loader::Uboot);
    snaps.gadget.insert("boot.sel".to_owned(), file(pattern));
    snaps.image(Loader::Uboot).put(SELECTION, ubootenv(&fresh(), flag, 4096))
}

#[test]
fn an_empty_pattern_says_whether_u_boot_wants_a_flag_however_it_is_filled_up() {
    // mkenvimage: one zero, then 0xff; fw_setenv: zeroes; and a text that is not a list of variables.
    for (contents, padding) in [(&b"\0"[..], 0xff), (b"\0\0", 0xff), (b"", 0), (b"", 0xff), (b"a=1\0b\0\0", 0xff)] {
        for flag in [&[][..], &[0], &[1]] {
            let pattern = environment(contents, flag, padding);
            let (own, other): (&[u8], &[u8]) = if flag.is_empty() { (&[], &[0]) } else { (&[0], &[]) };
            let page = with_pattern(&pattern, own).judged();
            assert!(page.is_good(), "{contents:?} {padding:x} {flag:?}: {page:#?}");
            let said = only_no(&with_pattern(&pattern, other).judged(), Check::BootFiles);
            assert!(said.contains("has another header than the gadget asks for"), "{contents:?} {padding:x} {flag:?}: {said}");
        }
    }
}

#[test]
fn an_environment_that_is_empty_is_no_damaged_one_but_starts_nothing() {
    for contents in [environment(b"\0", &[0], 0xff), environment(b"", &[0], 0xff), environment(b"", &[0], 0)] {
        let said = only_no(&Core20::with(Loader::Uboot).put(SELECTION, contents).judged(), Check::BootFiles);
        assert!(said.contains("does not say snapd_recovery_system") && !said.contains("damaged"), "{said}");
    }
}

/// A gadget of snapd 2.77 whose U-Boot keeps its environment in a separate partition.
fn in_a_partition(state: Vec<u8>) -> Core20 {
    let structure = "      - name: ubuntu-boot-state\n        role: system-boot-state\n        type: DA,3DE21764-95BD-54BD-A5C3-4ABE786F38A8\n        offset: 17M\n        size: 1M\n";
    let mut image = Snaps::of(Loader::Uboot).describing(structure).image(Loader::Uboot).without(SELECTION);
    image.state = state;
    image
}

#[test]
fn an_environment_in_a_partition_is_told_as_not_covered_and_let_through_by_name_only() {
    let state = [environment(b"snapd_recovery_mode=install\0\0", &[1], 0xff), vec![0; (1 << 20) - 4096]].concat();
    let page = in_a_partition(state.clone()).judged();
    let said = only_no(&page, Check::NothingUnsigned);
    assert!(said.contains("partition 2") && said.contains("`allow` takes it on trust as \"partition-2\""), "{said}");
    let page = in_a_partition(state.clone()).judged_allowing(&["partition-2"]);
    assert!(page.is_good(), "{page:#?}");
    let words = page.not_covered().join("\n");
    assert!(words.contains("the role system-boot-state, and this loader is not covered"), "{words}");
    // No program reads a file there, so one is a foreign file.
    let with_file = in_a_partition(state).put(SELECTION, ubootenv(&fresh(), &[0], 4096));
    let said = only_no(&with_file.judged_allowing(&["partition-2"]), Check::BootFiles);
    assert!(said.contains("uboot/ubuntu/boot.sel is in neither the kernel nor the gadget snap"), "{said}");
    // Without such a partition, the missing file is reported as usual.
    let said = only_no(&Core20::with(Loader::Uboot).without(SELECTION).judged(), Check::BootFiles);
    assert!(said.contains("uboot/ubuntu/boot.sel is missing on ubuntu-seed: U-Boot reads it"), "{said}");
}

#[test]
fn a_gadget_that_cannot_be_looked_into_is_not_said_to_lack_a_file() {
    let good = Changed::of("uc18-pi");
    let row =
        |page: flashline::image::inspect::page::Page| page.snaps.into_iter().find(|snap| snap.file == "pi_132.snap").expect("it is there");
    let digest = row(good.clone().judged()).sha3_384;
    let path = data("chain").join(format!("{digest}.snap-revision"));
    let published = std::fs::read_to_string(path).expect("it is there");
    // The superblock of the gadget, which names the compression, and is distinguished from the others by its own time and size.
    let mut at = 51_380_224;
    loop {
        at = good.find_from(at, b"hsqs").expect("the gadget is in it");
        let image = good.clone().put(at + 20, &5_u16.to_le_bytes());
        let changed = row(image.clone().judged());
        at += 1;
        if changed.sha3_384 == digest {
            continue;
        }
        let headers = format!(
            "type: snap-revision\nauthority-id: {}\nsnap-sha3-384: {}\ndeveloper-id: canonical\nsnap-id: {PI}\nsnap-revision: 132\nsnap-size: {}\ntimestamp: 2026-11-01T00:00:00Z",
            forge::ACCOUNT,
            changed.sha3_384,
            changed.size
        );
        let mut wanted: Wanted = wanted();
        wanted.trust.add_roots(forge::root().as_bytes()).expect("a root");
        let page = image.replace(published.as_bytes(), forge::filled(&headers, published.len()).as_bytes()).judged_by(&wanted);
        let said = no(&page, Check::BootFiles);
        assert!(
            said.contains("uboot.env: the gadget whose uboot.conf it could be compared with cannot be looked into: it is packed with lz4"),
            "{said}"
        );
        assert!(!said.contains("has no uboot.conf"), "it has one: {said}");
        break;
    }
}
