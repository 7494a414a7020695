//! The slots named on the command line: which cards are in them, whether these may be erased, and what is known of each so far.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Wrong;
use crate::cli::confirm::asked;
use crate::config::Settings;
use crate::flash::tombstone::Tombstone;
use crate::qualify::facts::{CardFacts, SlotFacts, Switching, Trouble, TroubleKind};
use crate::qualify::pattern::Pattern;
use crate::qualify::trial::LEAST_CARD;
use crate::report::harmless;
use crate::station::admit::admit_for;
use crate::station::card::Card;
use crate::station::port::Port;
use crate::station::settings::{Policy, SlotSettings};
use crate::watch::sysfs::Sysfs;
use crate::watch::tables::Tables;
use crate::watch::topology::Socket;
use crate::watch::uses::{own_parts, survey_named};

/// A slot under qualification. Its clone, for the thread of the slot, shares what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Engaged {
    pub(super) name: String,
    pub(super) ports: Vec<Port>,
    /// The card that was admitted.
    pub(super) card: Card,
    pub(super) policy: Policy,
    shared: Arc<Mutex<Shared>>,
}

/// What the thread of a slot and the program know.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) facts: SlotFacts,
    /// What is done now.
    pub(super) doing: &'static str,
    /// What was written to the card last.
    pub(super) left: Option<(Tombstone, Pattern)>,
}

impl Engaged {
    pub(super) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn facts(&self) -> SlotFacts {
        self.shared().facts.clone()
    }

    /// The first trouble is the cause of those that follow.
    pub(super) fn set_trouble(&self, kind: TroubleKind, what: String) {
        self.shared().facts.trouble.get_or_insert(Trouble { kind, what });
    }

    /// Whether the result says something about the reader: a card that was refused, or a user who stopped, does not.
    pub(super) fn is_measured(&self) -> bool {
        let says_nothing = |kind| matches!(kind, TroubleKind::Refused | TroubleKind::Stopped | TroubleKind::Own);
        self.shared().facts.trouble.as_ref().is_none_or(|trouble| !says_nothing(trouble.kind))
    }
}

/// The cards in these slots, each admitted by every rule of its slot that does not concern an image.
pub(super) fn engage(names: &[String], settings: &Settings) -> Result<Vec<Engaged>, Wrong> {
    let sysfs = Sysfs::default();
    let tables = Tables::now().map_err(Wrong::Tables)?;
    let own = own_parts(Some((settings.state.as_path(), settings.store())));
    let sockets = sysfs.sockets();
    names
        .iter()
        .filter_map(|name| settings.slots.iter().find(|slot| slot.name == *name))
        .map(|slot| {
            let (socket, kernel_name) = socket_of(slot, &sockets)?;
            let survey = survey_named(&sysfs, &tables, &own, kernel_name).ok_or_else(|| Wrong::Unknown(slot.name.clone()))?;
            admit_for(&survey, LEAST_CARD, None, &slot.policy).map_err(|refusal| Wrong::Refused { slot: slot.name.clone(), refusal })?;
            // It is the card of this port, and not one that has the name by now.
            if survey.card.port != socket.port {
                return Err(Wrong::NoCard(slot.name.clone()));
            }
            let facts = facts_of(slot, socket, &survey.card, kernel_name, &sysfs)?;
            Ok(Engaged {
                name: slot.name.clone(),
                ports: slot.ports.clone(),
                card: survey.card,
                policy: slot.policy.clone(),
                shared: Arc::new(Mutex::new(Shared { facts, doing: "", left: None })),
            })
        })
        .collect()
}

/// The port of a slot with a card in it, and the kernel's name of its disk.
fn socket_of<'s>(slot: &SlotSettings, sockets: &'s [Socket]) -> Result<(&'s Socket, &'s str), Wrong> {
    let mut with_cards = sockets.iter().filter(|socket| slot.ports.contains(&socket.port) && socket.card.is_some());
    match (with_cards.next(), with_cards.next()) {
        (None, _) => Err(Wrong::NoCard(slot.name.clone())),
        (Some(one), Some(other)) => {
            Err(Wrong::TwoCards { slot: slot.name.clone(), one: one.port.to_string(), other: other.port.to_string() })
        }
        (Some(socket), None) => socket.kernel_name.as_deref().map(|name| (socket, name)).ok_or_else(|| Wrong::NoCard(slot.name.clone())),
    }
}

fn facts_of(slot: &SlotSettings, socket: &Socket, card: &Card, kernel_name: &str, sysfs: &Sysfs) -> Result<SlotFacts, Wrong> {
    let reader = sysfs.reader_kind(&socket.port).ok_or_else(|| Wrong::NoCard(slot.name.clone()))?;
    // An identifier is vendor:product, with a serial behind it if the device has one.
    let kind = |id: &str| id.split(':').take(2).collect::<Vec<_>>().join(":");
    Ok(SlotFacts {
        slot: slot.name.clone(),
        port: socket.port.clone(),
        reader,
        stays: socket.stays,
        hubs: socket.devices.iter().filter(|device| device.hub).map(|device| kind(&device.id)).collect(),
        link: socket.reader().and_then(|device| device.speed.clone()),
        card: CardFacts::of(card),
        limits: sysfs.request_limits(kernel_name),
        polling: sysfs.media_polling(kernel_name),
        caching: None,
        flush: None,
        requests: None,
        alone: None,
        together: None,
        reopened: None,
        switching: Switching::NotOffered,
        hands: None,
        trouble: None,
    })
}

/// Asks the user at the terminal.
pub(super) fn confirm(engaged: &[Engaged]) -> Result<(), Wrong> {
    if !io::stdin().is_terminal() {
        return Err(Wrong::NotConfirmed);
    }
    for slot in engaged {
        let Card { vendor, serial, port, kernel_name, .. } = &slot.card;
        let words = format!(
            "  {}  /dev/{kernel_name}  {} {}  serial {}  in {port}",
            slot.name,
            vendor.as_deref().unwrap_or(""),
            slot.card.label(),
            serial.as_deref().unwrap_or("-"),
        );
        eprintln!("{}", harmless(&words));
    }
    if asked("Everything on these cards is lost. Type yes to go on: ") { Ok(()) } else { Err(Wrong::NotConfirmed) }
}
