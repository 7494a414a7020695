//! The daemon at work in the emulated PC, as scenarios follow it: in the foreground, a line for every sign.

use std::time::Duration;

use flashline_lab::{Job, Pc, secs};

use crate::factory::{Factory, Image, rows};

/// How long one small card may take under emulation, on a busy machine.
const A_CARD: Duration = secs(120);

/// A running daemon.
pub(crate) struct Station<'a> {
    pub(crate) pc: &'a Pc,
    pub(crate) job: Job,
}

impl<'a> Station<'a> {
    /// Starts the daemon with whatever configuration is there.
    pub(crate) fn start(pc: &'a Pc) -> Self {
        let job = pc.spawn("FLASHLINE_LOG=info,flashline=debug exec flashline run 2>&1");
        Self { pc, job }
    }

    /// Waits until a slot's line shows this word, and answers the line.
    pub(crate) fn wait_for(&self, slot: &str, word: &str) -> String {
        self.job.wait_for_line(&format!("^{slot}  {word}"), A_CARD)
    }

    /// Every row of the flash log, oldest first.
    pub(crate) fn rows(&self) -> Vec<serde_json::Value> {
        rows(self.pc)
    }

    /// The rows of one slot.
    pub(crate) fn rows_of(&self, slot: &str) -> Vec<serde_json::Value> {
        self.rows().into_iter().filter(|row| row["slot"] == slot).collect()
    }
}

/// Starts what was set up.
pub(crate) trait Run<'a> {
    /// Starts the daemon and waits until it watches.
    fn run(self) -> Station<'a>;
}

impl<'a> Run<'a> for Factory<'a> {
    fn run(self) -> Station<'a> {
        let station = Station::start(self.configured());
        station.job.wait_for_line("the station runs", secs(60));
        station
    }
}

/// What `b3sum` prints for an image.
pub(crate) fn digest(image: &Image) -> String {
    blake3::hash(&std::fs::read(image.raw()).expect("a temporary file")).to_string()
}
