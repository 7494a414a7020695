//! Tests of the engine on a card in memory: the order of its steps, and its results for cards that lie.

use std::fs;
use std::sync::Arc;

use nix::libc;
use proptest::prelude::*;

use super::tombstone::Tombstone;
use super::*;
use crate::device::ram::{Did, Fault, RamDevice};
use crate::device::{FlushAnswer, Shortfall, Source};
use crate::image::stage::SourceImage;
use crate::station::armed::Zeroes;
use crate::station::card::{DevNum, Visit};
use crate::station::outcome::{Act, Curve, Damage, Failure, Refusal, StationFault};
use crate::station::record::AttemptNumber;
use crate::station::units::{Bytes, MIB, to_u64, to_usize};

pub(super) const VISIT: Visit = Visit { devnum: DevNum { major: 8, minor: 0 }, diskseq: 1 };

/// Every piece differs, and so does every block of it.
pub(super) fn pattern(length: u64) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((index / 512 * 7 + index % 251 + index / MIB) % 255 + 1).expect("at most 255")).collect()
}

pub(super) fn staged(raw: &[u8]) -> Arc<Staged> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), raw).expect("a temporary file can be written");
    Arc::new(SourceImage::open(file.path()).and_then(|source| source.in_place(&mut |_: Bytes, _: Bytes| {})).expect("a good image"))
}

/// A card filled with a stamp, which shows the parts that were not touched.
pub(super) fn card(length: u64, block: u32) -> RamDevice {
    let mut device = RamDevice::new(Bytes(length), block);
    device.contents_mut().fill(0xa5);
    device
}

/// The rules of a station with the default settings.
pub(super) fn rules() -> Rules {
    Rules { stall: std::time::Duration::from_secs(90), flush_required: false, retries: 0, unanswered: Arc::default() }
}

/// An attempt on the card in memory.
pub(super) fn attempt(number: AttemptNumber, zeroes: Zeroes, plan: &Plan) -> Attempt {
    let card = crate::station::card::Card { visit: VISIT, ..crate::station::testing::card("p1", VISIT.diskseq) };
    let image = Some(crate::station::armed::Armed { zeroes, ..crate::station::testing::image() });
    Attempt { image, plan: plan.clone(), ..crate::station::testing::attempt(number, "A1", card) }
}

/// Runs the engine on an opened card.
pub(super) fn flash_opened<D: BlockDevice>(
    device: D,
    number: AttemptNumber,
    image: Arc<Staged>,
    zeroes: Zeroes,
    plan: &Plan,
    gauge: Arc<Gauge>,
) -> End {
    flash_device(device, &attempt(number, zeroes, plan), image, gauge, rules()).0
}

/// Runs the engine and hands the card back.
fn run(device: RamDevice, image: &[u8]) -> (End, RamDevice) {
    let mut device = device;
    let end = flash_opened(&mut device, 1, staged(image), Zeroes::Prove, &Plan::Write, Arc::new(Gauge::default()));
    (end, device)
}

impl BlockDevice for &mut RamDevice {
    fn length(&self) -> Bytes {
        (**self).length()
    }
    fn logical_block(&self) -> u32 {
        (**self).logical_block()
    }
    fn diskseq(&self) -> std::io::Result<u64> {
        (**self).diskseq()
    }
    fn write_from(&mut self, at: Bytes, source: Source<'_>) -> Result<usize, Shortfall> {
        (**self).write_from(at, source)
    }
    fn zero(&mut self, at: Bytes, length: Bytes) -> std::io::Result<()> {
        (**self).zero(at, length)
    }
    fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> std::io::Result<usize> {
        (**self).read_at(at, into)
    }
    fn flush(&mut self, patience: std::time::Duration) -> std::io::Result<()> {
        (**self).flush(patience)
    }
    fn ask_to_flush(&mut self, patience: std::time::Duration) -> FlushAnswer {
        (**self).ask_to_flush(patience)
    }
    fn make(&self) -> Option<String> {
        (**self).make()
    }
    fn sectors_written(&self) -> Option<u64> {
        (**self).sectors_written()
    }
    fn departed(&self) -> bool {
        (**self).departed()
    }
}

fn cannot_boot(device: &RamDevice) -> bool {
    device.contents().starts_with(b"FLASHLINE: this card is not finished")
}

#[test]
fn a_good_card_holds_the_image_and_nothing_behind_it_is_touched() {
    let image = pattern(5 * MIB + 700);
    let (end, device) = run(card(8 * MIB, 512), &image);
    let End::Verified(proof) = end else { panic!("{end:?}") };
    assert_eq!(proof.digest().0, *blake3::hash(&image).as_bytes());
    assert_eq!(device.contents()[..image.len()], image);
    let padded = image.len().next_multiple_of(512);
    assert!(device.contents()[image.len()..padded].iter().all(|byte| *byte == 0), "the last block is padded with zeroes");
    // Behind the image, only the card's last MiB is written here, where a stale backup table would be, and no place of a mark.
    let far_end = to_usize(7 * MIB);
    assert!(device.contents()[padded..far_end].iter().all(|byte| *byte == 0xa5), "nothing behind it changed");
    assert!(device.contents()[far_end..].iter().all(|byte| *byte == 0), "no stale backup table, and no mark, stays");
    assert_eq!(device.off_page, 0, "every call's memory begins on a page");
}

#[test]
fn the_head_is_written_last_its_first_block_alone_and_everything_is_read_after_its_last_write() {
    let image = pattern(3 * MIB);
    for block in [512, 4096] {
        let (_, device) = run(card(4 * MIB, block), &image);
        prove_the_order(&device, u64::from(block));
    }
}

fn prove_the_order(device: &RamDevice, block: u64) {
    assert_eq!(device.did[1], Did::Write { at: 4 * MIB - block, length: block }, "the card's last block goes with the tombstone");
    assert_eq!(device.did[2], Did::Flush, "the tombstone is flushed before it is read back");
    let head = |did: &Did| matches!(did, Did::Write { at: 0, .. });
    let writes: Vec<usize> = (0..device.did.len()).filter(|index| head(&device.did[*index])).collect();
    let [tombstone, last] = writes[..] else { panic!("the head is written twice: {:?}", device.did) };
    let body_writes: Vec<usize> =
        (2..device.did.len()).filter(|index| matches!(device.did[*index], Did::Write { at, .. } if at >= MIB)).collect();
    assert!(body_writes.iter().all(|index| (tombstone + 1..last).contains(index)), "the body lies between tombstone and head");
    assert_eq!(device.did[last], Did::Write { at: 0, length: block }, "the partition table's block goes alone");
    assert_eq!(device.did[last - 1], Did::Flush, "once all else is safe");
    assert_eq!(device.did[last - 2], Did::Write { at: block, length: MIB - block }, "the rest of the head too");
    assert_eq!(device.did[last + 1], Did::Flush, "the head is flushed");
    assert!(matches!(device.did[last + 2], Did::Read { at: 0, .. }), "the head is read back after its flush");
    let last_body = *body_writes.last().expect("there is a body");
    assert_eq!(device.did[last_body + 1], Did::Flush, "the body is flushed");
    assert!(device.did[last_body + 2..last - 2].iter().any(|did| matches!(did, Did::Read { at, .. } if *at == MIB)), "then read back");
}

#[test]
fn the_backup_of_a_partition_table_goes_with_the_head() {
    let mut image = pattern(4 * MIB);
    image[512..520].copy_from_slice(b"EFI PART");
    image[544..552].copy_from_slice(&(4 * MIB / 512 - 1).to_le_bytes());
    let mut device = card(4 * MIB, 512);
    device.inject(Fault::FlipOnRead { at: 2 * MIB, bits: 1 });
    let (end, device) = run(device, &image);
    assert!(matches!(end, End::Failed(Failure::Mismatch { .. })));
    assert!(cannot_boot(&device));
    assert!(device.contents()[to_usize(3 * MIB)..].starts_with(b"FLASHLINE"), "nor from the backup");
    let (end, device) = run(card(4 * MIB, 512), &image);
    assert!(matches!(end, End::Verified(_)));
    assert_eq!(device.contents(), image);
}

#[test]
fn a_flipped_bit_is_found_at_its_byte_and_the_card_cannot_boot() {
    let image = pattern(5 * MIB);
    let at = 3 * MIB + 12345;
    let mut device = card(5 * MIB, 512);
    device.inject(Fault::FlipOnRead { at, bits: 0x10 });
    let (end, device) = run(device, &image);
    let expected = image[to_usize(at)];
    assert_eq!(
        end,
        End::Failed(Failure::Mismatch { at: Bytes(at), expected, found: expected ^ 0x10, damage: Damage::BitsFlipped { bits: 1 } })
    );
    assert!(cannot_boot(&device));
}

#[test]
fn a_head_that_does_not_come_back_fails_the_card_and_the_tombstone_is_put_back() {
    let image = pattern(3 * MIB);
    let mut device = card(4 * MIB, 512);
    let at = 1234;
    device.inject(Fault::SpoilSecondWrite { at, bits: 0x40 });
    let (end, device) = run(device, &image);
    let expected = image[to_usize(at)];
    assert_eq!(
        end,
        End::Failed(Failure::Mismatch { at: Bytes(at), expected, found: expected ^ 0x40, damage: Damage::BitsFlipped { bits: 1 } })
    );
    assert!(cannot_boot(&device));
}

#[test]
fn a_head_that_cannot_be_flushed_fails_the_card_and_the_tombstone_is_put_back() {
    let mut device = card(4 * MIB, 512);
    // The flushes of tombstone, body, marks and the rest of the head succeed, the one behind its first block does not.
    device.inject(Fault::FlushErrorAfter { flushes: 4, errno: libc::EIO });
    let (end, device) = run(device, &pattern(3 * MIB));
    assert!(matches!(end, End::Failed(Failure::Io { act: Act::Flushing, .. })), "{end:?}");
    assert!(cannot_boot(&device));
}

#[test]
fn a_flipped_bit_in_the_tombstone_is_found_before_the_body_is_written() {
    let mut device = card(2 * MIB, 512);
    device.inject(Fault::FlipOnRead { at: 77, bits: 0x80 });
    let (end, device) = run(device, &pattern(2 * MIB));
    let damage = Damage::BitsFlipped { bits: 1 };
    assert!(matches!(end, End::Failed(Failure::Mismatch { at: Bytes(77), damage: found, .. }) if found == damage), "{end:?}");
    assert!(!device.did.iter().any(|did| matches!(did, Did::Write { at, .. } if *at > 0 && *at < 2 * MIB - 512)));
}

#[test]
fn a_card_that_ignores_writes_is_caught_by_the_tombstone_before_the_body_is_written() {
    let mut device = card(4 * MIB, 512);
    device.inject(Fault::IgnoreWrites);
    let (end, device) = run(device, &pattern(4 * MIB));
    assert_eq!(end, End::Failed(Failure::WriteIgnored { at: Bytes(0) }));
    assert!(!device.did.iter().any(|did| matches!(did, Did::Write { at, .. } if *at > 0 && *at < 4 * MIB - 512)));
}

#[test]
fn a_card_that_keeps_the_tombstone_of_an_earlier_attempt_ignores_writes_and_does_not_lie_about_its_capacity() {
    for attempt in [1, 77] {
        let mut device = card(4 * MIB, 512);
        Tombstone::fresh(attempt).expect("random numbers").fill(Bytes(0), device.contents_mut());
        device.inject(Fault::IgnoreWrites);
        let (end, _) = run(device, &pattern(4 * MIB));
        assert!(matches!(end, End::Failed(Failure::WriteIgnored { at }) if at.0 < 512), "{end:?}");
    }
}

#[test]
fn a_card_that_wraps_its_addresses_never_passes() {
    let mut device = card(8 * MIB, 512);
    device.inject(Fault::Wrap(2 * MIB));
    let (end, _) = run(device, &pattern(8 * MIB));
    let End::Failed(Failure::FalseCapacity { holds: Some(_), .. }) = end else { panic!("{end:?}") };
}

/// An image with data at both ends and zeroes between.
fn sparse(length: u64) -> Vec<u8> {
    let mut image = pattern(length);
    image[to_usize(MIB + 5)..to_usize(length - MIB / 2)].fill(0);
    image
}

#[test]
fn a_card_that_claims_more_than_it_holds_never_passes_whether_it_wraps_or_drops_and_wherever_the_image_ends() {
    for image in [pattern(MIB), sparse(2 * MIB), sparse(6 * MIB), pattern(6 * MIB)] {
        for fault in [Fault::Wrap(4 * MIB), Fault::DropBehind(4 * MIB)] {
            let mut device = RamDevice::new(Bytes(32 * MIB), 512);
            device.inject(fault.clone());
            let (end, _) = run(device, &image);
            let lies = matches!(end, End::Failed(Failure::FalseCapacity { .. } | Failure::WriteIgnored { .. }));
            assert!(lies, "{fault:?}, image of {} MiB: {end:?}", to_u64(image.len()) / MIB);
        }
    }
}

#[test]
fn zeroes_a_fresh_card_holds_already_are_proven_and_not_written() {
    let image = sparse(6 * MIB);
    let (end, device) = run(RamDevice::new(Bytes(8 * MIB), 512), &image);
    assert!(matches!(end, End::Verified(_)), "{end:?}");
    assert_eq!(device.contents()[..image.len()], image);
    let written: u64 = device.did.iter().map(|did| if let Did::Write { length, .. } = did { *length } else { 0 }).sum();
    assert!(written < 4 * MIB, "only data, tombstone, head and marks were written: {written} bytes");
    let zeroed = device.did.iter().any(|did| matches!(did, Did::Zero { at, .. } if *at < 6 * MIB));
    assert!(!zeroed, "no zeroes of the image were written");
}

#[test]
fn zeroes_are_written_to_a_card_that_does_not_hold_them_and_always_when_told_so() {
    let image = sparse(6 * MIB);
    let (end, device) = run(card(8 * MIB, 512), &image);
    assert!(matches!(end, End::Verified(_)), "{end:?}");
    assert_eq!(device.contents()[..image.len()], image);
    let mut fresh = RamDevice::new(Bytes(8 * MIB), 512);
    let end = flash_opened(&mut fresh, 1, staged(&image), Zeroes::Write, &Plan::Write, Arc::new(Gauge::default()));
    assert!(matches!(end, End::Verified(_)), "{end:?}");
    assert!(fresh.did.iter().any(|did| matches!(did, Did::Zero { at, .. } if *at < 6 * MIB)));
}

#[test]
fn a_single_old_byte_that_no_sample_met_is_found_by_the_read_back_and_zeroed_once() {
    let image = sparse(6 * MIB);
    let mut device = RamDevice::new(Bytes(8 * MIB), 512);
    let place = to_usize(3 * MIB + 77_777);
    device.contents_mut()[place] = 9;
    let (end, device) = run(device, &image);
    assert!(matches!(end, End::Verified(_)), "{end:?}");
    assert_eq!(device.contents()[..image.len()], image);
}

#[test]
fn data_of_an_older_version_of_the_image_is_zeroed_and_not_taken_for_a_lie() {
    let image = sparse(6 * MIB);
    let mut device = RamDevice::new(Bytes(8 * MIB), 512);
    // A block that is in another place of the new version, at a place that no sample reads.
    let (place, block) = (to_usize(3 * MIB + 5 * 512), to_usize(MIB - 4096));
    device.contents_mut()[place..place + 512].copy_from_slice(&image[block..block + 512]);
    let (end, device) = run(device, &image);
    assert!(matches!(end, End::Verified(_)), "{end:?}");
    assert_eq!(device.contents()[..image.len()], image);
}

/// Runs the engine with the image's zeroes skipped.
fn run_skipping(mut device: RamDevice, image: &[u8]) -> (End, RamDevice) {
    let end = flash_opened(&mut device, 1, staged(image), Zeroes::Skip, &Plan::Write, Arc::new(Gauge::default()));
    (end, device)
}

/// The places of an image's zeroes that no mark touches, outside of its head.
fn skipped(image: &[u8]) -> Vec<usize> {
    let grain = to_usize(crate::image::extents::GRAIN);
    let zero = |place: &usize| image[*place..(*place + grain).min(image.len())].iter().all(|byte| *byte == 0);
    (to_usize(MIB)..image.len()).step_by(grain).filter(zero).filter(|place| !place.is_power_of_two()).collect()
}

#[test]
fn skipped_zeroes_are_neither_written_nor_read_and_such_a_card_never_passes_as_a_whole() {
    let image = sparse(6 * MIB);
    let (end, device) = run_skipping(card(8 * MIB, 512), &image);
    let End::VerifiedMapped(proof) = end else { panic!("{end:?}") };
    let places = skipped(&image);
    assert!(!places.is_empty());
    for place in places {
        assert_eq!(device.contents()[place], 0xa5, "what the card held at {place} stays");
    }
    assert!(!device.did.iter().any(|did| matches!(did, Did::Zero { at, .. } if *at < 6 * MIB)), "no zeroes of the image were written");
    let data: u64 = staged(&image).extents().data_in(&(MIB..6 * MIB)).iter().map(|range| range.end - range.start).sum();
    assert_eq!(proof.bytes(), Bytes(MIB + data), "the head whole, and of the body the data alone");
    assert!(proof.bytes() < Bytes(6 * MIB));
    let marked = device.contents().windows(9).any(|window| window == b"FLASHLINE");
    assert!(!marked, "no mark and no tombstone stays");
}

#[test]
fn skipped_zeroes_hide_neither_a_wrong_byte_of_data_nor_a_card_that_lies_about_its_capacity() {
    let image = sparse(6 * MIB);
    let data = staged(&image).extents().data_in(&(MIB..6 * MIB))[0].start;
    let mut device = card(8 * MIB, 512);
    device.inject(Fault::FlipOnRead { at: data + 5, bits: 1 });
    let (end, device) = run_skipping(device, &image);
    assert!(matches!(end, End::Failed(Failure::Mismatch { at, .. }) if at == Bytes(data + 5)), "{end:?}");
    assert!(cannot_boot(&device));
    for fault in [Fault::Wrap(4 * MIB), Fault::DropBehind(4 * MIB)] {
        let mut device = card(32 * MIB, 512);
        device.inject(fault.clone());
        let (end, device) = run_skipping(device, &image);
        assert!(matches!(end, End::Failed(Failure::FalseCapacity { .. })), "{fault:?}: {end:?}");
        assert!(cannot_boot(&device));
    }
}

#[test]
fn a_block_of_this_attempt_among_skipped_zeroes_is_a_lie_and_old_contents_are_not() {
    let image = sparse(6 * MIB);
    let staged = staged(&image);
    let grain = to_usize(crate::image::extents::GRAIN);
    let length = to_usize(MIB);
    let piece = (1..6).find(|piece| {
        let range = piece * MIB..(piece + 1) * MIB;
        !staged.extents().data_in(&range).is_empty() && !staged.extents().zeroes_in(&range).is_empty()
    });
    let piece = piece.expect("a piece with both");
    let run = session::Run { first: to_usize(piece), at: Bytes(piece * MIB), length, padded: length };
    let zero = to_usize(staged.extents().zeroes_in(&(piece * MIB..(piece + 1) * MIB))[0].start - piece * MIB);
    let (ours, others) = (Tombstone::fresh(1).expect("random"), Tombstone::fresh(1).expect("random"));
    let mut data = image[to_usize(piece * MIB)..][..length].to_vec();
    others.fill(Bytes(0), &mut data[zero..zero + 512]);
    assert_eq!(verify::hide_zeroes(&staged, &ours, run, &mut data), None, "another attempt's block is old contents");
    assert_eq!(data, image[to_usize(piece * MIB)..][..length], "what is hidden reads as the image");
    ours.fill(Bytes(7 * MIB), &mut data[zero + grain - 512..zero + grain]);
    let at = Bytes(piece * MIB + to_u64(zero + grain - 512));
    assert_eq!(verify::hide_zeroes(&staged, &ours, run, &mut data), Some((at, Bytes(7 * MIB))));
}

#[test]
fn what_came_back_is_named_by_its_kind() {
    let image = pattern(4 * MIB);
    let at = to_usize(2 * MIB);
    let damaged = |spoil: &dyn Fn(&mut [u8])| {
        let mut medium = image.clone();
        spoil(&mut medium);
        let wrong = diagnose::first_wrong(Bytes(0), &medium, &image).expect("it is damaged").1;
        wrong.damage(&staged(&image))
    };
    assert_eq!(damaged(&|medium| medium[at..at + 4096].fill(0)), Damage::Zeroes);
    assert_eq!(damaged(&|medium| medium[at..at + 4096].fill(0xff)), Damage::Ones);
    assert_eq!(damaged(&|medium| medium[at + 3] ^= 0x11), Damage::BitsFlipped { bits: 2 });
    assert_eq!(damaged(&|medium| medium.copy_within(at - 1024..at + 3072, at)), Damage::Shifted { sectors: 2 });
    assert_eq!(damaged(&|medium| medium.copy_within(at + 512..at + 4096, at)), Damage::Shifted { sectors: -1 });
    assert_eq!(
        damaged(&|medium| (0..4096).for_each(|offset| medium[at + offset] = medium[at + offset].wrapping_mul(31).wrapping_add(7))),
        Damage::Other
    );
}

#[test]
fn a_staged_image_that_was_cut_is_the_stations_fault_and_no_signal() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), pattern(3 * MIB)).expect("a temporary file can be written");
    let image =
        Arc::new(SourceImage::open(file.path()).and_then(|source| source.in_place(&mut |_: Bytes, _: Bytes| {})).expect("a good image"));
    file.as_file().set_len(MIB + 4096).expect("it can be cut");
    let mut device = card(3 * MIB, 512);
    let end = flash_opened(&mut device, 1, image, Zeroes::Prove, &Plan::Write, Arc::new(Gauge::default()));
    assert!(matches!(end, End::StationFault(StationFault::Image { .. })), "{end:?}");
    assert!(cannot_boot(&device));
}

#[test]
fn errors_keep_what_was_done_where_and_the_errors_number() {
    let image = pattern(3 * MIB);
    let span = Bytes(3 * MIB);
    let with = |fault| {
        let mut device = card(4 * MIB, 512);
        device.inject(fault);
        run(device, &image)
    };
    let at = Bytes(MIB);
    let (end, device) = with(Fault::WriteError { at: MIB + 5, errno: libc::EIO });
    assert_eq!(end, End::Failed(Failure::Io { act: Act::Writing, at, span, errno: Some(libc::EIO) }));
    assert!(cannot_boot(&device));
    let (end, device) = with(Fault::ReadError { at: MIB + 5, errno: libc::ENODATA });
    assert_eq!(end, End::Failed(Failure::Io { act: Act::Reading, at, span, errno: Some(libc::ENODATA) }));
    assert!(cannot_boot(&device));
    let (end, _) = with(Fault::FlushError(libc::EIO));
    assert_eq!(end, End::Failed(Failure::Io { act: Act::Flushing, at: span, span, errno: Some(libc::EIO) }));
}

#[test]
fn a_station_that_has_no_memory_for_a_call_does_not_charge_it_to_the_card() {
    for fault in [
        Fault::WriteError { at: MIB + 5, errno: libc::ENOMEM },
        Fault::ReadError { at: MIB + 5, errno: libc::ENOMEM },
        Fault::FlushError(libc::ENOMEM),
    ] {
        let mut device = card(4 * MIB, 512);
        device.inject(fault.clone());
        let (end, device) = run(device, &pattern(3 * MIB));
        assert!(
            matches!(&end, End::StationFault(StationFault::Internal { message }) if message.contains("of the card")),
            "{fault:?}: {end:?}"
        );
        assert!(cannot_boot(&device), "{fault:?}");
    }
}

#[test]
fn an_error_from_a_card_that_left_is_not_the_cards_fault_whatever_its_number() {
    for errno in [libc::ENODEV, libc::EIO, libc::ENOSPC, libc::ENOMEDIUM] {
        let mut device = card(4 * MIB, 512);
        device.inject(Fault::LeaveAfter { calls: 4, errno });
        assert_eq!(run(device, &pattern(4 * MIB)).0, End::Gone, "errno {errno}");
    }
}

#[test]
fn a_medium_swapped_at_any_call_never_passes() {
    let image = pattern(3 * MIB);
    let calls = {
        let (_, device) = run(card(3 * MIB, 512), &image);
        to_u64(device.did.len())
    };
    for after in 0..calls {
        let mut device = card(3 * MIB, 512);
        device.inject(Fault::SwapAfter(after));
        let (end, device) = run(device, &image);
        assert_eq!(end, End::Gone, "swapped after call {after} of {calls}");
        assert!(device.written_after_swap() <= 1, "at most the call under way reached the other card, at {after} of {calls}");
    }
}

#[test]
fn a_card_found_too_small_when_opened_is_refused_untouched() {
    let (end, device) = run(card(2 * MIB, 512), &pattern(2 * MIB + 1));
    assert_eq!(end, End::Refused(Refusal::TooSmall { capacity: Bytes(2 * MIB), needs: Bytes(2 * MIB + 1) }));
    assert!(device.contents().iter().all(|byte| *byte == 0xa5));
}

#[test]
fn a_cancelled_attempt_stops_and_its_card_cannot_boot() {
    let gauge = Arc::new(Gauge::default());
    gauge.cancel();
    let mut device = card(2 * MIB, 512);
    assert_eq!(flash_opened(&mut device, 1, staged(&pattern(2 * MIB)), Zeroes::Prove, &Plan::Write, gauge), End::Cancelled);
    assert!(device.did.is_empty(), "it was cancelled before the first write");
}

#[test]
fn an_image_that_changed_since_it_was_staged_is_the_stations_fault_not_the_cards() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), pattern(3 * MIB)).expect("a temporary file can be written");
    let image =
        Arc::new(SourceImage::open(file.path()).and_then(|source| source.in_place(&mut |_: Bytes, _: Bytes| {})).expect("a good image"));
    let mut changed = pattern(3 * MIB);
    changed[to_usize(2 * MIB)] ^= 1;
    fs::write(file.path(), &changed).expect("a temporary file can be written");
    let mut device = card(3 * MIB, 512);
    let end = flash_opened(&mut device, 1, image, Zeroes::Prove, &Plan::Write, Arc::new(Gauge::default()));
    assert!(matches!(end, End::StationFault(StationFault::Image { errno: None, .. })), "{end:?}");
    assert!(cannot_boot(&device));
}

#[test]
fn a_panic_in_a_cards_thread_is_that_cards_failure() {
    let end = contained(|| -> Result<End, FlashError> { panic!("a broken promise") }).unwrap_or_else(FlashError::into_end);
    assert_eq!(end, End::StationFault(StationFault::Internal { message: "a broken promise".to_owned() }));
}

#[test]
fn effort_is_counted_for_the_row() {
    let gauge = Arc::new(Gauge::default());
    let mut device = card(4 * MIB, 512);
    let end = flash_opened(&mut device, 1, staged(&pattern(3 * MIB)), Zeroes::Prove, &Plan::Write, Arc::clone(&gauge));
    assert!(matches!(end, End::Verified(_)));
    let effort = gauge.effort();
    let marks = 512;
    assert_eq!(effort.written, Bytes(5 * MIB + 2 * marks), "tombstone, body, head; the far end, and in it the last block, and a mark");
    assert_eq!(effort.head, CardHead::Image);
    assert_eq!(effort.read, Bytes(5 * MIB + marks), "tombstone twice, body and head; a mark");
    assert!(effort.slowest_call <= effort.total);
    assert!(effort.slowest_was.is_some_and(|(_, at)| at <= Bytes(4 * MIB)));
    for (what, rates) in [("written", &effort.curve.writing), ("read", &effort.curve.reading)] {
        assert_eq!(rates.len(), Curve::PARTS, "{what}");
        assert!(rates.iter().all(Option::is_some), "every part of an image without zeroes was {what}");
    }
    let skipped = Arc::new(Gauge::default());
    let sparse = sparse(6 * MIB);
    let end = flash_opened(&mut card(8 * MIB, 512), 1, staged(&sparse), Zeroes::Write, &Plan::Write, Arc::clone(&skipped));
    assert!(matches!(end, End::Verified(_)));
    let curve = skipped.effort().curve;
    assert!(curve.writing[8..24].iter().all(Option::is_none), "zeroing by the kernel says nothing about a card's speed");
    assert!(curve.reading.iter().all(Option::is_some));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the image's zeroes are: where the image has data, the card holds it, and elsewhere only marks changed.
    #[test]
    fn with_zeroes_skipped_the_card_holds_the_data_and_everything_else_stays(
        grains in proptest::collection::vec(any::<bool>(), 1..64), cut in 0u64..60_000, large_blocks: bool, short: bool
    ) {
        let block = if large_blocks { 4096 } else { 512 };
        let grain = crate::image::extents::GRAIN;
        let mut image = pattern(MIB + to_u64(grains.len()) * grain);
        for (index, _) in grains.iter().enumerate().filter(|(_, data)| !**data) {
            let start = to_usize(MIB + to_u64(index) * grain);
            image[start..start + to_usize(grain)].fill(0);
        }
        image.truncate(image.len() - to_usize(cut));
        let mut device = card(8 * MIB, block);
        if short {
            device.inject(Fault::ShortCounts);
        }
        let (end, device) = run_skipping(device, &image);
        prop_assert!(matches!(end, End::VerifiedMapped(_)), "{end:?}");
        prop_assert_eq!(&device.contents()[..to_usize(MIB)], &image[..to_usize(MIB)], "the head is whole");
        let extents = staged(&image);
        for data in extents.extents().data() {
            prop_assert_eq!(&device.contents()[to_usize(data.start)..to_usize(data.end)], &image[to_usize(data.start)..to_usize(data.end)]);
        }
        for place in skipped(&image) {
            prop_assert_eq!(device.contents()[place], 0xa5);
        }
    }

    /// Odd lengths, both block sizes, short counts and interruptions: the card holds the image, and nothing behind it changed.
    #[test]
    fn whatever_the_length_and_the_block_the_card_holds_the_image(
        length in 1u64..3 * MIB, large_blocks: bool, short: bool, interrupted: bool, spare in 0u64..8
    ) {
        let block = if large_blocks { 4096 } else { 512 };
        let image = pattern(length);
        let padded = length.next_multiple_of(block);
        let mut device = card(padded + spare * block, u32::try_from(block).expect("4096 at most"));
        if short {
            device.inject(Fault::ShortCounts);
        }
        if interrupted {
            device.inject(Fault::Interruptions);
        }
        let (end, device) = run(device, &image);
        prop_assert!(matches!(end, End::Verified(_)), "{end:?}");
        prop_assert_eq!(&device.contents()[..image.len()], &image[..]);
        prop_assert!(device.contents()[image.len()..to_usize(padded)].iter().all(|byte| *byte == 0));
        let behind = &device.contents()[to_usize(padded)..];
        prop_assert!(behind.iter().all(|byte| *byte == 0), "the far end is wiped, and no mark stays");
    }
}
