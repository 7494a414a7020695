//! Whether the unit that the station runs under lets it do its work. Some settings of systemd.exec(5) harden a unit and make a station
//! blind, mute or deaf without an error in its journal.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Group, User};

use super::finding::{Finding, Subject};
use super::rights::Identity;
use crate::cli::UNIT;

/// The settings that are asked for.
const SETTINGS: [&str; 17] = [
    "LoadState",
    "User",
    "Group",
    "SupplementaryGroups",
    "Restart",
    "OOMScoreAdjust",
    "LimitNOFILE",
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "PrivateUsers",
    "PrivateDevices",
    "ProcSubset",
    "ProtectKernelTunables",
    "RestrictAddressFamilies",
    "SystemCallFilter",
    "DropInPaths",
];

/// A setting of which one value harms, and what it does to the station. Cards reach PASS with the first and the last all the same: what they
/// take away is seen only in what the station reads (systemd.exec(5)).
const HARMFUL: [(&str, &str, &str); 3] = [
    ("PrivateUsers", "yes", "the station cannot tell who asks it, and the flash log names nobody"),
    ("PrivateDevices", "yes", "the station sees no disk, and begins no card"),
    ("ProcSubset", "pid", "the station cannot see the kernel's swaps, nor which start of the PC a row belongs to"),
];

/// What must not be inaccessible, and what that does to the station.
const HIDDEN: [(&str, &str); 4] = [
    ("/run/udev/data", "the station cannot read the records of udev, and begins no card"),
    ("/proc", "the station cannot read the mounts of this PC, and begins no card"),
    ("/dev", "the station sees no disk, and begins no card"),
    ("/sys", "the station sees neither disks nor lamps"),
];

/// System calls that the station needs and that a filter by group may forbid (`systemd-analyze syscall-filter`).
const NEEDED_CALLS: [(&str, &str); 5] = [
    ("chmod", "nobody can ask the station, whose control socket cannot be opened to users (group @file-system)"),
    ("inotify_init1", "new cards are noticed a second later (group @file-system)"),
    ("ioprio_set", "the proof of cards may slow down the flash log (group @resources)"),
    ("mlockall", "a disk that hangs stops the station with it (group @memlock)"),
    ("ioctl", "no card can be claimed (group @basic-io does not have it)"),
];

/// Two descriptors a busy slot, and some for readers of the log and for questions.
const FEWEST_FILES: u64 = 4096;

/// How long a station may hang. systemd tells of a service that does not run that it may hang for ever, and of one that runs what held when
/// it was started (systemd 252), so the unit's own text is read.
const WATCHDOG: &str = "WatchdogSec";

/// The settings of the unit as systemd has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitSettings(BTreeMap<String, String>);

impl UnitSettings {
    /// Asks systemd.
    ///
    /// # Errors
    /// Where there is none, or it does not answer.
    pub(super) fn ask() -> io::Result<Self> {
        let shown = systemctl(&["show", UNIT, "--property", &SETTINGS.join(",")])?;
        let mut unit = Self::parse(&shown);
        if unit.is_installed() {
            unit.0.extend(watchdog_in(&systemctl(&["cat", UNIT])?).map(|value| (WATCHDOG.to_owned(), value)));
        }
        Ok(unit)
    }

    fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn is_installed(&self) -> bool {
        self.get("LoadState") == "loaded"
    }

    /// Who the station is when it runs under this unit; nothing where the unit is not there, or names a user that this PC does not have.
    pub(super) fn identity(&self) -> Option<Identity> {
        if !self.is_installed() {
            return None;
        }
        let name = self.get("User");
        if name.is_empty() {
            return Some(Identity { uid: 0, groups: [0].into() });
        }
        let user = User::from_name(name).ok()??;
        let of_group = |name: &str| Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
        let main = Some(self.get("Group")).filter(|name| !name.is_empty()).and_then(of_group).unwrap_or(user.gid.as_raw());
        let others = self.get("SupplementaryGroups").split_whitespace().filter_map(of_group);
        let c_name = std::ffi::CString::new(name).ok()?;
        let listed = nix::unistd::getgrouplist(&c_name, user.gid).unwrap_or_default().into_iter().map(nix::unistd::Gid::as_raw);
        Some(Identity { uid: user.uid.as_raw(), groups: std::iter::once(main).chain(others).chain(listed).collect() })
    }

    /// Every setting that harms the station, with its name. `lamps` says whether the station has any.
    pub(super) fn findings(&self, lamps: bool) -> Vec<Finding> {
        if !self.is_installed() {
            return vec![
                Finding::warning(Subject::Unit, format!("{UNIT} is not installed: nothing starts the station when the PC comes up"))
                    .cure("install the package `flashline-station`, or the unit by hand"),
            ];
        }
        let mut harms = self.harms(lamps);
        harms.extend(self.forbidden_calls());
        let places = self.get("DropInPaths");
        let place = if places.is_empty() { format!("`systemctl cat {UNIT}` shows where") } else { format!("look in {places}") };
        let mut findings: Vec<Finding> = harms
            .into_iter()
            .map(|(setting, harm)| {
                Finding::bad(Subject::Unit, format!("{setting} in {UNIT}: {harm}"))
                    .cure(format!("take the setting out ({place}), then: systemctl daemon-reload && systemctl restart flashline"))
            })
            .collect();
        findings.extend(self.weaknesses());
        if findings.is_empty() {
            findings.push(Finding::good(Subject::Unit, format!("{UNIT} lets the station do its work")));
        }
        findings.push(self.watchdog());
        findings
    }

    fn harms(&self, lamps: bool) -> Vec<(String, String)> {
        let harmful = HARMFUL.iter().filter(|(name, value, _)| self.get(name) == *value);
        let mut harms: Vec<(String, String)> = harmful.map(|(name, value, harm)| (format!("{name}={value}"), (*harm).to_owned())).collect();
        let hides = |place: &str| self.paths("InaccessiblePaths").find(|path| Path::new(place).starts_with(path));
        let hidden = HIDDEN.iter().filter_map(|(place, harm)| Some((hides(place)?, harm)));
        harms.extend(hidden.map(|(path, harm)| (format!("InaccessiblePaths={path}"), (*harm).to_owned())));
        harms.extend(self.keeps_lamps().filter(|_| lamps).map(|setting| (setting, "no lamp can be switched".to_owned())));
        let families = self.get("RestrictAddressFamilies");
        let has_unix = |names: &str| names.split_whitespace().any(|name| name == "AF_UNIX");
        let is_denied = families.strip_prefix('~').map_or(!families.is_empty() && !has_unix(families), has_unix);
        if is_denied {
            harms.push((format!("RestrictAddressFamilies={families}"), "without AF_UNIX nobody can ask the station".to_owned()));
        }
        harms
    }

    /// The paths of a setting. They may begin with signs for what is done where one is not there, or seen from a root of its own.
    fn paths(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).split_whitespace().map(|path| path.trim_start_matches(['-', '+']))
    }

    /// The setting that keeps the station from its lamps, whose LEDs are below `/sys/devices`. The deepest path that is listed decides, and of
    /// a path that is listed twice, by a protection (`/sys`) or by hand, the one that may not be written (systemd 252, `MountMode` in
    /// `src/core/namespace.c`).
    fn keeps_lamps(&self) -> Option<String> {
        let is_around = |path: &&str| matches!(*path, "/" | "/sys");
        let is_inside = |path: &&str| ["/sys/devices", "/sys/class/leds"].iter().any(|leds| Path::new(path).starts_with(leds));
        let lets = self.paths("ReadWritePaths").any(|path| path == "/sys/devices");
        if let Some(path) = self.paths("ReadOnlyPaths").find(|path| is_inside(path) || (is_around(path) && !lets)) {
            return Some(format!("ReadOnlyPaths={path}"));
        }
        let is_protected = self.get("ProtectKernelTunables") == "yes" && !lets;
        is_protected.then(|| "ProtectKernelTunables=yes without ReadWritePaths=/sys/devices".to_owned())
    }

    fn forbidden_calls(&self) -> Vec<(String, String)> {
        let filter = self.get("SystemCallFilter");
        let (denies, names) = match filter.strip_prefix('~') {
            Some(denied) => (true, denied),
            None if filter.is_empty() => return Vec::new(),
            None => (false, filter),
        };
        // A name may carry the error that it is answered with.
        let listed = |call: &str| names.split_whitespace().any(|name| name.split(':').next() == Some(call));
        let forbidden = NEEDED_CALLS.iter().filter(|(call, _)| listed(call) == denies);
        forbidden.map(|(call, harm)| ("SystemCallFilter".to_owned(), format!("it forbids {call}: {harm}"))).collect()
    }

    /// Settings with which the station works, and worse than it could.
    fn weaknesses(&self) -> Vec<Finding> {
        let warning = |what: String, cure: &str| Finding::warning(Subject::Unit, what).cure(cure.to_owned());
        let number = |name: &str| self.get(name).parse::<i64>().ok();
        let mut found = Vec::new();
        if number("OOMScoreAdjust").is_some_and(|adjust| adjust > -500) {
            found.push(warning(
                format!("OOMScoreAdjust={}: the station is among the first to be killed when memory is short", self.get("OOMScoreAdjust")),
                "set OOMScoreAdjust=-900",
            ));
        }
        if number("LimitNOFILE").and_then(|limit| u64::try_from(limit).ok()).is_some_and(|limit| limit < FEWEST_FILES) {
            found.push(warning(format!("LimitNOFILE={}: a large station needs more", self.get("LimitNOFILE")), "set LimitNOFILE=16384"));
        }
        if !matches!(self.get("Restart"), "always" | "on-failure" | "") {
            found.push(warning(format!("Restart={}: a station that ends stays away", self.get("Restart")), "set Restart=always"));
        }
        found
    }

    fn watchdog(&self) -> Finding {
        // A time is numbers with units, which are added (systemd.time(7)): without a digit from 1 to 9 it is none, or `infinity`.
        match self.get(WATCHDOG) {
            after if after.contains(|digit| matches!(digit, '1'..='9')) => {
                Finding::good(Subject::Watchdog, format!("systemd restarts a station that has hung for {after}"))
            }
            _ => Finding::warning(Subject::Watchdog, "a station that hangs is not restarted").cure("set WatchdogSec=10 in the unit"),
        }
    }
}

/// What systemctl prints.
fn systemctl(arguments: &[&str]) -> io::Result<String> {
    let output = Command::new("systemctl").args(arguments).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The value that holds of several in a unit and its drop-ins: the last one.
fn watchdog_in(text: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| line.trim().strip_prefix(WATCHDOG)?.trim_start().strip_prefix('='));
    values.next_back().map(|value| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;

    const SHIPPED: &str = "LoadState=loaded\nUser=flashline\nWatchdogSec=10\nOOMScoreAdjust=-900\nLimitNOFILE=16384\nRestart=always\n\
        PrivateUsers=no\nProcSubset=all\nRestrictAddressFamilies=AF_UNIX\nReadWritePaths=/sys/devices -/srv\n\
        ProtectKernelTunables=yes\nSystemCallFilter=\n";

    fn said(change: &str) -> Vec<Finding> {
        UnitSettings::parse(&format!("{SHIPPED}{change}")).findings(true)
    }

    #[test]
    fn every_setting_that_makes_a_station_blind_mute_or_deaf_is_named_with_its_cure() {
        assert!(said("").iter().all(|finding| finding.mark == Mark::Good), "{:?}", said(""));
        for (change, name) in [
            ("PrivateUsers=yes", "PrivateUsers"),
            ("PrivateDevices=yes", "PrivateDevices"),
            ("ProcSubset=pid", "ProcSubset"),
            ("ReadWritePaths=/srv", "ProtectKernelTunables"),
            ("ReadWritePaths=/sys", "ProtectKernelTunables"),
            ("ReadOnlyPaths=/sys/devices", "ReadOnlyPaths=/sys/devices"),
            ("ReadWritePaths=/srv\nReadOnlyPaths=/usr -/sys", "ReadOnlyPaths=/sys"),
            ("RestrictAddressFamilies=AF_INET", "AF_UNIX"),
            ("RestrictAddressFamilies=~AF_UNIX AF_INET", "AF_UNIX"),
            ("InaccessiblePaths=/home -/run/udev /run/udev/tags", "InaccessiblePaths=/run/udev"),
            ("SystemCallFilter=~chmod", "nobody can ask"),
            ("SystemCallFilter=~chown ioctl:1 setuid", "SystemCallFilter"),
            ("SystemCallFilter=read write ioctl ioprio_set chmod inotify_init1", "mlockall"),
        ] {
            let bad: Vec<Finding> = said(change).into_iter().filter(|finding| finding.mark == Mark::Bad).collect();
            assert_eq!(bad.len(), 1, "{change}: {bad:?}");
            assert!(bad[0].what.contains(name) && bad[0].cure.as_deref().is_some_and(|cure| cure.contains("daemon-reload")), "{bad:?}");
        }
        // Nothing of these is needed.
        for change in
            ["SystemCallFilter=~@privileged chown fchown setuid", "ReadOnlyPaths=/sys /usr", "PrivateNetwork=yes", "PrivateMounts=yes"]
        {
            assert!(said(change).iter().all(|finding| finding.mark == Mark::Good), "{change}: {:?}", said(change));
        }
        let unlit = UnitSettings::parse(&format!("{SHIPPED}ReadWritePaths=/srv")).findings(false);
        assert!(unlit.iter().all(|finding| finding.mark == Mark::Good), "a station without lamps does not need it: {unlit:?}");
    }

    #[test]
    fn what_is_weaker_than_the_shipped_unit_is_a_warning() {
        for (change, name) in [
            ("OOMScoreAdjust=0", "OOMScoreAdjust"),
            ("LimitNOFILE=1024", "LimitNOFILE"),
            ("Restart=no", "Restart"),
            ("WatchdogSec=infinity", "hangs"),
            ("WatchdogSec=0min 0s", "hangs"),
        ] {
            let weak: Vec<Finding> = said(change).into_iter().filter(|finding| finding.mark == Mark::Warning).collect();
            assert!(weak.len() == 1 && weak[0].what.contains(name), "{change}: {weak:?}");
        }
        let absent = UnitSettings::parse("LoadState=not-found\n");
        assert!(absent.identity().is_none());
        assert!(absent.findings(true)[0].what.contains("not installed"));
    }

    #[test]
    fn the_last_word_of_a_unit_and_its_drop_ins_is_how_long_a_station_may_hang() {
        let shipped = include_str!("../../../systemd/flashline.service");
        assert_eq!(watchdog_in(shipped).as_deref(), Some("10"));
        assert_eq!(watchdog_in(&format!("{shipped}\n# drop-in\n[Service]\nWatchdogSec = 0\n")).as_deref(), Some("0"));
        assert_eq!(watchdog_in("[Service]\n#WatchdogSec=10\n"), None);
    }

    #[test]
    fn a_unit_without_a_user_runs_as_root() {
        let unit = UnitSettings::parse("LoadState=loaded\nUser=\n");
        assert_eq!(unit.identity().map(|who| who.uid), Some(0));
        assert_eq!(UnitSettings::parse("LoadState=loaded\nUser=nobody-of-this-pc\n").identity(), None);
    }
}
