//! `flashline qualify`: tries the readers of slots on cards that may be erased, and says which settings suit them.

mod hands;
mod named;
mod output;
mod power;
mod work;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::confirm::catch_interrupts;
use super::events::Events;
use super::output::remark;
use super::stopped::{NotStopped, keep_stopped};
use super::{ConfigArg, GOOD, NOT_GOOD, USAGE_OR_STATION, complain, say};
use crate::config::{ConfigError, ImageCheck, Settings};
use crate::flash::rules::Rules;
use crate::flash::unanswered::Unanswered;
use crate::qualify::facts::SlotFacts;
use crate::qualify::judge::{Fitness, fitness, remarks};
use crate::qualify::record::{Qualified, Record, RecordError};
use crate::qualify::text;
use crate::station::outcome::Refusal;
use crate::watch::sysfs::Sysfs;
use named::Engaged;
use output::{Output, OutputError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Slots to qualify, by their names. The card in each is ERASED
    #[arg(required = true, value_name = "SLOT")]
    slots: Vec<String>,
    #[command(flatten)]
    config: ConfigArg,
    /// Do not ask before erasing
    #[arg(long)]
    yes: bool,
    /// Leave out what needs a person: taking each card out and putting it in again
    #[arg(long)]
    no_hands: bool,
    /// Also switch the power of each reader's port off for two seconds, where the kernel offers that
    #[arg(long)]
    switch: bool,
    /// Write a page for the wall beside the station: text, one page of A4
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Write a file for Flashline's makers: JSON, without serials and names
    #[arg(long, value_name = "FILE")]
    send: Option<PathBuf>,
}

/// Why nothing was tried, or why a result was not kept.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("there is no slot {name:?}: the configuration has {}", known.join(" "))]
    NoSlot { name: String, known: Vec<String> },
    #[error("slot {0} is named twice")]
    Twice(String),
    #[error(transparent)]
    NotStopped(#[from] NotStopped),
    #[error("reading this PC's mounts: without them nothing is erased")]
    Tables(#[source] procfs::ProcError),
    #[error("slot {0} holds no card: put one in that may be erased; `flashline slots` shows what is in each port")]
    NoCard(String),
    #[error("slot {slot} holds cards in two of its ports, {one} and {other}: take one out")]
    TwoCards { slot: String, one: String, other: String },
    #[error("slot {0}: udev has not looked at its card yet, or this PC does not tell who uses it: put the card in again")]
    Unknown(String),
    #[error("slot {slot}: its card must not be erased: {refusal}")]
    Refused { slot: String, refusal: Refusal },
    #[error("nothing was erased: say --yes to erase without being asked")]
    NotConfirmed,
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("catching Ctrl-C")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("stopped: what was measured is not recorded; the cards are not finished, and cannot boot")]
    Stopped,
}

pub(super) fn run(args: &Args) -> u8 {
    let events = Events::start();
    let result = qualify(args);
    events.flush();
    result.unwrap_or_else(|error| {
        complain(&error);
        USAGE_OR_STATION
    })
}

fn qualify(args: &Args) -> Result<u8, Wrong> {
    let settings = args.config.read(ImageCheck::Unseen)?;
    check_names(&args.slots, &settings)?;
    // Before anything is erased: what cannot be kept need not be measured.
    let output = Output::of(args.page.as_deref(), args.send.as_deref())?;
    let mut record = Record::read(&settings.state)?;
    let _stopped = keep_stopped(args.config.path())?;
    let engaged = named::engage(&args.slots, &settings)?;
    if !args.yes {
        named::confirm(&engaged)?;
    }
    let interrupted = catch_interrupts().map_err(Wrong::Signals)?;
    let unanswered = Arc::new(Unanswered::read(&settings.unanswered()));
    let rules = Rules { stall: settings.stall, flush_required: false, retries: 0, unanswered };
    measure(args, &engaged, &rules, &interrupted)?;
    let all: Vec<SlotFacts> = engaged.iter().map(Engaged::facts).collect();
    text::lines(&all).iter().for_each(say);
    same_serials(&all).iter().for_each(|words| remark(format!("warning: {words}")));
    record.add(engaged.iter().zip(&all).filter(|(engaged, _)| engaged.is_measured()).map(|(_, facts)| qualified(facts)));
    record.write(&settings.state)?;
    output.write(&settings.station.name, args.config.path(), &all)?;
    let worst = all.iter().map(|facts| fitness(&remarks(facts))).max().unwrap_or(Fitness::Fit);
    Ok(if worst == Fitness::NotFit { NOT_GOOD } else { GOOD })
}

/// Each slot alone, then all at once, then their power, then the hands of a person.
fn measure(args: &Args, engaged: &[Engaged], rules: &Rules, interrupted: &AtomicBool) -> Result<(), Wrong> {
    let go_on = || if interrupted.load(Ordering::Relaxed) { Err(Wrong::Stopped) } else { Ok(()) };
    let mut claimed = Vec::new();
    for slot in engaged {
        claimed.extend(work::alone(slot, rules, interrupted));
        go_on()?;
    }
    if claimed.len() > 1 {
        claimed = work::together(claimed, rules, interrupted);
        go_on()?;
    }
    // Nothing of the cards is claimed while they leave.
    drop(claimed);
    let sysfs = Sysfs::default();
    power::look(engaged, &sysfs, args.switch);
    go_on()?;
    if !args.no_hands {
        hands::ask(engaged, &sysfs, interrupted);
        go_on()?;
    }
    Ok(())
}

fn check_names(slots: &[String], settings: &Settings) -> Result<(), Wrong> {
    let mut seen = BTreeSet::new();
    for name in slots {
        if !settings.slots.iter().any(|slot| slot.name == *name) {
            let known = settings.slots.iter().map(|slot| slot.name.clone()).collect();
            return Err(Wrong::NoSlot { name: name.clone(), known });
        }
        if !seen.insert(name) {
            return Err(Wrong::Twice(name.clone()));
        }
    }
    Ok(())
}

fn qualified(facts: &SlotFacts) -> Qualified {
    let now = jiff::Timestamp::now();
    Qualified {
        port: facts.port.0.clone(),
        reader: facts.reader.clone(),
        stays: facts.stays,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        at: now.round(jiff::Unit::Second).unwrap_or(now).to_string(),
        fitness: fitness(&remarks(facts)),
    }
}

/// Slots whose cards have the same identity in the log, and slots that give the same serial of a reader, each serial once. The serial is not
/// printed: it may be on a screen that others see.
fn same_serials(all: &[SlotFacts]) -> Vec<String> {
    let identity = |facts: &SlotFacts| facts.card.key.clone().or_else(|| facts.card.serial.clone());
    let mut told = BTreeSet::new();
    let mut words = Vec::new();
    for facts in all {
        let Some(own) = identity(facts).filter(|own| told.insert(own.clone())) else { continue };
        let same: Vec<&SlotFacts> = all.iter().filter(|other| identity(other).as_ref() == Some(&own)).collect();
        if same.len() > 1 {
            let names = same.iter().map(|facts| facts.slot.as_str()).collect::<Vec<_>>().join(" ");
            let reader = |facts: &SlotFacts| facts.card.key.is_none().then(|| facts.port.upstream().into_iter().next()).flatten();
            let of_one_reader = reader(same[0]).is_some_and(|one| same.iter().all(|facts| reader(facts).as_ref() == Some(&one)));
            let cause = if of_one_reader { "it is their reader's" } else { "the log cannot tell these cards apart" };
            words.push(format!("slots {names} give the same serial: {cause}"));
        }
    }
    words
}

#[cfg(test)]
mod cases {
    use std::path::Path;

    use super::*;
    use crate::config::prove;
    use crate::qualify::facts::CardFacts;
    use crate::qualify::testing::slot;
    use crate::station::testing::card;

    #[test]
    fn a_slot_that_the_configuration_does_not_have_is_named_with_those_that_it_has() {
        let text = "[[model]]\nname = \"acme/box\"\nimage = \"box.img\"\n[[slot]]\nname = \"A1\"\nports = [\"pci-0000:00:1c.0/usb3-1/lun-0\"]\n\
                    model = \"acme/box\"\n";
        let settings = prove(Path::new("/etc/flashline/config.toml"), text, ImageCheck::Unseen).expect("it is good");
        let names = |names: &[&str]| check_names(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), &settings);
        assert!(names(&["A1"]).is_ok());
        let said = names(&["A1", "A9"]).expect_err("it has no A9").to_string();
        assert!(said.contains("\"A9\"") && said.ends_with("has A1"), "{said}");
        assert!(matches!(names(&["A1", "A1"]), Err(Wrong::Twice(name)) if name == "A1"));
    }

    #[test]
    fn cards_with_one_identity_in_the_log_are_named_and_sticks_of_two_makers_with_the_same_serial_are_not() {
        let stick = |name: &str, lun, vendor: &str| {
            let mut card = card("pci-0000:00:14.0/usb3-1/lun-0", 7);
            card.vendor = Some(vendor.to_owned());
            SlotFacts { card: CardFacts::of(&card), ..slot(name, lun) }
        };
        let same = same_serials(&[stick("A1", 0, "Acme"), stick("A2", 8, "Emca")]);
        assert!(same.is_empty(), "each maker numbers its sticks from the beginning: {same:?}");
        let same = same_serials(&[stick("A1", 0, "Acme"), stick("A2", 8, "Acme"), stick("A3", 16, "Emca")]);
        assert_eq!(same, ["slots A1 A2 give the same serial: the log cannot tell these cards apart"]);
        let same = same_serials(&[slot("A1", 0), slot("A2", 1)]);
        assert_eq!(same, ["slots A1 A2 give the same serial: it is their reader's"]);
        let same = same_serials(&[slot("A1", 0), slot("B1", 8)]);
        assert_eq!(same, ["slots A1 B1 give the same serial: the log cannot tell these cards apart"]);
    }
}
