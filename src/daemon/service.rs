//! Reports to systemd that the station runs, that it stops, and once a second that it still decides.
//!
//! Sending the datagram blocks while PID 1 reads none, so a thread sends it. The thread sends only the messages of the deciding task: if
//! that task stops, systemd restarts the station.

use std::io;
use std::process::Command;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// `WatchdogSec=` of the unit is ten times as long.
const FEED: Duration = Duration::from_secs(1);
/// Limit of waiting messages. Of the watchdog's messages only the newest matters; the two others are sent once.
const QUEUE: usize = 8;

/// Variables that systemd sets for the service's main process only (`sd_notify(3)`, `sd_watchdog_enabled(3)`).
const OF_THE_MAIN_PROCESS: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// A process that is started beside the station must not send messages for it: systemd would log a warning for each of them.
pub(super) fn is_not_the_service(command: &mut Command) {
    for name in OF_THE_MAIN_PROCESS {
        command.env_remove(name);
    }
}

/// The channel to the thread.
#[derive(Debug)]
pub(super) struct ServiceManager {
    to_thread: SyncSender<NotifyState<'static>>,
    fed: Option<Instant>,
}

impl ServiceManager {
    pub(super) fn start() -> io::Result<Self> {
        Self::start_with(|state| {
            if let Err(error) = sd_notify::notify(&[state]) {
                tracing::debug!(%error, "systemd accepted no message");
            }
        })
    }

    fn start_with(mut notify: impl FnMut(NotifyState<'static>) + Send + 'static) -> io::Result<Self> {
        let (to_thread, states) = sync_channel(QUEUE);
        thread::Builder::new().name("systemd".to_owned()).spawn(move || states.into_iter().for_each(&mut notify))?;
        Ok(Self { to_thread, fed: None })
    }

    /// Reports that the station watches its slots. Never waits, like the other functions.
    pub(super) fn ready(&self) {
        self.tell(NotifyState::Ready);
    }

    /// Reports that the station is stopping.
    pub(super) fn stopping(&self) {
        self.tell(NotifyState::Stopping);
    }

    /// Reports that the task that owns the station still decides.
    pub(super) fn feed(&mut self, now: Instant) {
        if self.fed.is_none_or(|fed| now.duration_since(fed) >= FEED) {
            self.fed = Some(now);
            self.tell(NotifyState::Watchdog);
        }
    }

    fn tell(&self, state: NotifyState<'static>) {
        // If systemd accepts no messages, those that do not fit are not missed.
        let _full = self.to_thread.try_send(state);
    }
}

#[cfg(test)]
mod cases {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_process_that_is_started_beside_the_station_cannot_speak_for_it_to_systemd() {
        let mut command = Command::new("env");
        for name in OF_THE_MAIN_PROCESS {
            command.env(name, "1");
        }
        command.env("FLASHLINE_LOG", "debug");
        is_not_the_service(&mut command);
        let output = command.output().expect("env is there");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("FLASHLINE_LOG=debug"), "everything else is passed on: {said}");
        assert!(!OF_THE_MAIN_PROCESS.iter().any(|name| said.contains(name)), "{said}");
    }

    #[test]
    fn a_systemd_that_takes_nothing_makes_nobody_wait_and_is_fed_once_a_second() {
        let (take, taken) = channel::<()>();
        let (told, heard) = channel();
        let mut manager = ServiceManager::start_with(move |state| {
            let _go_on = taken.recv();
            let _nobody_asks = told.send(state.to_string());
        })
        .expect("a thread");
        let began = Instant::now();
        manager.ready();
        for tick in 0..30_000 {
            manager.feed(began + Duration::from_millis(100 * tick));
        }
        assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for systemd");
        drop(take);
        assert_eq!(heard.recv_timeout(Duration::from_secs(10)).expect("it is told"), "READY=1");
        assert_eq!(heard.recv_timeout(Duration::from_secs(10)).expect("it is told"), "WATCHDOG=1");

        let (told, heard) = channel();
        let mut manager = ServiceManager::start_with(move |state| drop(told.send(state.to_string()))).expect("a thread");
        for tick in 0..50 {
            manager.feed(began + Duration::from_millis(100 * tick));
            thread::sleep(Duration::from_millis(2));
        }
        drop(manager);
        assert_eq!(heard.into_iter().count(), 5, "of ten beats a second one is told");
    }
}
