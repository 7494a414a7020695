//! The operator's panel: every slot a cell, read from three metres away with gloves on.
//!
//! A picture is a function of a [`board::Board`] and a [`language::Language`], drawn into the cells of a terminal ([`draw`]); whoever
//! shows it sends to the terminal only the cells that changed. Words say what is so, colours and borders say it again, and nobody
//! needs to tell colours apart.

pub mod bell;
mod big;
pub mod board;
pub mod draw;
mod frame;
mod grid;
pub mod language;
#[cfg(test)]
mod tests;
