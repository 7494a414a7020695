//! Tests with images made to break their reader: each is refused with a sentence, quickly, and with little memory.

use flashline::image::inspect::inspect_medium;
use flashline::image::inspect::page::{Answer, Check, Page};

use crate::fixtures::{Changed, no, wanted};

/// The beginnings of `writable` and the boot partition in the images for the Raspberry Pi.
const WRITABLE: u64 = 51_380_224;
const BOOT: u64 = 1 << 20;

fn crc32c(bytes: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes.iter().copied().flatten() {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    crc
}

/// Changes the superblock of `writable` and corrects its checksum.
fn superblock(at: usize, bytes: &[u8]) -> Changed {
    superblock_of("uc18-pi", WRITABLE, at, bytes)
}

fn superblock_of(name: &str, partition: u64, at: usize, bytes: &[u8]) -> Changed {
    let image = Changed::of(name);
    let mut superblock = image.bytes(partition + 1024, 1024);
    superblock[at..at + bytes.len()].copy_from_slice(bytes);
    let sum = crc32c(&[&superblock[..1020]]);
    superblock[1020..].copy_from_slice(&sum.to_le_bytes());
    image.put(partition + 1024, &superblock)
}

fn refused(page: &Page) -> String {
    assert!(!page.is_good(), "{:#?}", page.verdicts);
    page.refusal().expect("a sentence")
}

#[test]
fn a_file_that_is_no_image_is_none() {
    for bytes in [vec![1], vec![0; 511], vec![0; 512], vec![0xff; 8192], b"\x55\xaa".repeat(4096)] {
        let page = inspect_medium(std::rc::Rc::new(bytes), &wanted()).expect("memory can be read");
        assert!(!page.is_good(), "{:#?}", page.verdicts);
        assert!(page.verdicts.len() == Check::ALL.len());
    }
}

#[test]
fn tables_that_are_huge_cyclic_or_two_are_refused_before_they_cost_anything() {
    let gpt = || Changed::of("uc16-amd64");
    // The header states more than there is, with a correct checksum.
    for (at, value, sentence) in [
        (80, u32::MAX.to_le_bytes(), "entries of 128 bytes"),
        (84, 4_u32.to_le_bytes(), "entries of 4 bytes"),
        (72, u32::MAX.to_le_bytes(), "cut short"),
    ] {
        let mut header = gpt().bytes(512, 92);
        header[at..at + 4].copy_from_slice(&value);
        header[16..20].fill(0);
        let sum = flate2_crc(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        let said = no(&gpt().put(512, &header).judged(), Check::Whole);
        assert!(said.contains(sentence), "{said}");
    }
    assert!(no(&gpt().flip(600).judged(), Check::Whole).contains("its partition table is damaged"), "a header changed");
    assert!(no(&gpt().flip(1030).judged(), Check::Whole).contains("its partition table is damaged"), "an entry changed");
    let backup = gpt().length_now() - 512;
    // An unused entry with contents, in both copies and with correct checksums.
    let entries = backup - 128 * 128;
    let mut image = gpt().put(1024 + 127 * 128 + 60, b"hidden").put(entries + 127 * 128 + 60, b"hidden");
    for (header, entries) in [(512, 1024), (backup, entries)] {
        let sum = flate2_crc(&image.bytes(entries, 128 * 128));
        let mut own = image.bytes(header, 92);
        own[88..92].copy_from_slice(&sum.to_le_bytes());
        own[16..20].fill(0);
        let sum = flate2_crc(&own);
        own[16..20].copy_from_slice(&sum.to_le_bytes());
        image = image.put(header, &own);
    }
    let said = no(&image.judged(), Check::Whole);
    assert!(said.contains("its entry 128 is unused and not empty"), "{said}");
    assert!(no(&gpt().flip(backup + 56).judged(), Check::Whole).contains("backup"), "its copy changed");
    // A GPT beside an MBR, an MBR beside a GPT.
    let pi = Changed::of("uc18-pi");
    assert!(no(&pi.clone().put(512, b"EFI PART").judged(), Check::Whole).contains("two partition tables"));
    let entry = pi.bytes(446, 16);
    assert!(no(&gpt().put(462, &entry).judged(), Check::Whole).contains("two partition tables"));
    // Partitions that overlap, behind the end, without a length, with tables inside.
    assert!(no(&pi.clone().put(462 + 8, &2049_u32.to_le_bytes()).judged(), Check::Whole).contains("overlap"));
    assert!(no(&pi.clone().put(462 + 12, &u32::MAX.to_le_bytes()).judged(), Check::Whole).contains("cut short"));
    assert!(no(&pi.clone().put(462 + 12, &0_u32.to_le_bytes()).judged(), Check::Whole).contains("no length"));
    assert!(no(&pi.put(462 + 4, &[5]).judged(), Check::Whole).contains("extended"));
}

fn flate2_crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[test]
fn a_superblock_that_asks_for_memory_gets_none() {
    for (at, bytes) in [
        (0x18, 21_u32.to_le_bytes()),
        (0x18, 7_u32.to_le_bytes()),
        (0x18, u32::MAX.to_le_bytes()),
        (0x04, u32::MAX.to_le_bytes()),
        (0x150, u32::MAX.to_le_bytes()),
        (0x20, 1_u32.to_le_bytes()),
        (0x20, 0_u32.to_le_bytes()),
        (0x28, 0_u32.to_le_bytes()),
        (0x58, 0_u32.to_le_bytes()),
        (0xfe, [0xff; 4]),
        (0x14, u32::MAX.to_le_bytes()),
    ] {
        let said = refused(&superblock(at, &bytes).judged());
        assert!(said.contains("partition 2 cannot be read"), "{at:#x}: {said}");
    }
}

#[test]
fn small_inodes_in_a_superblock_that_does_not_add_up_are_refused() {
    const OF_PC: u64 = 106_496 * 512;
    for (at, bytes) in [
        (0x14, u32::MAX.to_le_bytes()),
        (0x18, 7_u32.to_le_bytes()),
        (0x18, 2_u32.to_le_bytes()),
        (0x20, 0_u32.to_le_bytes()),
        (0x20, 1_u32.to_le_bytes()),
        (0x20, 9_u32.to_le_bytes()),
        (0x28, 0_u32.to_le_bytes()),
        (0x28, 8193_u32.to_le_bytes()),
        (0x28, u32::MAX.to_le_bytes()),
        (0x68, [0; 4]),
        (0xfe, [0xff; 4]),
        (0xfe, [0; 4]),
        (0x150, u32::MAX.to_le_bytes()),
    ] {
        let said = refused(&superblock_of("uc16-amd64-small-inodes", OF_PC, at, &bytes).judged());
        assert!(said.contains("partition 3 cannot be read"), "{at:#x}: {said}");
    }
    // With the flag that requests a replay of the journal, the data that is read is not final.
    let flags = Changed::of("uc16-amd64-small-inodes").bytes(OF_PC + 1024 + 0x60, 4);
    let said = refused(&superblock_of("uc16-amd64-small-inodes", OF_PC, 0x60, &[flags[0] | 4, flags[1], flags[2], flags[3]]).judged());
    assert!(said.contains("its journal was not played back: unmount it cleanly"), "{said}");
}

#[test]
fn a_first_block_of_fat_that_does_not_add_up_is_refused() {
    for (at, bytes) in [
        (11, vec![0, 0]),
        (11, vec![0xff, 0xff]),
        (13, vec![0]),
        (13, vec![3]),
        (14, vec![0, 0]),
        (16, vec![0]),
        (16, vec![255]),
        (32, vec![0xff; 4]),
        (32, vec![0; 4]),
        (36, vec![0xff; 4]),
        (36, vec![1, 0, 0, 0]),
        (44, vec![0xff; 4]),
        (48, vec![0xff, 0xff]),
    ] {
        let said = refused(&Changed::of("uc18-pi").put(BOOT + at, &bytes).judged());
        assert!(!said.is_empty(), "{at}");
    }
}

#[test]
fn clusters_in_a_circle_come_to_an_end() {
    let image = Changed::of("uc18-pi");
    let reserved = u64::from(u16::from_le_bytes(image.bytes(BOOT + 14, 2).try_into().expect("two")));
    let fat = BOOT + reserved * 512;
    let length = usize::try_from(u32::from_le_bytes(image.bytes(BOOT + 36, 4).try_into().expect("four"))).expect("small") * 512;
    // Every cluster leads to itself, to the first one, or nowhere: the root directory has no end.
    for to in [2_u32, 3, 0, 1, 0x0fff_fff0] {
        let circle: Vec<u8> = to.to_le_bytes().repeat(length / 4);
        let said = refused(&image.clone().put(fat, &circle).judged());
        assert!(!said.is_empty(), "{to}");
    }
}

#[test]
fn any_byte_of_the_tables_may_be_any_other() {
    // Not all of them in a test: some of every table, of every image, and always the same.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for (name, places) in [
        ("uc18-pi", [(0, 512), (BOOT, 4096), (BOOT + 32 * 512, 800_000), (WRITABLE, 4096), (WRITABLE + 4096, 400_000)]),
        ("uc22-amd64", [(0, 34 * 512), (2 << 20, 4096), ((2 << 20) + 32 * 512, 20_000), (3_700_000, 20_000), (3_746_304, 200_000)]),
    ] {
        let image = Changed::of(name);
        for (start, length) in places {
            for _ in 0..40 {
                let mut changed = image.clone();
                for _ in 0..4 {
                    let byte = u8::try_from(next(256)).expect("a byte");
                    changed = changed.put(start + next(length), &[byte]);
                }
                let page = changed.judged();
                assert_eq!(page.verdicts.len(), Check::ALL.len(), "there is a verdict on everything");
            }
        }
    }
}

#[test]
fn assertions_and_yaml_of_any_length_are_bounded() {
    // In a seed, everything after the beginning of seed.yaml is aliases of aliases.
    let image = Changed::of("uc18-pi");
    let at = image.find(b"snaps:\n- name: snapd\n");
    let bomb =
        b"a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\n";
    let mut text = [bomb.as_slice(), b"e: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\nsnaps: [*f,*f,*f]\n#"].concat();
    text.resize(646, b' ');
    let page = image.put(at, &text).judged();
    let said = no(&page, Check::Model);
    assert!(said.contains("seed.yaml is not what it should be"), "{said}");
    assert_eq!(page.verdict(Check::SnapsPresent).expect("a verdict").answer, Answer::NotCovered);
}
