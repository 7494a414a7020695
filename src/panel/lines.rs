//! The text of a slot's line. It depends on the view only.

use std::time::Duration;

use crate::station::standing::LogNote;
use crate::station::view::{Progress, SlotView, View};

/// `38.2 MB/s  0:12 left`, as far as it is known.
#[must_use]
pub(crate) fn pace(progress: &Progress) -> String {
    let rate = progress.rate.map(|rate| format!("{rate}/s"));
    let left = progress.left.map(|left| format!("{} left", clock(left)));
    [rate, left].into_iter().flatten().collect::<Vec<_>>().join("  ")
}

/// A duration as on a clock: `0:07`, `12:30`, `1:02:03`.
#[must_use]
pub(crate) fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A moment on the PC's own clock, to the minute.
#[must_use]
pub(crate) fn local_time(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    time.to_zoned(crate::zone::here()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The shift's anchor, which must be kept in another place.
#[must_use]
pub(crate) fn anchor(at: i64, text: &str) -> String {
    format!("shift ended {}: write this on the shift sheet: {text}", local_time(at))
}

/// The text behind the word: the reason and the instruction; or the speed, while busy.
#[must_use]
pub(crate) fn detail(slot: &SlotView) -> String {
    match (&slot.progress, slot.sign.reason()) {
        (Some(progress), _) => pace(progress),
        (None, Some(reason)) => format!("{reason}: {}", slot.sign.todo().text()),
        (None, None) => slot.sign.todo().text().to_owned(),
    }
}

/// The line of a slot in a log: name, word, detail, card.
#[must_use]
pub(crate) fn line(slot: &SlotView) -> String {
    let mut line = format!("{}  {}", slot.slot, slot.sign.word());
    // The speed changes with every drawing, but a line is printed once for a sign.
    let detail = match slot.sign.reason() {
        Some(reason) => format!("{reason}: {}", slot.sign.todo().text()),
        None => slot.sign.todo().text().to_owned(),
    };
    line.push_str("  ");
    line.push_str(&detail);
    if let Some(card) = &slot.card {
        line.push_str("  [");
        line.push_str(card);
        line.push(']');
    }
    line
}

/// The station's own line: its name, or all of its faults.
#[must_use]
pub(crate) fn title(view: &View) -> String {
    let faults = view.all_faults();
    if !faults.is_empty() {
        return format!("STATION FAULT  {}: call the station engineer", faults.join("; "));
    }
    let work = view.maintenance.as_ref().map(|work| maintenance(&work.by, &work.why));
    let exposed = (!view.exposed.is_empty()).then(|| exposed(&view.exposed));
    let suspects = view.suspects.iter().map(|finding| stands_out(&finding.to_string()));
    [format!("FLASHLINE  {}", view.station)].into_iter().chain(work).chain(suspects).chain(exposed).collect::<Vec<_>>().join("  ")
}

/// The note in a report about a log that is lost when the power fails, with the reason.
#[must_use]
pub(crate) fn volatile(why: &str) -> String {
    format!("This flash log is volatile: {why}. Its rows are lost at the next power cut.")
}

/// The notes about the flash log, and their cures.
#[must_use]
pub(crate) fn note(note: LogNote) -> &'static str {
    match note {
        LogNote::Begun => {
            "NEW FLASH LOG  it has no earlier rows: if that is right run `flashline log confirm`, otherwise stop the station and put the old log back"
        }
        LogNote::Volatile => {
            "VOLATILE FLASH LOG  it is kept in memory and lost at the next power cut or restart of this PC: put `state` on a disk"
        }
    }
}

/// The maintenance of the station: who works on it, and why.
#[must_use]
pub(crate) fn maintenance(by: &str, why: &str) -> String {
    format!("MAINTENANCE  by {by}: {why}")
}

/// Something with more failures than chance explains, in the words of the station.
#[must_use]
pub(crate) fn stands_out(finding: &str) -> String {
    format!("TOO MANY FAILURES  {finding}")
}

/// The slots that are not protected from the PC's other programs, and the cure.
#[must_use]
pub(crate) fn exposed(slots: &[String]) -> String {
    let (noun, verb) = if slots.len() == 1 { ("slot", "is") } else { ("slots", "are") };
    format!("{noun} {} {verb} not kept from this PC's other programs: run `flashline slots rules --write` as root", slots.join(" "))
}

/// The text that replaces every sign when the station has ended, for the reason that systemd gives (`SERVICE_RESULT`, systemd.exec(5)): the
/// old signs no longer hold.
#[must_use]
pub(crate) fn down(result: Option<&str>) -> String {
    let why = match result {
        None | Some("success") => String::new(),
        Some(reason) => format!(" ({reason})"),
    };
    format!("STATION DOWN{why}  no card is being written: what is in the slots now is not good")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::wire::Status;
    use crate::station::outcome::{Act, Failure, Refusal};
    use crate::station::restriction::Restriction;
    use crate::station::sign::Sign;
    use crate::station::units::Bytes;

    fn slot(sign: Sign) -> SlotView {
        SlotView { slot: "A3".into(), model: "acme/box".into(), ..SlotView::of(sign) }
    }

    #[test]
    fn a_line_says_the_word_the_reason_and_what_to_do() {
        let failure = Failure::Io { act: Act::Writing, at: Bytes(4_194_304), span: Bytes(8_589_934_592), errno: Some(5) };
        assert_eq!(
            line(&slot(Sign::Failed(failure))),
            "A3  FAILED  writing at byte 4194304 of 8589934592: Input/output error (os error 5): take it out, bad"
        );
        assert_eq!(line(&slot(Sign::Empty)), "A3  EMPTY  put a card in");
        assert_eq!(line(&slot(Sign::Passed)), "A3  PASS  take it out, good");
        let refusal = Refusal::TooSmall { capacity: Bytes(7_400_000_000), needs: Bytes(8_000_000_000) };
        assert_eq!(line(&slot(Sign::Refused(refusal))), "A3  REFUSED  too small: 7.4 GB, needs 8.0 GB: use another card");
    }

    #[test]
    fn the_title_has_every_fault_that_the_status_has_each_once_whichever_of_them_there_are() {
        let (stops, other) = (Restriction::DisksHidden, Restriction::SwapsHidden);
        let log = "the flash log cannot be written: disk full".to_owned();
        let of_slots = "acme/box: its copy of the image is damaged".to_owned();
        let all = View {
            fault: Some(format!("{log}; {}", stops.sentence())),
            log_fault: Some(log.clone()),
            faults: vec![of_slots.clone()],
            restrictions: vec![stops.clone(), other.clone()],
            ..View::default()
        };
        let no_stop = View { fault: None, log_fault: None, restrictions: vec![other.clone()], ..all.clone() };
        let dead = all.clone().of_a_dead_station();
        for (view, faults) in [
            (&all, vec![log, stops.sentence(), of_slots.clone(), other.sentence()]),
            (&no_stop, vec![of_slots.clone(), other.sentence()]),
            (&dead, vec!["it no longer decides".to_owned(), of_slots, stops.sentence(), other.sentence()]),
        ] {
            let title = title(view);
            assert!(faults.iter().all(|fault| title.matches(fault.as_str()).count() == 1), "{title}");
            assert_eq!(view.all_faults(), Status::of(view).all_faults(), "one list, on the terminal and over the socket");
        }
        assert_eq!(title(&View { station: "line 3".into(), ..View::default() }), "FLASHLINE  line 3");
    }

    #[test]
    fn time_left_reads_as_on_a_clock() {
        assert_eq!(clock(Duration::from_secs(7)), "0:07");
        assert_eq!(clock(Duration::from_secs(750)), "12:30");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
    }
}
