//! Asks a person to take each card out and to put it in again, and watches what the kernel shows of that. Nothing is written meanwhile.

use std::io::{self, BufRead};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::named::Engaged;
use crate::device::aligned::AlignedBuf;
use crate::device::direct::CachedReader;
use crate::qualify::facts::Check;
use crate::qualify::hands::{Ask, Change};
use crate::qualify::trial::{HEAD, LEFT};
use crate::station::card::Card;
use crate::station::units::{Bytes, to_usize};
use crate::watch::polls::MEDIA_POLL;
use crate::watch::sysfs::{Sysfs, node_of};

/// How long the person has for each step.
const LIMIT: Duration = Duration::from_secs(60);
/// Interval at which the port is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long a card that is back may take until it can be read: udev probes it first.
const READABLE_WITHIN: Duration = Duration::from_secs(10);
/// The length of a block of the tombstone.
const BLOCK: usize = 512;

/// Asks for one card after the other.
pub(super) fn ask(engaged: &[Engaged], sysfs: &Sysfs, interrupted: &AtomicBool) {
    let keys = keys();
    for slot in engaged.iter().filter(|slot| slot.facts().trouble.is_none()) {
        if interrupted.load(Ordering::Relaxed) {
            return;
        }
        follow(slot, sysfs, &keys, interrupted);
    }
}

/// The times at which Enter was pressed.
fn keys() -> Receiver<Instant> {
    let (tell, told) = channel();
    let listen = move || {
        for line in io::stdin().lock().lines() {
            if line.is_err() || tell.send(Instant::now()).is_err() {
                return;
            }
        }
    };
    // Without it no time is known, and everything else is.
    let _without = thread::Builder::new().name("keys".to_owned()).spawn(listen);
    told
}

fn follow(slot: &Engaged, sysfs: &Sysfs, keys: &Receiver<Instant>, interrupted: &AtomicBool) {
    if let Some(name) = sysfs.disk_in(&slot.ports) {
        // Who may not do this waits longer.
        let _slower = sysfs.poll_media(&name, MEDIA_POLL);
    }
    // Keys that were pressed for the slot before.
    while keys.try_recv().is_ok() {}
    let began = Instant::now();
    let mut change = Change::new(sysfs.glimpse(&slot.ports));
    let mut asked = None;
    let mut since = began;
    while let Some(ask) = change.asks() {
        if asked != Some(ask) {
            (asked, since) = (Some(ask), Instant::now());
            eprintln!("{}: {}", slot.name, words(ask, slot));
        }
        if interrupted.load(Ordering::Relaxed) {
            return;
        }
        if since.elapsed() > LIMIT {
            // Perhaps the kernel only did not look.
            make_the_kernel_look(slot, sysfs);
            change.look(began.elapsed(), sysfs.glimpse(&slot.ports), false);
            if change.asks() == Some(ask) {
                eprintln!("{}: nothing was noticed within {} s", slot.name, LIMIT.as_secs());
                break;
            }
            continue;
        }
        for at in keys.try_iter() {
            change.press(at.saturating_duration_since(began));
        }
        let mut glimpse = sysfs.glimpse(&slot.ports);
        if change.is_unsure_of(glimpse) {
            make_the_kernel_look(slot, sysfs);
            glimpse = sysfs.glimpse(&slot.ports);
        }
        change.look(began.elapsed(), glimpse, true);
        thread::sleep(LOOK);
    }
    let mut facts = change.facts();
    if facts.back.is_some() {
        facts.kept = kept(slot, sysfs);
    }
    slot.shared().facts.hands = Some(facts);
}

/// Opens the disk, whatever comes of it: then the kernel looks for the medium.
fn make_the_kernel_look(slot: &Engaged, sysfs: &Sysfs) {
    if let Some(card) = sysfs.disk_in(&slot.ports).and_then(|name| sysfs.card(&name)) {
        drop(CachedReader::open(&node_of(&card.kernel_name), card.visit));
    }
}

fn words(ask: Ask, slot: &Engaged) -> String {
    match ask {
        Ask::TakeOut => format!("take the card out of slot {}, and press Enter as it leaves ({} s)", slot.name, LIMIT.as_secs()),
        Ask::PutIn => format!("put the same card into slot {} again, and press Enter as it is in ({} s)", slot.name, LIMIT.as_secs()),
    }
}

/// Whether what was written last is on the card that is back; `None` if it is another one.
fn kept(slot: &Engaged, sysfs: &Sysfs) -> Option<Check> {
    let (tombstone, pattern) = slot.shared().left.clone()?;
    let began = Instant::now();
    loop {
        let card = sysfs.disk_in(&slot.ports).and_then(|name| sysfs.card(&name));
        let read = card.as_ref().map(read).unwrap_or_else(|| Err(io::Error::other("it is not there any more")));
        match read {
            Ok((head, _)) if tombstone.address_of(&head) != Some(Bytes(0)) => return None,
            Ok((_, body)) => return Some(if pattern.is_all_of(Bytes(HEAD), &body) { Check::Right } else { Check::Wrong }),
            Err(error) if began.elapsed() > READABLE_WITHIN => return Some(Check::Failed(error.to_string())),
            Err(_) => thread::sleep(LOOK),
        }
    }
}

/// The card's first block, and what was left behind its head.
fn read(card: &Card) -> io::Result<(AlignedBuf, AlignedBuf)> {
    let reader = CachedReader::open(&node_of(&card.kernel_name), card.visit).map_err(io::Error::other)?;
    // The kernel has forgotten the pages of a medium that left; this only makes it sure.
    let _sure = reader.forget_pages();
    let (mut head, mut body) = (AlignedBuf::zeroed(BLOCK)?, AlignedBuf::zeroed(to_usize(LEFT))?);
    reader.read_exact_at(Bytes(0), &mut head)?;
    reader.read_exact_at(Bytes(HEAD), &mut body)?;
    Ok((head, body))
}
