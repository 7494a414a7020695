//! The operator's panel: a cell for each slot, made to be read from three metres away.
//!
//! A picture is a function of a [`board::Board`] and a [`language::Language`], drawn into the cells of a terminal ([`draw`]); whoever
//! shows it sends to the terminal only the cells that changed. Words say what is so, colours and borders say it again, and nobody
//! needs to tell colours apart.

pub(crate) mod bell;
mod big;
pub(crate) mod bins;
pub(crate) mod board;
pub(crate) mod draw;
mod frame;
mod grid;
pub(crate) mod language;
#[cfg(test)]
mod tests;
