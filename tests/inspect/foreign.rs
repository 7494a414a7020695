//! Tests with contents that nothing describes or signs: partitions, bytes between them, assertions that have further effects.

use flashline::image::inspect::Wanted;
use flashline::image::inspect::page::{Answer, Check, Page};
use flashline::station::allowed::Allowed;
use snap_assertions::signature::Sha3Hasher;

use crate::core20::{Core20, LABEL, Loader, Snaps};
use crate::fixtures::{Changed, Place, data, fat_file, no, only_no, wanted};
use crate::forge;

/// The beginnings of the partitions in the images for the Raspberry Pi.
const BOOT: u64 = 1 << 20;
const WRITABLE: u64 = 51_380_224;
/// The beginning of the boot partition in the one for a PC.
const OF_PC: u64 = 2 << 20;

const PC: &str = "UqFziVZDHLSyO3TqSWgNBoAdHbLI4dAH";

/// An entry of an MBR: type, first block, blocks.
fn entry(kind: u8, start: u32, blocks: u32) -> Vec<u8> {
    [&[0, 0, 0, 0, kind, 0, 0, 0], start.to_le_bytes().as_slice(), blocks.to_le_bytes().as_slice()].concat()
}

fn uncovered(page: &Page) -> String {
    page.not_covered().join("\n")
}

#[test]
fn a_partition_that_the_gadget_does_not_describe_is_refused_whatever_it_holds() {
    // In front of the first one; there is no file system there that can be read here.
    for kind in [0x83, 0x0c, 0x82] {
        let image = Changed::of("uc18-pi").put(446 + 32, &entry(kind, 64, 128));
        let said = only_no(&image.clone().judged(), Check::NothingUnsigned);
        assert!(said.contains("partition 3") && !said.contains("holds files"), "{said}");
        let page = image.judged_by(&allowing("partition-3"));
        assert!(page.is_good(), "{:#?}", page.verdicts);
        assert!(uncovered(&page).contains("which is allowed by configuration"), "it is said all the same");
    }
}

fn allowing(word: &str) -> Wanted {
    Wanted { allowed: Allowed::new(&[word]).expect("it has a meaning"), ..wanted() }
}

#[test]
fn bytes_that_nobody_described_are_refused_and_holes_are_not() {
    for (name, at) in [
        ("uc18-pi", 600),
        ("uc18-pi", BOOT - 1),
        // Behind the header of a GPT, between the table and its first partition, and behind the last one.
        ("uc16-amd64", 700),
        ("uc16-amd64", 40 * 512),
        ("uc22-amd64", 208_897 * 512),
    ] {
        let page = Changed::of(name).judged();
        assert!(page.is_good() && !uncovered(&page).contains("outside of every partition"), "{name}: {page:#?}");
        let image = Changed::of(name).put(at, &[1]);
        let said = only_no(&image.clone().judged(), Check::NothingUnsigned);
        assert!(said.contains("outside of every partition") && said.contains(&format!("byte {at} is neither zero nor")), "{name}: {said}");
        let page = image.clone().judged_by(&allowing("gaps"));
        assert!(page.is_good() && uncovered(&page).contains("allowed by configuration"), "{name}: {:#?}", page.verdicts);
        assert!(!image.judged_by(&allowing("partition-1")).is_good(), "another word allows something else");
    }
}

/// The code that `parted mklabel msdos` of libparted 3.5 puts in front of the table.
const OF_LIBPARTED: &[u8] =
    b"\xfa\xb8\x00\x10\x8e\xd0\xbc\x00\xb0\xb8\x00\x00\x8e\xd8\x8e\xc0\xfb\xbe\x00\x7c\xbf\x00\x06\xb9\x00\x02\xf3\xa4\xea\x21\x06\
    \x00\x00\xbe\xbe\x07\x38\x04\x75\x0b\x83\xc6\x10\x81\xfe\xfe\x07\x75\xf3\xeb\x16\xb4\x02\xb0\x01\xbb\x00\x7c\xb2\x80\x8a\x74\x01\x8b\
    \x4c\x02\xcd\x13\xea\x00\x7c\x00\x00\xeb\xfe";

#[test]
fn the_boot_code_that_libparted_puts_into_every_mbr_is_known_where_nothing_runs_it() {
    let code = OF_LIBPARTED;
    let page = Changed::of("uc18-pi").put(0, code).judged();
    assert!(page.is_good() && !uncovered(&page).contains("outside of every partition"), "{page:#?}");
    for at in [0, 40, 100, 439] {
        let said = only_no(&Changed::of("uc18-pi").put(0, code).flip(at).judged(), Check::NothingUnsigned);
        assert!(said.contains("bytes 0 to 440 lie outside of every partition"), "{at}: {said}");
    }
    // If the gadget has boot code, that must be there.
    let page = Changed::of("uc16-amd64").put(0, &[code, &[0; 365]].concat()).judged();
    assert!(no(&page, Check::BootFiles).contains("the boot code at byte 0 differs"), "{:#?}", page.verdicts);
    // On a PC it runs and starts the first block of a partition, which is not compared with anything.
    for (snaps, is_good) in [(Snaps::of(Loader::Grub), true), (Snaps::of(Loader::Grub).for_pc(), false)] {
        let mut image = snaps.image(Loader::Grub);
        assert!(image.judged().is_good());
        image.code = code.to_vec();
        let page = image.judged();
        assert_eq!(page.is_good(), is_good, "{:#?}", page.verdicts);
    }
}

#[test]
fn behind_the_gadgets_own_bytes_a_partition_without_files_holds_nothing() {
    // The partition with GRUB's core image, whose second half may contain a file system or a loader of an attacker.
    let (start, length) = (1 << 20, 1 << 20);
    for name in ["uc16-amd64", "uc22-amd64"] {
        let page = Changed::of(name).judged();
        assert!(!uncovered(&page).contains("partition 1"), "all of it is held: {}", uncovered(&page));
        for at in [start + length / 2 + 0x1_0040, start + length - 1] {
            let image = Changed::of(name).put(at, b"_");
            let said = only_no(&image.clone().judged(), Check::NothingUnsigned);
            assert!(said.contains(&format!("holds more than the gadget's own files: byte {at} is not zero")), "{name}: {said}");
            let page = image.judged_by(&allowing("partition-1"));
            assert!(page.is_good() && uncovered(&page).contains("partition-1"), "{:#?}", page.verdicts);
        }
    }
}

#[test]
fn a_partition_is_allowed_by_its_number_and_by_no_name_it_gives_itself() {
    let image = Changed::of("uc18-pi").put(446 + 32, &entry(0x83, 64, 128));
    for word in ["83", "partition-2", "system-boot"] {
        assert!(!image.clone().judged_by(&allowing(word)).is_good(), "{word}");
    }
}

#[test]
fn two_file_systems_in_one_partition_are_refused() {
    let first_block = Changed::of("uc18-pi").bytes(BOOT, 512);
    let page = Changed::of("uc18-pi").put(WRITABLE, &first_block).judged();
    assert!(no(&page, Check::Model).contains("it is FAT and ext4 at once"), "{:#?}", page.verdicts);
}

#[test]
fn a_fat_of_which_two_readers_would_read_two_things_is_refused() {
    let image = Changed::of("uc18-pi");
    let reserved = u64::from(u16::from_le_bytes(image.bytes(BOOT + 14, 2).try_into().expect("two")));
    let of_fat = u64::from(u32::from_le_bytes(image.bytes(BOOT + 36, 4).try_into().expect("four")));
    let page = image.clone().put(BOOT + 40, &[0x80]).judged();
    assert!(no(&page, Check::Model).contains("names one of its tables as the one that counts"), "{:#?}", page.verdicts);
    let second = BOOT + (reserved + of_fat) * 512;
    let page = image.flip(second + 5000).judged();
    assert!(no(&page, Check::Model).contains("the two tables of its FAT disagree"), "{:#?}", page.verdicts);
}

fn with_forge() -> Wanted {
    let mut wanted = wanted();
    wanted.trust.add_roots(forge::root().as_bytes()).expect("a root");
    wanted
}

/// A good system with another file of assertions.
fn with_other_assertions(text: &str) -> Page {
    Core20::with(Loader::Grub).put(&format!("systems/{LABEL}/assertions/model-etc"), text).judged()
}

fn of_type(kind: &str, rest: &str) -> String {
    forge::signed(&format!("type: {kind}\nauthority-id: {}\n{rest}", forge::ACCOUNT), "")
}

#[test]
fn an_assertion_that_makes_a_login_is_refused_though_it_is_signed() {
    let login = "series:\n  - 16\nmodels:\n  - my-pc22\nbrand-id: forge\nemail: a@example.com\nname: A\nusername: a\nsince: 2026-01-01T00:00:00Z\nuntil: 2027-01-01T00:00:00Z";
    let said = only_no(&with_other_assertions(&of_type("system-user", login)), Check::NothingUnsigned);
    assert!(said.contains("systems/20261122/assertions/model-etc holds") && said.contains("makes a login on every card"), "{said}");
}

#[test]
fn an_identity_that_all_cards_would_share_is_refused() {
    let serial = "brand-id: forge\nmodel: my-pc22\nserial: S-1\ntimestamp: 2026-11-01T00:00:00Z";
    let said = only_no(&with_other_assertions(&of_type("serial", serial)), Check::NothingUnsigned);
    assert!(said.contains("belongs into no image of many cards"), "{said}");
}

#[test]
fn an_assertion_that_nobody_vouches_for_is_refused_though_nothing_needs_it() {
    let other = std::fs::read_to_string(data("impostor/canonical.account")).expect("it is there");
    let said = no(&with_other_assertions(&other), Check::NothingUnsigned);
    assert!(said.contains("which no trusted key signs"), "{said}");
}

#[test]
fn what_a_model_may_bring_along_is_let_through_and_named() {
    let set = "series: 16\naccount-id: forge\nname: base-set\nsequence: 1\ntimestamp: 2026-11-01T00:00:00Z\nsnaps:\n  -\n    name: one\n    id: aW3s0meSnapIdForTheFixtureNo0001";
    let page = with_other_assertions(&of_type("validation-set", set));
    assert!(page.is_good(), "{:#?}", page.verdicts);
    assert!(uncovered(&page).contains("validation-set"), "{}", uncovered(&page));
}

#[test]
fn a_channel_that_the_model_does_not_mean_is_told_to_whoever_reads_the_log() {
    let image = Changed::of("uc18-pi").replace(b"channel: 18-pi\n", b"channel: edge \n");
    let page = image.judged();
    assert!(page.is_good(), "{:#?}", page.verdicts);
    assert!(uncovered(&page).contains("refreshed from \"edge\" later, and the model says \"18-pi\""), "{}", uncovered(&page));
    assert!(!uncovered(&Changed::of("uc18-pi").judged()).contains("refreshed from"), "the good one's is the model's");
}

#[test]
fn nothing_is_compared_with_a_gadget_that_nobody_published() {
    // In the last block of the gadget's own file, behind the end of its squashfs.
    let image = Changed::of("uc22-amd64");
    let said = {
        let mut at = 0;
        loop {
            at = image.find_from(at, b"hsqs").expect("the gadget is in it") + 1;
            let page = image.clone().flip(at + 100).judged();
            let said = page.verdict(Check::BootFiles).expect("a verdict");
            if said.answer == Answer::NotCovered {
                break said.sentences().join("\n");
            }
        }
    };
    assert!(said.contains("files are not compared with an unpublished snap"), "{said}");
}

#[test]
fn with_a_gadget_that_cannot_be_looked_into_what_boots_is_refused_unless_it_is_allowed() {
    // The first block of squashfs names its compression; it was published so, in the seed.
    let published =
        std::fs::read_to_string(data("chain").join("t-Xr9bep191z4IckiIstRlJzE8Y92nB8Y3mOIrwZOurbSIfoxLug7rDXNEcNg5KI.snap-revision"))
            .expect("it is there");
    let lz4 = |image: Changed, words: &[&str]| -> Page {
        let Place { start, length, .. } = fat_file(&image, OF_PC, b"PC_184~1SNA");
        let image = image.put(start + 20, &5_u16.to_le_bytes());
        let mut hasher = Sha3Hasher::default();
        hasher.update(&image.bytes(start, length));
        let headers = format!(
            "type: snap-revision\nauthority-id: {}\nsnap-sha3-384: {}\ndeveloper-id: canonical\nsnap-id: {PC}\nsnap-revision: 184\nsnap-size: {length}\ntimestamp: 2026-11-01T00:00:00Z",
            forge::ACCOUNT,
            hasher.finish()
        );
        let image = image.replace(published.as_bytes(), forge::filled(&headers, published.len()).as_bytes());
        let mut wanted = with_forge();
        wanted.allowed = Allowed::new(words).expect("they have a meaning");
        image.judged_by(&wanted)
    };
    let page = lz4(Changed::of("uc22-amd64"), &[]);
    let said = no(&page, Check::BootFiles);
    assert!(said.contains("ubuntu-seed/efi/boot/bootx64.efi") && said.contains("the gadget that may have brought it"), "{said}");
    let said = no(&page, Check::NothingUnsigned);
    assert!(said.contains("partition 1") && said.contains("byte 0 is neither zero"), "{said}");
    let words = ["ubuntu-seed/EFI/boot", "partition-1", "gaps"];
    let page = lz4(Changed::of("uc22-amd64"), &words);
    assert!(page.is_good(), "{:#?}", page.verdicts);
    assert!(uncovered(&page).contains("it is packed with lz4"), "{}", uncovered(&page));
    // The second one of this name is the system's own environment.
    let image = Changed::of("uc22-amd64");
    let first = image.find(b"GRUBENV    ");
    let second = image.find_from(first + 1, b"GRUBENV    ").expect("two of them");
    let said = no(&lz4(image.put(second, b"GRUBENX    "), &words), Check::BootFiles);
    assert!(said.contains("systems/20261122/grubenx is in neither the kernel nor the gadget snap"), "{said}");
    // Words for the kernel, which may come from that gadget or from anywhere.
    let image = Changed::of("uc22-amd64");
    let line = image.find(b"snapd_full_cmdline_args=\n##########");
    let image = image.put(line, b"snapd_full_cmdline_args=init=/x\n");
    let said = no(&lz4(image.clone(), &words), Check::BootFiles);
    assert!(
        said.contains("systems/20261122/grubenv: it gives the kernel \"init=/x\", where menu and gadget make it \"console=ttyS0 console=tty1 panic=-1\", and the gadget that may have brought this cannot be looked into"),
        "{said}"
    );
    let page = lz4(image, &["ubuntu-seed/EFI/boot", "partition-1", "gaps", "ubuntu-seed/systems/20261122/grubenv"]);
    assert!(page.is_good(), "{:#?}", page.verdicts);
}
