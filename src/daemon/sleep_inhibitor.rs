//! Keeps the PC from sleeping while cards are being written: a PC that sleeps loses every busy card.
//!
//! `systemd-inhibit` holds the lock of logind for as long as the program it runs. That program is `cat`, which ends when our end of its
//! connection or pipe is closed. So the PC may sleep again when the station ends, for any reason.
//!
//! logind gives the lock to root alone, unless polkit says otherwise: a unit beside the station takes it (`flashline-awake.socket`). A station
//! that was started by hand takes it itself.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::root_helper;

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
        Self::start_with(|| Holder::take(Path::new(root_helper::AWAKE)), LINGERS, LOOK)
    }

    fn start_with(take: impl Fn() -> io::Result<Holder> + Send + 'static, lingers: Duration, look: Duration) -> io::Result<Self> {
        let (tell, told) = channel();
        thread::Builder::new().name("awake".to_owned()).spawn(move || {
            let mut lock = Lock::new(take);
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

/// Who has the lock for us.
#[derive(Debug)]
enum Holder {
    /// A program of ours, with a pipe to it.
    Program(Child),
    /// The unit beside the station.
    Unit(UnixStream),
}

impl Holder {
    /// The unit behind this socket, or a program of ours where it is not installed.
    fn take(socket: &Path) -> io::Result<Self> {
        let Some(unit) = root_helper::connect(socket) else { return Self::program(inhibit()) };
        let unit = unit?;
        unit.set_nonblocking(true)?;
        Ok(Self::Unit(unit))
    }

    fn program(mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Self::Program)
    }

    /// Is the lock still held?
    ///
    /// # Errors
    /// Why it is not.
    fn holds(&mut self) -> io::Result<()> {
        match self {
            Self::Program(child) => match child.try_wait()? {
                None => Ok(()),
                Some(status) => Err(io::Error::other(format!("systemd-inhibit ended: {status}"))),
            },
            Self::Unit(unit) => match unit.read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
                Err(error) => Err(error),
                Ok(_) => Err(io::Error::other("the unit flashline-awake has ended: its journal says why")),
            },
        }
    }

    fn release(self) {
        if let Self::Program(mut child) = self {
            drop(child.stdin.take());
            if let Err(error) = child.wait() {
                tracing::debug!(%error, "waiting for systemd-inhibit");
            }
        }
    }
}

fn inhibit() -> Command {
    let mut command = Command::new("systemd-inhibit");
    command.args(["--what=sleep:idle:handle-lid-switch", "--mode=block", "--who=flashline", "--why=cards are being written", "cat"]);
    super::service::is_not_the_service(&mut command);
    command
}

struct Lock<F> {
    take: F,
    held: Option<Holder>,
    /// None was to be had for these cards.
    gave_up: bool,
    /// The failure was logged.
    complained: bool,
}

impl<F: Fn() -> io::Result<Holder>> Lock<F> {
    fn new(take: F) -> Self {
        Self { take, held: None, gave_up: false, complained: false }
    }

    fn hold(&mut self) {
        if self.gave_up {
            return;
        }
        let held = match &mut self.held {
            Some(holder) => holder.holds(),
            None => (self.take)().map(|holder| self.held = Some(holder)),
        };
        if let Err(error) = held {
            if let Some(holder) = self.held.take() {
                holder.release();
            }
            self.complain(&error);
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
        if let Some(holder) = self.held.take() {
            holder.release();
        }
    }
}

#[cfg(test)]
mod cases {
    use std::path::Path;
    use std::time::Instant;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);

    /// In place of systemd-inhibit: leaves a sign for as long as its standard input is open.
    fn holder(sign: &Path) -> impl Fn() -> io::Result<Holder> + Send + 'static {
        let script = format!("echo held >>{0}.all; touch {0}; cat; rm {0}", sign.display());
        move || {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            Holder::program(command)
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
        for program in ["/nonexistent/systemd-inhibit", "false"] {
            let asked = std::cell::Cell::new(0);
            let mut lock = Lock::new(|| {
                asked.set(asked.get() + 1);
                Holder::program(Command::new(program))
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
        // Whoever tells it never waits, though nothing is held.
        let mut awake =
            SleepInhibitor::start_with(|| Holder::program(Command::new("/nonexistent/systemd-inhibit")), MOMENT, MOMENT).expect("a thread");
        let began = Instant::now();
        (0..1000).for_each(|time| awake.keep(time % 2 == 0));
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn the_unit_beside_the_station_holds_the_lock_for_as_long_as_the_connection_is_open_and_is_missed_when_it_has_ended() {
        use std::os::unix::net::UnixListener;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let socket = directory.path().join("awake.socket");
        let unit = UnixListener::bind(&socket).expect("bound");
        let mut lock = Lock::new(|| Holder::take(&socket));
        lock.hold();
        let (mut connection, _) = unit.accept().expect("the station connects");
        lock.hold();
        assert!(lock.held.is_some() && !lock.gave_up, "it is held");
        lock.release();
        assert_eq!(connection.read(&mut [0]).expect("it is told"), 0, "the unit ends with the connection");
        lock.hold();
        drop(unit.accept().expect("the station connects"));
        lock.hold();
        assert!(lock.gave_up && lock.complained, "one that could not take the lock says so by ending");
    }
}
