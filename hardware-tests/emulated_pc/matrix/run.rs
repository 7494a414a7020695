//! Runs cells in one emulated PC, each in a slot of its own beside a good card, and judges each by the properties.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use flashline_lab::{MIB, Pc, UsbStick, secs};
use serde_json::Value;

use super::cells::{Cell, Source};
use super::expected::expected;
use super::faults::Fault;
use super::moments::{Moment, SPAN};
use crate::factory::{Factory, Image, usb};
use crate::station::{Run, Station, first_stray, is_tombstone};

/// The most cells that share a PC: each slot needs a port, and one more for the stick that is swapped in.
pub(super) const MOST: usize = 6;
/// The slot and port of the good card.
const NEIGHBOUR: (&str, &str) = ("N", "7");
/// The port of the hub, if there is one.
const HUB: &str = "8";
const CAPACITY: u64 = 16 * MIB;
/// What an attempt may show at its end.
pub(crate) const ENDS: &str = "(PASS|FAILED|PULLED|CHANGED|REFUSED|INTERRUPTED|STATION FAULT)";

/// A cell that was run.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) cell: Cell,
    /// The outcome in the row.
    pub(super) word: String,
    /// The properties that it broke, as sentences.
    pub(super) broken: Vec<String>,
}

/// A cell and its place in the PC.
struct Place<'a> {
    cell: &'a Cell,
    slot: String,
    port: String,
    spare: String,
}

/// A stick that is struck.
struct Struck<'a> {
    place: &'a Place<'a>,
    stick: UsbStick,
    /// The one that took its place.
    other: Option<UsbStick>,
}

/// Runs these cells, all of one source. A scenario that cannot go on breaks all its cells.
pub(super) fn run(cells: &[Cell]) -> Vec<Judged> {
    catch_unwind(AssertUnwindSafe(|| run_in_one_pc(cells))).unwrap_or_else(|panic| {
        let why = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|why| (*why).to_owned()));
        let broken = vec![why.unwrap_or_else(|| "it panicked".to_owned())];
        cells.iter().map(|cell| Judged { cell: *cell, word: "?".to_owned(), broken: broken.clone() }).collect()
    })
}

fn run_in_one_pc(cells: &[Cell]) -> Vec<Judged> {
    let pc = Pc::start();
    let image = Image::new(SPAN, 7);
    let places: Vec<Place<'_>> = cells.iter().enumerate().map(|(index, cell)| place(index, cell)).collect();
    let _hub = (cells[0].source == Source::Hub).then(|| pc.hub(HUB));
    let factory = Factory::new(&pc, &image.raw()).slot(NEIGHBOUR.0, usb(NEIGHBOUR.1));
    let mut station = places.iter().fold(factory, |factory, place| factory.slot(&place.slot, usb(&place.port))).run();
    let neighbour = pc.usb(NEIGHBOUR.1).size(CAPACITY).filled(99).plug();
    let is_of_station = cells[0].fault.is_of_station();
    if is_of_station {
        station.wait_for(NEIGHBOUR.0, "PASS");
    }
    let struck: Vec<Struck<'_>> = at_once(&places, |place| strike(&pc, &station, place));
    if is_of_station {
        kill(&station, &struck);
        station = Station::start(&pc);
    }
    let judged = at_once(&struck, |struck| judge(&station, struck, &image));
    let next = at_once(&struck, |struck| takes_the_next(&pc, &station, struck, &image));
    if !is_of_station {
        station.wait_for(NEIGHBOUR.0, "PASS");
    }
    let neighbour_is_good = neighbour.reads_as(image.raw());
    let sound = pc.run("flashline log verify").status == 0;
    let judged = judged.into_iter().zip(next).map(|(judged, next)| {
        let good = (!neighbour_is_good).then(|| "the card beside it passed and is not the image".to_owned());
        let chain = (!sound).then(|| "the flash log cannot be verified".to_owned());
        Judged { broken: judged.broken.into_iter().chain(next).chain(good).chain(chain).collect(), ..judged }
    });
    judged.collect()
}

fn place(index: usize, cell: &Cell) -> Place<'_> {
    let number = index + 1;
    let port = if cell.source == Source::Hub { format!("{HUB}.{number}") } else { number.to_string() };
    Place { cell, slot: format!("A{number}"), port, spare: (index + 9).to_string() }
}

/// Runs `does` for all of them at the same time.
fn at_once<'a, T: Sync, R: Send>(all: &'a [T], does: impl Fn(&'a T) -> R + Sync) -> Vec<R> {
    let does = &does;
    thread::scope(|scope| {
        let threads: Vec<_> = all.iter().map(|one| scope.spawn(move || does(one))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// A stick of the cell's kind in its port.
fn put_in(pc: &Pc, place: &Place<'_>, seed: u64, is_used: bool) -> UsbStick {
    let stick = pc.usb(&place.port).size(CAPACITY);
    let stick = if is_used { stick.filled(seed) } else { stick };
    if place.cell.source == Source::Uas { stick.uas().plug() } else { stick.plug() }
}

/// Puts a stick in and strikes it at its moment; a fault of the station waits for all sticks.
fn strike<'a>(pc: &Pc, station: &Station<'_>, place: &'a Place<'a>) -> Struck<'a> {
    let cell = place.cell;
    let other = (cell.fault == Fault::Swapped).then(|| {
        let other = pc.usb(&place.spare).size(2 * CAPACITY).filled(5);
        let other = if cell.source == Source::Uas { other.uas().plug() } else { other.plug() };
        let _seen = other.node();
        other.pull();
        other
    });
    let stick = put_in(pc, place, 1, cell.is_used);
    if cell.moment == Moment::Proven {
        station.wait_for(&place.slot, "PASS");
    } else {
        stick.stop_at(cell.moment.stops());
        let _request = stick.wait_stopped(secs(120));
    }
    if !cell.fault.is_of_station() {
        cell.fault.strike(pc, &stick);
    }
    if let Some(other) = &other {
        other.plug_at_once_into(&place.port);
    }
    Struck { place, stick, other }
}

/// Kills the station while the sticks are stopped. A thread whose request is not answered cannot end.
fn kill(station: &Station<'_>, struck: &[Struck<'_>]) {
    thread::scope(|scope| {
        let killed = scope.spawn(|| Fault::kill(station));
        thread::sleep(std::time::Duration::from_millis(300));
        struck.iter().for_each(|struck| struck.stick.go_on());
        killed.join().expect("it ends");
    });
}

/// Waits for the end of the attempt, and returns the properties that it broke.
fn judge(station: &Station<'_>, struck: &Struck<'_>, image: &Image) -> Judged {
    let (cell, slot, stick) = (struck.place.cell, struck.place.slot.as_str(), &struck.stick);
    let expected = expected(cell);
    let is_proven = cell.moment == Moment::Proven;
    let waits = |nth, sign: &str| drop(station.job.wait_for_nth_line(nth, &format!("^{slot}  {sign}"), secs(120)));
    match cell.fault {
        _ if expected.is_held => waits(1, "HELD"),
        Fault::Swapped => waits(if is_proven { 2 } else { 1 }, "PASS"),
        Fault::Pulled if is_proven => waits(2, "EMPTY"),
        Fault::AnotherWrites if is_proven => waits(1, "CHANGED"),
        _ => waits(1, ENDS),
    }
    let rows = station.rows_of(slot);
    let mut broken = Vec::new();
    let mut must = |holds: bool, sentence: String| {
        if !holds {
            broken.push(sentence);
        }
    };
    let wanted = if cell.fault == Fault::Swapped { 2 } else { 1 };
    must(rows.len() == wanted, format!("{} rows instead of {wanted}", rows.len()));
    let text = |key: &str| rows.first().and_then(|row| row[key].as_str()).unwrap_or_default().to_owned();
    let (outcome, code) = (text("outcome"), text("code"));
    must(expected.outcomes.contains(&outcome.as_str()), format!("{outcome:?} instead of {:?}: {}", expected.outcomes, text("reason")));
    let is_named = if outcome == "passed" || expected.codes.is_empty() { code.is_empty() } else { expected.codes.contains(&code.as_str()) };
    must(is_named, format!("the reason is {code:?} and not one of {:?}: {}", expected.codes, text("reason")));
    let greens = station.job.count_lines(&format!("^{slot}  PASS"));
    let may_be_green = usize::from(is_proven && !cell.fault.is_of_station()) + usize::from(cell.fault == Fault::Swapped);
    let may_be_green = may_be_green + usize::from(outcome == "passed" && !is_proven);
    must(greens <= may_be_green, format!("it was green {greens} times"));
    let is_whole = stick.reads_as(image.raw());
    must(outcome != "passed" || is_whole, format!("PASS, and it differs at {:?}", stick.first_difference(image.raw())));
    let head = stick.head(512);
    let is_old = stick.first_touched().is_none_or(|touched| touched >= 512);
    // The request at which it has stopped reaches it all the same, if the fault is not its own.
    let whole_from = if matches!(cell.fault, Fault::Blinks | Fault::Killed) { Moment::HeadFirst } else { Moment::HeadFlush };
    let is_cut_off = matches!(outcome.as_str(), "pulled" | "interrupted") && cell.moment >= whole_from;
    let may_boot = is_proven || is_cut_off || matches!(outcome.as_str(), "passed" | "changed");
    // A stick that refuses the tombstone, too, cannot be helped; its row says so.
    let is_known = rows.first().is_some_and(|row| row["head"] != "unknown");
    must(is_tombstone(&head) || is_old || may_boot || !is_known, format!("it is {outcome} and could boot"));
    must(
        rows.first().is_none_or(|row| row["head"] != "tombstone") || is_tombstone(&head),
        "the row says tombstone, and there is none".to_owned(),
    );
    let stray = first_stray(stick, SPAN);
    must(stray.is_none(), format!("byte {stray:?} behind the image was written"));
    if let Some(other) = &struck.other {
        must(other.reads_as(image.raw()), format!("the stick that took its place differs at {:?}", other.first_difference(image.raw())));
        must(rows.get(1).is_some_and(|row: &Value| row["outcome"] == "passed"), "the stick that took its place has no row".to_owned());
    }
    Judged { cell: *cell, word: outcome, broken }
}

/// Takes the stick out and puts a good one in: the slot must take it.
fn takes_the_next(pc: &Pc, station: &Station<'_>, struck: &Struck<'_>, image: &Image) -> Option<String> {
    let (place, cell) = (struck.place, struck.place.cell);
    if struck.other.is_some() {
        return None;
    }
    let greens = station.job.count_lines(&format!("^{}  PASS", place.slot));
    if cell.fault != Fault::Pulled {
        struck.stick.pull();
    }
    let next = put_in(pc, place, 3, true);
    station.job.wait_for_nth_line(greens + 1, &format!("^{}  PASS", place.slot), secs(120));
    (!next.reads_as(image.raw())).then(|| "the next card passed and is not the image".to_owned())
}
