//! How far a transfer is: a bar on a terminal, nothing elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::harmless;

/// Is told how far a transfer is.
pub(crate) trait Progress {
    /// A step begins at this byte, of so many if that is known.
    fn began(&mut self, step: &'static str, at: u64, of: Option<u64>);
    /// This many bytes of the file are done.
    fn is_at(&mut self, byte: u64);
    /// A remark for people, such as that it is tried again.
    fn remark(&mut self, words: &str);
}

/// For people at a terminal, and for the journal.
pub(crate) struct Bar {
    bar: ProgressBar,
    name: String,
}

impl Bar {
    pub(crate) fn new(name: &str) -> Self {
        Self { bar: ProgressBar::hidden(), name: harmless(name) }
    }
}

impl Progress for Bar {
    fn began(&mut self, step: &'static str, at: u64, of: Option<u64>) {
        self.bar.finish_and_clear();
        if !std::io::stderr().is_terminal() {
            return;
        }
        let bar = of.map_or_else(ProgressBar::no_length, ProgressBar::new);
        bar.set_draw_target(ProgressDrawTarget::stderr());
        let template = if of.is_some() {
            "{msg}  {wide_bar}  {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}"
        } else {
            "{msg}  {spinner}  {decimal_bytes}  {decimal_bytes_per_sec}"
        };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_unknown_key| ProgressStyle::default_bar()));
        bar.set_message(format!("{step} {}", self.name));
        bar.set_position(at);
        // The speed is that of what comes now, and not of what is here already.
        bar.reset_eta();
        self.bar = bar;
    }

    fn is_at(&mut self, byte: u64) {
        self.bar.set_position(byte);
    }

    fn remark(&mut self, words: &str) {
        self.bar.suspend(|| eprintln!("flashline-fetch: {}: {}", self.name, harmless(words)));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
