//! The result for people: what was found out of each slot, what it means, and the settings to use.

use std::time::Duration;

use super::facts::{Check, Freshness, Noticed, SlotFacts, Speeds, Switching, kept_beside};
use super::judge::{Fitness, Remark, fitness, remarks};
use super::settings::{configuration, shared, udev_rules};
use crate::device::FlushAnswer;
use crate::device::mode_sense::CachingPage;
use crate::station::card::Identity;
use crate::station::units::{Bytes, KIB, to_f64};
use crate::watch::polls::MEDIA_POLL;
use crate::watch::sysfs::MediaPolling;

/// All of it, as lines.
#[must_use]
pub(crate) fn lines(all: &[SlotFacts]) -> Vec<String> {
    let mut lines: Vec<String> = all.iter().flat_map(of_slot).collect();
    lines.push(String::new());
    lines.push("settings to use".to_owned());
    lines.extend(settings(all).into_iter().map(|line| format!("  {line}")));
    lines
}

/// The facts and remarks of one slot.
fn of_slot(facts: &SlotFacts) -> Vec<String> {
    let remarks = remarks(facts);
    let mut lines = vec![format!("{}  {}  {}", facts.slot, fitness(&remarks).words(), facts.reader)];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<17}{value}"));
    row("port", facts.port.to_string());
    if let Some(link) = &facts.link {
        row(
            "link",
            format!("{link} Mbit/s{}", if facts.hubs.is_empty() { String::new() } else { format!(", behind {}", facts.hubs.join(" > ")) }),
        );
    }
    row("card", format!("{}, blocks of {} bytes", facts.card.capacity, facts.card.logical_block));
    row("identity", identity(facts.card.identified).to_owned());
    row("polling", polling(facts.polling));
    if let Some(page) = facts.caching {
        row("caching page", caching(page).to_owned());
    }
    if let Some(flush) = facts.flush {
        row("flush", format!("{}, after {}", answer(flush.answer), shortly(flush.took)));
    }
    if let Some(requests) = &facts.requests {
        let limit = |bytes: Option<Bytes>| bytes.map_or_else(|| "unknown".to_owned(), |bytes| format!("{} kB", bytes.0 / KIB));
        row("kernel's requests", format!("{} now, {} at most", limit(facts.limits.now), limit(facts.limits.allowed)));
        let failed = requests.failed.as_ref().map_or_else(String::new, |(length, why)| format!("; {} fails: {why}", calls_of(*length)));
        row("longest call", format!("{}{failed}", calls_of(requests.longest)));
        let last = [("alone", &requests.last_alone), ("in a longer call", &requests.last_in_longer)];
        let told = last.iter().filter_map(|(how, check)| Some(format!("{} {how}", check_words(check.as_ref()?)))).collect::<Vec<_>>();
        row("last block", told.join(", "));
    }
    if let Some(speeds) = &facts.alone {
        row("alone", speeds_words(speeds));
    }
    if let (Some(speeds), Some(kept)) = (&facts.together, kept_beside(facts)) {
        row("beside neighbours", format!("{}: {:.0} % of it", speeds_words(speeds), 100.0 * kept));
    }
    if let Some(reopened) = &facts.reopened {
        let ways = [("direct", &reopened.direct), ("page cache", &reopened.cached), ("pages forgotten", &reopened.forgotten)];
        let told = ways.map(|(way, found)| format!("{way} {}", freshness(found)));
        row("opened again", told.join(", "));
    }
    if let Some(hands) = &facts.hands {
        row("taken out", noticed(hands.left, hands.size_zero, hands.disk_gone));
        let count = hands.diskseq.map_or_else(String::new, |(before, after)| format!(", DISKSEQ {before} → {after}"));
        row("put in again", format!("{}{count}", noticed(hands.back, false, false)));
    }
    row("port switch", switching(&facts.switching));
    lines.extend(remarks.iter().flat_map(of_remark));
    lines
}

fn of_remark(remark: &Remark) -> Vec<String> {
    let sign = match remark.fitness {
        Fitness::Fit => '·',
        Fitness::FitWithRemarks => '!',
        Fitness::NotFit => '✗',
    };
    let mut lines = vec![format!("  {sign} {}", remark.what)];
    lines.extend(remark.cure.map(|cure| format!("    → {cure}")));
    lines
}

/// The settings that follow, with what slots share.
#[must_use]
pub(crate) fn settings(all: &[SlotFacts]) -> Vec<String> {
    let mut lines = configuration(all);
    for group in shared(all) {
        let advice = if group.is_undisturbed() { "may share it" } else { "slow each other down: use one for each where speed counts" };
        lines.push(format!(
            "# {}: {} keep {:.0} % of their speed at once, and {advice}",
            group.what,
            group.slots.join(" "),
            100.0 * group.kept
        ));
    }
    if all.iter().any(|facts| !matches!(facts.polling, MediaPolling::Unneeded)) {
        let poll = MEDIA_POLL.as_millis();
        lines.push(format!("# events_poll_msecs = {poll}, which the udev rules set: flashline slots rules --write"));
    }
    let rules = udev_rules(all);
    if !rules.is_empty() {
        lines.push("# for a file of your own in /etc/udev/rules.d:".to_owned());
        lines.extend(rules.iter().map(|rule| format!("#   {rule}")));
    }
    lines
}

/// Megabytes a second, with one digit.
#[must_use]
pub(crate) fn megabytes(rate: Bytes) -> String {
    format!("{:.1}", to_f64(rate.0) / 1e6)
}

fn speeds_words(speeds: &Speeds) -> String {
    let (write, read) = (megabytes(speeds.write), megabytes(speeds.read));
    format!("writes {write} MB/s, reads {read} MB/s, slowest call {}, data {}", shortly(speeds.slowest_call), check_words(&speeds.data))
}

fn calls_of(length: Bytes) -> String {
    if length.0 < KIB { format!("{} bytes", length.0) } else { format!("{} kB", length.0 / KIB) }
}

/// A duration in the unit that suits it.
#[must_use]
pub(crate) fn shortly(duration: Duration) -> String {
    if duration < Duration::from_secs(1) { format!("{} ms", duration.as_millis()) } else { format!("{:.1} s", duration.as_secs_f64()) }
}

/// The answer to a flush, in a word or two.
#[must_use]
pub(crate) fn answer(answer: FlushAnswer) -> &'static str {
    match answer {
        FlushAnswer::Taken => "taken",
        FlushAnswer::Refused => "refused",
        FlushAnswer::Stalled => "unanswered",
        FlushAnswer::Lost => "reset by it",
        FlushAnswer::Gone => "left the bus",
        FlushAnswer::Unclear => "failed",
        FlushAnswer::NotScsi => "by the kernel",
    }
}

fn caching(page: CachingPage) -> &'static str {
    match page {
        CachingPage::WriteBack => "write cache enabled",
        CachingPage::WriteThrough => "write cache disabled",
        CachingPage::None => "none shown",
        CachingPage::Unanswered => "no answer",
        CachingPage::NotScsi => "not a SCSI device",
    }
}

fn identity(identified: Identity) -> &'static str {
    match identified {
        Identity::Cid => "the card's CID",
        Identity::UsbSerial => "the serial of the stick",
        Identity::ReaderOnly => "the serial of the reader, which its cards share",
        Identity::None => "none",
    }
}

fn polling(polling: MediaPolling) -> String {
    match polling {
        MediaPolling::Unneeded => "not needed".to_owned(),
        MediaPolling::Every(every) => format!("every {}", shortly(every)),
        MediaPolling::Never => "never".to_owned(),
    }
}

fn check_words(check: &Check) -> String {
    match check {
        Check::Right => "right".to_owned(),
        Check::Wrong => "WRONG".to_owned(),
        Check::Failed(why) => format!("FAILED ({why})"),
    }
}

fn freshness(found: &Freshness) -> String {
    match found {
        Freshness::Newest => "newest".to_owned(),
        Freshness::Stale => "STALE".to_owned(),
        Freshness::Wrong => "WRONG".to_owned(),
        Freshness::Failed(why) => format!("FAILED ({why})"),
    }
}

fn noticed(change: Option<Noticed>, size_zero: bool, disk_gone: bool) -> String {
    let Some(change) = change else { return "not noticed".to_owned() };
    let mut words = vec![if change.by_itself { "noticed" } else { "noticed only when the disk was opened" }.to_owned()];
    words.extend(change.after.map(|after| format!("after {}", shortly(after))));
    words.extend(size_zero.then(|| "size 0".to_owned()));
    words.extend(disk_gone.then(|| "the disk was gone".to_owned()));
    words.join(", ")
}

fn switching(switching: &Switching) -> String {
    match switching {
        Switching::NotOffered => "the kernel offers none".to_owned(),
        Switching::Offered => "offered by the kernel, not tried (--switch)".to_owned(),
        Switching::Works { back_after } => {
            format!("the reader leaves, and is back after {}; whether its power is cut, only its light shows", shortly(*back_after))
        }
        Switching::NoEffect => "offered by the kernel, and without effect".to_owned(),
        Switching::Lost => "the reader did not come back".to_owned(),
        Switching::Refused(why) => format!("not tried: {why}"),
    }
}

#[cfg(test)]
mod cases {
    use super::super::testing::slot;
    use super::*;

    #[test]
    fn the_text_of_a_slot_begins_with_the_verdict_has_the_figures_and_ends_with_settings() {
        let mut facts = slot("A1", 0);
        facts.together = facts.alone.clone().map(|alone| Speeds { write: Bytes(alone.write.0 / 2), ..alone });
        let text = lines(&[facts.clone()]).join("\n");
        assert!(text.starts_with("A1  fit  usb 05e3:0749 revision 0200"), "{text}");
        for words in [
            "writes 20.0 MB/s, reads 80.0 MB/s",
            "50 % of it",
            "taken, after 40 ms",
            "120 kB now, 1024 kB at most",
            "4096 kB",
            "direct newest, page cache newest",
            "noticed, after 400 ms, size 0",
            "DISKSEQ 7 → 9",
            "flush = \"required\"",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        facts.reopened.as_mut().expect("measured").direct = Freshness::Stale;
        let text = lines(&[facts]).join("\n");
        assert!(text.starts_with("A1  NOT FIT") && text.contains("direct STALE") && text.contains("→ do not use this reader"), "{text}");
    }
}
