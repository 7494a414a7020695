//! Events and effects in words, for a history that is read.

use crate::station::record::Entry;
use crate::station::{Effect, End, Event};
use crate::world::World;

pub(crate) fn event(world: &World, event: &Event) -> String {
    let visit = |kernel| world.visit_of(kernel).map_or_else(|| "an unknown card".to_owned(), |visit| of_visit(world, visit));
    match event {
        Event::Seen { card, before, with_device } => {
            let before = before.map_or_else(String::new, |before| format!(", there before the {before:?}"));
            let with = with_device.map_or_else(String::new, |with| format!(", with its device since {} ms", with.as_millis()));
            format!("seen: {}{before}{with}", visit(card.visit))
        }
        Event::Gone { visit: kernel, with_device } => {
            format!("gone: {}{}", visit(*kernel), if *with_device { ", with its device" } else { "" })
        }
        Event::Surveyed { visit: kernel, survey } => {
            let facts =
                survey.as_ref().map_or_else(|| "not found".to_owned(), |survey| format!("uses {:?}, past {:?}", survey.uses, survey.past));
            format!("surveyed: {}: {facts}", visit(*kernel))
        }
        Event::Ended { attempt, end, .. } => {
            let end = match end {
                End::Verified(_) | End::VerifiedMapped(_) => "proven".to_owned(),
                End::Rechecked(_) | End::RecheckedMapped(_) => "found as it should be".to_owned(),
                other => format!("{other:?}"),
            };
            format!("attempt {attempt} ended: {end}")
        }
        Event::Stalled { attempt, on_image, .. } => format!("attempt {attempt} stalled{}", if *on_image { ", on the image" } else { "" }),
        Event::Configure(configuration) => {
            let slot = |slot: &crate::station::settings::SlotSettings| format!("{} for {} on {}", slot.name, slot.model, slot.ports[0]);
            let slots: Vec<String> = configuration.slots.iter().map(slot).collect();
            let armed: Vec<&str> = configuration.armed.iter().map(|armed| armed.model.as_str()).collect();
            let of = &configuration.station;
            format!(
                "configuration {}: {}; armed: {}; settle {} ms{}{}{}",
                configuration.by.digest.0[0],
                slots.join(", "),
                armed.join(" "),
                of.settle.as_millis(),
                if of.flash_present { ", flash what lies there" } else { "" },
                if of.recheck_done { ", recheck" } else { "" },
                if of.first_off { ", first-off approval" } else { "" },
            )
        }
        Event::Asked { request, by, command } => format!("request {request} of {}: {command:?}", by.name),
        Event::Changed { attempt, .. } => format!("another program wrote to the card of attempt {attempt}"),
        Event::Recorded(receipt) => format!("on disk: {receipt:?}"),
        other => format!("{other:?}"),
    }
}

pub(crate) fn effect(world: &World, effect: &Effect) -> String {
    let visit = |kernel| world.visit_of(kernel).map_or_else(|| "an unknown card".to_owned(), |visit| of_visit(world, visit));
    match effect {
        Effect::Survey(card) => format!("a survey of {}", visit(card.visit)),
        Effect::Identify(card) => format!("the identity of {}", visit(card.visit)),
        Effect::Record(entry) => format!("to record {}", of_entry(world, entry)),
        Effect::RecordAsked { request, entry } => format!("to record, for request {request}, {}", of_entry(world, entry)),
        Effect::Start(attempt) => {
            format!("to start attempt {} with {} in slot {}", attempt.number, visit(attempt.card.visit), attempt.slot)
        }
        Effect::Cancel(attempt) => format!("to cancel attempt {attempt}"),
        Effect::Restage { digest, .. } => format!("to stage image {} anew", crate::floor::image_of(*digest)),
        Effect::Answer { request, answer } => format!("to answer request {request}: {answer:?}"),
    }
}

fn of_visit(world: &World, visit: usize) -> String {
    let known = &world.visits[visit];
    let kind = if world.cards[known.card].is_stick { "stick" } else { "SD card" };
    format!("{kind} {} (visit {}) in {}", known.card, known.kernel.diskseq, world.place(known.place))
}

fn of_entry(world: &World, entry: &Entry) -> String {
    match entry {
        Entry::AttemptStarted(attempt) => {
            let of = world.visit_of(attempt.card.visit).map_or_else(|| "an unknown card".to_owned(), |visit| of_visit(world, visit));
            format!("the start of attempt {} ({}) with {of}, order {:?}", attempt.number, attempt.plan.word(), attempt.order)
        }
        Entry::AttemptClosed { attempt, outcome, .. } => {
            let reason = outcome.reason().map_or_else(String::new, |reason| format!(" ({reason})"));
            format!("the end of attempt {}: {}{reason}", attempt.number, outcome.word())
        }
        Entry::AttemptChanged { attempt, .. } => format!("that the card of attempt {} changed", attempt.number),
        other => other.kind().to_owned(),
    }
}
