//! Tests of the contents of an unfinished card's head, for every way in which an attempt can end.

use std::io;
use std::time::Duration;

use nix::libc;

use super::tests::{attempt, card, flash_opened, pattern, rules, staged};
use super::*;
use crate::device::ram::{Did, Fault, RamDevice};
use crate::device::{FlushAnswer, Shortfall, Source};
use crate::station::armed::Zeroes;
use crate::station::outcome::{Act, CacheFlush, Effort, Failure, Refusal, StationFault};
use crate::station::units::{Bytes, MIB, to_u64, to_usize};

/// A card during whose calls something else happens: `hook` gets the number of calls, and how many of them were flushes.
struct Hooked<H> {
    ram: RamDevice,
    calls: usize,
    flushes: usize,
    hook: H,
}

impl<H: FnMut(&mut RamDevice, usize, usize)> Hooked<H> {
    fn call(&mut self) {
        self.calls += 1;
        (self.hook)(&mut self.ram, self.calls, self.flushes);
    }
}

impl<H: FnMut(&mut RamDevice, usize, usize)> BlockDevice for &mut Hooked<H> {
    fn length(&self) -> Bytes {
        self.ram.length()
    }
    fn logical_block(&self) -> u32 {
        self.ram.logical_block()
    }
    fn diskseq(&self) -> io::Result<u64> {
        self.ram.diskseq()
    }
    fn write_from(&mut self, at: Bytes, source: Source<'_>) -> Result<usize, Shortfall> {
        self.call();
        self.ram.write_from(at, source)
    }
    fn zero(&mut self, at: Bytes, length: Bytes) -> io::Result<()> {
        self.call();
        self.ram.zero(at, length)
    }
    fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> io::Result<usize> {
        self.call();
        self.ram.read_at(at, into)
    }
    fn flush(&mut self, patience: Duration) -> io::Result<()> {
        self.flushes += 1;
        self.call();
        self.ram.flush(patience)
    }
    fn ask_to_flush(&mut self, patience: Duration) -> FlushAnswer {
        self.call();
        self.ram.ask_to_flush(patience)
    }
    fn make(&self) -> Option<String> {
        self.ram.make()
    }
    fn sectors_written(&self) -> Option<u64> {
        self.ram.sectors_written()
    }
    fn departed(&self) -> bool {
        self.ram.departed()
    }
}

/// Runs the engine on `ram` while `hook` watches; also returns the row.
fn run(
    ram: RamDevice,
    image: &[u8],
    plan: &Plan,
    gauge: &Arc<Gauge>,
    hook: impl FnMut(&mut RamDevice, usize, usize),
) -> (End, RamDevice, Effort) {
    let mut device = Hooked { ram, calls: 0, flushes: 0, hook };
    let end = flash_opened(&mut device, 1, staged(image), Zeroes::Prove, plan, Arc::clone(gauge));
    (end, device.ram, gauge.effort())
}

fn run_quietly(ram: RamDevice, image: &[u8], plan: &Plan) -> (End, RamDevice, Effort) {
    run(ram, image, plan, &Arc::default(), |_, _, _| {})
}

fn with(length: u64, fault: Fault) -> RamDevice {
    let mut device = card(length, 512);
    device.inject(fault);
    device
}

/// An image in which every MiB begins as a boot sector, so that a card that wraps would have one in its first block.
fn bootable(length: u64) -> Vec<u8> {
    let mut image = pattern(length);
    for start in (0..image.len()).step_by(to_usize(MIB)) {
        image[start..start + 3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
        // Without a partition.
        image[start + 446..start + 510].fill(0);
        image[start + 510..start + 512].copy_from_slice(&[0x55, 0xaa]);
    }
    image
}

fn cannot_boot(device: &RamDevice) -> bool {
    let first = &device.contents()[..512];
    first.starts_with(b"FLASHLINE: this card is not finished") && first[510..] != [0x55, 0xaa]
}

#[test]
fn a_card_that_wraps_has_failed_and_its_first_block_boots_nothing() {
    let (end, device, effort) = run_quietly(with(32 * MIB, Fault::Wrap(4 * MIB)), &bootable(6 * MIB), &Plan::Write);
    assert!(matches!(end, End::Failed(Failure::FalseCapacity { .. })), "{end:?}");
    assert!(cannot_boot(&device), "a boot sector of the body stands in the first block");
    assert_eq!(effort.head, CardHead::Tombstone);
}

#[test]
fn whatever_the_card_answers_and_wherever_its_head_is_the_tombstone_in_the_end() {
    let image = bootable(6 * MIB);
    let faults = [
        Fault::WriteError { at: 3 * MIB, errno: libc::EIO },
        Fault::WriteError { at: 8 * MIB - 1, errno: libc::ENODATA },
        Fault::ReadError { at: 4 * MIB + 7, errno: libc::EIO },
        Fault::FlipOnRead { at: 5 * MIB, bits: 1 },
        Fault::FlushErrorAfter { flushes: 1, errno: libc::EIO },
        Fault::FlushErrorAfter { flushes: 2, errno: libc::EIO },
        Fault::FlushErrorAfter { flushes: 3, errno: libc::EIO },
        Fault::FlushErrorAfter { flushes: 4, errno: libc::EIO },
    ];
    for fault in faults {
        let (end, device, effort) = run_quietly(with(8 * MIB, fault.clone()), &image, &Plan::Write);
        assert!(matches!(end, End::Failed(_)), "{fault:?}: {end:?}");
        assert!(cannot_boot(&device), "{fault:?}");
        assert_eq!(effort.head, CardHead::Tombstone, "{fault:?}");
    }
    let (_, device, effort) = run_quietly(with(8 * MIB, Fault::SpoilSecondWrite { at: 700, bits: 1 }), &image, &Plan::Write);
    assert!(cannot_boot(&device));
    assert_eq!(effort.head, CardHead::Unknown, "what does not read back is not known");
}

#[test]
fn an_attempt_given_up_during_any_call_is_never_finished_and_its_card_cannot_boot() {
    let image = bootable(6 * MIB);
    let mut calls = 0;
    let (end, device, effort) = run(card(8 * MIB, 512), &image, &Plan::Write, &Arc::default(), |_, call, _| calls = call);
    assert!(matches!(end, End::Verified(_)), "{end:?}");
    assert_eq!((effort.head, &device.contents()[..image.len()]), (CardHead::Image, &image[..]));
    for given_up in 1..=calls {
        let gauge = Arc::new(Gauge::default());
        let ours = Arc::clone(&gauge);
        let (end, device, effort) = run(card(8 * MIB, 512), &image, &Plan::Write, &gauge, move |_, call, _| {
            if call == given_up {
                assert!(ours.cancel(), "it has not proven its card yet");
            }
        });
        assert_eq!(end, End::Cancelled, "given up during call {given_up} of {calls}");
        assert!(cannot_boot(&device), "given up during call {given_up} of {calls}");
        assert_eq!(effort.head, CardHead::Tombstone, "given up during call {given_up} of {calls}");
    }
}

#[test]
fn the_first_block_is_not_written_once_the_attempt_was_given_up_during_the_flush_before_it() {
    let image = bootable(3 * MIB);
    let gauge = Arc::new(Gauge::default());
    let ours = Arc::clone(&gauge);
    // The flushes of tombstone, body and marks are done.
    let (end, device, _) = run(card(4 * MIB, 512), &image, &Plan::Write, &gauge, move |_, _, flushes| {
        if flushes == 4 {
            ours.cancel();
        }
    });
    assert_eq!(end, End::Cancelled);
    let flush = device.did.iter().enumerate().filter(|(_, did)| **did == Did::Flush).nth(3).expect("the fourth").0;
    let first = device.did[flush..].iter().filter(|did| matches!(did, Did::Write { at: 0, length: 512 })).count();
    assert_eq!(first, 1, "the tombstone alone is written there: {:?}", &device.did[flush..]);
}

#[test]
fn a_proof_and_a_cancellation_exclude_each_other() {
    let gauge = Gauge::default();
    assert!(gauge.conclude());
    assert!(!gauge.cancel(), "a proven card is not given up any more");
    assert!(!gauge.is_cancelled());
    let gauge = Gauge::default();
    assert!(gauge.cancel() && gauge.cancel(), "twice is once");
    assert!(!gauge.conclude(), "what was given up is never proven");
}

#[test]
fn a_panic_ends_as_a_fault_of_the_station_and_the_tombstone_is_put_back() {
    let image = bootable(6 * MIB);
    let mut broken = false;
    let (end, device, effort) = run(card(8 * MIB, 512), &image, &Plan::Write, &Arc::default(), |_, _, flushes| {
        // The flush of the head's first block.
        if flushes == 5 && !std::mem::replace(&mut broken, true) {
            panic!("a broken promise");
        }
    });
    assert!(matches!(&end, End::StationFault(StationFault::Internal { message }) if message.contains("a broken promise")), "{end:?}");
    assert!(cannot_boot(&device));
    assert_eq!(effort.head, CardHead::Tombstone);
}

#[test]
fn where_the_tombstone_cannot_be_put_back_the_row_says_that_the_head_is_unknown() {
    let image = bootable(3 * MIB);
    let (end, _, effort) = run(card(4 * MIB, 512), &image, &Plan::Write, &Arc::default(), |ram, _, flushes| {
        let written = ram.did.iter().filter(|did| matches!(did, Did::Write { at: 0, .. })).count();
        if flushes == 5 && written == 2 {
            ram.inject(Fault::WriteError { at: 0, errno: libc::EIO });
            ram.inject(Fault::ReadError { at: 100, errno: libc::EIO });
        }
    });
    assert!(matches!(end, End::Failed(Failure::Io { act: Act::Reading, .. })), "{end:?}");
    assert_eq!(effort.head, CardHead::Unknown);
    let left = run_quietly(with(4 * MIB, Fault::LeaveAfter { calls: 9, errno: libc::EIO }), &image, &Plan::Write);
    assert_eq!((left.0, left.2.head), (End::Gone, CardHead::Tombstone), "it was there when the card left");
    let refused = run_quietly(card(2 * MIB, 512), &image, &Plan::Write);
    assert_eq!(refused.2.head, CardHead::Untouched);
}

#[test]
fn the_old_backup_table_goes_with_the_tombstone() {
    let stale = |length: u64, fault| {
        let mut device = with(length, fault);
        let last = to_usize(length) - 512;
        device.contents_mut()[last..last + 8].copy_from_slice(b"EFI PART");
        device
    };
    for length in [3 * MIB, 3 * MIB + 512, 8 * MIB] {
        let (end, device, _) = run_quietly(stale(length, Fault::ReadError { at: 77, errno: libc::EIO }), &pattern(3 * MIB), &Plan::Write);
        assert!(matches!(end, End::Failed(Failure::Io { act: Act::Reading, .. })), "{end:?}");
        let last = to_usize(length) - 512;
        assert!(!device.contents()[last..].starts_with(b"EFI PART"), "it outlives the table on a card of {length}");
        assert!(!device.did.iter().any(|did| matches!(did, Did::Zero { .. })), "the body was not begun");
    }
    let (end, device, _) = run_quietly(stale(3 * MIB, Fault::ShortCounts), &pattern(3 * MIB), &Plan::Write);
    assert!(matches!(end, End::Verified(_)), "{end:?}");
    assert_eq!(device.contents(), pattern(3 * MIB), "where the image reaches to the card's end it is the image's");
}

#[test]
fn loaders_before_the_first_partition_go_with_the_head() {
    let mut image = bootable(12 * MIB);
    image[..512].fill(0);
    image[450] = 0x0c;
    image[454..458].copy_from_slice(&(9 * 2048u32).to_le_bytes());
    image[458..462].copy_from_slice(&2048u32.to_le_bytes());
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    let flip = Fault::FlipOnRead { at: 10 * MIB, bits: 1 };
    let (end, device, effort) = run_quietly(with(16 * MIB, flip), &image, &Plan::Write);
    assert!(matches!(end, End::Failed(Failure::Mismatch { .. })), "{end:?}");
    for start in (0..9 * MIB).step_by(512) {
        assert!(device.contents()[to_usize(start)..].starts_with(b"FLASHLINE"), "a loader at byte {start} stands on a failed card");
    }
    assert_eq!(device.contents()[to_usize(9 * MIB)..][..512], image[to_usize(9 * MIB)..][..512]);
    assert_eq!(effort.head, CardHead::Tombstone);
    let (end, device, _) = run_quietly(card(16 * MIB, 512), &image, &Plan::Write);
    assert!(matches!(end, End::Verified(_)), "{end:?}");
    assert_eq!(device.contents()[..image.len()], image);
    let first_of_body = device.did.iter().position(|did| matches!(did, Did::Write { at, .. } if *at == 9 * MIB)).expect("it is written");
    let (before, behind) = device.did.split_at(first_of_body);
    let heads = |calls: &[Did]| -> u64 {
        calls
            .iter()
            .map(|did| {
                if let Did::Write { at, length } = did
                    && *at < 9 * MIB
                {
                    *length
                } else {
                    0
                }
            })
            .sum()
    };
    assert_eq!((heads(before), heads(behind)), (9 * MIB, 9 * MIB), "the tombstone whole before the body, the head whole behind it");
}

#[test]
fn a_card_whose_old_head_cannot_be_read_is_not_done_and_is_written() {
    let image = pattern(5 * MIB);
    for at in [0, 4096, MIB - 1] {
        let mut healed = false;
        // After it is written anew, it can be read again.
        let heal = |ram: &mut RamDevice, _: usize, _: usize| {
            if !healed && ram.did.iter().any(|did| matches!(did, Did::Write { at: 0, .. })) {
                healed = true;
                ram.heal();
            }
        };
        let unreadable = with(8 * MIB, Fault::ReadError { at, errno: libc::EIO });
        let (end, device, _) = run(unreadable, &image, &Plan::WriteUnlessDone, &Arc::default(), heal);
        assert!(matches!(end, End::Verified(_)), "unreadable at byte {at}: {end:?}");
        assert_eq!(device.contents()[..image.len()], image);
    }
}

#[test]
fn an_unreadable_head_on_a_card_that_may_only_be_rechecked_is_a_refusal_and_on_one_that_left_no_answer_at_all() {
    let image = pattern(5 * MIB);
    let plan = Plan::RecheckOnly(Refusal::Partitioned);
    let unreadable = || with(8 * MIB, Fault::ReadError { at: 4096, errno: libc::EIO });
    let (end, device, effort) = run_quietly(unreadable(), &image, &plan);
    assert_eq!((end, effort.head), (End::Refused(Refusal::Partitioned), CardHead::Untouched));
    assert!(device.did.iter().all(|did| matches!(did, Did::Read { .. })), "nothing was written");
    for plan in [plan, Plan::WriteUnlessDone] {
        let (end, device, _) = run_quietly(with(8 * MIB, Fault::LeaveAfter { calls: 0, errno: libc::EIO }), &image, &plan);
        assert_eq!(end, End::Gone);
        assert_eq!(to_u64(device.did.len()), 0);
    }
}

#[test]
fn all_cards_share_one_mapping_of_an_image() {
    let mappings = |path: &std::path::Path| {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
        maps.lines().filter(|line| line.ends_with(path.to_str().expect("a path in UTF-8"))).count()
    };
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), pattern(3 * MIB)).expect("a temporary file can be written");
    let image = Arc::new(
        crate::image::stage::SourceImage::open(file.path())
            .and_then(|source| source.in_place(&mut |_: Bytes, _: Bytes| {}))
            .expect("a good image"),
    );
    assert_eq!(mappings(file.path()), 1);
    let ours = attempt(1, Zeroes::Prove, &Plan::Write);
    let claim = || Session::begin(card(4 * MIB, 512), &ours, Arc::clone(&image), Arc::default(), rules()).expect("it is large enough");
    let sessions: Vec<_> = (0..16).map(|_| claim()).collect();
    assert_eq!(mappings(file.path()), 1, "with {} cards at work", sessions.len());
    drop(image);
    assert_eq!(mappings(file.path()), 1, "whoever still writes it keeps it mapped");
    drop(sessions);
    assert_eq!(mappings(file.path()), 0, "it goes with the image");
}

/// Runs the engine on a card whose device gives this answer to a flush command.
fn run_asked(answer: FlushAnswer, rules: Rules) -> (End, RamDevice, Effort) {
    let mut device = with(4 * MIB, Fault::FlushAnswer(answer));
    let gauge = Arc::new(Gauge::default());
    let (end, _) =
        flash_device(&mut device, &attempt(1, Zeroes::Prove, &Plan::WriteUnlessDone), staged(&pattern(3 * MIB)), Arc::clone(&gauge), rules);
    (end, device, gauge.effort())
}

#[test]
fn a_device_is_asked_to_flush_once_before_anything_is_written_and_the_row_says_what_it_answered() {
    let answers = [
        (FlushAnswer::Taken, CacheFlush::Asked),
        (FlushAnswer::Refused, CacheFlush::Refused),
        (FlushAnswer::Stalled, CacheFlush::Unanswered),
        (FlushAnswer::Lost, CacheFlush::Unanswered),
        (FlushAnswer::Unclear, CacheFlush::Unanswered),
        (FlushAnswer::NotScsi, CacheFlush::None),
    ];
    for (answer, word) in answers {
        let (end, device, effort) = run_asked(answer, rules());
        assert!(matches!(end, End::Verified(_)), "{answer:?}: {end:?}");
        assert_eq!(effort.flush, Some(word), "{answer:?}");
        let asked = device.did.iter().position(|did| *did == Did::Ask).expect("it is asked");
        let written = device.did.iter().position(|did| matches!(did, Did::Write { .. })).expect("it is written");
        assert!(asked < written, "{answer:?}");
        assert_eq!(device.did.iter().filter(|did| **did == Did::Ask).count(), 1, "{answer:?}");
    }
    let plain = run_quietly(card(4 * MIB, 512), &pattern(3 * MIB), &Plan::Write);
    assert_eq!(plain.2.flush, Some(CacheFlush::None), "an SD host is the kernel's own to flush");
}

#[test]
fn a_make_that_did_not_answer_is_not_asked_again_and_one_that_only_failed_is() {
    for (answer, again) in
        [(FlushAnswer::Stalled, false), (FlushAnswer::Lost, false), (FlushAnswer::Unclear, true), (FlushAnswer::Refused, true)]
    {
        let rules = rules();
        run_asked(answer, rules.clone());
        let (end, device, effort) = run_asked(FlushAnswer::Taken, rules);
        assert!(matches!(end, End::Verified(_)), "{answer:?}: {end:?}");
        assert_eq!(device.did.contains(&Did::Ask), again, "{answer:?}");
        assert_eq!(effort.flush, Some(if again { CacheFlush::Asked } else { CacheFlush::Unanswered }), "{answer:?}");
    }
}

#[test]
fn a_device_that_leaves_when_it_is_asked_is_gone_untouched_and_begun_anew_without_being_asked() {
    let rules = rules();
    let (end, device, effort) = run_asked(FlushAnswer::Gone, rules.clone());
    assert_eq!((end, effort.flush, effort.head), (End::Gone, Some(CacheFlush::Unanswered), CardHead::Untouched));
    assert!(!device.did.iter().any(|did| matches!(did, Did::Write { .. })), "nothing was written");
    let (end, device, effort) = run_asked(FlushAnswer::Gone, rules);
    assert!(matches!(end, End::Verified(_)), "{end:?}");
    assert!(!device.did.contains(&Did::Ask));
    assert_eq!(effort.flush, Some(CacheFlush::Unanswered));
}

#[test]
fn where_a_flush_is_required_a_device_that_does_not_answer_is_refused_untouched_and_one_without_a_cache_is_not() {
    for (answer, taken) in [
        (FlushAnswer::Taken, true),
        (FlushAnswer::Refused, true),
        (FlushAnswer::Stalled, false),
        (FlushAnswer::Lost, false),
        (FlushAnswer::Unclear, false),
    ] {
        let (end, device, _) = run_asked(answer, Rules { flush_required: true, ..rules() });
        assert_eq!(matches!(end, End::Verified(_)), taken, "{answer:?}: {end:?}");
        assert_eq!(matches!(end, End::Refused(Refusal::Unflushed { .. })), !taken, "{answer:?}: {end:?}");
        assert_eq!(device.contents().iter().all(|byte| *byte == 0xa5), !taken, "{answer:?}");
    }
}

#[test]
fn a_card_that_is_done_already_is_not_asked_to_flush() {
    let image = pattern(3 * MIB);
    let (_, done, _) = run_quietly(card(4 * MIB, 512), &image, &Plan::Write);
    let mut device = with(4 * MIB, Fault::FlushAnswer(FlushAnswer::Stalled));
    device.contents_mut().copy_from_slice(done.contents());
    let (end, device, effort) = run_quietly(device, &image, &Plan::WriteUnlessDone);
    assert!(matches!(end, End::Rechecked(_)), "{end:?}");
    assert_eq!((device.did.contains(&Did::Ask), effort.flush), (false, None), "nothing was written");
}

#[test]
fn memory_that_cannot_be_had_for_the_values_of_an_image_is_a_fault_of_the_station_and_not_the_end_of_the_process() {
    let error = verify::no_values(usize::MAX).expect_err("nobody has so much");
    assert!(matches!(error.into_end(), End::StationFault(StationFault::Internal { .. })));
}
