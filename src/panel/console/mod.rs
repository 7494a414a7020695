//! The operator's panel: a cell for each slot, made to be read from three metres away.
//!
//! A picture is a function of a [`board::Board`] and a [`language::Language`], drawn into the cells of a terminal ([`draw`]); whoever
//! shows it sends to the terminal only the cells that changed. Words say what is so, colours and borders say it again, and nobody
//! needs to tell colours apart.

pub(crate) mod bell;
mod below;
mod big;
pub(crate) mod bins;
pub(crate) mod board;
mod cell;
mod colours;
pub(crate) mod draw;
mod frame;
mod grid;
mod grounds;
pub(crate) mod language;
mod large;
#[cfg(test)]
mod tests;
mod text;
