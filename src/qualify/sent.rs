//! The file for Flashline's makers, in JSON. It has no serial, no name of a station or slot, and no place in a PC.

use serde_json::{Value, json};

use super::facts::{Check, Freshness, Noticed, SlotFacts, Speeds, Switching, kept_beside};
use super::judge::{fitness, remarks};
use crate::device::FlushAnswer;
use crate::device::mode_sense::CachingPage;
use crate::station::units::seconds;
use crate::watch::sysfs::MediaPolling;

/// The version of this format.
pub(crate) const VERSION: u32 = 1;
/// What stands in the place of a serial that a device also gives as something else.
const WITHHELD: &str = "withheld";
/// A shorter serial is part of too many other words.
const LEAST_SERIAL: usize = 4;

/// The file, as text.
#[must_use]
pub(crate) fn file(program: &str, kernel: &str, date: &str, all: &[SlotFacts]) -> String {
    let mut value = json!({
        "format": "flashline-qualification",
        "version": VERSION,
        "program": program,
        "kernel": kernel,
        "date": date,
        "slots": all.iter().map(of_slot).collect::<Vec<_>>(),
    });
    let secrets: Vec<&str> = all
        .iter()
        .flat_map(|facts| [&facts.card.serial, &facts.card.cid])
        .flatten()
        .map(|serial| serial.trim())
        .filter(|serial| serial.len() >= LEAST_SERIAL)
        .collect();
    withhold(&mut value, &secrets);
    format!("{value:#}\n")
}

/// Some devices repeat their serial in their product or in an error.
fn withhold(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::String(text) => {
            for secret in secrets {
                if text.contains(secret) {
                    *text = text.replace(secret, WITHHELD);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| withhold(value, secrets)),
        Value::Object(values) => values.values_mut().for_each(|value| withhold(value, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn of_slot(facts: &SlotFacts) -> Value {
    let remarks = remarks(facts);
    let requests = facts.requests.as_ref().map(|requests| {
        json!({
            "longest_bytes": requests.longest.0,
            "failed_bytes": requests.failed.as_ref().map(|(length, _)| length.0),
            "failed_error": requests.failed.as_ref().map(|(_, why)| why),
            "last_block_alone": requests.last_alone.as_ref().map(check),
            "last_block_in_longer": requests.last_in_longer.as_ref().map(check),
        })
    });
    let reopened = facts.reopened.as_ref().map(|reopened| {
        json!({
            "direct": freshness(&reopened.direct),
            "page_cache": freshness(&reopened.cached),
            "pages_forgotten": freshness(&reopened.forgotten),
        })
    });
    let hands = facts.hands.as_ref().map(|hands| {
        json!({
            "out": hands.left.map(noticed),
            "back": hands.back.map(noticed),
            "size_zero": hands.size_zero,
            "disk_gone": hands.disk_gone,
            // The numbers themselves count what happened on this PC since it was started.
            "diskseq_grew": hands.diskseq.map(|(before, after)| after > before),
            "data_kept": hands.kept.as_ref().map(check),
        })
    });
    json!({
        "reader": {
            "bus": facts.reader.bus,
            "vendor": facts.reader.vendor,
            "product": facts.reader.product,
            "revision": facts.reader.revision,
            "inquiry": facts.reader.inquiry,
            "stays": facts.stays,
            "hubs": facts.hubs,
            "link_mbit": facts.link,
        },
        "card": {
            "capacity_bytes": facts.card.capacity.0,
            "logical_block_bytes": facts.card.logical_block,
            "identified": facts.card.identified.word(),
        },
        "kernel_request_bytes": facts.limits.now.map(|bytes| bytes.0),
        "kernel_request_most_bytes": facts.limits.allowed.map(|bytes| bytes.0),
        "polling": polling(facts.polling),
        "caching_page": facts.caching.map(caching),
        "flush": facts.flush.map(|flush| json!({"answer": answer(flush.answer), "seconds": seconds(flush.took)})),
        "requests": requests,
        "alone": facts.alone.as_ref().map(speeds),
        "together": facts.together.as_ref().map(speeds),
        "kept_beside": kept_beside(facts),
        "reopened": reopened,
        "port_switch": switching(&facts.switching),
        "hands": hands,
        "trouble": facts.trouble.as_ref().map(|trouble| trouble.kind),
        "fitness": fitness(&remarks),
        "remarks": remarks.iter().map(|remark| json!({"code": remark.code, "fitness": remark.fitness})).collect::<Vec<_>>(),
    })
}

fn speeds(speeds: &Speeds) -> Value {
    json!({
        "write_bytes_per_second": speeds.write.0,
        "read_bytes_per_second": speeds.read.0,
        "slowest_call_seconds": seconds(speeds.slowest_call),
        "data": check(&speeds.data),
    })
}

fn check(check: &Check) -> &'static str {
    match check {
        Check::Right => "right",
        Check::Wrong => "wrong",
        Check::Failed(_) => "failed",
    }
}

fn freshness(found: &Freshness) -> &'static str {
    match found {
        Freshness::Newest => "newest",
        Freshness::Stale => "stale",
        Freshness::Wrong => "wrong",
        Freshness::Failed(_) => "failed",
    }
}

fn noticed(noticed: Noticed) -> Value {
    json!({"by_itself": noticed.by_itself, "seconds": noticed.after.map(seconds)})
}

fn polling(polling: MediaPolling) -> Value {
    match polling {
        MediaPolling::Unneeded => json!("unneeded"),
        MediaPolling::Every(every) => json!({"every_seconds": seconds(every)}),
        MediaPolling::Never => json!("never"),
    }
}

fn caching(page: CachingPage) -> &'static str {
    match page {
        CachingPage::WriteBack => "write-back",
        CachingPage::WriteThrough => "write-through",
        CachingPage::None => "none",
        CachingPage::Unanswered => "unanswered",
        CachingPage::NotScsi => "not-scsi",
    }
}

fn answer(answer: FlushAnswer) -> &'static str {
    match answer {
        FlushAnswer::Taken => "taken",
        FlushAnswer::Refused => "refused",
        FlushAnswer::Stalled => "silent",
        FlushAnswer::Lost => "reset",
        FlushAnswer::Gone => "left",
        FlushAnswer::Unclear => "failed",
        FlushAnswer::NotScsi => "not-scsi",
    }
}

fn switching(switching: &Switching) -> Value {
    match switching {
        Switching::NotOffered => json!("not-offered"),
        Switching::Offered => json!("offered"),
        Switching::Works { back_after } => json!({"works_back_after_seconds": seconds(*back_after)}),
        Switching::NoEffect => json!("no-effect"),
        Switching::Lost => json!("lost"),
        Switching::Refused(_) => json!("not-tried"),
    }
}

#[cfg(test)]
mod cases {
    use super::super::facts::{Trouble, TroubleKind};
    use super::super::testing::{SERIAL, slot};
    use super::*;
    use crate::station::units::Bytes;

    #[test]
    fn no_serial_no_slot_and_no_place_is_in_the_file_even_where_a_device_repeats_them() {
        let mut all = vec![slot("LEFT-UPPER", 0), slot("LEFT-LOWER", 1)];
        all[0].card.cid = Some("035344534c31364780a1b2c3d4015b00".to_owned());
        all[0].reader.inquiry = Some(format!("Acme {SERIAL} 1.00"));
        let why = format!("reading {SERIAL}: 035344534c31364780a1b2c3d4015b00 is gone");
        all[1].requests.as_mut().expect("tried").failed = Some((Bytes(512), why));
        all[1].trouble = Some(Trouble { kind: TroubleKind::Refused, what: "in use: mounted at /home/op".to_owned() });
        let text = file("0.1.0", "6.1.0", "2026-11-30", &all);
        for secret in [SERIAL, "035344534c31364780a1b2c3d4015b00", "LEFT", "0000:00:14.0", "lun-1", "/home"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        let value: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(value["slots"][0]["reader"]["inquiry"], "Acme withheld 1.00");
        assert_eq!(value["slots"][1]["trouble"], "refused");
        assert_eq!(value["slots"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn the_file_says_its_format_and_version_and_has_every_figure() {
        let mut facts = slot("A1", 0);
        facts.together = facts.alone.clone();
        let value: Value = serde_json::from_str(&file("0.1.0", "6.1.0-40-amd64", "2026-11-30", &[facts])).expect("it is JSON");
        assert_eq!(
            (&value["format"], &value["version"], &value["kernel"]),
            (&json!("flashline-qualification"), &json!(1), &json!("6.1.0-40-amd64"))
        );
        let slot = &value["slots"][0];
        assert_eq!(slot["fitness"], "fit");
        assert_eq!(slot["alone"]["write_bytes_per_second"], 20_000_000);
        assert_eq!((&slot["kept_beside"], &slot["flush"]["answer"]), (&json!(1.0), &json!("taken")));
        assert_eq!(slot["hands"]["diskseq_grew"], true);
        assert_eq!(slot["reopened"]["direct"], "newest");
    }
}
