//! The station's units as systemd has them: their states, and the settings of the list below. Of their files, only lines with such a setting
//! are sent: an `Environment=` may hold a password, and so may a command.

use serde_json::{Map, Value, json};

use super::context::{Context, Made, SOON, plain, why};
use crate::control::access::ADMINS;
use crate::station::USER;

/// The units of a station.
pub(super) const UNITS: [&str; 6] = [
    "flashline.service",
    "flashline-console.service",
    "flashline-awake.socket",
    "flashline-rules.socket",
    "flashline-backup.service",
    "flashline-backup.timer",
];

/// What systemd says about the state of a unit.
const STATE: [&str; 14] = [
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "NRestarts",
    "ActiveEnterTimestamp",
    "InactiveEnterTimestamp",
    "MemoryCurrent",
    "TasksCurrent",
    "FragmentPath",
    "DropInPaths",
];

/// Settings whose values are words, numbers and paths (systemd.exec(5), systemd.service(5), systemd.resource-control(5)).
const SETTINGS: [&str; 42] = [
    "User",
    "Group",
    "SupplementaryGroups",
    "Type",
    "Restart",
    "RestartSec",
    "RestartUSec",
    "WatchdogSec",
    "WatchdogUSec",
    "TimeoutStopSec",
    "TimeoutStopUSec",
    "KillMode",
    "OOMScoreAdjust",
    "LimitNOFILE",
    "LimitMEMLOCK",
    "Nice",
    "IOSchedulingClass",
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "StateDirectory",
    "RuntimeDirectory",
    "PrivateUsers",
    "PrivateDevices",
    "PrivateNetwork",
    "PrivateMounts",
    "PrivateTmp",
    "ProcSubset",
    "ProtectProc",
    "ProtectSystem",
    "ProtectHome",
    "ProtectKernelTunables",
    "ProtectClock",
    "NoNewPrivileges",
    "RestrictAddressFamilies",
    "SystemCallFilter",
    "DevicePolicy",
    "DeviceAllow",
    "CapabilityBoundingSet",
    "AmbientCapabilities",
    "MemoryMax",
    "CPUQuota",
];

/// Where the files of units are; systemd is not asked for any other.
const PLACES: [&str; 6] = [
    "/etc/systemd/system/",
    "/run/systemd/",
    "/usr/lib/systemd/system/",
    "/lib/systemd/system/",
    "/usr/local/lib/systemd/system/",
    "/etc/systemd/system.control/",
];

pub(super) fn units(context: &Context) -> Made {
    let mut unread = Vec::new();
    let mut units = Map::new();
    let properties = format!("--property={}", [&STATE[..], &SETTINGS[..]].concat().join(","));
    for unit in UNITS {
        let answer = match (context.source.run)("systemctl", &["show", unit, &properties], SOON) {
            Ok(answer) if answer.good => answer.said,
            Ok(_) => {
                unread.push(format!("{unit}: systemctl says nothing"));
                continue;
            }
            Err(error) => {
                unread.push(why(unit, &error));
                continue;
            }
        };
        let said: Vec<(&str, &str)> = answer.lines().filter_map(|line| line.split_once('=')).collect();
        let of = |names: &[&str]| -> Map<String, Value> {
            let chosen = said.iter().filter(|(name, value)| names.contains(name) && !value.is_empty());
            chosen.map(|(name, value)| ((*name).to_owned(), json!(value_of(context, name, value)))).collect()
        };
        let get = |wanted: &str| said.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| *value);
        let files: Vec<Value> = get("FragmentPath")
            .split_whitespace()
            .chain(get("DropInPaths").split_whitespace())
            .filter(|path| PLACES.iter().any(|place| path.starts_with(place)))
            .map(|path| file(context, path, &mut unread))
            .collect();
        units.insert(unit.to_owned(), json!({"state": of(&STATE), "settings": of(&SETTINGS), "files": files}));
    }
    Made::json(&Value::Object(units), unread)
}

/// A value in plain signs; a user or a group only if it is the station's own.
fn value_of(context: &Context, name: &str, value: &str) -> Option<String> {
    if matches!(name, "User" | "Group" | "SupplementaryGroups") {
        let own = |word: &str| [USER, ADMINS, "root", "disk", "input", "audio"].contains(&word);
        return Some(value.split_whitespace().map(|word| if own(word) { word } else { "(another)" }).collect::<Vec<_>>().join(" "));
    }
    // A filter of system calls lists hundreds.
    let value = if value.len() > 400 && name == "SystemCallFilter" { value.get(..400).unwrap_or("") } else { value };
    plain(value).map(|value| context.disguise.text(value))
}

/// A unit's own file, or a drop-in.
fn file(context: &Context, path: &str, unread: &mut Vec<String>) -> Value {
    let name = plain(path).map(|path| context.disguise.text(path));
    let text = match context.source.read(path) {
        Ok(text) => text,
        Err(error) => {
            unread.push(why("a file of a unit", &error));
            return json!({"file": name});
        }
    };
    let (mut lines, mut left_out) = (Vec::new(), 0_u64);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';', '['])) {
        let setting = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        match setting.filter(|(name, _)| SETTINGS.contains(name)) {
            Some((name, value)) => {
                lines.push(format!("{name}={}", value_of(context, name, value).unwrap_or_else(|| "(left out)".to_owned())));
            }
            None => left_out += 1,
        }
    }
    json!({"file": name, "settings": lines, "other_lines": left_out})
}
