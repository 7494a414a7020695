//! Power cuts: the cards and the disk with the log lose, at random, what was written and not flushed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flashline_lab::{Disk, MIB, Medium, Pc, UsbStick, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{FileSystem, Run, Station, believe_write_through, is_tombstone, next_state_disk, state_disk};

const CARDS: u64 = 8;
const SPAN: u64 = 6 * MIB;

/// The moment at which the power fails.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// As soon as this number of cards was shown as good.
    Passed(usize),
    /// This time after the first card began, or when a card has something in its cache.
    Began(Duration),
}

fn slot(index: u64) -> String {
    format!("A{}", index + 1)
}

fn factory<'a>(pc: &'a Pc, image: &Image) -> Factory<'a> {
    (0..CARDS).fold(Factory::new(pc, &image.raw()), |factory, index| factory.slot(&slot(index), usb(&(index + 1).to_string())))
}

/// What a cut is worth if no cache contained anything.
const NOTHING_LOST: &str = "nothing was under way, or what was is safe: this proves nothing";

/// Eight cards, each at its own pace, so that they are in different phases at any moment. Returns how many bytes were lost.
fn lose_power(system: FileSystem, moment: Moment, seed: u64) -> u64 {
    let image = Image::new(SPAN, 7);
    let (state, sticks, shown) = {
        let pc = Pc::start();
        let state = state_disk(&pc, system);
        state.faults(|faults| faults.volatile_cache = true);
        let station = factory(&pc, &image).run();
        // Half of them show no caching page.
        believe_write_through(&pc, false);
        let sticks: Vec<UsbStick> = (0..CARDS)
            .map(|index| {
                let stick = pc.usb(&(index + 1).to_string()).size(16 * MIB).filled(index).plug();
                stick.faults(|faults| {
                    faults.volatile_cache = true;
                    faults.bytes_per_second = Some(700_000 * (index + 1));
                });
                stick
            })
            .collect();
        match moment {
            Moment::Passed(count) => drop(station.job.wait_for_nth_line(count, "^A.  PASS", secs(120))),
            Moment::Began(after) => {
                station.job.wait_for_line("^A.  WRITING", secs(120));
                sticks[0].wait_written(1, secs(120));
                std::thread::sleep(after);
                let unflushed = |stick: &UsbStick| stick.counts().bytes_since_flush > 0;
                pc.wait_until("a card with something to lose", secs(60), || sticks.iter().any(unflushed).then_some(()));
            }
        }
        // Everything stops at once. Half of each cache is lost, once the guest can no longer notice.
        let job = station.job;
        pc.power_cut();
        let end = Instant::now() + secs(20);
        while job.is_running() {
            assert!(Instant::now() < end, "the PC is off and still prints");
            std::thread::sleep(Duration::from_millis(5));
        }
        (state, sticks, job.printed())
    };
    let lost = state.power_cut(50, seed) + sticks.iter().map(|stick| stick.power_cut(50, seed)).sum::<u64>();
    println!("{system:?}, {moment:?}, seed {seed}: {lost} bytes were lost");
    let media: Vec<Arc<Medium>> = sticks.iter().map(|stick| Arc::clone(stick.medium())).collect();
    prove(&image, &state, &media, &shown);
    lost
}

/// The properties that must hold when the power is back.
fn prove(image: &Image, state: &Disk, media: &[Arc<Medium>], shown: &str) {
    let shows = |slot: &str, word: &str| shown.lines().any(|line| line.starts_with(&format!("{slot}  {word}")));
    let pc = Pc::start();
    state.faults(|faults| faults.volatile_cache = false);
    let _state = next_state_disk(&pc, state);
    let in_port = |(index, medium): (usize, &Arc<Medium>)| {
        medium.faults(|faults| *faults = flashline_lab::Faults::default());
        pc.usb(&(index + 1).to_string()).medium(medium).plug()
    };
    let sticks: Vec<UsbStick> = media.iter().enumerate().map(in_port).collect();
    sticks.iter().for_each(|stick| drop(stick.node()));
    factory(&pc, image).configured();
    let station = Station::start(&pc);
    for index in 0..CARDS {
        station.wait_for(&slot(index), "HELD");
    }
    let head = pc.sh("flashline log verify");
    let (count, hash) = head.split_once(':').expect("COUNT:HASH");
    assert!(count.parse::<u64>().is_ok() && hash.len() == 64, "the chain is whole: {head}");
    let rows = station.rows();
    let attempts: BTreeSet<u64> = rows.iter().map(|row| row["attempt"].as_u64().expect("a number")).collect();
    assert_eq!(attempts.len(), rows.len(), "one row for each attempt");
    for slot in (0..CARDS).map(slot).filter(|slot| shows(slot, "PASS")) {
        let outcomes: Vec<_> = station.rows_of(&slot).iter().map(|row| row["outcome"].clone()).collect();
        assert_eq!(outcomes, ["passed"], "{slot} was shown as good, and this is what its rows say");
    }
    for (index, medium) in (0..).zip(media) {
        let slot = slot(index);
        let rows = station.rows_of(&slot);
        assert!(rows.len() <= 1, "{slot} had one card: {rows:?}");
        let outcome = rows.first().and_then(|row| row["outcome"].as_str());
        let whole = medium.reads_as(image.raw());
        println!("  {slot}: {outcome:?}, {}", if whole { "whole" } else { "not whole" });
        assert!(!shows(&slot, "WRITING") || outcome.is_some(), "{slot} was written and has no row");
        match outcome {
            Some("passed") => assert!(whole, "{slot} passed and differs at {:?}", medium.first_difference(image.raw())),
            Some("interrupted") => {
                // If a tombstone was on its way, a card may have it instead of its old head and last block: the body is still the old one.
                let old_body = medium.first_touched_from(MIB).is_none_or(|touched| touched >= medium.size() - 512);
                assert!(whole || is_tombstone(&medium.head(64)) || old_body, "{slot} is half written and could boot");
            }
            None => assert!(medium.untouched(), "{slot} has no row and was touched at {:?}", medium.first_touched()),
            Some(other) => panic!("{slot} can be passed or interrupted, not {other}"),
        }
    }
}

#[test]
fn power_lost_as_cards_turn_green_loses_no_green_card_and_no_row() {
    assert!(lose_power(FileSystem::Ext4, Moment::Passed(3), 1) > 0, "{NOTHING_LOST}");
}

#[test]
fn long_power_lost_in_the_middle_leaves_a_whole_log_and_no_half_written_card_that_boots() {
    assert!(lose_power(FileSystem::Ext4, Moment::Began(Duration::from_millis(2500)), 2) > 0, "{NOTHING_LOST}");
}

/// The moment of the cut for each seed: as a card turns green, or some time after the first one began.
fn moment(seed: u64) -> Moment {
    match seed % 2 {
        0 => Moment::Passed(1 + usize::try_from(seed / 2 % (CARDS - 1)).expect("few")),
        _ => Moment::Began(Duration::from_millis(300 + seed * 733 % 6000)),
    }
}

#[test]
fn long_power_lost_at_forty_eight_more_moments_leaves_the_same() {
    let in_vain = (3..=50).filter(|seed| lose_power(FileSystem::Ext4, moment(*seed), *seed) == 0).count();
    assert!(in_vain <= 12, "{in_vain} times of 48: {NOTHING_LOST}");
}

#[test]
fn long_power_lost_with_the_log_on_xfs_or_btrfs_leaves_the_same() {
    for system in [FileSystem::Xfs, FileSystem::Btrfs] {
        let in_vain = (0..4).filter(|seed| lose_power(system, moment(*seed), *seed) == 0).count();
        assert!(in_vain <= 1, "{in_vain} times of 4: {NOTHING_LOST}");
    }
}

/// The head alone makes a card boot, and a card may keep any of its sectors and lose the others.
#[test]
fn power_lost_while_the_head_is_written_leaves_no_partition_table_before_the_rest_of_the_head() {
    let image = Image::new(SPAN, 7);
    let pc = Pc::start();
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("A3", usb("3")).run();
    believe_write_through(&pc, false);
    let sticks: Vec<UsbStick> = (1..=3)
        .map(|port: u64| {
            let stick = pc.usb(&port.to_string()).size(16 * MIB).filled(port).plug();
            stick.faults(|faults| (faults.volatile_cache, faults.bytes_per_second) = (true, Some(4_000_000)));
            stick
        })
        .collect();
    for stick in &sticks {
        stick.wait_counts("most of the body read back", secs(60), |counts| counts.bytes_read > SPAN - MIB);
        stick.faults(|faults| faults.delay = Duration::from_millis(60));
    }
    station.job.wait_for_nth_line(3, "^A.  FINISHING", secs(60));
    std::thread::sleep(Duration::from_millis(400));
    pc.power_cut();
    for (seed, stick) in (1..).zip(&sticks) {
        let lost = stick.power_cut(50, seed);
        let (tombstone, whole) = (is_tombstone(&stick.head(64)), stick.reads_as(image.raw()));
        println!("{lost} bytes lost; tombstone {tombstone}, whole {whole}");
        assert!(tombstone || whole, "a partition table stands before a head that is not whole");
    }
}
