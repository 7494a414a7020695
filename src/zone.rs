//! The PC's time zone, as the C library understands it: `TZ`, else `/etc/localtime`.
//!
//! The zone decides what "today" is, when a shift ends and which file a row is in, so an invalid zone is reported. Has no clock of its own.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// The rule for a zone of the POSIX form that names its summer time without its beginning and end: the second Sunday of March and the first
/// of November (glibc, `time/tzset.c`, `posixrules`; tzcode, `TZDEFRULESTRING`).
const RULE: &str = ",M3.2.0,M11.1.0";

/// The value of the variable `TZ`.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    /// It is not set: the PC's own zone is used.
    Nothing,
    Zone(TimeZone),
    /// It is invalid. Then the C library uses UTC, and so does this program.
    NoZone(String),
}

static SAID: OnceLock<Said> = OnceLock::new();

fn said() -> &'static Said {
    SAID.get_or_init(|| of_text(std::env::var_os("TZ").as_deref()))
}

/// The zone in which people of this PC count their days. The file of the PC's own zone is read again if it changed, which may wait for its
/// disk.
#[must_use]
pub(crate) fn here() -> TimeZone {
    match said() {
        Said::Nothing => TimeZone::system(),
        Said::Zone(zone) => zone.clone(),
        Said::NoZone(_) => TimeZone::UTC,
    }
}

/// The time by the PC's clock, in its zone.
#[must_use]
pub(crate) fn now() -> Zoned {
    Timestamp::now().to_zoned(here())
}

/// The error in `TZ`, and the cure; `None` if it is not set or valid.
#[must_use]
pub(crate) fn complaint() -> Option<String> {
    match said() {
        Said::NoZone(text) => Some(sentence(text)),
        Said::Nothing | Said::Zone(_) => None,
    }
}

fn sentence(text: &str) -> String {
    format!("TZ={text:?} is no time zone, so all times and days are UTC: write one as Europe/Berlin, or unset TZ")
}

fn of_text(text: Option<&OsStr>) -> Said {
    let Some(text) = text else { return Said::Nothing };
    let whole = text.to_string_lossy();
    let name = whole.strip_prefix(':').unwrap_or(&whole);
    let zone = match name {
        "" => Some(TimeZone::UTC),
        path if path.starts_with('/') => of_file(Path::new(path)),
        name => of_name(name),
    };
    zone.map_or_else(|| Said::NoZone(whole.clone().into_owned()), Said::Zone)
}

/// A zone of the database, or one of the POSIX form. `posix/` is the database itself; `right/` has the same zones for a clock that counts
/// leap seconds, which no PC uses here.
fn of_name(name: &str) -> Option<TimeZone> {
    let plain = name.strip_prefix("posix/").or_else(|| name.strip_prefix("right/")).unwrap_or(name);
    let of_rules = || TimeZone::posix(name).or_else(|_no_rule| TimeZone::posix(&format!("{name}{RULE}"))).ok();
    TimeZone::get(plain).ok().or_else(of_rules)
}

fn of_file(path: &Path) -> Option<TimeZone> {
    let data = std::fs::read(path).ok()?;
    TimeZone::tzif(&path.to_string_lossy(), &data).ok()
}

#[cfg(test)]
mod cases {
    use super::*;

    /// The local time of two moments, in winter and in summer.
    fn of(text: &str) -> Option<[String; 2]> {
        let zone = match of_text(Some(OsStr::new(text))) {
            Said::Zone(zone) => zone,
            Said::Nothing | Said::NoZone(_) => return None,
        };
        Some(["2026-01-15T12:00:00Z", "2026-07-15T12:00:00Z"].map(|at| {
            let at: Timestamp = at.parse().expect("a time");
            at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
        }))
    }

    #[test]
    fn every_form_of_a_zone_that_the_c_library_takes_is_the_same_zone_here() {
        for (text, winter, summer) in [
            ("CET-1CEST", "13:00", "14:00"),
            ("MEZ-1MESZ", "13:00", "14:00"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "13:00", "14:00"),
            ("posix/Europe/Berlin", "13:00", "14:00"),
            ("right/Europe/Berlin", "13:00", "14:00"),
            (":Europe/Berlin", "13:00", "14:00"),
            ("Europe/Berlin", "13:00", "14:00"),
            ("MSK-3", "15:00", "15:00"),
            ("<+0530>-5:30", "17:30", "17:30"),
            ("EST5EDT", "07:00", "08:00"),
            ("Asia/Calcutta", "17:30", "17:30"),
            ("UTC", "12:00", "12:00"),
            ("", "12:00", "12:00"),
        ] {
            assert_eq!(of(text), Some([winter.to_owned(), summer.to_owned()]), "TZ={text:?}");
        }
        // The rule of the C library, not Europe's: summer time begins three weeks earlier there.
        let Said::Zone(zone) = of_text(Some(OsStr::new("CET-1CEST"))) else { panic!("it is one") };
        let at: Timestamp = "2026-03-16T12:00:00Z".parse().expect("a time");
        assert_eq!(at.to_zoned(zone).strftime("%H:%M").to_string(), "14:00");
    }

    #[test]
    fn a_zone_that_is_not_understood_is_told_and_one_that_is_not_set_is_the_pcs_own() {
        for text in ["Europe/Berlon", "Berlin", "CET-1CEST,", "/nowhere/zone", "/etc/hostname", "CET-1CEST,M3.5.0"] {
            assert_eq!(of(text), None, "TZ={text:?}");
            assert_eq!(of_text(Some(OsStr::new(text))), Said::NoZone(text.to_owned()));
            assert!(sentence(text).contains("so all times and days are UTC"));
        }
        assert_eq!(of_text(None), Said::Nothing);
    }
}
