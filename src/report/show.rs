//! One attempt in full: every fact of its row, and its speed along the image as a small plot.

use jiff::tz::TimeZone;

use crate::ledger::Row;
use crate::station::units::{Bytes, to_u64};

use super::row_facts;
use super::table::local;
use super::text::harmless;

/// Lines of a plot.
const HEIGHT: u64 = 5;

/// A title, and the named facts below it.
type Section = (&'static str, Vec<(&'static str, Option<String>)>);

/// All facts of a row in words; times in `zone`.
#[must_use]
pub(crate) fn show(row: &Row, zone: &TimeZone) -> String {
    let mut text = format!("attempt {}: {}\n", row.attempt, harmless(row.outcome.as_str()));
    if let Some(reason) = &row.reason {
        text.push_str(&format!("{}\n", harmless(reason)));
    }
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| format!("{} ({bytes} bytes)", Bytes(bytes)));
    let seconds = |micros: Option<u64>| micros.map(|micros| format!("{}.{:03} s", micros / 1_000_000, micros % 1_000_000 / 1000));
    let known = row_facts::serial_means(row.identified.as_deref());
    let known = row.identified.as_ref().map(|kind| format!("{kind}: {known}"));
    let clock = row.clock_synced.map(|synced| if synced { "set from the network" } else { "not set from the network yet" }.to_owned());
    let matches = row.readback_blake3.as_ref().map(|back| {
        if row.image_blake3.as_ref() == Some(back) { format!("{back} (the image's)") } else { format!("{back} (NOT the image's)") }
    });
    let sections: [Section; 6] = [
        ("when", vec![("began", local(row.started, zone)), ("ended", local(row.ended, zone)), ("clock", clock)]),
        (
            "where",
            vec![
                ("station", row.station_name.clone()),
                ("station id", Some(row.station_id.clone())),
                ("slot", row.slot.clone()),
                ("port", row.port.clone()),
                ("event", Some(row.seq.to_string())),
            ],
        ),
        (
            "image",
            vec![
                ("model", row.model.clone()),
                ("from", row.image_source.clone()),
                ("BLAKE3", row.image_blake3.clone()),
                ("length", bytes(row.image_span)),
                ("read back", matches),
                ("proven", row.readback_class.clone()),
            ],
        ),
        (
            "model assertion inside the image",
            vec![
                ("proof", row.model_proof.as_deref().map(|class| format!("{class}: {}", row_facts::proof_means(class)))),
                ("brand", row.model_brand.clone()),
                ("model", row.model_name.clone()),
                ("series", row.model_series.clone()),
                ("revision", row.model_revision.map(|revision| revision.to_string())),
                ("SHA3-384", row.model_sha3_384.clone()),
                ("signed by", row.model_sign_key.as_ref().map(|key| format!("key {key}"))),
            ],
        ),
        (
            "card",
            vec![
                ("serial", row.serial.clone()),
                ("known by", known),
                ("CID", row.cid.clone()),
                ("CID serial", row.cid_serial.clone()),
                ("CID name", row.cid_name.clone()),
                ("CID maker", row.cid_manfid.clone()),
                ("CID OEM", row.cid_oemid.clone()),
                ("CID date", row.cid_date.clone()),
                ("CID revision", row.cid_hwrev.clone().zip(row.cid_fwrev.clone()).map(|(hard, firm)| format!("{hard}, firmware {firm}"))),
                ("vendor", row.vendor.clone()),
                ("product", row.product.clone()),
                ("WWN", row.wwn.clone()),
                ("bus", row.bus.clone()),
                ("capacity", bytes(row.capacity)),
                ("block", row.block.map(|block| format!("{block} bytes"))),
                ("diskseq", row.diskseq.map(|diskseq| diskseq.to_string())),
            ],
        ),
        (
            "work",
            vec![
                ("work order", row.work_order.clone()),
                ("operator", row.operator.clone()),
                ("card lot", row.card_lot.clone()),
                ("second try", row.second_try_of.map(|first| format!("of the card of attempt {first}, in another slot"))),
                ("written", bytes(row.bytes_written)),
                ("read back", bytes(row.bytes_read)),
                ("writing", seconds(row.writing_us)),
                ("reading back", seconds(row.reading_us)),
                ("all", seconds(row.total_us)),
                ("slowest call", slowest(row)),
                ("repeated", row.retries.filter(|retries| *retries > 0).map(|retries| format!("{retries} calls after an error"))),
                ("reason", row.code.clone()),
                ("failed at", bytes(row.failed_at)),
            ],
        ),
    ];
    for (title, lines) in sections {
        let lines: Vec<_> = lines.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n"));
        }
        for (name, value) in lines {
            text.push_str(&format!("  {name:<13} {}\n", harmless(&value)));
        }
    }
    for (what, curve) in [("writing", &row.writing_kib_s), ("reading back", &row.reading_kib_s)] {
        let curve = curve.as_deref().and_then(|curve| serde_json::from_str::<Vec<Option<u64>>>(curve).ok());
        if let Some(curve) = curve.filter(|curve| curve.iter().any(Option::is_some)) {
            text.push_str(&format!("\n{what}, MB/s along the image\n{}", plot(&curve, mark(row, curve.len()))));
        }
    }
    text
}

fn slowest(row: &Row) -> Option<String> {
    let micros = row.slowest_call_us?;
    let act = row.slowest_call_act.as_ref().map(|act| format!(", {act}")).unwrap_or_default();
    let at = row.slowest_call_at.map(|at| format!(" at byte {at}")).unwrap_or_default();
    Some(format!("{}.{:03} s{act}{at}", micros / 1_000_000, micros % 1_000_000 / 1000))
}

/// The part of the image, of this number of parts, in which the card failed.
fn mark(row: &Row, parts: usize) -> Option<usize> {
    let (at, span) = row.failed_at.zip(row.image_span)?;
    let part = usize::try_from(u128::from(at) * u128::from(to_u64(parts)) / u128::from(span.max(1))).ok()?;
    (part < parts).then_some(part)
}

/// KiB a second, two characters per part; a part without a measurement is a dot.
fn plot(curve: &[Option<u64>], mark: Option<usize>) -> String {
    const LEVELS: [&str; 9] = ["  ", "▁▁", "▂▂", "▃▃", "▄▄", "▅▅", "▆▆", "▇▇", "██"];
    let most = curve.iter().flatten().copied().max().unwrap_or(0).max(1);
    let mut text = String::new();
    for line in (0..HEIGHT).rev() {
        let label = match line {
            line if line == HEIGHT - 1 => megabytes(most),
            0 => "0".to_owned(),
            _ => String::new(),
        };
        text.push_str(&format!("  {label:>6} │"));
        for part in curve {
            let eighths = part.map(|rate| (u128::from(rate) * u128::from(HEIGHT) * 8 / u128::from(most)).max(1));
            let here = eighths.map(|eighths| eighths.saturating_sub(u128::from(line) * 8).min(8));
            text.push_str(match here.and_then(|level| usize::try_from(level).ok()) {
                Some(level) => LEVELS[level],
                None if line == 0 => "· ",
                None => "  ",
            });
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text.push_str(&format!("  {:>6} └{}\n", "", "──".repeat(curve.len())));
    if let Some(mark) = mark {
        text.push_str(&format!("  {:>6}  {}▲ failed here\n", "", "  ".repeat(mark)));
    }
    text
}

/// As speeds of cards are printed: decimal, one digit.
fn megabytes(kib: u64) -> String {
    let tenths = u128::from(kib) * 1024 / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn everything_a_row_knows_is_shown_and_nothing_it_does_not() {
        let [passed, failed] = testing::rows();
        let text = show(&passed, &TimeZone::UTC);
        for expected in
            ["attempt 1: passed", "ended         2023-11-14 22:13:32", "length        8.3 MB (8388608 bytes)", "writing       7.000 s"]
        {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!text.contains("CID"), "{text}");
        let text = show(&failed, &TimeZone::UTC);
        assert!(text.contains("writing at byte 4194304"), "{text}");
        assert!(!text.contains('\u{1b}'), "a card cannot write to the terminal");
    }

    #[test]
    fn the_model_inside_the_image_is_shown_with_its_proof() {
        let proven = testing::proven(&testing::rows()[0]);
        let text = show(&proven, &TimeZone::UTC);
        for expected in [
            "proof         proven: signatures reach from this model, and from every snap of the image, to a trusted root\n",
            "brand         acme\n",
            "model         my-pi3\n",
            "series        16\n",
            "revision      4\n",
            "SHA3-384      dddd\n",
            "signed by     key kkkk\n",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let nobody = Row { model_proof: Some("none".to_owned()), ..testing::rows()[0].clone() };
        let text = show(&nobody, &TimeZone::UTC);
        assert!(text.contains("proof         none: the image was not inspected\n") && !text.contains("signed by"), "{text}");
        assert!(!show(&testing::rows()[1], &TimeZone::UTC).contains("model assertion"), "a card without an image has no proof of one");
    }

    #[test]
    fn what_was_read_back_is_held_against_the_image_before_a_persons_eyes() {
        let row = |back: &str| Row { image_blake3: Some("aa".to_owned()), readback_blake3: Some(back.to_owned()), ..Row::default() };
        assert!(show(&row("aa"), &TimeZone::UTC).contains("aa (the image's)"));
        assert!(show(&row("bb"), &TimeZone::UTC).contains("bb (NOT the image's)"));
    }

    #[test]
    fn a_card_that_slows_down_shows_where() {
        let row = Row {
            writing_kib_s: Some("[20000,20000,10000,null]".to_owned()),
            reading_kib_s: Some("no list".to_owned()),
            failed_at: Some(600),
            image_span: Some(800),
            outcome: crate::station::outcome::OutcomeWord::Failed,
            ..Row::default()
        };
        let text = show(&row, &TimeZone::UTC);
        let plot = "\nwriting, MB/s along the image\n    20.4 │████\n         │████\n         │████▄▄\n         │██████\n       0 │██████·\n         └────────\n                ▲ failed here\n";
        assert!(text.contains(plot), "{text}\n{plot}");
        assert!(!text.contains("reading back, MB/s"), "what is no list is no plot");
    }

    #[test]
    fn a_failure_behind_the_image_is_not_drawn_into_it() {
        let row = |at| Row { failed_at: Some(at), image_span: Some(100), ..Row::default() };
        assert_eq!((mark(&row(0), 32), mark(&row(99), 32), mark(&row(100), 32)), (Some(0), Some(31), None));
    }
}
