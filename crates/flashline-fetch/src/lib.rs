//! `flashline-fetch`: brings images from a URL, a share or a release directory to a place from which a flashing station can arm them.
//!
//! A file gets its name only when all of it is on the disk and has the expected digest. The program arms nothing and knows nothing of a
//! station: arming stays a decision of the engineer, and the station stays without a network.
//!
//! ```text
//! config, cli ─▶ job ─▶ fetch ─▶ transfer (a thread): http, share ─▶ part ─▶ kept
//!                          └───▶ sums: which digest, if SHA256SUMS says it
//! ```
//!
//! [`digest`] and [`source`] are what a job is made of. [`transfer`] delivers bytes, and waits for none longer than configured. [`part`] is a
//! file that is not whole yet, and survives the program. [`kept`] is one that is. [`fetch`] decides.

mod cli;
mod config;
mod digest;
mod error;
mod fetch;
mod job;
mod kept;
mod part;
mod progress;
mod room;
mod source;
mod sums;
mod transfer;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod server;

pub use cli::{command, main};
