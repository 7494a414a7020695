//! Qualification of a slot: tries its reader on a card that may be erased, and says what follows. Real hardware does what no emulation
//! shows.
//!
//! ```text
//!   a claimed card ──▶ trial ─┐
//!   opened again ──▶ reopen ──┤
//!   neighbours ─▶ side_by_side┼─▶ facts ──▶ judge ──▶ text, page, sent
//!   a hand ──▶ hands ─────────┤                 └──▶ record, which `flashline check` reads
//!   its port ──▶ switch ──────┘
//! ```
//! What follows from the facts is decided in [`judge`] alone, without a device. Nothing here decides which card may be erased: the caller has
//! admitted and claimed it.

pub(crate) mod facts;
pub(crate) mod hands;
pub(crate) mod judge;
pub(crate) mod page;
pub(crate) mod pattern;
pub(crate) mod record;
pub(crate) mod reopen;
pub(crate) mod sent;
pub(crate) mod settings;
pub(crate) mod side_by_side;
pub(crate) mod switch;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod text;
pub(crate) mod trial;
