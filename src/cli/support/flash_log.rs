//! The flash log and the staged images, by numbers alone: no row, no name of a person, no text that anybody wrote.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::context::{Context, Made, why};
use super::status::{code, digest};
use crate::device::patience::within;
use crate::file::beside;
use crate::ledger::{Filter, Flaw, LogError, LogReader};
use crate::station::outcome::OutcomeWord;

/// How long all of the log may be verified: to compare the events with every index takes most of it, some minutes for a log of years.
const WHOLE: Duration = Duration::from_secs(90);

pub(super) fn flash_log(context: &Context) -> Made {
    let path = context.log();
    let size = |suffix: &str| fs::metadata(beside(&path, suffix)).ok().map(|metadata| metadata.len());
    let mut log = json!({"bytes": size(""), "bytes_of_wal": size("-wal")});
    let mut unread = Vec::new();
    match LogReader::open(&path).and_then(|reader| look(&reader, &path)) {
        Ok(found) => log["log"] = found,
        Err(error) => unread.push(format!("the flash log: {}", context.error(&error))),
    }
    Made::json(&log, unread)
}

fn look(reader: &LogReader, path: &Path) -> Result<Value, LogError> {
    let mut outcomes: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut codes: BTreeMap<String, u64> = BTreeMap::new();
    let (mut attempts, mut first, mut last) = (0_u64, None, None);
    reader.briefs(&Filter::default(), |brief| {
        attempts += 1;
        first = first.or(Some(brief.at));
        last = Some(brief.at);
        *outcomes.entry(word(brief.outcome)).or_default() += 1;
        if let Some(reason) = brief.code {
            *codes.entry(code(reason).to_owned()).or_default() += 1;
        }
        ControlFlow::Continue(())
    })?;
    let time = |at: Option<i64>| at.and_then(|at| jiff::Timestamp::from_microsecond(at).ok()).map(|at| at.to_string());
    let verified = verified(path)?;
    Ok(json!({
        "verify": verified,
        "volatile": reader.volatile()?.is_some(),
        "attempts": attempts,
        "first": time(first),
        "last": time(last),
        "outcomes": outcomes,
        "reasons": codes,
    }))
}

/// The whole log, if that is done in time; else its events alone.
fn verified(path: &Path) -> Result<Value, LogError> {
    let log = path.to_owned();
    let (verdict, indexes) = match within(WHOLE, "support/verify", move || LogReader::open(&log).and_then(|reader| reader.verify())) {
        Ok(verdict) => (verdict?, true),
        Err(_too_long) => (LogReader::open(path)?.verify_chain()?.map_err(Flaw::Event), false),
    };
    Ok(match verdict {
        Ok(head) => json!({"whole": true, "anchor": head.to_string(), "with_indexes": indexes}),
        Err(Flaw::Event(broken)) => json!({"whole": false, "event": broken.seq, "what": format!("{:?}", broken.what).to_lowercase()}),
        Err(Flaw::File(_)) => json!({"whole": false, "what": "an index of the file"}),
        Err(Flaw::Carried(_)) => json!({"whole": false, "what": "what was kept of archived events"}),
        // Only of an anchor, and none was given.
        Err(Flaw::InArchive { .. }) => json!({"whole": false, "what": "an anchor"}),
    })
}

fn word(outcome: &OutcomeWord) -> &'static str {
    outcome.known().unwrap_or("unknown")
}

/// Staged images are named by their digests; any other file is only counted.
pub(super) fn images(context: &Context) -> Made {
    let entries = match fs::read_dir(context.store()) {
        Ok(entries) => entries,
        Err(error) => return Made::json(&json!({"images": null}), vec![why("the staged images", &error)]),
    };
    let (mut images, mut others) = (BTreeMap::new(), 0_u64);
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(".img")).and_then(digest);
        match (name, entry.metadata()) {
            (Some(digest), Ok(metadata)) => {
                let modified = jiff::Timestamp::from_second(metadata.mtime()).ok().map(|at| at.to_string());
                images.insert(
                    digest.to_owned(),
                    json!({"bytes": metadata.len(), "bytes_on_disk": metadata.blocks().saturating_mul(512), "modified": modified}),
                );
            }
            _ => others += 1,
        }
    }
    Made::json(&json!({"images": images, "other_files": others}), Vec::new())
}
