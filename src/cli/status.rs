//! `flashline status`: prints what the running station shows.

use console::{measure_text_width, truncate_str};

use super::request::StationArgs;
use super::{GOOD, NOT_GOOD, complain, order, say};
use crate::control::first_card::FirstCardStatus;
use crate::control::wire::{Restart, SlotStatus, Status};
use crate::panel::lines::{anchor, clock, exposed, maintenance, note, stands_out};
use crate::report::{harmless, harmless_json};
use crate::station::first_off::FirstCard;
use crate::station::prover::UnprovenVerifier;
use crate::station::standing::LogNote;
use crate::station::units::Bytes;

/// Columns of the output, on any terminal or file.
const WIDTH: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    station: StationArgs,
}

/// Exit code 1 if the station has a fault or a slot is out of service: a person must act.
pub(super) fn run(args: &Args) -> u8 {
    let status = match args.station.connect().and_then(|mut client| client.status()) {
        Ok(status) => status,
        Err(error) => return args.station.print_result(Err(error), ""),
    };
    if args.station.json {
        match serde_json::to_string(&status) {
            Ok(text) => say(harmless_json(text)),
            Err(error) => complain(&error),
        }
    } else {
        lines(&status).iter().for_each(say);
    }
    let well = status.all_faults().is_empty() && status.slots.iter().all(|slot| slot.sign != "out-of-service");
    if well { GOOD } else { NOT_GOOD }
}

fn lines(status: &Status) -> Vec<String> {
    let mut lines = vec![match &status.fault {
        Some(fault) => format!("STATION FAULT  {}: call the station engineer", harmless(fault)),
        None => format!("{}  runs, {} passed and {} failed today", harmless(&status.station), status.today.passed, status.today.failed),
    }];
    if let Some((end, at)) = status.anchor.as_ref().and_then(|end| Some((end, end.micros()?))) {
        lines.push(format!("  {}", anchor(at, &harmless(&end.text))));
    }
    // The fault of the whole station is the line above.
    let others = status.faults.iter().chain(status.other_restrictions().map(|restriction| &restriction.text));
    lines.extend(others.map(|fault| format!("STATION FAULT  {}: call the station engineer", harmless(fault))));
    if !status.exposed.is_empty() {
        let slots: Vec<String> = status.exposed.iter().map(|slot| harmless(slot)).collect();
        lines.push(format!("  {}", exposed(&slots)));
    }
    if status.verifier.as_deref() == Some(UnprovenVerifier::BeingProven.code()) {
        lines.push("  THE VERIFIER IS BEING PROVEN: cards wait until it has found every planted fault".to_owned());
    }
    if let Some(work) = &status.maintenance {
        lines.push(format!("  {}", works(&work.by, &work.reason)));
    }
    lines.extend(status.suspects.iter().map(|suspect| format!("  {}", stands_out(&harmless(&suspect.text)))));
    if let Some(restart) = &status.restart {
        lines.push(format!("  {}", restarts(restart)));
    }
    for known in status.log.iter().filter_map(|word| LogNote::of(word)) {
        lines.push(format!("  {}", note(known)));
    }
    for model in &status.models {
        lines.push(match &model.image {
            Some(image) => format!(
                "  {}  {}  {}  {}…  model proof: {}",
                harmless(&model.device),
                harmless(&image.source),
                Bytes(image.span),
                image.digest.chars().take(12).collect::<String>(),
                image.model_proof
            ),
            None => format!("  {}  no image may be written", harmless(&model.name)),
        });
        if model.image.is_none() && model.order.is_some() {
            lines.push("  NO ARMED MODEL answers to this order: no card is counted in it. Arm the model, or stop the order".to_owned());
        }
        lines.extend(model.order.as_ref().map(|order| format!("  order  {}", order::line(&model.device, order))));
        lines.extend(model.first_card.as_ref().map(|first| format!("  first card  {}", first_card(&model.name, first))));
    }
    let name = |slot: &SlotStatus| harmless(&slot.slot);
    let names = status.slots.iter().map(|slot| measure_text_width(&name(slot))).max().unwrap_or(0);
    let words = status.slots.iter().map(|slot| slot.word.len()).max().unwrap_or(0);
    for slot in &status.slots {
        let padding = " ".repeat(names - measure_text_width(&name(slot)));
        let line = format!("{}{padding}  {:words$}  {}", name(slot), slot.word, detail(slot));
        lines.push(truncate_str(&line, WIDTH, "…").into_owned());
    }
    lines
}

/// Who works on the station, why, and how that ends.
pub(super) fn works(by: &str, why: &str) -> String {
    format!("{}: no card is started until `flashline maintenance off`", maintenance(&harmless(by), &harmless(why)))
}

/// How the first card of a model stands, and who may approve it.
fn first_card(model: &str, first: &FirstCardStatus) -> String {
    match (first.card(), &first.approved_by, &first.slot) {
        (Some(card), Some(by), _) => format!("{}: approved by {}", harmless(&card.name()), harmless(by)),
        (Some(card), None, _) => waits(model, &card, first.armed_by.iter().map(String::as_str)),
        (None, _, Some(slot)) => format!("under way in slot {}", harmless(slot)),
        (None, _, None) => "none yet: the first one that passes waits for approval".to_owned(),
    }
}

/// A first card that waits, where it is, and who may not approve it.
pub(super) fn waits<'a>(model: &str, card: &FirstCard, armed_by: impl Iterator<Item = &'a str>) -> String {
    format!(
        "{}, slot {}: WAITS FOR APPROVAL by somebody other than {}: `flashline model approve {}`",
        harmless(&card.name()),
        harmless(&card.slot),
        armed_by.map(harmless).collect::<Vec<_>>().join(" and "),
        harmless(model)
    )
}

/// A restart that was asked for, and what it waits for.
fn restarts(restart: &Restart) -> String {
    let slots: Vec<String> = restart.waits_for.iter().map(|slot| harmless(slot)).collect();
    let until = if slots.is_empty() { "now".to_owned() } else { format!("when the cards of {} are out", slots.join(", ")) };
    format!("RESTARTS {until}: asked for by {}; no card is started until then", harmless(&restart.by))
}

fn detail(slot: &SlotStatus) -> String {
    let card = slot.card.as_deref().map(|card| format!("  [{}]", harmless(card))).unwrap_or_default();
    let what = match (&slot.progress, &slot.reason) {
        (Some(progress), _) => {
            let percent = (progress.done.min(progress.of) * 100).checked_div(progress.of).unwrap_or(0);
            let rate = progress.rate.map(|rate| format!("  {}/s", Bytes(rate))).unwrap_or_default();
            let left = progress.left.map(|left| format!("  {} left", clock(std::time::Duration::from_secs(left)))).unwrap_or_default();
            format!("{percent:>3} %{rate}{left}")
        }
        (None, Some(reason)) => format!("{}: {}", harmless(&reason.text), slot.todo.text),
        (None, None) => slot.todo.text.clone(),
    };
    format!("{what}{card}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::outcome::Refusal;
    use crate::station::restriction::Restriction;
    use crate::station::sign::Sign;
    use crate::station::view::{Anchor, Progress, RestartView, SlotView, View};

    #[test]
    fn a_person_reads_every_slot_what_it_says_and_what_to_do() {
        let slot = |name: &str, sign| SlotView { slot: name.into(), model: "acme/box".into(), ..SlotView::of(sign) };
        let progress = Progress::new(Bytes(50_000_000), Bytes(100_000_000), std::time::Duration::from_secs(5));
        let refusal = Refusal::TooSmall { capacity: Bytes(7_400_000_000), needs: Bytes(8_000_000_000) };
        let view = View {
            station: "line 3".into(),
            slots: vec![
                SlotView { progress: Some(progress), card: Some("Ultra\u{1b}[2J 15.9 GB".into()), ..slot("A1", Sign::Writing) },
                slot("A10", Sign::Refused(refusal)),
                slot("A2", Sign::Empty),
            ],
            ..View::default()
        };
        assert_eq!(
            lines(&Status::of(&view)),
            [
                "line 3  runs, 0 passed and 0 failed today",
                "A1   WRITING   50 %  10.0 MB/s  0:05 left  [Ultra\u{fffd}[2J 15.9 GB]",
                "A10  REFUSED  too small: 7.4 GB, needs 8.0 GB: use another card",
                "A2   EMPTY    put a card in",
            ]
        );
        let ended = View { anchor: Some(Anchor { at: 1_700_000_000_000_000, text: "7:00ff".into() }), ..view.clone() };
        assert!(lines(&Status::of(&ended))[1].ends_with(": write this on the shift sheet: 7:00ff"), "what to write down has a line");
        let restart = RestartView { by: "ann".into(), waits_for: vec!["A1".into(), "A10".into()] };
        let restarting = View { restart: Some(restart), ..view.clone() };
        assert_eq!(
            lines(&Status::of(&restarting))[1],
            "  RESTARTS when the cards of A1, A10 are out: asked for by ann; no card is started until then"
        );
        let fault = View { fault: Some("disk full".into()), ..view };
        assert!(lines(&Status::of(&fault))[0].starts_with("STATION FAULT  disk full"));
    }

    #[test]
    fn a_first_card_says_how_it_stands_and_who_may_not_approve_it() {
        use crate::station::view::{FirstOffState, FirstOffView, ModelView};
        let said = |state| {
            let first_off = Some(FirstOffView { state, armed_by: vec!["root".into(), "ann".into()] });
            let armed = Some(crate::station::testing::image());
            let model = ModelView { name: "box".into(), device: "acme/box".into(), armed, order: None, first_off };
            lines(&Status::of(&View { models: vec![model], ..View::default() })).pop().expect("a line")
        };
        let card = || FirstCard { attempt: 12, slot: "A1".into(), serial: Some("S-1\u{1b}[2J".into()) };
        assert_eq!(said(FirstOffState::Wanted), "  first card  none yet: the first one that passes waits for approval");
        assert_eq!(said(FirstOffState::UnderWay { slot: "A1".into() }), "  first card  under way in slot A1");
        let waits = said(FirstOffState::Waits(card()));
        assert!(
            waits.ends_with("by somebody other than root and ann: `flashline model approve box`") && waits.contains("attempt 12"),
            "{waits}"
        );
        assert!(!waits.contains('\u{1b}'), "a serial is text only: {waits}");
        assert!(said(FirstOffState::Approved { card: card(), by: "bob".into() }).ends_with(", attempt 12: approved by bob"));
    }

    #[test]
    fn a_maintenance_says_who_works_why_and_how_it_ends() {
        use crate::station::view::MaintenanceView;
        let view = View { maintenance: Some(MaintenanceView { by: "ann".into(), why: "new readers".into() }), ..View::default() };
        assert_eq!(
            lines(&Status::of(&view))[1],
            "  MAINTENANCE  by ann: new readers: no card is started until `flashline maintenance off`"
        );
    }

    #[test]
    fn what_has_too_many_failures_is_told_with_its_counts_and_a_slot_in_quarantine_says_what_to_do() {
        use crate::station::suspect::{Finding, Suspect};
        let finding = |suspect| Finding { suspect, failed: 9, of: 40, others_failed: 1, others_of: 200 };
        let lot = finding(Suspect::Lot { lot: "L-9\u{1b}".into(), card_type: "SL16G 16 GB".into() });
        let slot = SlotView { slot: "A1".into(), ..SlotView::of(Sign::Quarantined(finding(Suspect::Slot("A1".into())))) };
        let view = View { suspects: vec![lot], slots: vec![slot], ..View::default() };
        assert_eq!(
            lines(&Status::of(&view))[1..],
            [
                "  TOO MANY FAILURES  lot L-9\u{fffd} (SL16G 16 GB): 9 of 40 failed, other lots 1 of 200",
                "A1  QUARANTINE  9 of 40 failed, other slots 1 of 200: tell the supervisor",
            ]
        );
    }

    #[test]
    fn a_verifier_that_is_being_proven_says_why_cards_wait_and_one_that_missed_a_fault_is_a_fault() {
        let view = View { verifier: Some(UnprovenVerifier::BeingProven), ..View::default() };
        assert!(lines(&Status::of(&view))[1].contains("cards wait"));
        let view = View { fault: Some("the verifier missed".into()), verifier: Some(UnprovenVerifier::MissedFault), ..View::default() };
        let shown = lines(&Status::of(&view));
        assert!(shown.len() == 1 && shown[0].starts_with("STATION FAULT  the verifier missed"), "{shown:?}");
    }

    #[test]
    fn what_the_unit_takes_from_the_station_is_said_with_its_cure_each_once() {
        let restrictions = vec![Restriction::DisksHidden, Restriction::SwapsHidden];
        let view = View { fault: Some(Restriction::DisksHidden.sentence()), restrictions, ..View::default() };
        let lines = lines(&Status::of(&view));
        let faults: Vec<&String> = lines.iter().filter(|line| line.starts_with("STATION FAULT  ")).collect();
        let [stops, other] = faults.as_slice() else { panic!("{lines:?}") };
        assert!(stops.contains("PrivateDevices=") && other.contains("ProcSubset=pid"), "{lines:?}");
    }
}
