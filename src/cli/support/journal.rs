//! The last lines of the journal of the station's own units. A line has the place in the program that wrote it, the program's own words, and
//! the fields of the list below; any other text in it is cut out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::context::{Context, Made, SOON, plain, why};
use super::status::digest;
use super::units::UNITS;

/// Fields of an event that have a name of the configuration, a number or a word of the program.
const FIELDS: [&str; 10] = ["SLOT", "MODEL", "ATTEMPT", "DISKSEQ", "SECONDS", "ROWS", "LOST", "SIGNAL", "LOG", "DIGEST"];

/// What systemd says about a unit, by the number of the message (systemd, `src/systemd/sd-messages.h`).
const MESSAGES: [(&str, &str); 12] = [
    ("7d4958e842da4a758f6c1cdc7b36dcc5", "starting"),
    ("39f53479d3a045ac8e11786248231fbf", "started"),
    ("de5b426a63be47a7b6ac3eaac82e2f6f", "stopping"),
    ("9d1aaa27d60140bd96365438aad20286", "stopped"),
    ("be02cf6855d2428ba40df7e9d022f03d", "start failed"),
    ("d34d037fff1847e6ae669a370e694725", "reloading"),
    ("7b05ebc668384222baa8881179cfda54", "reloaded"),
    ("5eb03494b6584870a536b337290809b3", "restart scheduled"),
    ("98e322203f7a4ed290d09fe03c09fe15", "process ended"),
    ("d9b373ed55a64feb8242e02dbe79a49c", "failed"),
    ("7ad2d189f7e94e70a38c781354912448", "succeeded"),
    ("fe6faa94e7774663a0da52717891d8ef", "out of memory"),
];

/// Fields of systemd's own lines that are words and numbers (systemd.journal-fields(7)).
const OF_SYSTEMD: [&str; 6] = ["JOB_TYPE", "JOB_RESULT", "UNIT_RESULT", "EXIT_CODE", "EXIT_STATUS", "N_RESTARTS"];

pub(super) fn journal(context: &Context) -> Made {
    let lines = format!("--lines={}", context.wishes.lines);
    let mut arguments = vec!["--quiet", "--no-pager", "--output=json", &lines];
    let units: Vec<String> =
        UNITS.iter().chain(&["flashline-awake@*.service", "flashline-rules@*.service"]).map(|unit| format!("--unit={unit}")).collect();
    arguments.extend(units.iter().map(String::as_str));
    let answer = match (context.source.run)("journalctl", &arguments, SOON) {
        Ok(answer) => answer,
        Err(error) => return Made { contents: String::new(), unread: vec![why("the journal", &error)] },
    };
    let mut boots = BTreeMap::new();
    let mut seen = BTreeMap::new();
    let mut contents = String::new();
    for entry in answer.said.lines().filter_map(|line| serde_json::from_str::<Map<String, Value>>(line).ok()) {
        if let Some(line) = shown(context, &entry, &mut boots, &mut seen) {
            contents.push_str(&format!("{line}\n"));
        }
    }
    let unread = if contents.is_empty() { vec!["the journal: no line that this user may read".to_owned()] } else { Vec::new() };
    Made { contents, unread }
}

/// One line; `None` if it is of no unit of the station.
fn shown(
    context: &Context,
    entry: &Map<String, Value>,
    boots: &mut BTreeMap<String, usize>,
    seen: &mut BTreeMap<String, String>,
) -> Option<Value> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let of_manager = text("_PID") == Some("1");
    let unit = if of_manager { text("UNIT") } else { text("_SYSTEMD_UNIT") };
    let unit = unit.filter(|unit| unit.starts_with("flashline") && plain(unit).is_some())?;
    let at = text("__REALTIME_TIMESTAMP")
        .and_then(|micros| micros.parse().ok())
        .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
    let next = boots.len() + 1;
    let boot = text("_BOOT_ID").map(|boot| *boots.entry(boot.to_owned()).or_insert(next));
    let mut line = json!({"at": at.map(|at| at.to_string()), "boot": boot, "unit": unit});
    if of_manager {
        let id = text("MESSAGE_ID").unwrap_or_default();
        line["systemd"] = json!(MESSAGES.iter().find(|(known, _)| *known == id).map_or("(another message)", |(_, words)| words));
        for name in OF_SYSTEMD {
            if let Some(value) = text(name).and_then(plain).filter(|value| value.len() <= 40) {
                line[name.to_lowercase()] = json!(value);
            }
        }
        return Some(line);
    }
    let message = text("MESSAGE").unwrap_or_default();
    line["level"] = json!(text("PRIORITY").and_then(|level| level.parse::<u8>().ok()));
    line["source"] = json!(place(text("CODE_FILE").zip(text("CODE_LINE"))).or_else(|| panicked(message)));
    line["message"] = json!(seen.entry(message.to_owned()).or_insert_with(|| context.own(message)));
    for name in FIELDS {
        let Some(value) = text(&format!("FLASHLINE_{name}")) else { continue };
        let is_number = value.len() <= 20 && value.chars().all(|digit| digit.is_ascii_digit());
        let shown = if is_number || digest(value).is_some() && name == "DIGEST" { value.to_owned() } else { context.own(value) };
        line[name.to_lowercase()] = json!(shown);
    }
    if let Some(error) = text("FLASHLINE_ERROR") {
        line["error"] = json!(context.own(error));
    }
    Some(line)
}

/// A place in this program's sources.
fn place(place: Option<(&str, &str)>) -> Option<String> {
    let (file, line) = place?;
    let is_source = file.starts_with("src/")
        && file.ends_with(".rs")
        && file.chars().all(|letter| letter.is_ascii_lowercase() || "_/.".contains(letter));
    let is_line = (1..=6).contains(&line.len()) && line.chars().all(|digit| digit.is_ascii_digit());
    (is_source && is_line).then(|| format!("{file}:{line}"))
}

/// The place that a panic names.
fn panicked(message: &str) -> Option<String> {
    let behind = message.split("panicked at ").nth(1)?;
    let mut parts = behind.splitn(3, ':');
    place(parts.next().zip(parts.next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_in_our_sources_or_none() {
        assert_eq!(
            panicked("a fault of the program: panicked at src/daemon/mod.rs:12:5:\nsecret").as_deref(),
            Some("src/daemon/mod.rs:12")
        );
        for other in ["panicked at /root/secret.rs:1:2", "panicked at src/se-cret.rs:1:2", "panicked at src/a.rs:secret:2", "src/a.rs:1:2"]
        {
            assert_eq!(panicked(other), None, "{other}");
        }
    }
}
