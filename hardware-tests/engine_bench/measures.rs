//! What the benchmark measures, and the limits of each figure.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use crate::cards::{Bench, Card, MemoryLimit, Speed};
use crate::figures::{Bar, Figure, median};
use crate::images::{GIB, Image, MIB};
use crate::programs::{Cost, flash, ourselves, shell, side_by_side};
use crate::{Result, go_on};

/// Runs of each measure; the median counts.
const RUNS: usize = 3;
/// The size of the image that every tool writes, and of its data.
const SPAN: u64 = GIB;
const PERCENT: u64 = 30;
/// The size of the cards.
const CARD: u64 = SPAN + 256 * MIB;
/// The limit of anonymous memory of a station with 16 slots, in MiB: 16, and for each slot two buffers and a margin.
const ANONYMOUS_MIB: f64 = 16.0 + 9.0 * 16.0;

/// Written, flushed past every cache, read back past every cache, compared: the guarantee of `prove` without its names.
const DD_CMP: &str = "dd if=$1 of=$2 bs=4M oflag=direct conv=fsync status=none
dd if=$2 bs=4M iflag=direct status=none | cmp -n $(stat -c %s $1) $1 -";
/// Skips the holes in its block map, and reads nothing back.
const BMAPTOOL: &str = "bmaptool --quiet copy --bmap $1.bmap $1 $2 && sync $2";
/// Writes every byte, hashes the bytes it sent, and reads nothing back: its verification needs a card that is no longer than the image.
const DCFLDD: &str = "dcfldd if=$1 of=$2 bs=4M hash=sha256 hashlog=/dev/null status=off 2>/dev/null && sync $2";

/// Everything a measure needs.
struct Lab<'a> {
    bench: Bench,
    /// Images that must be on a disk, with their directory.
    disk: tempfile::TempDir,
    image: Image,
    stopped: &'a AtomicBool,
    figures: Vec<Figure>,
}

/// A measure: the names of its figures, and how they are measured.
type Measure<'a> = (&'static [&'static str], fn(&mut Lab<'a>) -> Result<()>);

/// Takes the requested measures. Returns the figures, and the measures that could not be taken.
///
/// # Errors
/// If the machine lacks something, a tool fails, or it was stopped.
pub(crate) fn all(only: &[String], stopped: &AtomicBool) -> Result<(Vec<Figure>, Vec<String>)> {
    let measures: [Measure<'_>; 9] = [
        (&["plain_ratio_1", "limit_ratio_1", "prove_vs_dd_cmp"], Lab::one_card),
        (&["plain_ratio_16", "limit_ratio_16"], Lab::sixteen_cards),
        (&["convoy_ratio"], Lab::convoy),
        (&["cpu_s_per_gib", "cpu_vs_dd_cmp"], Lab::cpu),
        (&["wall_vs_dd_cmp"], Lab::unthrottled),
        (&["anon_mib_16", "anon_mib_16_64_mib", "anon_mib_16_4_gib"], Lab::memory),
        (&["staging_vs_xz"], Lab::staging),
        (&["cold_cache_ratio"], Lab::cold_cache),
        (&["peer_bmaptool_s", "peer_dcfldd_s"], Lab::peers),
    ];
    // A complete name means itself; another one means all names that begin with it.
    let asked_for = |name: &str| {
        let whole = |only: &&String| measures.iter().any(|(names, _)| names.contains(&only.as_str()));
        only.iter().any(|only| if whole(&only) { name == only } else { name.starts_with(only.as_str()) })
    };
    let wanted = |names: &[&str]| only.is_empty() || names.iter().any(|name| asked_for(name));
    if !measures.iter().any(|(names, _)| wanted(names)) {
        let names: Vec<&str> = measures.iter().flat_map(|(names, _)| names.iter().copied()).collect();
        return Err(format!("no figure is called {}: there are {}", only.join(" "), names.join(" ")).into());
    }
    let bench = Bench::new()?;
    let image = Image::make(&bench.directory().join("image.img"), SPAN, PERCENT)?;
    let disk = tempfile::Builder::new().prefix(&format!("flashline-bench-{}-", std::process::id())).tempdir_in("/var/tmp")?;
    let mut lab = Lab { bench, disk, image, stopped, figures: Vec::new() };
    let mut trouble: Vec<String> = Vec::new();
    for (names, measure) in measures.iter().filter(|(names, _)| wanted(names)) {
        eprintln!("bench: {}", names.join(" "));
        // A measure that cannot be taken on this machine does not stop the others.
        if let Err(error) = measure(&mut lab) {
            go_on(stopped)?;
            trouble.push(format!("{}: {error}", names.join(" ")));
        }
    }
    Ok((lab.figures, trouble))
}

/// The median of a list of costs.
fn walls(costs: &[Cost]) -> f64 {
    median(costs.iter().map(|cost| cost.wall).collect())
}

fn cpus(costs: &[Cost]) -> f64 {
    median(costs.iter().map(|cost| cost.cpu).collect())
}

impl Lab<'_> {
    fn figure(&mut self, name: &'static str, value: f64, unit: &'static str, bar: Option<Bar>, of: String) {
        eprintln!("bench:   {name} {value:.3}");
        self.figures.push(Figure { name, value, unit, bar, of });
    }

    /// All cards are slowed down by the same cgroup.
    fn slowed(&self) -> Vec<PathBuf> {
        vec![self.bench.membership()]
    }

    /// Flashes fresh cards; the image's path stays in the page cache, as on a station.
    fn flash_fresh(&self, count: usize, speed: Option<Speed>, zeroes: &str) -> Result<crate::programs::Flash> {
        let cards = self.bench.cards(count, CARD, speed)?;
        let cards: Vec<&Card> = cards.iter().collect();
        flash(&self.image.path, zeroes, &cards, None, &self.slowed(), self.stopped)
    }

    /// A shell line for each of several fresh cards, side by side.
    fn peer(&self, line: &str, count: usize, speed: Option<Speed>) -> Result<Cost> {
        let cards = self.bench.cards(count, CARD, speed)?;
        let commands: Vec<_> = cards.iter().map(|card| shell(line, &[&self.image.path, &card.node])).collect();
        Ok(side_by_side(&commands, &self.slowed(), self.stopped)?.0)
    }

    /// The slowest of several plain writers and readers that run in parallel.
    fn plain(&self, count: usize, speed: Option<Speed>) -> Result<f64> {
        let cards = self.bench.cards(count, CARD, speed)?;
        let commands = cards.iter().map(|card| ourselves("--plain", &[&self.image.path, &card.node])).collect::<Result<Vec<_>>>()?;
        let (_, printed) = side_by_side(&commands, &self.slowed(), self.stopped)?;
        printed.iter().try_fold(0.0, |slowest: f64, text| Ok(slowest.max(text.trim().parse::<f64>()?)))
    }

    /// Fixed before any run: the time that the speeds of the cards alone need.
    fn limit(&self) -> f64 {
        Speed::CARD.seconds(self.image.data, self.image.span)
    }

    fn one_card(&mut self) -> Result<()> {
        let limit = self.limit();
        let (mut plain, mut proof, mut ours, mut theirs) = (vec![], vec![], vec![], vec![]);
        for _ in 0..RUNS {
            plain.push(self.plain(1, Some(Speed::CARD))?);
            let run = self.flash_fresh(1, Some(Speed::CARD), "prove")?;
            proof.push(run.slowest());
            ours.push(run.cost);
            theirs.push(self.peer(DD_CMP, 1, Some(Speed::CARD))?);
        }
        let (plain, proof) = (median(plain), median(proof));
        self.figure(
            "plain_ratio_1",
            plain / limit,
            "ratio",
            None,
            format!("a plain writer and reader {plain:.2} s ÷ device limit {limit:.2} s"),
        );
        let of = format!("time to proof {proof:.2} s ÷ device limit {limit:.2} s, 1 card");
        self.figure("limit_ratio_1", proof / limit, "ratio", Some(Bar::AtMost(1.03)), of);
        let (ours, theirs) = (walls(&ours), walls(&theirs));
        let of = format!("the whole command {ours:.2} s ÷ dd and cmp {theirs:.2} s, a fresh card");
        self.figure("prove_vs_dd_cmp", ours / theirs, "ratio", Some(Bar::AtMost(0.60)), of);
        Ok(())
    }

    fn sixteen_cards(&mut self) -> Result<()> {
        let limit = self.limit();
        let (mut plain, mut proof) = (vec![], vec![]);
        for _ in 0..RUNS {
            plain.push(self.plain(16, Some(Speed::CARD))?);
            proof.push(self.flash_fresh(16, Some(Speed::CARD), "prove")?.slowest());
        }
        let (plain, proof) = (median(plain), median(proof));
        let of = format!("16 plain writers and readers, the slowest {plain:.2} s ÷ device limit {limit:.2} s");
        self.figure("plain_ratio_16", plain / limit, "ratio", None, of);
        let of = format!("time to proof {proof:.2} s ÷ device limit {limit:.2} s, the slowest of 16 cards");
        self.figure("limit_ratio_16", proof / limit, "ratio", Some(Bar::AtMost(1.05)), of);
        Ok(())
    }

    fn convoy(&mut self) -> Result<()> {
        let (mut alone, mut beside) = (vec![], vec![]);
        for _ in 0..RUNS {
            alone.push(self.flash_fresh(15, Some(Speed::CARD), "prove")?.slowest());
            let cards = self.bench.cards(16, CARD, Some(Speed::CARD))?;
            self.bench.slow_down(&cards[15], Some(Speed::WORN))?;
            let others: Vec<&Card> = cards[..15].iter().collect();
            let run = flash(&self.image.path, "prove", &others, Some(&cards[15]), &self.slowed(), self.stopped)?;
            beside.push(run.slowest());
        }
        let (alone, beside) = (median(alone), median(beside));
        let of = format!("15 cards {beside:.2} s beside one of 4 MiB/s ÷ {alone:.2} s without it");
        self.figure("convoy_ratio", beside / alone, "ratio", Some(Bar::AtMost(1.03)), of);
        Ok(())
    }

    fn cpu(&mut self) -> Result<()> {
        const CARDS: u32 = 4;
        let (mut ours, mut theirs) = (vec![], vec![]);
        for _ in 0..RUNS {
            ours.push(self.flash_fresh(4, None, "write")?.cost);
            theirs.push(self.peer(DD_CMP, 4, None)?);
        }
        let (ours, theirs) = (cpus(&ours), cpus(&theirs));
        let of = format!("CPU of {CARDS} cards {ours:.2} s, every byte written, read back and hashed");
        self.figure("cpu_s_per_gib", ours / f64::from(CARDS), "s/GiB", Some(Bar::AtMost(0.40)), of);
        let of = format!("the same ÷ dd and cmp {theirs:.2} s");
        self.figure("cpu_vs_dd_cmp", ours / theirs, "ratio", Some(Bar::AtMost(0.60)), of);
        Ok(())
    }

    fn unthrottled(&mut self) -> Result<()> {
        let (mut ours, mut theirs) = (vec![], vec![]);
        for _ in 0..RUNS {
            ours.push(self.flash_fresh(1, None, "write")?.cost);
            theirs.push(self.peer(DD_CMP, 1, None)?);
        }
        let (ours, theirs) = (walls(&ours), walls(&theirs));
        let of = format!("the whole command {ours:.2} s ÷ dd and cmp {theirs:.2} s, 1 card as fast as memory, every byte written");
        self.figure("wall_vs_dd_cmp", ours / theirs, "ratio", Some(Bar::AtMost(0.50)), of);
        Ok(())
    }

    /// The buffers belong to a slot, not to the image: small and large images need the same memory.
    fn memory(&mut self) -> Result<()> {
        for (name, span, percent) in
            [("anon_mib_16", SPAN, PERCENT), ("anon_mib_16_64_mib", 64 * MIB, PERCENT), ("anon_mib_16_4_gib", 4 * GIB, 3)]
        {
            let image = Image::make(&self.bench.directory().join("memory.img"), span, percent)?;
            let mut most = vec![];
            for _ in 0..RUNS {
                let cards = self.bench.cards(16, span + 256 * MIB, Some(Speed::CARD))?;
                let cards: Vec<&Card> = cards.iter().collect();
                most.push(flash(&image.path, "prove", &cards, None, &self.slowed(), self.stopped)?.anonymous_mib);
            }
            let of = format!("anonymous memory, 16 cards busy, image of {} MiB", span / MIB);
            self.figure(name, median(most), "MiB", Some(Bar::AtMost(ANONYMOUS_MIB)), of);
        }
        Ok(())
    }

    fn staging(&mut self) -> Result<()> {
        let directory = self.disk.path();
        let image = Image::make(&directory.join("noise.img"), 512 * MIB, 100)?;
        let packed = image.pack_in_blocks()?;
        let (mut ours, mut theirs) = (vec![], vec![]);
        for _ in 0..RUNS {
            let store = tempfile::tempdir_in(directory)?;
            let command = ourselves("--stage", &[&packed, store.path()])?;
            ours.push(side_by_side(&[command], &[], self.stopped)?.0);
            drop(store);
            let raw = directory.join("unpacked.img");
            let line = "xz -dc -T0 $1 > $2 && sync $2 && b3sum $2";
            theirs.push(side_by_side(&[shell(line, &[&packed, &raw])], &[], self.stopped)?.0);
            std::fs::remove_file(&raw)?;
        }
        let (ours, theirs) = (walls(&ours), walls(&theirs));
        let of = format!("staging {ours:.2} s ÷ xz, sync, b3sum {theirs:.2} s, 512 MiB that no packer makes smaller, in blocks of 16 MiB");
        self.figure("staging_vs_xz", ours / theirs, "ratio", Some(Bar::AtMost(0.80)), of);
        Ok(())
    }

    /// Cards of different speeds are soon at different places of an image that the memory cannot hold.
    fn cold_cache(&mut self) -> Result<()> {
        const LIMIT: u64 = 256 * MIB;
        let image = Image::make(&self.disk.path().join("large.img"), 2 * LIMIT, 100)?;
        let mut slowest = vec![];
        for _ in 0..RUNS {
            let speeds: Vec<Speed> = (0..8).map(|slot| Speed { write: (40 - 4 * slot) * MIB, ..Speed::CARD }).collect();
            let memory = MemoryLimit::new(LIMIT)?;
            let cards = self.bench.cards(speeds.len(), image.span + 64 * MIB, None)?;
            for (card, speed) in cards.iter().zip(&speeds) {
                // The memory behind a card does not belong to the station: it is allocated before the limit applies.
                let line = "dd if=/dev/zero of=$1 bs=4M oflag=direct status=none || true";
                side_by_side(&[shell(line, &[&card.node])], &[], self.stopped)?;
                self.bench.slow_down(card, Some(*speed))?;
            }
            let cards: Vec<&Card> = cards.iter().collect();
            let groups = [self.bench.membership(), memory.membership()];
            let run = flash(&image.path, "prove", &cards, None, &groups, self.stopped)?;
            let ratio = |card: &Card, speed: &Speed| {
                let flashed = run.cards.iter().find(|flashed| flashed.device == card.node);
                flashed.map_or(f64::NAN, |flashed| flashed.seconds / speed.seconds(image.data, image.span))
            };
            slowest.push(cards.iter().zip(&speeds).map(|(card, speed)| ratio(card, speed)).fold(0.0, f64::max));
        }
        let of = format!(
            "8 cards at 8 places, an image of {} MiB in a memory of {} MiB: time ÷ device limit, the worst card",
            image.span / MIB,
            LIMIT / MIB
        );
        self.figure("cold_cache_ratio", median(slowest), "ratio", None, of);
        Ok(())
    }

    /// Tools with a smaller guarantee: their figures are not compared, because they do not do the same.
    fn peers(&mut self) -> Result<()> {
        let map = shell("bmaptool --quiet create -o $1.bmap $1", &[&self.image.path]);
        side_by_side(&[map], &[], self.stopped)?;
        for (name, line, of) in [
            ("peer_bmaptool_s", BMAPTOOL, "bmaptool copy, 1 card: holes skipped, nothing read back"),
            ("peer_dcfldd_s", DCFLDD, "dcfldd, 1 card: what was sent is hashed, nothing read back"),
        ] {
            let costs = (0..RUNS).map(|_| self.peer(line, 1, Some(Speed::CARD))).collect::<Result<Vec<_>>>()?;
            self.figure(name, walls(&costs), "s", None, of.to_owned());
        }
        Ok(())
    }
}
