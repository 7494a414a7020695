//! The deciding core in a simulated factory.
//!
//! The room `station` is pure: events go in, effects come out. Here it is compiled alone and put into a world that follows from a seed: a
//! clock, places with cards, a watch, an engine, a flash log, other programs, users and an engineer. Faults of a factory floor are events
//! like any other. An oracle keeps books of its own, and holds what the station wants and shows against what is true.
//!
//! ```text
//!   factory ──events──▶ world ──events──▶ Station ──effects──▶ world
//!                         │                                      │
//!                         └────────▶ oracle: true? ◀─────────────┘ ──no──▶ shrink ──▶ a short history in words
//! ```
//! A run is a history: the same seed gives the same one. An event of a history is a time, a kind, a place and a number from which all its
//! details follow, and so does what happens to the card that it brings. So an event can be taken out, and the others stay what they are:
//! that is how a history that breaks a promise becomes short.
//!
//! The promises are in [`Property`]. What an operator sees is checked at every second tick after
//! something happened that is not mere progress: a wrong sign would stay for longer.

mod admission;
mod books;
mod bus;
mod clients;
mod daemon;
mod engine;
mod factory;
mod floor;
mod hands;
mod history;
mod log;
mod log_disk;
mod oracle;
mod plant;
mod property;
mod random;
mod run;
mod shrink;
mod signs;
// The room has more than is used here, and is a part of no library.
#[allow(dead_code, unreachable_pub, unused_imports)]
#[path = "../../../src/station/mod.rs"]
mod station;
mod words;
mod world;

pub use history::{Action, History, Verb};
pub use plant::Plant;
pub use property::{Property, Violation};
pub use run::{Report, replay, run};
pub use shrink::{Shrunk, shrink};
