//! The soak: random sticks, faults and power cuts on sixteen slots, beside an oracle that knows what each stick must hold.
//!
//! A *life* is a PC from its start to its power cut. Each slot has a hand of its own, which puts sticks in and takes them out; the log's disk
//! goes from life to life. `hardware-tests/soak` runs it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use flashline_lab::{Disk, Job, MIB, Medium, Pc, SdCard, UsbStick, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, rows, sd, usb};
use crate::matrix::cells::{Cell, Source, all};
use crate::matrix::expected::expected;
use crate::matrix::faults::Fault;
use crate::matrix::moments::{Moment, SPAN};
use crate::matrix::run::ENDS;
use crate::station::{FileSystem, first_stray, is_tombstone, next_state_disk, state_disk};

/// Sticks; the sixteenth slot has SD cards.
const STICKS: u64 = 15;
const SD: &str = "S1";
const CAPACITY: u64 = 16 * MIB;
/// How long an attempt may take among fifteen others, on a busy machine.
const AN_ATTEMPT: Duration = secs(600);

/// Numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn of(seed: u64, life: u64, slot: u64) -> Self {
        let mut random = Self(seed ^ life.rotate_left(40) ^ slot.rotate_left(20));
        random.below(2);
        random
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// A stick or card as the oracle knows it.
#[derive(Debug)]
struct Known {
    slot: String,
    serial: String,
    /// The fault that strikes it, if any.
    cell: Option<Cell>,
    medium: Arc<Medium>,
    /// How many ends its slot had shown before it.
    ends_before: usize,
    /// Its end, as its slot showed it.
    shown: Option<String>,
    /// It was in its slot when the power was cut.
    was_cut: bool,
}

/// A stick in a port, or a card in the SD slot.
enum InSlot {
    Stick(UsbStick),
    Sd(SdCard),
}

impl InSlot {
    fn medium(&self) -> &Arc<Medium> {
        match self {
            Self::Stick(stick) => stick.medium(),
            Self::Sd(card) => card.medium(),
        }
    }

    fn take_out(&self) {
        match self {
            Self::Stick(stick) => stick.pull(),
            Self::Sd(card) => card.eject(),
        }
    }
}

/// A PC with a station, until its power is cut.
struct Life {
    number: u64,
    seed: u64,
    /// None: the power is cut. Whoever plugs or pulls something holds it for reading.
    pc: RwLock<Option<Pc>>,
    job: Job,
    ends: AtomicBool,
    /// The card in each slot.
    media: Mutex<BTreeMap<u64, Arc<Medium>>>,
}

impl Life {
    /// Has a card something in its cache that a power cut would take?
    fn has_something_to_lose(&self) -> bool {
        let media = self.media.lock().unwrap_or_else(PoisonError::into_inner);
        media.values().any(|medium| medium.faults(|faults| faults.volatile_cache) && medium.counts().bytes_since_flush > 0)
    }

    /// Does something on the PC; `None` if it has no power any more.
    fn on_pc<R>(&self, does: impl FnOnce(&Pc) -> R) -> Option<R> {
        self.pc.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(does)
    }

    /// Waits until this is so; false if the power is cut before.
    fn wait(&self, what: &str, is_so: impl Fn() -> bool) -> bool {
        let began = Instant::now();
        while !is_so() {
            if self.ends.load(SeqCst) {
                return false;
            }
            assert!(began.elapsed() < AN_ATTEMPT, "life {}: {what}: not within {AN_ATTEMPT:?}:\n{}", self.number, self.job.printed());
            thread::sleep(Duration::from_millis(200));
        }
        true
    }

    fn count(&self, slot: &str, sign: &str) -> usize {
        self.job.count_lines(&format!("^{slot}  {sign}"))
    }

    /// The last sign of this kind in the slot.
    fn last(&self, slot: &str) -> Option<String> {
        let printed = self.job.printed();
        let own = printed.lines().filter_map(|line| line.strip_prefix(slot)?.strip_prefix("  "));
        own.filter(|line| ENDS.trim_matches(['(', ')']).split('|').any(|word| line.starts_with(word))).next_back().map(str::to_owned)
    }

    /// Puts in one stick after the other, until the power is cut. Returns all of them.
    fn hand(&self, slot: u64) -> Vec<Known> {
        let mut random = Random::of(self.seed, self.number, slot);
        let mut known = Vec::new();
        while !self.ends.load(SeqCst) {
            let serial = format!("SOAK-{}-{}-{}", self.number, slot, known.len());
            let Some(own) = self.one(slot, serial, &mut random) else { break };
            known.push(own);
        }
        known
    }

    fn one(&self, slot: u64, serial: String, random: &mut Random) -> Option<Known> {
        let name = if slot == STICKS { SD.to_owned() } else { format!("A{}", slot + 1) };
        let cells: Vec<Cell> = all().into_iter().filter(|cell| cell.fault.strikes_alone()).collect();
        let place = usize::try_from(random.below(u64::try_from(cells.len()).expect("small"))).expect("small");
        let mut cell = cells[place];
        (cell.is_used, cell.source) = (random.below(2) == 0, if random.below(3) == 0 { Source::Uas } else { Source::Bulk });
        let is_good = slot == STICKS || random.below(2) == 0;
        let is_volatile = random.below(2) == 0;
        // Some are as slow as cards are, so that at any moment one is in the middle of each step.
        let pace = [None, Some(MIB), Some(4 * MIB)][usize::try_from(random.below(3)).expect("small")];
        let before = self.count(&name, ENDS);
        let in_slot = self.on_pc(|pc| {
            if slot == STICKS {
                return InSlot::Sd(pc.sd(0).size(CAPACITY).filled(1).faulty().insert());
            }
            let stick = pc.usb(&(slot + 1).to_string()).serial(&serial).size(CAPACITY);
            let stick = if cell.is_used { stick.filled(1) } else { stick };
            let stick = if cell.source == Source::Uas { stick.uas().plug() } else { stick.plug() };
            stick.faults(|faults| (faults.volatile_cache, faults.bytes_per_second) = (is_volatile, pace));
            if !is_good && cell.moment != Moment::Proven {
                stick.stop_at(cell.moment.stops());
            }
            InSlot::Stick(stick)
        })?;
        let medium = Arc::clone(in_slot.medium());
        self.media.lock().unwrap_or_else(PoisonError::into_inner).insert(slot, Arc::clone(&medium));
        let mut known =
            Known { slot: name.clone(), serial, cell: (!is_good).then_some(cell), medium, ends_before: before, shown: None, was_cut: true };
        let mut is_out = false;
        if let (false, InSlot::Stick(stick)) = (is_good, &in_slot) {
            if cell.moment != Moment::Proven && !self.wait(&cell.name(), || stick.stopped().is_some()) {
                return Some(known);
            }
            if cell.fault == Fault::Pulled {
                if cell.moment == Moment::Proven && !self.wait(&cell.name(), || self.count(&name, ENDS) > before) {
                    return Some(known);
                }
                known.shown = if cell.moment == Moment::Proven { self.last(&name) } else { None };
                if self.on_pc(|_| stick.pull()).is_none() {
                    return Some(known);
                }
                is_out = true;
            } else {
                cell.fault.strike_alone(stick);
            }
        }
        if !self.wait(&format!("{name} ends with {:?}", known.cell), || self.count(&name, ENDS) > before) {
            return Some(known);
        }
        known.shown = self.last(&name);
        // Until it is out, its claim stands, and its contents are what the sign says.
        known.was_cut = false;
        let shown = known.shown.clone().unwrap_or_default();
        assert!(
            !shown.starts_with("PASS") || known.holds_its_image(),
            "life {}: {name} is green and is not the image: {known:?}",
            self.number
        );
        let empties = self.count(&name, "EMPTY");
        if !is_out && self.on_pc(|_| in_slot.take_out()).is_none() {
            known.was_cut = true;
            return Some(known);
        }
        // PULLED stays until the next card.
        if !shown.starts_with("PULLED") {
            let _cut = self.wait(&format!("{name} is empty"), || self.count(&name, "EMPTY") > empties || is_out);
        }
        Some(known)
    }
}

impl Known {
    fn holds_its_image(&self) -> bool {
        self.medium.reads_as(IMAGE.raw())
    }
}

/// One image for all lives.
static IMAGE: std::sync::LazyLock<Image> = std::sync::LazyLock::new(|| Image::new(SPAN, 7));

/// The factory of every life.
fn factory(pc: &Pc) -> Factory<'_> {
    let factory = Factory::new(pc, &IMAGE.raw()).replaced("\n[log]\nvolatile = true\n", "");
    let factory = (0..STICKS).fold(factory, |factory, index| factory.slot(&format!("A{}", index + 1), usb(&(index + 1).to_string())));
    factory.slot(SD, sd(0))
}

fn start(pc: &Pc) -> Job {
    let job = pc.spawn("FLASHLINE_LOG=info exec flashline run 2>&1");
    job.wait_for_line("the station runs", secs(120));
    // A random slot may have too many bad sticks for chance; this is not what is asked here.
    for index in 0..STICKS {
        let _armed_already = pc.run(&format!("flashline arm --slot A{}", index + 1));
    }
    job
}

/// What is right about the end of a stick, by its row.
fn check(known: &Known, rows: &[&Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, sentence: &str| {
        if !holds {
            wrong.push(sentence.to_owned());
        }
    };
    must(rows.len() <= 1, "it has two rows");
    let outcome = rows.first().and_then(|row| row["outcome"].as_str());
    let code = rows.first().and_then(|row| row["code"].as_str()).unwrap_or_default();
    let shown = known.shown.as_deref().unwrap_or_default();
    must(shown.is_empty() || outcome.is_some(), "its outcome was shown, and its row is lost");
    must(!shown.starts_with("PASS") || matches!(outcome, Some("passed" | "changed")), "it was green, and its row is not");
    let is_whole = known.holds_its_image();
    must(outcome != Some("passed") || is_whole, "its row says passed, and it is not the image");
    let expected = known.cell.as_ref().map(expected);
    match &expected {
        None => must(matches!(outcome, Some("passed") | None) || known.was_cut, "a good card is called bad"),
        Some(expected) if !known.was_cut => {
            must(outcome.is_some_and(|outcome| expected.outcomes.contains(&outcome)), "its outcome is not the right one");
            let is_named = expected.codes.is_empty() || outcome == Some("passed") || expected.codes.contains(&code);
            must(is_named, "its reason does not name the fault");
        }
        Some(_) => {}
    }
    if known.was_cut {
        let bad = expected.as_ref().is_some_and(|expected| outcome.is_some_and(|outcome| expected.outcomes.contains(&outcome)));
        must(matches!(outcome, None | Some("passed" | "interrupted")) || bad, "it was cut off, and its row says something else");
    }
    let head = known.medium.head(512);
    let is_old = known.medium.first_touched().is_none_or(|touched| touched >= 512);
    // A head that was on its way when the card or the power went may be whole, and then the body behind it is proven.
    // Nor can a stick be helped that refuses the tombstone, too; its row says so.
    let may_boot = outcome == Some("passed") || is_whole || rows.first().is_some_and(|row| row["head"] == "unknown");
    must(is_tombstone(&head) || is_old || may_boot, "it did not pass and could boot");
    must(first_stray(&known.medium, SPAN).is_none(), "a byte behind the image was written");
    wrong
}

/// The counts that are printed at the end.
#[derive(Default)]
struct Sums {
    lives: u64,
    good: usize,
    bad: usize,
    cut: usize,
    lost_bytes: u64,
    outcomes: BTreeMap<String, usize>,
}

fn soak(minutes: u64, seed: u64) -> Sums {
    let began = Instant::now();
    let mut sums = Sums::default();
    let mut state: Option<Disk> = None;
    let mut left: Vec<Known> = Vec::new();
    while began.elapsed() < secs(60 * minutes) || sums.lives < 2 {
        let mut random = Random::of(seed, sums.lives, 99);
        let pc = Pc::start();
        if let Some(state) = &state {
            state.faults(|faults| faults.volatile_cache = false);
        }
        let disk = match &state {
            Some(earlier) => next_state_disk(&pc, earlier),
            None => state_disk(&pc, FileSystem::Ext4),
        };
        // What was in its slot when the power was cut is still there.
        let there: Vec<UsbStick> = left.iter().filter(|known| known.slot != SD).map(|known| put_back(&pc, known)).collect();
        there.iter().for_each(|stick| drop(stick.node()));
        factory(&pc).configured();
        let job = start(&pc);
        let mut of_log = rows_by_serial(&pc);
        let (unknown, wrong) = judge(&left, &of_log);
        assert!(wrong.is_empty(), "seed {seed}, after the power cut of life {}:\n{}", sums.lives, wrong.join("\n"));
        sums.cut += left.len() - unknown;
        left.clear();
        there.iter().for_each(UsbStick::pull);
        pc.wait_until("every slot is empty", secs(120), || {
            let held = job.count_lines("^A[0-9]+  HELD");
            (held == 0 || job.count_lines("^A[0-9]+  EMPTY") >= held).then_some(())
        });
        disk.faults(|faults| faults.volatile_cache = true);
        let life = Life { number: sums.lives, seed, pc: RwLock::new(Some(pc)), job, ends: AtomicBool::new(false), media: Mutex::default() };
        let mut known: Vec<Known> = thread::scope(|scope| {
            let hands: Vec<_> = (0..=STICKS)
                .map(|slot| {
                    scope.spawn({
                        let life = &life;
                        move || life.hand(slot)
                    })
                })
                .collect();
            let until = Instant::now() + secs(40 + random.below(60));
            // A cut that takes nothing from a cache says little.
            let is_time = || Instant::now() >= until && (life.has_something_to_lose() || Instant::now() >= until + secs(30));
            while !is_time() && !hands.iter().any(thread::ScopedJoinHandle::is_finished) {
                thread::sleep(Duration::from_millis(20));
            }
            life.ends.store(true, SeqCst);
            let pc = life.pc.write().unwrap_or_else(PoisonError::into_inner).take();
            pc.expect("only here").power_cut();
            hands.into_iter().flat_map(|hand| hand.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        // What the PC showed until the end counts.
        let off = Instant::now();
        while life.job.is_running() {
            assert!(off.elapsed() < secs(60), "the PC is off and still prints");
            thread::sleep(Duration::from_millis(5));
        }
        for known in known.iter_mut().filter(|known| life.count(&known.slot, ENDS) > known.ends_before) {
            known.shown = known.shown.take().or_else(|| life.last(&known.slot));
        }
        sums.lost_bytes += disk.power_cut(50, random.below(u64::MAX));
        for known in known.iter().filter(|known| known.was_cut) {
            sums.lost_bytes += known.medium.power_cut(50, random.below(u64::MAX));
        }
        state = Some(disk);
        sums.lives += 1;
        sums.good += known.iter().filter(|known| known.cell.is_none()).count();
        sums.bad += known.iter().filter(|known| known.cell.is_some()).count();
        left = known.extract_if(.., |known| known.was_cut).collect();
        // The rows of this life are read in the next one: after a power cut they must be there.
        let pc = Pc::start();
        if let Some(state) = &state {
            state.faults(|faults| faults.volatile_cache = false);
            let disk = next_state_disk(&pc, state);
            factory(&pc).configured();
            of_log = rows_by_serial(&pc);
            pc.sh("flashline log verify && umount /var/lib/flashline");
            disk.pull();
        }
        let (_, wrong) = judge(&known, &of_log);
        assert!(wrong.is_empty(), "seed {seed}, life {}:\n{}", life.number, wrong.join("\n"));
        for known in &known {
            let outcome = of_log.get(&known.serial).and_then(|rows| rows.first()).and_then(|row| row["outcome"].as_str());
            *sums.outcomes.entry(outcome.unwrap_or("SD card").to_owned()).or_default() += 1;
        }
        println!("life {}: {} ended, {} cut off, {} s", life.number, known.len(), left.len(), began.elapsed().as_secs());
    }
    sums
}

/// Puts the stick back into its port, whole again.
fn put_back(pc: &Pc, known: &Known) -> UsbStick {
    known.medium.faults(|faults| *faults = flashline_lab::Faults::default());
    known.medium.go_on();
    pc.usb(known.slot.trim_start_matches('A')).serial(&known.serial).medium(&known.medium).plug()
}

fn rows_by_serial(pc: &Pc) -> BTreeMap<String, Vec<Value>> {
    let mut of_log: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let all = rows(pc);
    let attempts: std::collections::BTreeSet<u64> = all.iter().filter_map(|row| row["attempt"].as_u64()).collect();
    assert_eq!(attempts.len(), all.len(), "one row for each attempt");
    for row in all {
        let serial = row["serial"].as_str().unwrap_or_default().to_owned();
        of_log.entry(serial).or_default().push(row);
    }
    of_log
}

/// How many of them cannot be told apart, and what is wrong with the others.
fn judge(known: &[Known], of_log: &BTreeMap<String, Vec<Value>>) -> (usize, Vec<String>) {
    let (mut unknown, mut wrong) = (0, Vec::new());
    for known in known {
        if known.slot == SD {
            unknown += 1;
            continue;
        }
        let rows: Vec<&Value> = of_log.get(&known.serial).into_iter().flatten().collect();
        let sentences = check(known, &rows);
        if !sentences.is_empty() {
            wrong.push(format!("{known:?}\n    {}\n    {rows:?}", sentences.join("\n    ")));
        }
    }
    (unknown, wrong)
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn long_random_sticks_faults_and_power_cuts_on_sixteen_slots_break_no_promise() {
    let (minutes, seed) = (number("FLASHLINE_SOAK_MINUTES", 3), number("FLASHLINE_SOAK_SEED", 1));
    let Sums { lives, good, bad, cut, lost_bytes, outcomes } = soak(minutes, seed);
    println!(
        "seed {seed}: {lives} lives, {good} good and {bad} struck cards, {cut} of them judged after a power cut that lost {lost_bytes} bytes"
    );
    println!("outcomes: {outcomes:?}");
    println!("0 false PASS, 0 lost rows, 0 foreign bytes, 0 good cards called bad");
    assert!(good > 0 && bad > 0 && lost_bytes > 0, "this proves nothing");
}
