//! The bell of the whole station: one sound when a person is needed, another when it has a fault.
//!
//! [`speaker`] makes the sound. The bell is the station's and not the panel's, because a panel need not run, may be on another PC, and ends
//! with its terminal. A thread reads the view, so a device that hangs only costs sounds.

pub(crate) mod speaker;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::told::{Told, wait_for};
use crate::station::station_call::StationCall;
use crate::station::view::View;
use speaker::Speaker;

/// Interval at which the view is read: the ear notices no delay.
const LOOK: Duration = Duration::from_millis(100);

/// A tone: hertz, and milliseconds.
type Tone = (u16, u64);
/// One high tone.
const WANTED: [Tone; 1] = [(1000, 300)];
/// Three low tones in one second: the program that systemd runs after the station has no more time.
const FAULT: [Tone; 3] = [(400, 250); 3];
/// Between two tones, milliseconds.
const GAP: u64 = 120;

/// The bell of a station. When it is dropped, it is silent.
#[derive(Debug)]
pub(crate) struct StationBell {
    told: Arc<Told<Wanted>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Debug, Default)]
struct Wanted {
    device: Option<PathBuf>,
    end: bool,
}

impl StationBell {
    /// Once a device is set, rings when `view` changes to a call for a person. No view means a station that no longer decides.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub(crate) fn spawn(speaker: impl Speaker + Send + 'static, view: impl Fn() -> Option<View> + Send + 'static) -> io::Result<Self> {
        let told = Arc::new(Told::<Wanted>::default());
        let heard = Arc::clone(&told);
        let thread = thread::Builder::new().name("bell".to_owned()).spawn(move || follow(&speaker, view, &heard))?;
        Ok(Self { told, thread: Some(thread) })
    }

    /// Sets the device that sounds from now on, or none.
    pub(crate) fn set_device(&self, device: Option<PathBuf>) {
        self.told.tell(|wanted| wanted.device = device);
    }
}

impl Drop for StationBell {
    fn drop(&mut self) {
        self.told.tell(|wanted| wanted.end = true);
        if let Some(thread) = self.thread.take() {
            wait_for([&thread]);
        }
    }
}

fn follow(speaker: &impl Speaker, view: impl Fn() -> Option<View>, told: &Told<Wanted>) {
    let mut device: Option<PathBuf> = None;
    let mut said = StationCall::Well;
    let mut is_ill = false;
    loop {
        let wanted = told.wait(LOOK, |wanted| wanted.end || wanted.device != device);
        if wanted.end {
            return;
        }
        if wanted.device != device {
            // A call that already exists was never heard from this device, so it rings now.
            (device, said, is_ill) = (wanted.device, StationCall::Well, false);
        }
        let now = view().map_or(StationCall::Fault, |view| view.call());
        let before = std::mem::replace(&mut said, now);
        if let Some(device) = device.as_deref().filter(|_| before != now && now != StationCall::Well) {
            match ring(speaker, device, now, |ms| told.wait(Duration::from_millis(ms), |wanted| wanted.end).end) {
                Ok(()) => is_ill = false,
                // Reported once, and not for every card.
                Err(error) => {
                    if !std::mem::replace(&mut is_ill, true) {
                        tracing::warn!(%error, bell = %device.display(), "the bell cannot sound: it is tried at the next call");
                    }
                }
            }
        }
    }
}

/// Sounds the tones of this call, and is silent in the end. `wait` waits for this many milliseconds, or returns true to cut the tones
/// short.
///
/// # Errors
/// The error of the device.
pub(crate) fn ring(speaker: &impl Speaker, device: &Path, call: StationCall, mut wait: impl FnMut(u64) -> bool) -> io::Result<()> {
    let tones: &[Tone] = match call {
        StationCall::Well => &[],
        StationCall::Wanted => &WANTED,
        StationCall::Fault => &FAULT,
    };
    for (hertz, ms) in tones {
        speaker.sound(device, *hertz)?;
        let is_over = wait(*ms);
        speaker.sound(device, 0)?;
        if is_over || wait(GAP) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
