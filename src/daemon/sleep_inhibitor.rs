//! Keeps the PC from sleeping while cards are being written: a PC that sleeps loses every busy card.
//!
//! `systemd-inhibit` holds the lock of logind for as long as the program it runs. That program is `cat`, which ends when the station's end
//! of its pipe is closed. So the PC may sleep again when the station ends, for any reason.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// The lock is kept this long after the last card, because the next card usually follows.
const LINGERS: Duration = Duration::from_secs(10);
/// Interval at which it is checked whether the lock is still held.
const LOOK: Duration = Duration::from_secs(5);

/// The channel to the thread that holds the lock.
#[derive(Debug)]
pub(super) struct SleepInhibitor {
    tell: Sender<bool>,
    kept: bool,
}

impl SleepInhibitor {
    pub(super) fn start() -> io::Result<Self> {
        let inhibit = || {
            let mut command = Command::new("systemd-inhibit");
            command.args([
                "--what=sleep:idle:handle-lid-switch",
                "--mode=block",
                "--who=flashline",
                "--why=cards are being written",
                "cat",
            ]);
            super::service::is_not_the_service(&mut command);
            command
        };
        Self::start_with(inhibit, LINGERS, LOOK)
    }

    fn start_with(inhibit: impl Fn() -> Command + Send + 'static, lingers: Duration, look: Duration) -> io::Result<Self> {
        let (tell, told) = channel();
        thread::Builder::new().name("awake".to_owned()).spawn(move || {
            let mut lock = Lock::new(inhibit);
            let mut wanted = false;
            loop {
                match told.recv_timeout(if wanted { look } else { lingers }) {
                    Ok(now) => wanted = now,
                    Err(RecvTimeoutError::Timeout) if !wanted => {
                        lock.release();
                        // Waits until a card is busy again.
                        match told.recv() {
                            Ok(now) => wanted = now,
                            Err(_stopped) => return,
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return lock.release(),
                }
                if wanted {
                    lock.hold();
                }
            }
        })?;
        Ok(Self { tell, kept: false })
    }

    /// Sets whether the PC may sleep from now on. Never waits; only a change is sent.
    pub(super) fn keep(&mut self, awake: bool) {
        if self.kept != awake {
            self.kept = awake;
            let _ended = self.tell.send(awake);
        }
    }
}

struct Lock<F> {
    inhibit: F,
    held: Option<Child>,
    /// The lock could not be taken for these cards.
    gave_up: bool,
    /// The failure was logged.
    complained: bool,
}

impl<F: Fn() -> Command> Lock<F> {
    fn new(inhibit: F) -> Self {
        Self { inhibit, held: None, gave_up: false, complained: false }
    }

    fn hold(&mut self) {
        if self.gave_up {
            return;
        }
        if let Some(child) = &mut self.held {
            match child.try_wait() {
                Ok(None) => return,
                Ok(Some(status)) => {
                    self.held = None;
                    return self.complain(&io::Error::other(format!("systemd-inhibit ended: {status}")));
                }
                Err(error) => return self.complain(&error),
            }
        }
        match (self.inhibit)().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(child) => self.held = Some(child),
            Err(error) => self.complain(&error),
        }
    }

    fn complain(&mut self, error: &io::Error) {
        self.gave_up = true;
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(%error, "nothing keeps this PC from sleeping while cards are written: switch its sleep off");
        }
    }

    fn release(&mut self) {
        self.gave_up = false;
        if let Some(mut child) = self.held.take() {
            drop(child.stdin.take());
            if let Err(error) = child.wait() {
                tracing::debug!(%error, "waiting for systemd-inhibit");
            }
        }
    }
}

#[cfg(test)]
mod cases {
    use std::path::Path;
    use std::time::Instant;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);

    /// Replaces systemd-inhibit: leaves a sign as long as its standard input is open.
    fn holder(sign: &Path) -> impl Fn() -> Command + Send + 'static {
        let script = format!("echo held >>{0}.all; touch {0}; cat; rm {0}", sign.display());
        move || {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            command
        }
    }

    fn comes_to(what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < Duration::from_secs(20), "{what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_pc_is_kept_awake_from_the_first_busy_card_to_a_while_after_the_last_one_and_given_back_when_the_station_ends() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let sign = directory.path().join("sign");
        let mut awake = SleepInhibitor::start_with(holder(&sign), 10 * MOMENT, MOMENT).expect("a thread");
        thread::sleep(2 * MOMENT);
        assert!(!sign.exists(), "a station without cards lets the PC sleep");
        awake.keep(true);
        comes_to("it is held", || sign.exists());
        // Another card follows at once.
        awake.keep(false);
        awake.keep(true);
        thread::sleep(12 * MOMENT);
        assert!(sign.exists(), "it is held for as long as a card is busy");
        awake.keep(false);
        comes_to("the PC is given back", || !sign.exists());
        let all = || std::fs::read_to_string(sign.with_extension("all")).expect("it was held").lines().count();
        assert_eq!(all(), 1, "one lock for all of it");
        awake.keep(true);
        comes_to("it is held again", || sign.exists());
        drop(awake);
        comes_to("and given back at the end", || !sign.exists());
        assert_eq!(all(), 2);
    }

    #[test]
    fn a_pc_without_logind_says_so_once_and_is_asked_again_for_later_cards() {
        for inhibit in [|| Command::new("/nonexistent/systemd-inhibit"), || Command::new("false")] {
            let asked = std::cell::Cell::new(0);
            let mut lock = Lock::new(|| {
                asked.set(asked.get() + 1);
                inhibit()
            });
            for time in 1..=2 {
                let began = Instant::now();
                while !lock.gave_up && began.elapsed() < Duration::from_secs(20) {
                    lock.hold();
                    thread::sleep(Duration::from_millis(10));
                }
                lock.hold();
                assert!(lock.complained && lock.gave_up && lock.held.is_none());
                assert_eq!(asked.get(), time, "once for these cards");
                lock.release();
            }
        }
        // The caller never waits, even if no lock can be held.
        let mut awake = SleepInhibitor::start_with(|| Command::new("/nonexistent/systemd-inhibit"), MOMENT, MOMENT).expect("a thread");
        let began = Instant::now();
        (0..1000).for_each(|time| awake.keep(time % 2 == 0));
        assert!(began.elapsed() < Duration::from_secs(1));
    }
}
