//! The pure core: decides what happens in each slot.
//!
//! Owns every decision and every word. Knows no device, file, clock, thread or channel: [`Station::apply`] takes an event with its time and
//! returns effects, which `daemon` carries out. An event that does not fit changes nothing.
//!
//! ```text
//!   rules    the station as a value: admission, slots, orders, requests, what comes back
//!     │
//!     ├────▶ status    what an operator is shown and asked to do: signs, reasons, instructions, the view
//!     │        │
//!     ▼        ▼
//!   types    facts, settings, outcomes and entries of the log, which decide nothing
//! ```
//! Arrows never run up. Other rooms use the names below, not the paths of files in this room.

mod rules;
mod status;
#[cfg(test)]
pub(crate) mod testing;
mod types;

pub(crate) use rules::{
    Before, CARDS_COUNTED, Effect, End, Event, RETURNS_WITHIN, RULES_FILE, Station, USER, admit, cabling, outcome_of, outcome_of_stall,
};
pub use status::{instruction, reason, sign, station_call, view};
pub use types::{allowed, armed, card, labels, outcome, past, port, prover, record, request, suspect, units};

pub(crate) use types::{bins, first_off, lamp, order, restriction, settings, sizes, standing, survey, written_card};
