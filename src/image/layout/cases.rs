//! Images whose loaders lie outside the first MiB.

use super::*;

/// An image's first bytes with an MBR of these partitions: type, first sector.
fn mbr(partitions: &[(u8, u32)]) -> Vec<u8> {
    let mut first = vec![0; to_usize(FIRST_BYTES)];
    for (index, (kind, start)) in partitions.iter().enumerate() {
        let entry = &mut first[446 + 16 * index..][..16];
        entry[4] = *kind;
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..16].copy_from_slice(&2048u32.to_le_bytes());
    }
    first[510..512].copy_from_slice(&[0x55, 0xaa]);
    first
}

/// The same with a GPT, whose entries begin in block `entries`.
fn gpt(block: u64, entries: u64, starts: &[u64], last: u64) -> Vec<u8> {
    let mut first = mbr(&[(PROTECTIVE, 1)]);
    let header = &mut first[to_usize(block)..];
    header[..8].copy_from_slice(GPT_SIGNATURE);
    header[ALTERNATE_LBA].copy_from_slice(&last.to_le_bytes());
    header[FIRST_USABLE].copy_from_slice(&entries.wrapping_add(16_384 / block).to_le_bytes());
    header[ENTRIES_LBA].copy_from_slice(&entries.to_le_bytes());
    header[ENTRY_COUNT].copy_from_slice(&128u32.to_le_bytes());
    header[ENTRY_LENGTH].copy_from_slice(&128u32.to_le_bytes());
    for (index, start) in starts.iter().enumerate() {
        if let Some(entry) =
            first.get_mut(to_usize(entries.wrapping_mul(block)).wrapping_add(128 * index)..).filter(|rest| rest.len() >= 128)
        {
            entry[..16].fill(7);
            entry[ENTRY_START].copy_from_slice(&start.to_le_bytes());
        }
    }
    first
}

/// The number of leading pieces that belong to the head, in an image of 100 MiB.
fn leading(first: &[u8]) -> usize {
    let layout = Layout::of(first, Bytes(100 * MIB));
    layout.head().iter().enumerate().take_while(|(index, piece)| index == *piece).count()
}

#[test]
fn the_head_is_all_that_lies_before_the_first_partition_from_1_to_32_mib() {
    for (sector, mib) in [(1, 1), (63, 1), (2048, 1), (2049, 2), (8192, 4), (32_768, 16), (65_536, 32), (65_537, 32), (200_000, 32)] {
        assert_eq!(leading(&mbr(&[(0x0c, sector)])), mib, "an MBR whose partition begins at sector {sector}");
        assert_eq!(leading(&gpt(512, 2, &[u64::from(sector)], 0)), mib, "a GPT whose partition begins at sector {sector}");
    }
    assert_eq!(leading(&gpt(4096, 2, &[4096], 0)), 16, "blocks of 4096 bytes count as such");
    assert_eq!(
        leading(&mbr(&[(0x83, 40_000), (0, 5), (0x0c, 16_384)])),
        8,
        "the first on the card, not in the table; an unused one is none"
    );
    assert_eq!(leading(&gpt(512, 2, &[90_000, 20_480], 0)), 10);
}

#[test]
fn where_a_gpts_entries_lie_far_behind_its_header_what_lies_between_is_in_the_head() {
    assert_eq!(leading(&gpt(512, 24_576, &[40_000], 0)), 13, "12 MiB, and 16 KiB of entries");
}

#[test]
fn a_table_that_says_nothing_of_use_leaves_the_first_piece() {
    assert_eq!(leading(&mbr(&[])), 1);
    assert_eq!(leading(&gpt(512, 2, &[], 0)), 1);
    assert_eq!(leading(&gpt(512, u64::MAX, &[], 0)), 1);
    let short = gpt(512, 2, &[65_536], 0);
    assert_eq!(Layout::of(&short, Bytes(3 * MIB + 5)).head(), [0, 1, 2, 3], "an image that ends before its first partition is all head");
    assert_eq!(Layout::of(&short[..600], Bytes(600)).head(), [0]);
}

#[test]
fn the_backup_of_a_table_in_a_long_head_is_there_once() {
    let last = 100 * MIB / 512 - 1;
    let layout = Layout::of(&gpt(512, 2, &[8192], last), Bytes(100 * MIB));
    assert_eq!(layout.head(), [0, 1, 2, 3, 99]);
    let within = Layout::of(&gpt(512, 2, &[8192], 3 * MIB / 512), Bytes(100 * MIB));
    assert_eq!(within.head(), [0, 1, 2, 3]);
}

#[test]
fn a_file_system_without_a_table_is_of_the_blocks_it_was_made_for() {
    let of = |parts: &[(usize, &[u8])]| {
        let mut first = vec![0; to_usize(FIRST_BYTES)];
        for (at, bytes) in parts {
            first[*at..][..bytes.len()].copy_from_slice(bytes);
        }
        Layout::of(&first, Bytes(16 * MIB)).block
    };
    let boot: (usize, &[u8]) = (510, &[0x55, 0xaa]);
    let fat: (usize, &[u8]) = (13, b"\x04\x01\0\x02\0\x02\0\x10\xf8");
    assert_eq!(of(&[(0, &[0xeb, 0x58, 0x90]), (11, &[0, 2]), fat, boot]), Some(512), "FAT");
    assert_eq!(of(&[(0, &[0xeb, 0x58, 0x90]), (11, &[0, 16]), fat, boot]), Some(4096), "FAT of 4096");
    assert_eq!(of(&[(3, b"EXFAT   "), (108, &[9]), boot]), Some(512), "exFAT");
    assert_eq!(of(&[(0, b"XFSB"), (102, &[2, 0])]), Some(512), "XFS");
    assert_eq!(of(&[(0, b"XFSB"), (102, &[16, 0])]), Some(4096), "XFS of 4096");
    assert_eq!(of(&[(1080, &[0x53, 0xef]), (1048, &[0, 0, 0, 0])]), Some(512), "ext4 of small blocks");
    assert_eq!(of(&[(1080, &[0x53, 0xef]), (1048, &[2, 0, 0, 0])]), None, "ext4 of blocks of 4096 is mounted on any disk");
    assert_eq!(of(&[]), None);
}
