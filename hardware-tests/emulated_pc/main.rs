//! Tests of the properties that users rely on, on the kernel's real USB and SD stacks with real udev, in the emulated factory PC.
//!
//! Every scenario asserts on the cards' backing files, from outside. How to write one: `hardware-tests/README.md`.

#[path = "../factory.rs"]
mod factory;
#[path = "../screen.rs"]
mod screen;

mod admission;
mod archive;
mod arm64;
mod bad_input;
mod cards;
mod ends;
mod faults;
mod first_off;
mod hostile;
mod install;
mod lamps;
mod log;
mod maintenance;
mod many;
mod matrix;
mod models;
mod moved;
mod neighbours;
mod orders;
mod panel;
mod power;
mod preflight;
mod prover;
mod pulled;
mod qualify;
mod quarantine;
mod readers;
mod reload;
mod rights;
mod rollback;
mod service;
mod setup;
mod shift;
mod silent_settings;
mod soak;
mod station;
mod support;
mod swapped;
mod teach;
mod udev;
mod visits;
