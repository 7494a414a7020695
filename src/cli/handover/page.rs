//! The sheet of a handover, for people and for programs.

use serde_json::{Value, json};

use super::super::status::{waits, works};
use super::Handover;
use super::cards::name;
use crate::ledger::Row;
use crate::panel::lines::note;
use crate::report::{harmless, local_time};
use crate::station::request::Target;
use crate::station::standing::LogNote;

/// The label of a disarmed slot or model.
fn target(target: &Target) -> String {
    match target {
        Target::Slot(slot) => format!("slot {}", harmless(slot)),
        Target::Model(model) => format!("model {}", harmless(model)),
    }
}

impl Handover {
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("HANDOVER  {}", self.now.strftime("%Y-%m-%d %H:%M"))];
        if let Some(since) = self.since {
            lines[0].push_str(&format!(", cards since {}", since.to_zoned(self.now.time_zone().clone()).strftime("%Y-%m-%d %H:%M")));
        }
        lines.push(format!("anchor of the flash log: {}", self.anchor));
        section(&mut lines, "Faults now", self.faults().iter().map(|fault| format!("STATION FAULT  {}", harmless(fault))));
        if let Some(Err(error)) = &self.status {
            lines.push(format!("  the station was not asked, so faults and slots out of service are not known: {}", harmless(error)));
        }
        section(&mut lines, "Flash log", self.notes().into_iter().map(|known| note(known).to_owned()));
        let work = self.standing.maintenance.iter().map(|work| works(&work.by.name, &work.why));
        section(&mut lines, "Work on the station", work);
        let first_cards = self.first_cards().map(|(first_off, card)| {
            let armed_by = first_off.armed_by.iter().map(|who| who.name.as_str());
            format!("{}  {}", harmless(&first_off.binding.device), waits(&first_off.model, card, armed_by))
        });
        section(&mut lines, "First cards to be approved", first_cards);
        let orders = self.orders().map(|(order, missing)| {
            let name = order.name.as_ref().map(|name| format!("  ({})", harmless(name))).unwrap_or_default();
            format!("{}  {} / {}, {missing} missing{name}", harmless(&order.model), order.passed, order.count)
        });
        section(&mut lines, "Open orders", orders);
        let disarmed = self.standing.disarmings.iter().map(|disarming| {
            let reason = disarming.reason.as_ref().map(|reason| format!(": {}", harmless(reason))).unwrap_or_default();
            format!("{}  disarmed by {}{reason}", target(&disarming.target), harmless(&disarming.by.name))
        });
        let distrusted =
            self.distrusted.iter().map(|model| format!("model {}  by the station: {}", harmless(&model.model), harmless(&model.reason)));
        let slots =
            self.stopped_slots().into_iter().map(|(slot, word, reason)| format!("slot {}  {word}  {}", harmless(slot), harmless(&reason)));
        let quarantines = self.standing.quarantines.iter().map(|finding| {
            let slot = harmless(finding.suspect.name());
            format!("slot {slot}  QUARANTINE  {}: look at its reader, then `flashline arm --slot {slot}`", finding.counts())
        });
        section(&mut lines, "Out of work", disarmed.chain(distrusted).chain(quarantines).chain(slots));
        section(&mut lines, "Too many failures", self.suspects().iter().map(|suspect| harmless(&suspect.text)));
        section(
            &mut lines,
            "Cards to be put in again, or to be thrown away",
            self.cards.to_put_in_again().into_iter().map(|row| self.card(row)),
        );
        section(&mut lines, "Attempts without an end", self.cards.under_way().iter().map(|row| self.card(row)));
        if !self.is_open() {
            lines.push("nothing is open".to_owned());
        }
        lines.extend([String::new(), "handed over: ____________________    taken over: ____________________".to_owned()]);
        lines
    }

    fn card(&self, row: &Row) -> String {
        let at = row.at().and_then(|at| local_time(at, self.now.time_zone())).unwrap_or_default();
        let text = |text: &Option<String>| harmless(text.as_deref().unwrap_or("?"));
        let card = name(row).map_or_else(|| "without a serial of its own".to_owned(), |name| harmless(&name));
        format!("attempt {}  {at}  {}  {}  {}  {card}", row.attempt, text(&row.slot), row.outcome, text(&row.model))
    }

    pub(super) fn json(&self) -> Value {
        let card = |row: &Row| {
            json!({
                "attempt": row.attempt, "at": time(row.at()), "slot": row.slot, "model": row.model, "outcome": row.outcome.as_str(), "code": row.code,
                "card": name(row), "identified": row.identified, "order": row.order,
            })
        };
        let orders: Vec<Value> = self
            .orders()
            .map(|(order, missing)| {
                json!({
                    "order": order.number, "model": order.model, "name": order.name, "work_order": order.work_order, "count": order.count,
                    "passed": order.passed, "missing": missing,
                })
            })
            .collect();
        let disarmed = self.standing.disarmings.iter().map(|disarming| {
            let (slot, model) = match &disarming.target {
                Target::Slot(slot) => (Some(slot), None),
                Target::Model(model) => (None, Some(model)),
            };
            json!({"slot": slot, "model": model, "by": disarming.by.name, "reason": disarming.reason})
        });
        let distrusted =
            self.distrusted.iter().map(|model| json!({"slot": null, "model": model.model, "by": null, "reason": model.reason}));
        let slots = self.stopped_slots();
        let quarantines = self.standing.quarantines.iter().map(|finding| {
            json!({
                "slot": finding.suspect.name(), "failed": finding.failed, "of": finding.of, "others_failed": finding.others_failed,
                "others_of": finding.others_of,
            })
        });
        let maintenance = self.standing.maintenance.as_ref().map(|work| json!({"by": work.by.name, "reason": work.why}));
        let first_cards = self.first_cards().map(|(first_off, card)| {
            let armed_by: Vec<&str> = first_off.armed_by.iter().map(|who| who.name.as_str()).collect();
            json!({
                "model": first_off.model, "device": first_off.binding.device, "attempt": card.attempt, "slot": card.slot,
                "serial": card.serial, "armed_by": armed_by,
            })
        });
        json!({
            "at": self.now.timestamp().to_string(),
            "since": self.since.map(|since| since.to_string()),
            "anchor": self.anchor.to_string(),
            "runs": self.status.as_ref().map(Result::is_ok),
            "faults": self.faults(),
            "log": self.notes().into_iter().map(LogNote::word).collect::<Vec<_>>(),
            "maintenance": maintenance,
            "first_cards": first_cards.collect::<Vec<_>>(),
            "orders": orders,
            "disarmed": disarmed.chain(distrusted).collect::<Vec<_>>(),
            "quarantines": quarantines.collect::<Vec<_>>(),
            "suspects": self.suspects(),
            "slots": slots.iter().map(|(slot, word, reason)| json!({"slot": slot, "word": word, "reason": reason})).collect::<Vec<_>>(),
            "cards": self.cards.to_put_in_again().into_iter().map(card).collect::<Vec<_>>(),
            "under_way": self.cards.under_way().iter().map(card).collect::<Vec<_>>(),
            "open": self.is_open(),
        })
    }
}

fn time(micros: Option<i64>) -> Option<String> {
    micros.and_then(|at| jiff::Timestamp::from_microsecond(at).ok()).map(|at| at.to_string())
}

/// A heading and its lines, if there are any.
fn section(lines: &mut Vec<String>, heading: &str, entries: impl Iterator<Item = String>) {
    let entries: Vec<String> = entries.map(|entry| format!("  {entry}")).collect();
    if !entries.is_empty() {
        lines.extend([String::new(), heading.to_owned()]);
        lines.extend(entries);
    }
}
