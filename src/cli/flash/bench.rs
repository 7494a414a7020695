//! Works on the devices of `flashline flash`: one thread and one row for each; the row is recorded as soon as the device has ended.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::device::{Guard, Named};
use super::report::Report;
use crate::flash::flash;
use crate::flash::gauge::Gauge;
use crate::flash::kept::Kept;
use crate::flash::rules::Rules;
use crate::flash::stall::StallWatch;
use crate::image::Staged;
use crate::ledger::{Ledger, LogError};
use crate::station::admit::admit;
use crate::station::armed::Armed;
use crate::station::labels::Labels;
use crate::station::outcome::{Effort, Outcome, StationFault};
use crate::station::past::Past;
use crate::station::record::{Attempt, Entry, Plan, Step};
use crate::station::settings::Policy;
use crate::station::sign::Sign;
use crate::station::view::{Progress, SlotView};
use crate::station::{End, outcome_of, outcome_of_stall};
use crate::watch::sysfs::Sysfs;
use crate::watch::uses::still_unused;

/// Interval at which the progress of a device is checked.
const STALL_LOOK: Duration = Duration::from_millis(200);

/// All devices of one call.
pub(super) struct Bench {
    devices: Vec<Device>,
    ledger: Option<Ledger>,
    /// The first error of the log.
    trouble: Option<LogError>,
    rules: Rules,
    policy: Policy,
    /// Devices that were given up while their threads are in the kernel.
    stuck: Vec<PathBuf>,
}

struct Device {
    path: PathBuf,
    attempt: Attempt,
    state: State,
    /// Its result was printed.
    told: bool,
    /// A proven card stays claimed until all devices have ended.
    kept: Option<Kept>,
}

enum State {
    /// Its thread works; `step_began` is the time when its step began.
    Busy { gauge: Arc<Gauge>, thread: JoinHandle<(End, Option<Kept>)>, step: Step, step_began: Instant, stall: StallWatch, looked: Instant },
    /// The attempt has ended.
    Ended { outcome: Outcome, effort: Box<Effort> },
}

impl Bench {
    /// Starts every device that is admitted.
    ///
    /// # Errors
    /// If the log cannot be read. Then nothing was begun.
    pub(super) fn begin(
        named: Vec<Named>,
        armed: &Armed,
        labels: &Labels,
        image: &Arc<Staged>,
        guard: &Guard,
        ledger: Option<Ledger>,
    ) -> Result<Self, LogError> {
        let first_number = ledger.as_ref().map_or(Ok(1), Ledger::next_attempt)?;
        let policy = guard.policy();
        let mut bench =
            Self { devices: Vec::new(), ledger, trouble: None, rules: guard.rules(), policy: policy.clone(), stuck: Vec::new() };
        for (number, device) in (first_number..).zip(named) {
            let admitted = admit(&device.survey, Some(armed), &policy);
            let slot = device.path.display().to_string();
            let card = device.survey.card;
            let attempt = Attempt {
                number,
                slot,
                model: armed.model.clone(),
                image: Some(armed.clone()),
                card,
                plan: Plan::Write,
                order: None,
                past: Past::Unknown,
                labels: labels.clone(),
                looks_for_tombstone: false,
                second_try_of: None,
            };
            let state = match admitted {
                Err(refusal) => bench.end(&attempt, Outcome::Refused(refusal), Effort::default()),
                Ok(()) => bench.start(&attempt, image),
            };
            bench.devices.push(Device { path: device.path, attempt, state, told: false, kept: None });
        }
        Ok(bench)
    }

    /// The start is on disk before the first byte is written, or nothing is written.
    fn start(&mut self, attempt: &Attempt, image: &Arc<Staged>) -> State {
        if !self.record(&Entry::AttemptStarted(Box::new(attempt.clone()))) {
            return State::Ended { outcome: Outcome::Interrupted, effort: Box::default() };
        }
        let gauge = Arc::new(Gauge::default());
        let (shared, image, ours) = (Arc::clone(&gauge), Arc::clone(image), attempt.clone());
        let thread = thread::Builder::new().name(format!("flash/{}", attempt.card.kernel_name));
        let (rules, policy) = (self.rules.clone(), self.policy.clone());
        match thread.spawn(move || flash(&ours, image, shared, rules, |card| still_unused(card, &policy))) {
            Ok(thread) => {
                let now = Instant::now();
                State::Busy { gauge, thread, step: Step::Writing, step_began: now, stall: StallWatch::default(), looked: now }
            }
            Err(error) => {
                let message = format!("no thread for the card: {error}");
                self.end(attempt, Outcome::StationFault(StationFault::Internal { message }), Effort::default())
            }
        }
    }

    fn end(&mut self, attempt: &Attempt, outcome: Outcome, effort: Effort) -> State {
        let entry = Entry::AttemptClosed { attempt: Box::new(attempt.clone()), outcome: outcome.clone(), effort: effort.clone() };
        if !self.record(&entry) && outcome.is_good() {
            // A card counts as passed only if its row is on disk.
            return State::Ended { outcome: Outcome::Interrupted, effort: Box::new(effort) };
        }
        State::Ended { outcome, effort: Box::new(effort) }
    }

    /// Returns whether the entry is on disk, or no log was requested.
    fn record(&mut self, entry: &Entry) -> bool {
        let Some(ledger) = &mut self.ledger else { return true };
        match ledger.append(entry) {
            Ok(_) => true,
            Err(error) => {
                self.trouble.get_or_insert(error);
                false
            }
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.devices.iter().any(|device| matches!(device.state, State::Busy { .. }))
    }

    pub(super) fn cancel(&self) {
        for device in &self.devices {
            if let State::Busy { gauge, .. } = &device.state {
                gauge.cancel();
            }
        }
    }

    /// Updates the progress of every thread, and records the devices that have ended.
    pub(super) fn look(&mut self) {
        let mut devices = std::mem::take(&mut self.devices);
        for device in &mut devices {
            let State::Busy { gauge, thread, step, step_began, stall, looked } = &mut device.state else { continue };
            let now = gauge.progress().0;
            if now != *step {
                (*step, *step_began) = (now, Instant::now());
            }
            if !thread.is_finished() {
                if looked.elapsed() >= STALL_LOOK {
                    *looked = Instant::now();
                    let sectors = Sysfs::default().sectors_moved(device.attempt.card.visit.devnum);
                    if let Some(stalled) = stall.look(gauge, sectors, &self.rules) {
                        // Its thread is left to the kernel, and the other devices continue.
                        self.stuck.push(device.path.clone());
                        let outcome = outcome_of_stall(gauge.progress().1, stalled.waited, stalled.on_image);
                        device.state = self.end(&device.attempt, outcome, stalled.effort);
                    }
                }
                continue;
            }
            let effort = gauge.effort();
            let placeholder = State::Ended { outcome: Outcome::Interrupted, effort: Box::new(effort.clone()) };
            let State::Busy { thread, .. } = std::mem::replace(&mut device.state, placeholder) else { continue };
            // Panics are caught inside the thread, so it always returns an end.
            let (end, kept) = thread.join().unwrap_or((End::Cancelled, None));
            device.state = self.end(&device.attempt, outcome_of(end, false), effort);
            device.kept = kept;
        }
        self.devices = devices;
    }

    /// Devices that the kernel holds in a call.
    pub(super) fn stuck(&self) -> &[PathBuf] {
        &self.stuck
    }

    /// The views of all devices.
    pub(super) fn views(&self) -> Vec<SlotView> {
        let view = |device: &Device| {
            let (sign, progress) = match &device.state {
                State::Busy { gauge, step, step_began, .. } => {
                    let (_, done, of) = gauge.progress();
                    (Sign::of_step(*step), Some(Progress::new(done, of, step_began.elapsed())))
                }
                State::Ended { outcome, .. } => (Sign::of_outcome(outcome), None),
            };
            let card = Some(device.attempt.card.label());
            SlotView { slot: device.attempt.slot.clone(), card, progress, ..SlotView::of(sign) }
        };
        self.devices.iter().map(view).collect()
    }

    /// The reports of the devices that have ended since the last call.
    pub(super) fn news(&mut self) -> impl Iterator<Item = Report<'_>> {
        let recorded = self.ledger.is_some();
        self.devices.iter_mut().filter(|device| !device.told).filter_map(move |device| match &device.state {
            State::Busy { .. } => None,
            State::Ended { outcome, effort } => {
                device.told = true;
                let span = device.attempt.image.as_ref().map_or_else(Default::default, |image| image.span);
                Some(Report { device: &device.path, outcome, effort, span, recorded })
            }
        })
    }

    /// Asks the kernel whether any program has written to a device since it was proven, and records that.
    pub(super) fn look_at_proven(&mut self) {
        let mut devices = std::mem::take(&mut self.devices);
        for device in &mut devices {
            let Some(sectors) = device.kept.as_ref().and_then(Kept::written_since).filter(|sectors| *sectors > 0) else { continue };
            let outcome = Outcome::Changed { sectors };
            self.record(&Entry::AttemptChanged { attempt: Box::new(device.attempt.clone()), outcome: outcome.clone() });
            if let State::Ended { effort, .. } = &device.state {
                device.state = State::Ended { outcome, effort: effort.clone() };
                device.told = false;
            }
            device.kept = None;
        }
        self.devices = devices;
    }

    /// Every device holds the image, or all its data if its zeroes are skipped, and every row is on disk.
    pub(super) fn is_good(&self) -> bool {
        self.devices.iter().all(|device| matches!(&device.state, State::Ended { outcome, .. } if outcome.is_good()))
    }

    /// The first error of the log, if a row is not on disk.
    pub(super) fn into_trouble(self) -> Option<LogError> {
        self.trouble
    }
}

#[cfg(test)]
mod cases {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::station::card::DevNum;
    use crate::station::outcome::Failure;
    use crate::station::testing::{attempt, card};

    /// The kernel holds the device's thread: the command ends without it.
    #[test]
    fn a_device_that_hangs_is_given_up_and_the_command_ends() {
        let mut card = card("p1", 1);
        // The number of no disk of this PC, whose counters would move.
        card.visit.devnum = DevNum { major: 4000, minor: 16 };
        let attempt = attempt(1, "/dev/sdx", card);
        let (release, held) = channel::<()>();
        let hangs = thread::spawn(move || {
            let _released = held.recv();
            (End::Cancelled, None)
        });
        let (now, stall) = (Instant::now(), StallWatch::default());
        let state = State::Busy { gauge: Arc::default(), thread: hangs, step: Step::Writing, step_began: now, stall, looked: now };
        let rules = Rules { stall: Duration::from_millis(10), flush_required: false, retries: 0, unanswered: Arc::default() };
        let device = Device { path: "/dev/sdx".into(), attempt, state, told: false, kept: None };
        let mut bench = Bench { devices: vec![device], ledger: None, trouble: None, rules, policy: Policy::default(), stuck: Vec::new() };
        while bench.is_busy() && now.elapsed() < Duration::from_secs(20) {
            bench.look();
            thread::sleep(STALL_LOOK / 4);
        }
        assert!(!bench.is_busy(), "the command never ends");
        assert_eq!(bench.stuck(), [PathBuf::from("/dev/sdx")]);
        assert!(matches!(bench.devices[0].state, State::Ended { outcome: Outcome::Failed(Failure::Stalled { .. }), .. }));
        assert!(!bench.is_good());
        drop(release);
    }
}
