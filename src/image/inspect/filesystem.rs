//! Recognises an image without a partition table that is one file system, by its superblock, and reads the length that the file system
//! states. Its contents are not read.

use super::read_error::ReadError;
use super::readers::squashfs::{Inode, Squashfs};
use super::readers::window::Window;
use super::snap;
use crate::image::foreign::Foreign;
use crate::image::superblock::{At, EXFAT, EXT, XFS, is_fat};
use crate::station::units::to_usize;

/// The file system that fills the whole image.
#[derive(Debug)]
pub(super) struct Alone {
    /// The name for people, such as "FAT file system".
    pub(super) name: &'static str,
    /// Its end as it states it, if it does.
    pub(super) needs: Option<u64>,
    /// Systems boot from cards with only this file system. Other file systems are parts of an image, and are hardly ever intended.
    pub(super) boots: bool,
    /// An ISO has its own table, whose partitions overlap.
    pub(super) is_iso: bool,
}

/// Recognises it by `head`, the first 64 KiB, and by the one superblock that lies behind them.
pub(super) fn of(image: &Window, head: &[u8]) -> Result<Option<Alone>, ReadError> {
    let head = At(head);
    let boots = |name, needs: Option<u64>| Some(Alone { name, needs, boots: true, is_iso: false });
    let part = |name, needs: Option<u64>| Some(Alone { name, needs, boots: false, is_iso: false });
    let product = |a: Option<u64>, b: Option<u64>| a?.checked_mul(b?);
    let shifted = |by: Option<u64>| 1_u64.checked_shl(u32::try_from(by?).ok()?);
    // ECMA-119, 8.4: a volume's length in blocks, and the length of a block.
    if head.is(0x8001, b"CD001") {
        let needs = product(head.little(0x8050, 4), head.little(0x8080, 2));
        return Ok(Some(Alone { name: "ISO 9660 file system", needs, boots: true, is_iso: true }));
    }
    if head.is(3, b"NTFS    ") {
        // The backup of the boot sector follows the last counted one.
        let sectors = head.little(40, 8).and_then(|sectors| sectors.checked_add(1));
        return Ok(boots("NTFS file system", product(sectors, head.little(11, 2))));
    }
    if head.has(EXFAT) {
        return Ok(boots("exFAT file system", product(head.little(72, 8), shifted(head.little(108, 1)))));
    }
    if is_fat(&head) {
        let sectors = head.little(19, 2).filter(|sectors| *sectors != 0).or_else(|| head.little(32, 4));
        return Ok(boots("FAT file system", product(sectors, head.little(11, 2))));
    }
    if head.has(EXT) {
        let is_64bit = head.little(0x460, 4).is_some_and(|features| features & 0x80 != 0);
        let high = if is_64bit { head.little(0x550, 4).unwrap_or(0) << 32 } else { 0 };
        let blocks = head.little(0x404, 4).map(|low| low | high);
        let block = shifted(head.little(0x418, 4).map(|log| log.saturating_add(10)));
        return Ok(boots("ext4 file system", product(blocks, block)));
    }
    if head.has(XFS) {
        return Ok(boots("XFS file system", product(head.big(8, 8), head.big(4, 4))));
    }
    if head.is(0x400, b"\x10\x20\xf5\xf2") {
        return Ok(boots("F2FS file system", product(head.little(0x424, 8), shifted(head.little(0x410, 4)))));
    }
    if head.is(0x400, b"H+\0\x04") || head.is(0x400, b"HX\0\x05") {
        return Ok(boots("HFS+ file system", product(head.big(0x42c, 4), head.big(0x428, 4))));
    }
    if head.is(0x8001, b"BEA01") {
        return Ok(boots("UDF file system", udf_end(image)?));
    }
    if head.is(0, b"hsqs") {
        return Ok(part("squashfs file system", head.little(40, 8)));
    }
    if head.is(0x400, b"\xe2\xe1\xf5\xe0") {
        return Ok(part("EROFS file system", product(head.little(0x424, 4), shifted(head.little(0x40c, 1)))));
    }
    if head.is(0, b"\x45\x3d\xcd\x28") {
        return Ok(part("cramfs file system", head.little(4, 4)));
    }
    if head.is(0, b"-rom1fs-") {
        return Ok(part("romfs file system", head.big(8, 4)));
    }
    if head.is(0, b"LUKS\xba\xbe") {
        return Ok(part("encrypted volume (LUKS)", None));
    }
    if head.is(3, b"-FVE-FS-") {
        return Ok(part("encrypted volume (BitLocker)", None));
    }
    if head.is(3, b"ReFS\0\0\0\0") {
        return Ok(part("ReFS file system", product(head.little(0x18, 8), head.little(0x20, 4))));
    }
    if head.is(0x200, b"LABELONE") {
        return Ok(part("volume of LVM", None));
    }
    if head.is(0xff6, b"SWAPSPACE2") {
        return Ok(part("swap area", None));
    }
    let mut superblock = [0; 0x78];
    if image.read_exact_at(0x1_0000, &mut superblock).is_ok() {
        let superblock = At(&superblock);
        if superblock.is(0x40, b"_BHRfS_M") {
            return Ok(boots("btrfs file system", superblock.little(0x70, 8)));
        }
    }
    Ok(None)
}

/// Blocks of a UDF.
const UDF_BLOCKS: [u64; 4] = [512, 1024, 2048, 4096];
/// The block of the anchor that every UDF on a disk has (ECMA-167, part 3, 8.4.2.1).
const UDF_ANCHOR: u64 = 256;
/// Limit of descriptors in its sequence: usually a handful; there is room for sixteen (UDF 2.60, 2.2.3.1).
const UDF_DESCRIPTORS: u64 = 64;

/// The end of a UDF as it states it: what its anchor and its partition descriptors cover. `None` if the anchor is missing or damaged:
/// others may be at the end.
fn udf_end(image: &Window) -> Result<Option<u64>, ReadError> {
    for block in UDF_BLOCKS {
        let Some(anchor) = udf_descriptor(image, block, UDF_ANCHOR)?.filter(|anchor| At(anchor).little(0, 2) == Some(2)) else { continue };
        let anchor = At(&anchor);
        let extent = |at| Some((anchor.little(at + 4, 4)?, anchor.little(at, 4)?.div_ceil(block)));
        let (Some((main, blocks)), Some((reserve, reserve_blocks))) = (extent(16), extent(24)) else { return Ok(None) };
        let mut end = (main + blocks).max(reserve + reserve_blocks).max(UDF_ANCHOR + 1);
        for place in main..main + blocks.min(UDF_DESCRIPTORS) {
            let Some(descriptor) = udf_descriptor(image, block, place)? else { break };
            let descriptor = At(&descriptor);
            match descriptor.little(0, 2) {
                // A partition: its first block, and how many it has.
                Some(5) => {
                    end = end.max(descriptor.little(188, 4).zip(descriptor.little(192, 4)).map_or(0, |(first, count)| first + count));
                }
                // The last one.
                Some(8) => break,
                _ => {}
            }
        }
        return Ok(end.checked_mul(block));
    }
    Ok(None)
}

/// The descriptor in this block, if its tag is valid (ECMA-167, part 3, 7.2): it contains its own place and a correct checksum.
fn udf_descriptor(image: &Window, block: u64, place: u64) -> Result<Option<[u8; 512]>, ReadError> {
    let mut bytes = [0; 512];
    let at = place.saturating_mul(block);
    if at.saturating_add(512) > image.length() {
        return Ok(None);
    }
    image.read_exact_at(at, &mut bytes)?;
    let sum = bytes[..16].iter().enumerate().filter(|(at, _)| *at != 4).fold(0_u8, |sum, (_, byte)| sum.wrapping_add(*byte));
    let holds = sum == bytes[4] && At(&bytes).little(12, 4) == Some(place);
    Ok(holds.then_some(bytes))
}

/// The use of a squashfs that is not the image of a card: a snap, or the bundle of an updater.
pub(super) fn sealed(image: &Window, alone: Option<&Alone>) -> Option<Foreign> {
    let alone = alone.filter(|alone| alone.name.starts_with("squashfs"))?;
    if is_rauc(image, alone.needs?) {
        return Some(Foreign {
            name: "a RAUC bundle",
            cure: "it updates a device that runs already: name the image for a card, often .wic, .img or .sdcard",
        });
    }
    let mut files = Squashfs::open(Box::new(image.clone())).ok()?;
    let is_snap = matches!(files.find(snap::YAML), Ok(Some(Inode::File(_))));
    is_snap.then_some(Foreign { name: "a snap", cure: "name the image it was built into" })
}

/// The file system is followed by a signature, a sequence in DER, and then by its length (RAUC's manual, "Bundle Formats").
fn is_rauc(image: &Window, end: u64) -> bool {
    let mut number = [0; 8];
    let Some(at) = image.length().checked_sub(8) else { return false };
    if image.read_exact_at(at, &mut number).is_err() {
        return false;
    }
    let length = u64::from_be_bytes(number);
    let Some(signature) = at.checked_sub(length).filter(|start| length > 0 && *start >= end) else { return false };
    let mut first = [0; 2];
    to_usize(length) > first.len() && image.read_exact_at(signature, &mut first).is_ok() && first[0] == 0x30
}
