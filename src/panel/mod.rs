//! The output for people: lines made from a [`View`], on a terminal or in a log, the [`lamps`] at the slots and of the station, and its
//! [`bell`].
//!
//! Makes no decisions. [`lines`] makes the text, [`terminal`] keeps it on a screen, [`plain`] prints the changes. Each draws in its own
//! thread: a terminal that is stopped with Ctrl-S, or is gone, stops no card.

pub(crate) mod bars;
pub(crate) mod bell;
pub(crate) mod console;
pub(crate) mod lamps;
pub(crate) mod lines;
pub(crate) mod plain;
pub(crate) mod terminal;
mod told;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::station::view::View;

/// At five times a second, the eye sees a moving bar.
const REDRAW: Duration = Duration::from_millis(200);

/// A terminal with a limited rate may skip a drawing: the last view is drawn again until it is certainly shown.
const REPEATS: u32 = 5;

/// A display for views. Drawing the same view again changes nothing.
pub(crate) trait Screen: Send {
    /// Shows this view in place of the last.
    fn draw(&mut self, view: &View);
    /// Ends the display; nothing more is shown.
    fn end(&mut self);
}

/// A screen that shows nothing.
#[derive(Debug)]
pub(crate) struct Nowhere;

impl Screen for Nowhere {
    fn draw(&mut self, _view: &View) {}
    fn end(&mut self) {}
}

/// The thread that draws.
#[derive(Debug)]
pub(crate) struct Panel {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

impl Panel {
    /// Draws `view` on `screen` after each change.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub(crate) fn spawn(mut screen: impl Screen + 'static, view: impl Fn() -> View + Send + 'static) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("panel".to_owned()).spawn(move || {
            let (mut shown, mut repeats) = (None, 0);
            loop {
                let last = stopped.load(Ordering::Relaxed);
                let now = view();
                if shown.as_ref() != Some(&now) {
                    (shown, repeats) = (Some(now.clone()), 0);
                }
                if repeats < REPEATS {
                    screen.draw(&now);
                    repeats += 1;
                }
                if last {
                    return screen.end();
                }
                thread::sleep(REDRAW);
            }
        })?;
        Ok(Self { thread, stop })
    }

    /// Draws the last view and ends, but does not wait for a terminal that is stuck.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for _ in 0..10 {
            if self.thread.is_finished() {
                return;
            }
            thread::sleep(REDRAW / 4);
        }
    }
}
