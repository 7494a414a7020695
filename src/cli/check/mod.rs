//! `flashline check`: validates a configuration and its images, and looks over this PC before a station starts on it.

mod backup;
mod finding;
mod lamps;
mod models;
mod pc;
mod people;
mod qualified;
mod rights;
mod slots;
mod state_disk;
mod unit;
mod verifier;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::{ConfigArg, GOOD, NOT_GOOD, USAGE_OR_STATION, complain, newest_in, say, say_json, sentence};
use crate::config::{ImageCheck, Settings};
use crate::daemon::interlock::Interlock;
use crate::ledger::{LogReader, Stamp, believed};
use crate::panel::lamps::led::SysfsLeds;
use crate::station::lamp::LampOwner;
use crate::station::units::Bytes;
use crate::watch::sysfs::{Sysfs, node_of};
use crate::watch::topology::Socket;
use finding::{Finding, Mark, Subject, counted, summary, worst};
use models::Look;
use rights::Access;
use unit::UnitSettings;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Validate the configuration alone: images and the flash log are not read, the PC's other programs are not looked at, and the exit code
    /// does not depend on the state of this PC.
    /// Without this option every image is unpacked to its end, which can take minutes; the station does the same before it uses a
    /// configuration
    #[arg(long)]
    without_images: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    /// All of it, as lines.
    pub(super) fn of_all(config: &ConfigArg) -> Self {
        Self { config: config.clone(), without_images: false, json: false }
    }
}

pub(super) fn run(args: &Args) -> u8 {
    let settings = match args.config.read_settled(ImageCheck::Proved) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return USAGE_OR_STATION;
        }
    };
    let place = state_disk::place(&settings);
    if let Err(error) = &place {
        complain(error);
        if !args.json {
            return NOT_GOOD;
        }
    }
    let sysfs = Sysfs::default();
    let newest = newest_in(&settings.log());
    let interlock = Interlock::new(&settings, believed(newest));
    let looks: Vec<Look<'_>> =
        settings.models.iter().map(|model| models::look(&settings, model, &interlock, args.without_images)).collect();
    let missing = lamps::missing(&SysfsLeds::default(), &settings.lamps);
    let exposed = slots::exposed(&settings, &sysfs);
    let sockets = sysfs.sockets();

    let mut findings = vec![configuration(args, &settings)];
    findings.extend(looks.iter().flat_map(Look::findings));
    findings.extend(models::capacities(&settings, &looks));
    findings.extend(slots::ports(&settings, &sysfs, &sockets));
    findings.extend(slots::readers(&settings, &sockets));
    findings.push(slots::rules(&settings, &exposed));
    findings.extend(slots::polling(&settings, &sysfs, &sockets));
    findings.extend(lamps::findings(&settings.lamps, &missing));
    findings.extend(lamps::bell(settings.station_bell.as_deref()));
    findings.extend(state_disk::findings(&settings, &place, !args.without_images));
    findings.extend(log(&settings.log(), args.without_images));
    findings.extend(backup::owner(&settings.log()));
    findings.extend(people::approval(settings.station.first_off, args.config.path()));
    findings.extend(pc::clock(&Stamp::now(), newest, crate::zone::complaint()));
    findings.extend(memory(&looks));
    // A reload asks in the sandbox of the unit, which hides the PC's other programs.
    if !args.without_images {
        findings.extend(verifier::finding(&settings.log(), Stamp::now().at));
        findings.extend(people::maintenance(&settings.log()));
        findings.extend(backup::findings(&settings, believed(newest)));
        findings.push(slots::automounter(&exposed, &slots::automounters(Path::new("/proc"))));
        findings.extend(under_systemd(&settings, &sysfs, &sockets));
        findings.push(pc::sleep());
        findings.extend(qualified::findings(&settings, &sysfs, &sockets));
    }

    if args.json {
        let leds: Vec<_> = missing.iter().map(lamps::Missing::json).collect();
        say_json(&as_json(&settings, &looks, &leds, &exposed, &findings, place.as_ref().err().map(|error| sentence(error))));
    } else {
        findings.iter().flat_map(Finding::lines).for_each(say);
        say(summary(&findings));
    }
    let counts = |finding: &&Finding| !args.without_images || finding.subject.is_of_the_configuration();
    let shut = settings.slots.iter().any(|slot| slot.policy.covered_only && exposed.contains(&slot.name));
    if place.is_err() || shut || worst(findings.iter().filter(counts)) == Mark::Bad { NOT_GOOD } else { GOOD }
}

fn configuration(args: &Args, settings: &Settings) -> Finding {
    Finding::good(
        Subject::Configuration,
        format!(
            "{}: station {}, {}, {}, state in {}",
            args.config.path().display(),
            settings.station.name,
            counted(settings.slots.len(), "slot"),
            counted(settings.models.len(), "model"),
            settings.state.display()
        ),
    )
}

/// The unit, and which disks the kernel lets it open.
fn under_systemd(settings: &Settings, sysfs: &Sysfs, sockets: &[Socket]) -> Vec<Finding> {
    let unit = match UnitSettings::ask() {
        Ok(unit) => unit,
        Err(error) => {
            return vec![
                Finding::warning(Subject::Unit, format!("systemd does not say how it runs the station: {error}"))
                    .cure("a station that is not started by systemd is not restarted, and has more rights than it needs"),
            ];
        }
    };
    let mut findings = unit.findings(!settings.lamps.is_empty());
    if let Some(who) = unit.identity() {
        let in_slots: BTreeMap<&str, &str> = slots::in_slots(settings, sockets).into_iter().map(|(slot, name)| (name, slot)).collect();
        let names = sysfs.disk_names().unwrap_or_default();
        let disks: Vec<rights::Disk<'_>> =
            names.iter().map(|name| (name.as_str(), in_slots.get(name.as_str()).copied(), Access::of(&node_of(name)))).collect();
        findings.extend(rights::findings(&who, &disks));
    }
    findings
}

/// The chain of the flash log.
fn log(path: &Path, unread: bool) -> Option<Finding> {
    if !path.exists() {
        return Some(Finding::good(Subject::Log, format!("no flash log is at {} yet: the station begins one", path.display())));
    }
    if unread {
        return None;
    }
    let cure = "keep the file as evidence, and see `flashline log verify`";
    Some(match LogReader::open(path).and_then(|log| log.verify()) {
        Ok(Ok(head)) => Finding::good(Subject::Log, format!("{} is whole and unchanged: anchor {head}", path.display())),
        Ok(Err(flaw)) => Finding::bad(Subject::Log, format!("{}: {flaw}", path.display())).cure(cure),
        Err(error) => Finding::bad(Subject::Log, sentence(&error)).cure("run this as root or as a member of `flashline`"),
    })
}

/// Whether the images fit into memory, where all are known.
fn memory(looks: &[Look<'_>]) -> Option<Finding> {
    let needed = looks.iter().map(|look| look.data.map(|data| data.0)).sum::<Option<u64>>()?;
    pc::memory(Bytes(needed), &fs::read_to_string("/proc/meminfo").ok()?)
}

fn as_json(
    settings: &Settings,
    looks: &[Look<'_>],
    leds_missing: &[serde_json::Value],
    exposed: &[String],
    findings: &[Finding],
    log_refused: Option<String>,
) -> serde_json::Value {
    let slots: Vec<_> = settings
        .slots
        .iter()
        .map(|slot| {
            let ports: Vec<&str> = slot.ports.iter().map(|port| port.0.as_str()).collect();
            let lamp = lamps::lamp_json(settings, &LampOwner::Slot(slot.name.clone()));
            json!({"slot": slot.name, "ports": ports, "model": slot.model, "lamp": lamp})
        })
        .collect();
    let models: Vec<_> = looks.iter().map(Look::json).collect();
    let of = |mark, subjects: &[Subject]| -> Vec<&str> {
        let chosen = findings.iter().filter(|finding| finding.mark == mark && subjects.contains(&finding.subject));
        chosen.map(|finding| finding.what.as_str()).collect()
    };
    let told = [Subject::Port, Subject::Bell, Subject::Capacity, Subject::Clock, Subject::StateDisk];
    json!({
        "station": settings.station.name,
        "state": settings.state,
        "lamp": lamps::lamp_json(settings, &LampOwner::Station),
        "models": models,
        "slots": slots,
        "leds_missing": leds_missing,
        "exposed": exposed,
        "warnings": of(Mark::Warning, &told),
        "impossible": of(Mark::Bad, &[Subject::Capacity]),
        "log_refused": log_refused,
        "verdict": worst(findings).word(),
        "findings": findings.iter().map(Finding::json).collect::<Vec<_>>(),
    })
}
