//! The running station: one task that owns the [`Station`], and the threads it sets to work.
//!
//! Carries out effects, and turns messages of threads, signals and the clock into events; decides nothing. The threads of cards, log, watch
//! and panel run at their own pace. The task never waits for one of them while cards are busy.
//!
//! # What the deciding task calls, and why none of it waits
//!
//! Everything that may hang has a thread, a bounded queue and a defined result if the queue is full. This table lists what the task calls
//! between the first card and the stop. Anything else belongs in a thread.
//!
//! | call | why it does not wait |
//! | --- | --- |
//! | [`Station::apply`], [`Station::view`] | pure: memory alone |
//! | events in: `tokio::sync::mpsc`, signals, the clock | awaited together; senders wait for the task, the task does not wait for them |
//! | [`Writer::record`] | `try_send` into a queue of 1024 entries; full: `NotTaken`, and the station ends rather than lose a row |
//! | the stamp of an entry | `clock_gettime`, `adjtimex` and `/proc/uptime`: the kernel's memory, no device |
//! | `tracing` | `try_send` into a queue of 1024 events (`cli::events`), whose thread alone writes to journal or stream; full: the event is lost and counted |
//! | `sd_notify` | `try_send` into a queue of 8 (`service`), whose thread alone sends the datagram; full: the message is dropped |
//! | users and groups (NSS) | not asked here: the socket's threads and the reading of a configuration do, with a limit of two seconds |
//! | threads for a card, a survey, a check, the store | `clone(2)`; a failure is handled. Only ended threads are joined |
//! | progress and stop of a card | atomics of its [`Gauge`](crate::flash::gauge::Gauge) |
//! | has a card moved? | `/sys/dev/block/*/stat`: counters in memory, which the kernel never asks a device for |
//! | claims of proven cards | a list behind a lock that is never held during a call; the close of a device has a separate thread |
//! | panel, lamps, bell, socket | `tokio::sync::watch` with the newest view; each has its thread, and takes a copy under the lock |
//! | answers to people | `tokio::sync::oneshot`: an answer that is not received is lost |
//! | another configuration for watch, cover, restrictions, shifts, lamps, bell | a value behind a lock that is held only for the exchange, or an unbounded channel with one message per reload |
//! | a configuration, an image | read, judged and staged in threads (`reload`, `stage`, `check-images`); the result is moved in |
//! | the udev rules of a new configuration | a thread has a unit of root's write them, before the configuration is moved in (`root_helper`) |
//! | the proof of the prover | made in a thread, which a second one waits for (`prover`); events come in |
//! | unused images | closed and removed in a thread (`store`): the last close of a long file that was removed takes its disk's time |
//! | the PC kept awake | a thread holds and releases the inhibitor (`sleep_inhibitor`); it gets a value through a channel |
//! | lamps.json, log files | written by a thread, and by a separate process (`log_process`) |
//! | orders | are only in the log |
//!
//! Two waits cannot be avoided here: the pages of the program itself come from the root disk, and a PC without free memory waits for its
//! disk in any allocation.

pub(crate) mod arming;
mod claim_keeper;
mod day_count;
mod heartbeat;
pub(crate) mod interlock;
mod journal;
pub(crate) mod lamps;
pub(crate) mod log_files;
pub(crate) mod log_process;
mod pending;
mod prover;
mod publish;
mod restage;
mod root_helper;
mod service;
mod shift;
pub(crate) mod single_instance;
mod sleep_inhibitor;
mod workers;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::config::Settings;
use crate::control::access::by_groups;
use crate::control::server::Server;
use crate::control::{Incoming, IncomingRequest};
use crate::device::background;
use crate::flash::rules::Rules;
use crate::flash::unanswered::Unanswered;
use crate::image::{Staged, store};
use crate::ledger::{Ledger, LogError, NotTaken, Unwritten, Writer, WriterAnswer, believed};
use crate::panel::bell::StationBell;
use crate::panel::bell::speaker::InputSpeaker;
use crate::panel::lamps::Lamps;
use crate::panel::lamps::led::SysfsLeds;
use crate::panel::{Panel, Screen};
use crate::report::times::Shifts;
use crate::station::port::Port;
use crate::station::record::{Entry, Receipt};
use crate::station::request::RequestId;
use crate::station::settings::Configuration;
use crate::station::standing::LogNote;
use crate::station::units::Moment;
use crate::station::{Effect, Event, Station};
use crate::watch::Watch;
use crate::watch::cabling::CablingWatch;
use crate::watch::cover::CoverWatch;
use crate::watch::restrictions::{ControlSocket, RestrictionWatch};
use crate::watch::sysfs::Sysfs;
use crate::watch::uses::own_parts;
use arming::{Armory, Proved, ReloadError};
use claim_keeper::Keeper;
use day_count::DayCounter;
use heartbeat::Heartbeat;
use log_files::LogFilesThread;
use pending::PendingRequests;
use prover::ProverThread;
use publish::Published;
use restage::{Restaged, Restaging};
use service::ServiceManager;
use shift::ShiftEnd;
use sleep_inhibitor::SleepInhibitor;
use workers::Workers;

/// Interval at which progress is checked and settling cards are examined.
const TICK: Duration = Duration::from_millis(100);
/// After a stop was requested, threads held by the kernel are waited for no longer than this: of the five seconds that a stop may take,
/// watch, console and log need the rest. Attempts that are not recorded by then are closed with the same outcome at the next start.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// The time that the log may still take for the last entries.
const LOG_PATIENCE: Duration = Duration::from_secs(1);
/// Limit of waiting events. A thread that reports one waits for a place; there are a few a second.
const EVENTS: usize = 256;
/// Limit of waiting requests; one more is answered "busy" at once.
const REQUESTS: usize = 32;
/// Events that are taken in a row before the clock is checked again.
const BURST: usize = 64;

/// Why the station could not run, or did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The log could not be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log did not take an entry.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// The log could not be written to its end.
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    /// The kernel is too old.
    #[error("this kernel cannot tell one card from the next (no diskseq): the station needs Linux 5.15 or newer")]
    OldKernel,
    /// The watch has ended: no card would be seen any more.
    #[error("the thread that looks for cards has died")]
    Blind,
    /// The system provides no thread, timer or signal.
    #[error("starting the station's {part}")]
    Start {
        /// The part of the station that could not start.
        part: &'static str,
        /// The error of the system.
        source: io::Error,
    },
}

/// What came of reading the configuration again.
type Reloaded = Result<Box<Proved>, ReloadError>;

/// How far a reload is.
enum ReloadStep {
    /// The configuration was read, and its images are staged.
    Proved(Reloaded),
    /// And udev has the rules of its slots, or why it has not was logged.
    Ruled(Box<Proved>),
}

fn start(part: &'static str) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::Start { part, source }
}

/// Runs the station until SIGTERM or SIGINT. `config`, the source of `proved`, is read again on SIGHUP. `volatile` is the reason why the
/// log would be lost when the power fails, if it would.
///
/// # Errors
/// If it cannot start, or loses its log's thread.
pub(crate) fn run(
    config: PathBuf,
    proved: Proved,
    ledger: Ledger,
    volatile: Option<String>,
    screen: impl Screen + 'static,
) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start("runtime"))?;
    let result = runtime.block_on(Daemon::start(config, proved, ledger, volatile, screen)?.run());
    // A thread that the kernel holds in a call is left behind.
    runtime.shutdown_background();
    result
}

struct Daemon {
    began: Instant,
    /// The path of the configuration, for reloads.
    config: PathBuf,
    settings: Settings,
    station: Station,
    workers: Workers,
    events: mpsc::Receiver<Event>,
    writer: Writer,
    /// The path of the flash log, for its readers.
    log: PathBuf,
    /// The thread that keeps the CSV files of the log, if they are configured.
    log_files: Option<LogFilesThread>,
    watch: Watch,
    cabling: CablingWatch,
    cover: CoverWatch,
    restrictions: RestrictionWatch,
    /// Keeps the PC from sleeping while a card is written.
    awake: SleepInhibitor,
    published: Published,
    panel: Panel,
    lamps: Lamps,
    bell: StationBell,
    /// Beats while decisions are made: without beats, lamps, bell and panel show a fault.
    heartbeat: Heartbeat,
    service: ServiceManager,
    _day_counter: DayCounter,
    shift_end: ShiftEnd,
    /// Has the verifier proven, without which no card is begun.
    prover: ProverThread,
    /// Kept, so that a channel without messages is not a closed one.
    tell: mpsc::Sender<Event>,
    /// Requests of clients; none if the socket could not be made.
    asked: mpsc::Receiver<Incoming>,
    /// Kept, so that the closed channel is never taken for a request.
    _ask: mpsc::Sender<Incoming>,
    pending: PendingRequests,
    control: Option<Server>,
    restaging: Restaging,
    /// The thread that reads the configuration again. Only one at a time: of two that overtake each other, the older one would win.
    proving: Option<JoinHandle<()>>,
}

impl Daemon {
    fn start(
        config: PathBuf,
        proved: Proved,
        ledger: Ledger,
        volatile: Option<String>,
        screen: impl Screen + 'static,
    ) -> Result<Self, RunError> {
        let settings = proved.settings.clone();
        if !Sysfs::default().has_diskseq() {
            return Err(RunError::OldKernel);
        }
        let own = own_parts(Some((&settings.state, settings.store()))).into();
        let mut standing = ledger.standing()?;
        standing.log.extend(volatile.is_some().then_some(LogNote::Volatile));
        let mut station = Station::new(settings.station.clone(), ledger.next_attempt()?, standing);
        station.apply(Moment::default(), Event::Written(ledger.last_written()?));
        let (tell, events) = mpsc::channel(EVENTS);
        let answers = tell.clone();
        let log = ledger.path().to_owned();
        let (written, name) = (log.clone(), settings.station.name.clone());
        // From here on no thread of the station touches the log's files.
        let writer = Writer::start_apart(
            ledger,
            move |newest| log_process::writer(&written, &name, newest),
            move |answer| {
                let event = match answer {
                    WriterAnswer::Recorded(receipt) => Event::Recorded(receipt),
                    WriterAnswer::Health(fault) => Event::LogHealth(fault),
                };
                // The receiver is closed only after the station stopped.
                let _stopped = answers.blocking_send(event);
            },
        )
        .map_err(start("log thread"))?;
        writer.record(Box::new(Entry::StationStarted { version: env!("CARGO_PKG_VERSION").to_owned(), volatile }))?;
        let seen = tell.clone();
        // It looks at once: a card that is put in from now on was not there before.
        let ports: BTreeSet<Port> = settings.slots.iter().flat_map(|slot| slot.ports.iter().cloned()).collect();
        let watch = Watch::spawn(Sysfs::default(), ports, move |event| seen.blocking_send(event).is_ok()).map_err(start("watch thread"))?;
        let seen = tell.clone();
        let cabling =
            CablingWatch::spawn(Sysfs::default(), move |event| seen.blocking_send(event).is_ok()).map_err(start("cabling thread"))?;
        let seen = tell.clone();
        let cover = CoverWatch::spawn(Sysfs::default(), move |event| seen.blocking_send(event).is_ok()).map_err(start("cover thread"))?;
        let (heartbeat, published) = (Heartbeat::default(), Published::new(Instant::now(), station.view(Moment::default())));
        let (ask, asked) = mpsc::channel(REQUESTS);
        // A station without a control socket still writes cards, and shows a fault.
        let (control, failed) = match Server::start(&settings.socket, published.listen(), ask.clone(), by_groups) {
            Ok(server) => (Some(server), None),
            Err(error) => (None, Some((error.to_string(), error.raw_os_error()))),
        };
        let seen = tell.clone();
        let socket = ControlSocket { path: settings.socket.clone(), failed };
        let (restrictions, restricted) =
            RestrictionWatch::spawn(settings.lamps.clone(), socket, move |event| seen.blocking_send(event).is_ok())
                .map_err(start("restrictions thread"))?;
        let keeper = Keeper::spawn(tell.clone()).map_err(start("keeper thread"))?;
        let unanswered = Arc::new(Unanswered::read(&settings.unanswered()));
        let rules = Rules { stall: settings.stall, flush_required: settings.flush_required, retries: settings.retries, unanswered };
        let workers = Workers::new(tell.clone(), Armory::default(), own, rules, keeper);
        let service = ServiceManager::start().map_err(start("thread for systemd"))?;
        let day_counter = DayCounter::start(&log, tell.clone());
        let shift_end = ShiftEnd::start(&log, Shifts::new(settings.shifts.clone()), tell.clone());
        let prover = ProverThread::start(&settings.state, Shifts::new(settings.shifts.clone()), tell.clone())
            .map_err(start("thread for the proof of the prover"))?;
        let awake = SleepInhibitor::start().map_err(start("thread that keeps the PC awake"))?;
        // Last: panel and lamps start when the station decides, however slowly its other parts started.
        heartbeat.beat();
        let panel = Panel::spawn(screen, published.view_or_fault(&heartbeat)).map_err(start("panel thread"))?;
        let lamps = Lamps::spawn(SysfsLeds::default(), published.live_view(&heartbeat)).map_err(start("lamps thread"))?;
        let bell = StationBell::spawn(InputSpeaker, published.live_view(&heartbeat)).map_err(start("bell thread"))?;
        let mut daemon = Self {
            began: Instant::now(),
            config,
            settings,
            station,
            workers,
            events,
            writer,
            log,
            log_files: None,
            watch,
            cabling,
            cover,
            restrictions,
            awake,
            published,
            panel,
            lamps,
            bell,
            heartbeat,
            service,
            _day_counter: day_counter,
            shift_end,
            prover,
            tell,
            asked,
            _ask: ask,
            pending: PendingRequests::default(),
            control,
            restaging: Restaging::default(),
            proving: None,
        };
        daemon.apply(Event::Restricted(restricted))?;
        daemon.configure(proved)?;
        daemon.heartbeat.beat();
        for model in daemon.station.view(Moment::default()).models.iter().filter(|model| model.armed.is_none()) {
            if let Some(order) = &model.order {
                tracing::error!(
                    model = model.device,
                    order = order.number,
                    passed = order.passed,
                    count = order.count,
                    "no armed model answers to this order: its cards are not counted. Arm the model, or stop the order"
                );
            }
        }
        Ok(daemon)
    }

    /// Applies a configuration from now on; running cards finish with the old one.
    fn configure(&mut self, Proved { settings, armory, by }: Proved) -> Result<(), RunError> {
        let configuration = Configuration {
            station: settings.station.clone(),
            slots: settings.slots.clone(),
            armed: armory.armed(),
            unarmed: armory.unarmed(),
            distrusted: self.workers.armory.still_in(&armory, self.station.distrusted()),
            by,
        };
        let before = std::mem::replace(&mut self.workers.armory, armory);
        self.apply(Event::Configure(Box::new(configuration)))?;
        let used = self.workers.armory.replace(before, |digest| self.station.needs_image(digest));
        (self.workers.rules.stall, self.workers.rules.flush_required) = (settings.stall, settings.flush_required);
        self.workers.rules.retries = settings.retries;
        self.settings = settings;
        self.trim_store(used);
        restage::check(&self.workers.armory, &self.tell);
        self.keep_log_files();
        self.shift_end.set_shifts(Shifts::new(self.settings.shifts.clone()));
        self.prover.set_shifts(Shifts::new(self.settings.shifts.clone()));
        self.watch.set_ports(self.station.ports());
        self.cover.set_ports(self.station.ports());
        lamps::note(&self.settings.state, &self.settings.lamps, self.settings.station_bell.as_deref());
        // The state is published first, so that the lamps do not light the old signs again.
        self.show();
        self.lamps.set_lamps(self.settings.lamps.clone());
        self.restrictions.set_lamps(self.settings.lamps.clone());
        self.bell.set_device(self.settings.station_bell.clone());
        Ok(())
    }

    /// The old images may exceed the limit of the store. Removing a long file takes time, so a thread does it.
    fn trim_store(&self, used: Vec<Arc<Staged>>) {
        let (directory, limit) = (self.settings.store(), self.settings.store_limit);
        let trim = move || {
            used.iter().for_each(|image| image.note_use());
            drop(used);
            store::trim(&directory, limit);
        };
        if let Err(error) = std::thread::Builder::new().name("store".to_owned()).spawn(trim) {
            tracing::warn!(%error, "no thread to look after the store: it is looked after at the next start");
        }
    }

    /// Keeps the CSV files in the configured directory. If no thread can be made, they are kept again from the next start.
    fn keep_log_files(&mut self) {
        if self.log_files.as_ref().map(LogFilesThread::directory) == self.settings.log_files.as_deref() {
            return;
        }
        // The old thread ends by itself.
        self.log_files = None;
        if let Some(directory) = &self.settings.log_files {
            match LogFilesThread::start(&self.log, directory) {
                Ok(thread) => self.log_files = Some(thread),
                Err(error) => tracing::warn!(%error, "no thread to keep the log files: they are brought level at the next start"),
            }
        }
    }

    async fn run(mut self) -> Result<(), RunError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(start("signals"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(start("signals"))?;
        let mut reload = signal(SignalKind::hangup()).map_err(start("signals"))?;
        let (reloaded, mut reloads) = mpsc::channel(1);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.service.ready();
        tracing::info!("the station runs");
        let mut stop_by: Option<Instant> = None;
        let mut burst = Vec::with_capacity(BURST);
        loop {
            tokio::select! {
                biased;
                _ = terminate.recv(), if stop_by.is_none() => stop_by = Some(self.stop()?),
                _ = interrupt.recv(), if stop_by.is_none() => stop_by = Some(self.stop()?),
                _ = tick.tick() => self.tick()?,
                Some(step) = reloads.recv(), if stop_by.is_none() => self.take_over(step, &reloaded)?,
                restaged = self.restaging.ended() => self.take_restaged(restaged)?,
                _ = reload.recv(), if stop_by.is_none() && !self.is_proving() => self.prove_anew(&reloaded),
                count = self.events.recv_many(&mut burst, BURST) => {
                    debug_assert!(count > 0, "the station holds a sender of its own");
                    for event in burst.drain(..) {
                        self.apply(event)?;
                    }
                }
                // Cards come first, however many requests there are.
                Some(asked) = self.asked.recv() => self.ask(asked)?,
            }
            if self.pending.reload_is_wanted() && stop_by.is_none() && !self.is_proving() {
                self.prove_anew(&reloaded);
            }
            self.show();
            if stop_by.is_none() && self.station.may_restart(Moment(self.began.elapsed())) {
                tracing::info!("the last card is out: the station ends, and its service manager starts it again");
                stop_by = Some(self.stop()?);
            }
            if let Some(by) = stop_by
                && (self.station.is_idle() || Instant::now() >= by)
            {
                break;
            }
        }
        self.end()
    }

    fn show(&mut self) {
        self.published.update(Instant::now(), self.station.view(Moment(self.began.elapsed())));
    }

    /// Passes a client's request to the station.
    fn ask(&mut self, asked: Incoming) -> Result<(), RunError> {
        let Incoming { by, what, answer } = asked;
        match what {
            IncomingRequest::Reload => {
                self.pending.want_reload(by, answer);
                Ok(())
            }
            IncomingRequest::Command(command) => {
                tracing::info!(by = by.name, uid = by.uid, ?command, "asked");
                let request: RequestId = self.pending.put(answer);
                self.apply(Event::Asked { request, by, command })
            }
        }
    }

    /// Reads the configuration again and stages its images, in a thread of its own: the cards go on meanwhile.
    fn prove_anew(&mut self, reloaded: &mpsc::Sender<ReloadStep>) {
        let asked_by = self.pending.reload_began();
        let by = asked_by.as_ref().map(|who| who.name.as_str());
        tracing::info!(config = %self.config.display(), by, "reading the configuration again");
        let (config, state, reloaded) = (self.config.clone(), self.settings.state.clone(), reloaded.clone());
        let at = believed(Some(self.workers.armory.judged_at()));
        let prove = move || {
            // Cards are being written meanwhile. Threads that this thread begins inherit the priority.
            background::yield_to_others();
            let proved = arming::prove(&config, &state, at, asked_by).map(Box::new);
            let _stopped = reloaded.blocking_send(ReloadStep::Proved(proved));
        };
        match std::thread::Builder::new().name("reload".to_owned()).spawn(prove) {
            Ok(thread) => self.proving = Some(thread),
            Err(error) => tracing::error!(%error, "no thread to read the configuration: nothing has changed"),
        }
    }

    /// A reload that is requested meanwhile waits, and then reads the newest file.
    fn is_proving(&self) -> bool {
        self.proving.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// A configuration that is good in every part takes the place of the old one; any other changes nothing. That includes the rules of udev,
    /// which are the last step before.
    fn take_over(&mut self, step: ReloadStep, reloaded: &mpsc::Sender<ReloadStep>) -> Result<(), RunError> {
        let (proved, is_ruled) = match step {
            ReloadStep::Proved(proved) => (proved, false),
            ReloadStep::Ruled(proved) => (Ok(proved), true),
        };
        let proved = proved.and_then(|proved| match self.station.orphaned_by(&proved.armory.armed()) {
            Some(order) => Err(ReloadError::Order { title: order.title(), model: order.model.clone() }),
            None => Ok(proved),
        });
        match proved {
            Ok(proved) => {
                let proved = if is_ruled { Some(proved) } else { self.renew_rules(proved, reloaded) };
                let Some(proved) = proved else { return Ok(()) };
                for armed in proved.armory.armed() {
                    tracing::info!(model = armed.model, image = armed.source, digest = %armed.digest, "armed");
                }
                self.configure(*proved)?;
                self.pending.reload_ended(Ok(()));
                tracing::info!("the new configuration holds");
            }
            Err(error) => {
                self.pending.reload_ended(Err(&error));
                tracing::error!(error = &error as &dyn std::error::Error, "the configuration is not taken over: nothing has changed");
            }
        }
        Ok(())
    }

    /// Has the udev rules become those of the new slots, so that the station may open the first card in one. In a thread: udev takes its time.
    /// Answers the configuration where that cannot be done: it holds all the same, and a slot without its rule says so.
    fn renew_rules(&mut self, proved: Box<Proved>, reloaded: &mpsc::Sender<ReloadStep>) -> Option<Box<Proved>> {
        let (give, given) = std::sync::mpsc::channel();
        let reloaded = reloaded.clone();
        let renew = move || {
            let Ok(proved) = given.recv() else { return };
            match root_helper::renew_rules(Path::new(root_helper::RULES)) {
                Some(Ok(said)) => tracing::info!(said, "the udev rules of the slots"),
                Some(Err(error)) => tracing::error!(%error, "the udev rules of the slots are not renewed: systemctl restart flashline"),
                None => tracing::debug!("the udev rules of the slots are left to whoever started the station"),
            }
            let _stopped = reloaded.blocking_send(ReloadStep::Ruled(proved));
        };
        match std::thread::Builder::new().name("rules".to_owned()).spawn(renew) {
            Ok(thread) => {
                self.proving = Some(thread);
                give.send(proved).err().map(|unheard| unheard.0)
            }
            Err(error) => {
                tracing::error!(%error, "no thread to renew the udev rules of the slots: systemctl restart flashline");
                Some(proved)
            }
        }
    }

    /// The new copy replaces the damaged one before the station hears of it.
    fn take_restaged(&mut self, Restaged { damaged, result }: Restaged) -> Result<(), RunError> {
        let digest = damaged.digest();
        let result = result.map(|copy| {
            if let Some(copy) = copy.map(Arc::new) {
                let used = self.workers.armory.exchange(&damaged, Arc::clone(&copy));
                self.trim_store([used, Some(damaged), Some(copy)].into_iter().flatten().collect());
            }
        });
        match &result {
            Ok(()) => tracing::info!(%digest, "the image is staged anew"),
            Err(why) => tracing::error!(%digest, why, "the image stays out of work"),
        }
        self.apply(Event::Restaged { digest, result })
    }

    fn stop(&mut self) -> Result<Instant, RunError> {
        tracing::info!("the station stops");
        self.service.stopping();
        self.apply(Event::Stop)?;
        Ok(Instant::now() + STOP_PATIENCE)
    }

    fn tick(&mut self) -> Result<(), RunError> {
        if self.watch.is_dead() {
            return Err(RunError::Blind);
        }
        let heard = self.workers.progress().into_iter().chain(self.workers.stalled());
        for event in heard.collect::<Vec<_>>() {
            self.apply(event)?;
        }
        self.apply(Event::Tick)?;
        self.awake.keep(!self.station.is_idle());
        self.heartbeat.beat();
        // Only the task that owns the station feeds the watchdog: if the station no longer decides, it is restarted.
        self.service.feed(Instant::now());
        Ok(())
    }

    fn apply(&mut self, event: Event) -> Result<(), RunError> {
        tracing::trace!(?event);
        if let (Event::Recorded(Receipt::Closed(_) | Receipt::Changed(_)), Some(files)) = (&event, &self.log_files) {
            files.outcome_recorded();
        }
        let may_free = matches!(event, Event::Gone { .. } | Event::Seen { .. } | Event::Configure(_) | Event::Tick);
        for effect in self.station.apply(Moment(self.began.elapsed()), event) {
            match effect {
                Effect::Record(entry) => self.writer.record(entry)?,
                Effect::RecordAsked { request, entry } => self.writer.record_asked(request, entry)?,
                Effect::Survey(card) => {
                    let slot = self.settings.slots.iter().find(|slot| slot.ports.contains(&card.port)).map(|slot| slot.name.clone());
                    self.workers.survey(*card, slot, &self.log);
                }
                Effect::Identify(card) => self.workers.identify(*card),
                Effect::Start(attempt) => {
                    let slot = self.settings.slots.iter().find(|slot| slot.name == attempt.slot);
                    let policy = slot.map(|slot| slot.policy.clone()).unwrap_or_default();
                    self.workers.start(*attempt, policy);
                }
                Effect::Cancel(attempt) => self.workers.cancel(attempt),
                Effect::Answer { request, answer } => self.pending.answer(request, answer),
                Effect::Restage { digest, unread } => {
                    if let Some(damaged) = self.workers.armory.image(digest) {
                        let sources = self.workers.armory.sources(digest, &self.settings.models);
                        self.restaging.begin(damaged, unread, sources, self.settings.store());
                    }
                }
            }
        }
        if may_free {
            self.workers.let_go(|attempt| self.station.keeps(attempt));
        }
        Ok(())
    }

    fn end(mut self) -> Result<(), RunError> {
        // The claims end with the process. Writes until now are still reported.
        for event in self.workers.changed_at_last() {
            self.apply(event)?;
        }
        self.writer.record(Box::new(Entry::StationStopped))?;
        // Now, before steps that may still take time.
        drop(self.lamps);
        drop(self.bell);
        // A thread that still wants to report an event finds a closed channel, instead of waiting for a place.
        self.events.close();
        while self.events.try_recv().is_ok() {}
        self.cabling.stop();
        self.watch.stop();
        if let Some(control) = self.control.take() {
            control.stop();
        }
        self.panel.stop();
        let written = self.writer.finish(LOG_PATIENCE);
        if let Some(files) = self.log_files.take() {
            files.stop();
        }
        for slot in self.workers.stuck() {
            tracing::error!(slot, "its thread is held by the kernel and is left behind");
        }
        Ok(written?)
    }
}
