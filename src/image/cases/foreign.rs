//! Tests: a file that is not a disk image, is cut short or is damaged is reported as such and never written; a good one is accepted.

use std::path::Path;

use crate::image::ImageError;
use crate::image::inspect::disk::look;
use crate::image::stage::SourceImage;
use crate::image::stage::tests::{silent, write, xz};
use crate::station::armed::Contents;
use crate::station::units::{MIB, to_u64, to_usize};

/// Prepares `image` as a command does, and examines it.
fn taken(directory: &Path, name: &str, contents: &[u8], meant: Contents) -> Result<Vec<String>, ImageError> {
    let path = write(directory, name, contents);
    let mut source = SourceImage::open(&path)?;
    source.refuse_at_sight()?;
    let staged = if source.is_raw() { source.in_place(&mut silent())? } else { source.for_now(directory, &mut silent())? };
    look(&staged, meant)
}

/// The same for a raw image, in words.
fn said(contents: &[u8], meant: Contents) -> Result<Vec<String>, String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    taken(directory.path(), "a.img", contents, meant).map_err(|error| error.to_string())
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

/// An entry of an MBR, and the place of the first entry.
const ENTRY: usize = 446;

fn entry(kind: u8, start: u32, length: u32) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[4] = kind;
    put(&mut entry, 8, &start.to_le_bytes());
    put(&mut entry, 12, &length.to_le_bytes());
    entry
}

/// An image of this many MiB with these entries in its MBR.
fn mbr(mebibytes: u64, entries: &[[u8; 16]]) -> Vec<u8> {
    let mut image = vec![0; to_usize(mebibytes * MIB)];
    for (number, entry) in entries.iter().enumerate() {
        put(&mut image, ENTRY + 16 * number, entry);
    }
    put(&mut image, 510, &[0x55, 0xaa]);
    image
}

/// Two partitions that fill 4 MiB.
fn card() -> Vec<u8> {
    mbr(4, &[entry(0x0c, 2048, 2048), entry(0x83, 4096, 4096)])
}

/// A GPT with this number of entries from block `at` on, one partition, and its backup, in an image of 4 MiB with blocks of this size.
fn gpt(block: usize, entries: u32, at: u64) -> Vec<u8> {
    gpt_with(block, entries, at, true)
}

/// The same, with or without its partition.
fn gpt_with(block: usize, entries: u32, at: u64, partition: bool) -> Vec<u8> {
    let mut image = mbr(4, &[entry(0xee, 1, 8191)]);
    let last = to_u64(image.len() / block) - 1;
    let length = entries.div_ceil(u32::try_from(block / 128).expect("small"));
    let mut table = vec![gptman::GPTPartitionEntry::empty(); usize::try_from(entries).expect("small")];
    let first = at + u64::from(length);
    if partition {
        table[0] = gptman::GPTPartitionEntry {
            partition_type_guid: [7; 16],
            unique_partition_guid: [8; 16],
            starting_lba: first,
            ending_lba: first + 9,
            attribute_bits: 0,
            partition_name: "data".into(),
        };
    }
    for (own, other, lba) in [(1, last, at), (last, 1, last - u64::from(length))] {
        let mut cursor = std::io::Cursor::new(&mut image[..]);
        let mut header = gptman::GPTHeader::new_from(&mut std::io::Cursor::new(vec![0; 4 << 20]), 512, [9; 16]).expect("a header");
        (header.primary_lba, header.backup_lba, header.partition_entry_lba) = (own, other, lba);
        header.number_of_partition_entries = entries;
        header.write_into(&mut cursor, to_u64(block), &table).expect("there is room");
    }
    image
}

/// A packet of this kind, in the older form, followed by one of encrypted data that continues.
fn pgp_sealed(kind: u8, key: &[u8]) -> Vec<u8> {
    [&[kind, u8::try_from(key.len()).expect("short")][..], key, &[0xd2, 0xed, 1, 0x5c, 0xe0]].concat()
}

fn zlib(raw: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, raw).and_then(|()| packed.finish()).expect("memory")
}

fn lzma(raw: &[u8]) -> Vec<u8> {
    let options = liblzma::stream::LzmaOptions::new_preset(6).expect("a preset");
    let stream = liblzma::stream::Stream::new_lzma_encoder(&options).expect("an encoder");
    let mut packed = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    std::io::Write::write_all(&mut packed, raw).and_then(|()| packed.finish()).expect("memory")
}

fn swu() -> Vec<u8> {
    let mut archive = vec![b'0'; 110];
    put(&mut archive, 0, b"070702");
    archive.extend_from_slice(b"sw-description\0");
    archive
}

#[test]
fn every_format_that_is_no_disk_image_is_told_by_its_name_raw_and_packed() {
    let mut lines: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a.img", b"QFI\xfb\0\0\0\x03".to_vec(), "is a qcow2 disk of a virtual machine, no disk image: convert it with `qemu-img"),
        ("a.vmdk", b"KDMV\x03\0\0\0".to_vec(), "a VMDK disk"),
        ("a.vmdk", b"# Disk DescriptorFile\nversion=1\n".to_vec(), "the description of a VMDK disk"),
        ("a.vhdx", b"vhdxfileQ\0E\0M\0U\0".to_vec(), "a VHDX disk"),
        ("a.vhd", b"conectix\0\0\0\x02".to_vec(), "a VHD disk"),
        ("a.img", b"\x3a\xff\x26\xed\x01\0\0\0".to_vec(), "an Android sparse image, no disk image: convert it with `simg2img`"),
        ("a.wic.lzo", b"\x89LZO\0\r\n\x1a\n\x10\x40".to_vec(), "a file packed with lzop, which is not read here"),
        (
            "a.img.lz4",
            b"\x04\x22\x4d\x18\x64\x40".to_vec(),
            "packed with lz4, which is not read here, no disk image: pack the image as .xz",
        ),
        ("a.img.lz", b"LZIP\x01\x17".to_vec(), "packed with lzip, which is not read here"),
        ("a.wic.7zip", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "a 7z archive"),
        ("a.img.7z", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "a 7z archive"),
        ("a.rar", b"Rar!\x1a\x07\x01\0".to_vec(), "a rar archive"),
        ("a.img", b"070701000001".to_vec(), "a cpio archive"),
        ("a.swu", b"070702000001".to_vec(), "a cpio archive"),
        ("a.img", b"\xc7\x71\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0a\0".to_vec(), "a cpio archive"),
        ("a.img", b"!<arch>\ndebian-binary   1".to_vec(), "a Debian package"),
        (
            "lfs.img",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:2d6c\nsize 33554432\n".to_vec(),
            "fetch the file with `git lfs pull`",
        ),
        ("html.img", b"<html><head><title>301</title></head></html>".to_vec(), "a web page"),
        ("html.img", b"\n  <!DOCTYPE HTML>\n".to_vec(), "a web page"),
        ("a.wic.bmap", b"<?xml version=\"1.0\" ?>\n<bmap version=\"2.0\">\n</bmap>\n".to_vec(), "a block map (.bmap)"),
        ("a.img", b"{\"error\": \"not found\"}".to_vec(), "a text (JSON)"),
        ("a.img", b"\xff\xfeh\0e\0l\0l\0o\0".to_vec(), "a text"),
        ("a.img", b"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  card.img\n".to_vec(), "a checksum"),
        ("a.img", b":10010000214601360121470136007EFE09D2190140\r\n".to_vec(), "Intel HEX"),
        ("a.img", b"UF2\nWQ]\x9e\0\x20\0\0".to_vec(), "a UF2 firmware"),
        ("a.img", b"\x7fELF\x02\x01\x01\0".to_vec(), "a program (ELF)"),
        ("a.img", b"\0\x05\x16\x07\0\x02\0\0Mac OS X".to_vec(), "name the file without `._` in front"),
        ("a.img", b"Salted__\x01\x02".to_vec(), "encrypted with openssl"),
        ("a.img", b"RKFW\x66\0".to_vec(), "a Rockchip update image"),
        ("a.img", b"IMAGEWTY\0\x03".to_vec(), "an Allwinner firmware for PhoenixCard"),
        ("a.img", b"MSWIM\0\0\0\xd0".to_vec(), "a Windows image (WIM)"),
        ("a.img", b"QED\0\0\x10\0\0".to_vec(), "a QED disk"),
        ("a.img", b"\xbe\xba\xfe\xca\0\0\0\0\x01\0\0\0".to_vec(), "a VMDK disk"),
        ("a.img", b"EVF2\r\n\x81\0\x02\x01".to_vec(), "an EnCase copy, no disk image: restore it"),
        ("a.img", b"LEF2\r\n\x81\0\x02\x01".to_vec(), "an EnCase copy"),
        ("a.img", b"sprs\0\0\0\x03".to_vec(), "a sparse disk image of macOS, no disk image: convert it on a Mac with `hdiutil"),
        ("a.img", b"encrcdsa\0\0\0\x02".to_vec(), "an encrypted disk image of macOS"),
        ("a.img", b"-----BEGIN PGP MESSAGE-----\n\njA0EBwMC\n".to_vec(), "a file encrypted with PGP, no disk image: decrypt it first"),
        ("a.img", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQGN\n".to_vec(), "a key (PGP)"),
        // A packet for a key or a password, then the encrypted data.
        ("a.img.gpg", pgp_sealed(0x8c, &[4, 9, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0xff]), "a file encrypted with PGP"),
        ("a.img", pgp_sealed(0x84, &[&[3, 1, 2, 3, 4, 5, 6, 7, 8, 1][..], &[7; 60]].concat()), "a file encrypted with PGP"),
        ("a.img", [&[0xa3, 2][..], &zlib(&[0xcb; 2000])].concat(), "a file packed and signed with PGP"),
        ("a.img.zz", zlib(&card()), "packed with zlib, which is not read here, no disk image: pack the image as .xz"),
        ("a.img", zlib(&[7; 5000]), "packed with zlib"),
        ("a.img", lzma(&card()), "packed with lzma, which is not read here"),
        ("a.img.br", vec![0x1b, 0xff, 0xff, 3], "packed with brotli, which is not read here"),
        ("a.swu", swu(), "an update for SWUpdate (.swu), no disk image: it updates a device that runs already: name the image for a card"),
    ];
    let mut ustar = vec![0; 2048];
    put(&mut ustar, 0, b"sdcard.img");
    put(&mut ustar, 257, b"ustar  \0");
    let mut old = vec![0; 2048];
    put(&mut old, 0, b"sdcard.img\0");
    put(&mut old, 100, b"0000644\0");
    let sum: u32 = old[..512].iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    put(&mut old, 148, format!("{sum:06o}\0 ").as_bytes());
    let mut vdi = vec![0; 512];
    put(&mut vdi, 0, b"<<< Oracle VM VirtualBox Disk Image >>>\n");
    put(&mut vdi, 64, &0xbeda_107f_u32.to_le_bytes());
    let mut mender = ustar.clone();
    put(&mut mender, 0, b"version\0\0\0\0");
    put(&mut mender, 512, b"{\"format\":\"mender\",\"version\":3}");
    lines.push(("sdcard.tar", ustar, "is a tar archive, no disk image: unpack it, and name the disk image"));
    lines.push(("sdcard.img", old, "a tar archive"));
    lines.push(("a.vdi", vdi, "a VDI disk"));
    lines.push(("a.mender", mender, "a Mender artifact, no disk image: it updates a device that runs already: name the image for a card"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, head, words) in lines {
        // Whatever is configured: a file that is known to be something else is never written. Some end early, others are long.
        for (meant, length) in [(Contents::Disk, head.len()), (Contents::Any, 3 * 512)] {
            let text = (head.is_ascii() && !head.contains(&0)) || head.starts_with(b"\xff\xfe");
            let contents = if text { head.clone() } else { [&head[..], &vec![0; length.saturating_sub(head.len())]].concat() };
            let raw = taken(directory.path(), name, &contents, meant).expect_err(name).to_string();
            assert!(raw.contains(words) && raw.contains(" is "), "{name}: {raw}");
            // Brotli has only its name as a sign.
            if name.ends_with(".br") {
                continue;
            }
            let packed = taken(directory.path(), &format!("{name}.xz"), &xz(&contents), meant).expect_err(name).to_string();
            let words = words.trim_start_matches("is ");
            assert!(packed.contains(words) && packed.contains(" unpacks to "), "{name}: {packed}");
        }
    }
    let twice = taken(directory.path(), "a.img.xz", &xz(&xz(&card())), Contents::Disk).expect_err("packed twice").to_string();
    assert!(twice.contains("unpacks to an xz file, no disk image: unpack it: an image may be packed, but only once"), "{twice}");
}

#[test]
fn a_disk_of_a_virtual_machine_that_is_raw_but_for_its_footer_is_told_by_it() {
    let mut vhd = card();
    let length = to_u64(vhd.len());
    let mut footer = [0; 512];
    put(&mut footer, 0, b"conectix\0\0\0\x02");
    put(&mut footer, 48, &length.to_be_bytes());
    put(&mut footer, 60, &2_u32.to_be_bytes());
    let sum: u32 = footer.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut footer, 64, &(!sum).to_be_bytes());
    let end = vhd.len() - 512;
    put(&mut vhd, end, &footer);
    assert_eq!(said(&vhd, Contents::Disk), Ok(Vec::new()), "one left over inside a disk is a disk's own affair");
    vhd = [card(), footer.to_vec()].concat();
    assert!(said(&vhd, Contents::Any).expect_err("a fixed VHD").contains("a VHD disk of a virtual machine"));
    let mut koly = [0; 512];
    put(&mut koly, 0, b"koly\0\0\0\x04\0\0\x02\0");
    assert!(said(&[card(), koly.to_vec()].concat(), Contents::Any).expect_err("a DMG").contains("DMG"));
    let sealed = [vec![0xfe; 8192], b"cdsaencr".to_vec()].concat();
    assert!(said(&sealed, Contents::Any).expect_err("a DMG").contains("an encrypted disk image of macOS"));
}

#[test]
fn what_only_begins_a_bit_like_a_packed_or_sealed_file_is_not_called_one() {
    let noise = blake3::hash(b"noise").as_bytes().repeat(64);
    for begins in [
        // zlib with contents that do not unpack; one with a dictionary; another checksum.
        &b"\x78\x9c\xff\xff\xff"[..],
        b"\x78\xbb\0\0\0\0",
        b"\x78\x9d",
        // Packets of OpenPGP with an invalid version, or with nothing behind them.
        b"\x8c\x0d\x01",
        b"\x84\x01\x03\x00",
        b"\xd2\xff\xff\xff\xff\xff\x07",
        b"\xa3\x01\xff\xff",
        // lzma's properties without its round numbers, and without the zero of its coder.
        b"\x5d\x01\x02\x03\x04",
        b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ] {
        let mut image = noise.clone();
        put(&mut image, 0, begins);
        assert!(said(&image, Contents::Disk).expect_err("noise").contains("neither a partition nor a file system"), "{begins:x?}");
        said(&image, Contents::Any).expect("somebody says that it is meant");
    }
    let signature = [&[0x89, 0, 40, 4][..], &[0; 39]].concat();
    assert!(said(&signature, Contents::Any).expect_err("alone").contains("is a signature (PGP)"));
}

#[test]
fn a_disk_of_bsd_is_taken_with_boot_code_in_front_of_its_label_or_none() {
    let labelled = |at: usize, boot: &[[u8; 16]]| {
        let mut image = mbr(4, boot);
        put(&mut image, at, b"\x57\x45\x56\x82");
        put(&mut image, at + 132, b"\x57\x45\x56\x82");
        image
    };
    // The single entry of FreeBSD's boot1 represents any disk it is written to.
    let mut whole_disk = entry(0xa5, 0, 50_000);
    whole_disk[0] = 0x80;
    let mut code = entry(0, 0, 0);
    put(&mut code, 0, b"Boot error\r\n");
    for (what, image) in [
        ("NetBSD's, no entry", labelled(512, &[])),
        ("FreeBSD's boot1", labelled(512, &[entry(0, 0, 0), entry(0, 0, 0), entry(0, 0, 0), whole_disk])),
        ("code in the place of a table", labelled(512, &[code])),
        ("a label behind the boot code", labelled(64, &[])),
    ] {
        let warnings = said(&image, Contents::Disk).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(warnings.len() == 1 && warnings[0].contains("of another kind (BSD)"), "{what}: {warnings:?}");
    }
    // A slice is a partition of the MBR, and states how long the disk is.
    let short = labelled(512, &[entry(0xa5, 63, 50_000)]);
    assert!(said(&short, Contents::Any).expect_err("a slice behind the end").contains("is cut short"));
}

#[test]
fn a_volume_of_bitlocker_is_named_and_its_boot_code_is_no_damaged_table() {
    let mut image = vec![0x5a; to_usize(MIB)];
    put(&mut image, 0, b"\xeb\x58\x90-FVE-FS-\0\x02\x08\0\0");
    put(&mut image, 510, &[0x55, 0xaa]);
    let error = said(&image, Contents::Disk).expect_err("a part of a disk");
    assert!(error.contains("is one encrypted volume (BitLocker) without a partition table") && error.contains("--contents any"), "{error}");
    assert_eq!(said(&image, Contents::Any).expect("it may be meant").len(), 1);
}

/// A UDF of this many blocks: its anchor, and a partition over the rest.
fn udf(block: usize, blocks: u32) -> Vec<u8> {
    let mut image = vec![0; block * usize::try_from(blocks).expect("small")];
    put(&mut image, 0x8000, b"\0BEA01\x01");
    put(&mut image, 0x8800, b"\0NSR03\x01");
    let mut descriptor = |kind: u16, place: u32, fields: &[(usize, u32)]| {
        let at = block * usize::try_from(place).expect("small");
        put(&mut image, at, &kind.to_le_bytes());
        put(&mut image, at + 12, &place.to_le_bytes());
        fields.iter().for_each(|(field, value)| put(&mut image, at + field, &value.to_le_bytes()));
        image[at + 4] = image[at..at + 16].iter().fold(0, |sum, byte| sum.wrapping_add(*byte));
    };
    let extent = u32::try_from(16 * block).expect("small");
    let main = u32::try_from(0x1_0000 / block).expect("small");
    descriptor(2, 256, &[(16, extent), (20, main), (24, extent), (28, 300)]);
    descriptor(1, main, &[]);
    descriptor(5, main + 1, &[(188, 257), (192, blocks - 257)]);
    descriptor(8, main + 2, &[]);
    image
}

#[test]
fn a_udf_says_how_long_it_is_and_is_taken_only_whole() {
    for block in [512, 2048] {
        let whole = udf(block, 4096);
        let warnings = said(&whole, Contents::Disk).expect("whole");
        assert!(warnings[0].contains("it is one UDF file system"), "{warnings:?}");
        let length = to_u64(whole.len());
        for cut in [512, length / 2] {
            let error = said(&whole[..to_usize(length - cut)], Contents::Any).expect_err("cut short");
            assert!(error.contains(&format!("is cut short: its UDF file system reaches to byte {length}")), "{error}");
        }
    }
}

#[test]
fn an_image_cut_short_or_with_a_damaged_table_is_not_taken_whatever_is_meant() {
    let cut = |image: &[u8], length: u64| image[..to_usize(length)].to_vec();
    let mut broken_entries = gpt(512, 128, 2);
    broken_entries[9000] ^= 1;
    let mut no_backup = gpt(512, 128, 2);
    let last = no_backup.len() - 512;
    no_backup[last..].fill(0);
    let mut unprotected = gpt(512, 128, 2);
    unprotected[510..512].fill(0);
    let mut no_gpt = gpt(512, 128, 2);
    no_gpt[512..1024].fill(0);
    let mut bad_status = card();
    bad_status[ENTRY] = 0x44;
    let extended = mbr(4, &[entry(0x83, 8, 8), entry(0x0f, 2048, 6144)]);
    for (what, image, words) in [
        (
            "an MBR",
            cut(&card(), 3 * MIB),
            "is cut short: its partition table reaches to byte 4194304, and it ends at byte 3145728: 1048576 bytes",
        ),
        ("a GPT", cut(&gpt(512, 128, 2), 3 * MIB), "is cut short: its partition table reaches to byte 4194304"),
        ("a GPT of 4096", cut(&gpt(4096, 128, 2), 3 * MIB), "is cut short"),
        ("entries a loader overwrote", broken_entries, "is damaged: its GPT"),
        ("a lost backup", no_backup, "is damaged: the backup of its GPT"),
        ("no protective MBR", unprotected, "is damaged: its GPT has no protective MBR"),
        ("no GPT", no_gpt, "is damaged: its MBR speaks of a GPT, and there is none"),
        ("an entry that is none", bad_status, "is damaged: entry 1 of its MBR begins with 0x44"),
        ("an empty extended partition", extended, "is damaged: the chain of its logical partitions breaks at byte 1048576"),
    ] {
        for meant in [Contents::Disk, Contents::Any] {
            let error = said(&image, meant).expect_err(what);
            assert!(error.contains(words), "{what}: {error}");
        }
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let part = taken(directory.path(), "card.img.001", &cut(&card(), 3 * MIB), Contents::Disk).expect_err("a part").to_string();
    assert!(part.contains("is one part of a file that was split"), "{part}");
}

#[test]
fn what_may_be_meant_is_taken_only_when_somebody_says_so_and_with_a_warning() {
    let odd = [&card()[..], &[7; 37]].concat();
    let mut squashfs = vec![0; 8192];
    put(&mut squashfs, 0, b"hsqs");
    put(&mut squashfs, 40, &5000_u64.to_le_bytes());
    let noise: Vec<u8> = blake3::hash(b"raw").as_bytes().repeat(64);
    for (image, words) in [
        (vec![0; 1 << 20], "holds nothing but zeroes"),
        (gpt_with(512, 128, 2, false), "has neither a partition nor a file system that is known here"),
        (noise, "has neither a partition nor a file system that is known here"),
        (odd, "has a length of 4194341 bytes, which no card has: it is no multiple of 512"),
        (squashfs, "is one squashfs file system without a partition table"),
    ] {
        let error = said(&image, Contents::Disk).expect_err(words);
        assert!(error.contains(words) && error.contains("contents = \"any\"") && error.contains("--contents any"), "{error}");
        let warnings = said(&image, Contents::Any).expect(words);
        assert!(warnings.len() == 1 && warnings[0].contains(words), "{warnings:?}");
    }
}

#[test]
fn one_file_system_that_fills_the_image_is_taken_with_a_warning_and_only_whole() {
    let mut fat = vec![0; to_usize(2 * MIB)];
    put(&mut fat, 0, b"\xeb\x3c\x90mkfs.fat\0\x02\x04\x01\0\x02\0\x02\0\x10\xf8");
    // Code in the place of a table, as Windows writes it.
    put(&mut fat, ENTRY, b"Remove disks or other media.");
    put(&mut fat, 510, &[0x55, 0xaa]);
    let mut ext4 = vec![0; to_usize(2 * MIB)];
    put(&mut ext4, 1024 + 4, &2048_u32.to_le_bytes());
    put(&mut ext4, 1024 + 56, &[0x53, 0xef]);
    let mut iso = vec![0; to_usize(2 * MIB)];
    put(&mut iso, 32768, b"\x01CD001\x01");
    put(&mut iso, 32768 + 80, &1024_u32.to_le_bytes());
    put(&mut iso, 32768 + 128, &2048_u16.to_le_bytes());
    // With a table over a part of it, as `xorriso` makes them; only the ISO states its length.
    let mut hybrid_iso = iso.clone();
    put(&mut hybrid_iso, ENTRY, &entry(0x17, 0, 1024));
    put(&mut hybrid_iso, 510, &[0x55, 0xaa]);
    assert_eq!(said(&hybrid_iso, Contents::Disk), Ok(Vec::new()));
    let error = said(&hybrid_iso[..to_usize(MIB)], Contents::Any).expect_err("an ISO cut short behind its table");
    assert!(error.contains("is cut short: its ISO 9660 file system reaches to byte 2097152"), "{error}");
    for (name, image) in [("FAT", fat), ("ext4", ext4), ("ISO 9660", iso)] {
        let warnings = said(&image, Contents::Disk).expect(name);
        assert!(warnings[0].contains(&format!("it is one {name} file system from its first byte on")), "{warnings:?}");
        let error = said(&image[..to_usize(MIB)], Contents::Any).expect_err(name);
        assert!(error.contains(&format!("is cut short: its {name} file system reaches to byte 2097152")), "{error}");
    }
}

#[test]
fn unusual_tables_that_systems_read_are_taken() {
    let mut hybrid = gpt(512, 128, 2);
    put(&mut hybrid, ENTRY, &entry(0x0c, 34, 10));
    put(&mut hybrid, ENTRY + 16, &entry(0xee, 1, 33));
    let mut isohybrid = mbr(4, &[entry(0x17, 0, 8192), entry(0xef, 100, 2000)]);
    put(&mut isohybrid, 32768, b"\x01CD001\x01");
    put(&mut isohybrid, 32768 + 80, &2048_u32.to_le_bytes());
    put(&mut isohybrid, 32768 + 128, &2048_u16.to_le_bytes());
    let mut logical = mbr(4, &[entry(0x83, 8, 8), entry(0x05, 2048, 6144)]);
    put(&mut logical, to_usize(MIB) + ENTRY, &entry(0x83, 8, 1000));
    put(&mut logical, to_usize(MIB) + ENTRY + 16, &entry(0x05, 2048, 2048));
    put(&mut logical, to_usize(MIB) + 510, &[0x55, 0xaa]);
    put(&mut logical, to_usize(2 * MIB) + ENTRY, &entry(0x83, 8, 1000));
    put(&mut logical, to_usize(2 * MIB) + 510, &[0x55, 0xaa]);
    let mut boot_code = card();
    put(&mut boot_code, 0, b"MZ\x90 begins as a program does");
    let mut one_copy = gpt(512, 128, 2);
    put(&mut one_copy, 512 + 32, &1_u64.to_le_bytes());
    // Its checksum, calculated again over the 92 bytes of the header with zeroes in its own place.
    put(&mut one_copy, 512 + 16, &[0; 4]);
    let mut crc = flate2::Crc::new();
    crc.update(&one_copy[512..512 + 92]);
    put(&mut one_copy, 512 + 16, &crc.sum().to_le_bytes());
    for (what, image) in [
        ("a first partition at block 1", mbr(1, &[entry(0x83, 1, 2047)])),
        ("a fake table over a whole FAT", mbr(1, &[entry(0x0c, 0, 2048)])),
        ("a hybrid MBR", hybrid),
        ("an isohybrid", isohybrid),
        ("logical partitions", logical),
        ("boot code that looks like a program", boot_code),
        ("4 entries", gpt(512, 4, 2)),
        ("56 entries", gpt(512, 56, 2)),
        ("200 entries", gpt(512, 200, 2)),
        ("entries elsewhere", gpt(512, 128, 2048)),
        ("blocks of 4096", gpt(4096, 128, 2)),
    ] {
        assert_eq!(said(&image, Contents::Disk), Ok(Vec::new()), "{what}");
    }
    assert_eq!(said(&one_copy, Contents::Disk).expect("a GPT without a backup"), ["its GPT has no backup"]);
}
