//! Reads how the approvals of armed images stand: which of them want a first card, which card that is, and who approved it.
//!
//! The station decided all of it when it was recorded (`station/rules/first_off.rs`); here it is only repeated, in the order of the log.

use rusqlite::Connection;
use serde::Deserialize;

use super::draft::CHANGED;
use crate::station::armed::ArmedBy;
use crate::station::first_off::{Binding, FirstCard, FirstOff, FirstOffRule};
use crate::station::outcome::{Digest, OutcomeWord};
use crate::station::request::Who;

/// An approval, and the place of the event that wanted it.
struct Wanted {
    first_off: FirstOff,
    armed_at: i64,
}

/// The keys of the events of arming and of approving, as `schema.sql` explains them.
#[derive(Deserialize)]
struct Body {
    /// As slots name it. Older programs left it out, and wanted no approval.
    model: Option<String>,
    first_off: Option<String>,
    image: Image,
    config_blake3: Option<String>,
    first_card: Option<Card>,
    by: By,
}

#[derive(Deserialize)]
struct Image {
    blake3: String,
    /// The model, as `BRAND/MODEL`.
    model: String,
    model_proof: ModelProof,
}

#[derive(Deserialize)]
struct ModelProof {
    sha3_384: Option<String>,
}

#[derive(Deserialize)]
struct Card {
    attempt: u64,
    slot: String,
    serial: Option<String>,
}

/// The user who approved; of an arming, the configuration and the users behind it.
#[derive(Deserialize)]
struct By {
    uid: Option<u32>,
    user: Option<String>,
    config_blake3: Option<String>,
    config_owner: Option<String>,
    config_owner_uid: Option<u32>,
    asked_by: Option<User>,
}

#[derive(Deserialize)]
struct User {
    uid: u32,
    user: String,
}

fn who(uid: Option<u32>, name: Option<String>) -> Option<Who> {
    uid.zip(name).map(|(uid, name)| Who { uid, name })
}

impl By {
    fn people(self) -> Vec<Who> {
        let asked_by = self.asked_by.map(|asked| Who { uid: asked.uid, name: asked.user });
        ArmedBy::people_of(who(self.config_owner_uid, self.config_owner), asked_by)
    }
}

/// Every armed image whose first card is to be approved, or was.
pub(super) fn read(log: &Connection) -> rusqlite::Result<Vec<FirstOff>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut query =
        log.prepare("SELECT kind, body, seq FROM event WHERE kind IN ('model-armed', 'approval') AND attempt IS NULL ORDER BY seq")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        // The station does not act on a body of another form; `log verify` names it.
        let Ok(body) = serde_json::from_str::<Body>(row.get_ref(1)?.as_str()?) else { continue };
        if row.get_ref(0)?.as_str()? == "approval" { approve(&mut wanted, body) } else { arm(&mut wanted, row.get(2)?, body) }
    }
    find_first_cards(log, &mut wanted)?;
    Ok(wanted.into_iter().map(|wanted| wanted.first_off).collect())
}

fn arm(wanted: &mut Vec<Wanted>, armed_at: i64, body: Body) {
    let Some((model, config)) = body.model.zip(body.by.config_blake3.as_deref().and_then(Digest::parse)) else { return };
    // All images are armed by one configuration: another one has ended every approval, also of models that it does not have.
    wanted.retain(|known| known.first_off.binding.config == config);
    if body.first_off.as_deref() == FirstOffRule::AsBefore.word() {
        return;
    }
    wanted.retain(|known| known.first_off.model != model);
    let is_wanted = body.first_off.as_deref() == FirstOffRule::Wanted.word();
    if let Some(image) = Digest::parse(&body.image.blake3).filter(|_| is_wanted) {
        let binding = Binding { device: body.image.model, image, assertion: body.image.model_proof.sha3_384, config };
        // Attempts that were begun before are closed when a station starts.
        let first_off = FirstOff { model, binding, armed_by: body.by.people(), from: 0, card: None, approved_by: None };
        wanted.push(Wanted { first_off, armed_at });
    }
}

fn approve(wanted: &mut [Wanted], body: Body) {
    let by = who(body.by.uid, body.by.user);
    let card = body.first_card.map(|card| FirstCard { attempt: card.attempt, slot: card.slot, serial: card.serial });
    let Some(((by, card), config)) = by.zip(card).zip(body.config_blake3.as_deref().and_then(Digest::parse)) else { return };
    let is_meant = |known: &&mut Wanted| {
        let FirstOff { model, binding, .. } = &known.first_off;
        Some(model) == body.model.as_ref() && binding.config == config && Digest::parse(&body.image.blake3) == Some(binding.image)
    };
    if let Some(known) = wanted.iter_mut().find(is_meant) {
        (known.first_off.card, known.first_off.approved_by) = (Some(card), Some(by));
    }
}

/// The ends of attempts after an event, and the changes of their cards, without an index: an index that does not agree with the events
/// could let a whole lot be made.
const ENDS: &str = "SELECT
        kind,
        coalesce(json_extract(body, '$.outcome.word'), ''),
        coalesce(json_extract(body, '$.start.seq'), 0),
        json_extract(body, '$.attempt'),
        coalesce(json_extract(body, '$.slot'), ''),
        coalesce(json_extract(body, '$.card.cid.serial'), json_extract(body, '$.card.serial')),
        coalesce(json_extract(body, '$.image.blake3'), ''),
        coalesce(json_extract(body, '$.image.model'), ''),
        json_extract(body, '$.image.model_proof.sha3_384')
    FROM event NOT INDEXED
    WHERE seq > ?1 AND kind IN ('attempt-closed', 'attempt-changed')
    ORDER BY seq";

/// The first card of each image that waits for an approval: begun after the image was armed, written, good, and not changed since. While
/// one waits nothing is made of its model, so the search is short, unless other models are made meanwhile.
fn find_first_cards(log: &Connection, wanted: &mut [Wanted]) -> rusqlite::Result<()> {
    let is_open = |known: &&mut Wanted| known.first_off.approved_by.is_none();
    let Some(first) = wanted.iter_mut().filter(is_open).map(|known| known.armed_at).min() else { return Ok(()) };
    let mut query = log.prepare(ENDS)?;
    let mut ends = query.query([first])?;
    while let Some(end) = ends.next()? {
        let Some(attempt) = end.get::<_, Option<i64>>(3)?.and_then(|number| u64::try_from(number).ok()) else { continue };
        let open = wanted.iter_mut().filter(is_open);
        if end.get_ref(0)?.as_str()? == CHANGED {
            open.for_each(|known| drop(known.first_off.card.take_if(|card| card.attempt == attempt)));
            continue;
        }
        if !OutcomeWord::from(end.get_ref(1)?.as_str()?).was_written() {
            continue;
        }
        let (began, image): (i64, String) = (end.get(2)?, end.get(6)?);
        let (device, assertion): (String, Option<String>) = (end.get(7)?, end.get(8)?);
        for known in open.filter(|known| known.first_off.card.is_none() && began > known.armed_at) {
            let Binding { config, .. } = known.first_off.binding;
            let Some(image) = Digest::parse(&image) else { continue };
            let found = Binding { device: device.clone(), image, assertion: assertion.clone(), config };
            if found == known.first_off.binding {
                known.first_off.card = Some(FirstCard { attempt, slot: end.get(4)?, serial: end.get(5)? });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod cases;
