//! `flashline console`: the panel on a terminal, as a client of the station.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::crossterm::{cursor, event, execute};

use super::memory_lock::stay_in_memory;
use super::request::StationArgs;
use super::{GOOD, USAGE_OR_STATION, complain, refusal, remark};
use crate::config::{self, DEFAULT_PATH, ImageCheck};
use crate::control::client::{Client, ClientError};
use crate::control::wire::Status;
use crate::panel::console::bell::{self, BEL, Bell};
use crate::panel::console::bins::named_bin;
use crate::panel::console::board::{Board, Health};
use crate::panel::console::draw::draw;
use crate::panel::console::language::Language;
use crate::station::bins::Bins;

/// At most ten pictures a second are drawn: the eye sees that as motion.
const PACE: Duration = Duration::from_millis(100);
/// The clock is drawn again after this time, even if nothing else changes.
const CLOCK: Duration = Duration::from_secs(1);
/// The whole picture is written again after this time, because the kernel, `wall` or another owner of the terminal may have written over
/// it.
const REPAINT: Duration = Duration::from_secs(5);
/// Interval between attempts to reach a station that is down.
const RETRY: Duration = Duration::from_millis(500);
/// Fonts of a kernel console that can be read from afar, the largest first (packages console-setup and kbd).
const FONTS: [&str; 3] = ["Uni2-TerminusBold32x16", "Lat15-TerminusBold32x16", "Uni2-TerminusBold28x14"];
/// With more slots than this, the small letters are needed.
const FEW_SLOTS: usize = 4;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    station: StationArgs,
    /// Print one line for each change instead of a picture
    #[arg(long)]
    plain: bool,
    /// Language: en, de, es, pl or zh [default: the configuration's, else LANG]
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// Take no key: neither `q` nor Ctrl-C ends the panel
    #[arg(long)]
    locked: bool,
}

/// The news from the thread that listens.
enum Heard {
    Status(Box<Status>),
    Down(Option<String>),
    /// No station runs, because the flash log refuses it.
    Refused(String),
}

pub(super) fn run(args: &Args) -> u8 {
    // Without the permission to lock memory, the picture may stop when the program's disk hangs.
    let _not_allowed = stay_in_memory();
    let configured = config::read(Path::new(DEFAULT_PATH), ImageCheck::Unseen).ok();
    let spoken = configured.as_ref().and_then(|settings| settings.language.clone());
    let bins = configured.as_ref().map(|settings| settings.bins.clone()).unwrap_or_default();
    // Output into a file or a journal rings no bell.
    let mut ringer =
        Ringer { bell: Bell::default(), wanted: configured.is_some_and(|settings| settings.panel_bell) && io::stdout().is_terminal() };
    let (language, note) = match language(args.language.as_deref(), spoken) {
        Ok(language) => language,
        Err(code) => {
            let known: Vec<&str> = Language::codes().collect();
            remark(format_args!("there is no language {code:?}: there are {}", known.join(", ")));
            return USAGE_OR_STATION;
        }
    };
    if let Some(note) = note {
        remark(note);
    }
    let socket = args.station.socket();
    let (tell, heard) = mpsc::sync_channel(4);
    // A station that does not answer, or no longer answers, is asked again and again.
    let listening = thread::Builder::new().name("listen".to_owned()).spawn(move || listen(&socket, &tell));
    if let Err(error) = listening {
        complain(&error);
        return USAGE_OR_STATION;
    }
    let result = if args.plain || !io::stdout().is_terminal() {
        print(&heard, &language, &bins, &mut ringer)
    } else {
        show(&heard, &language, &bins, &mut ringer, args.locked)
    };
    match result {
        Ok(()) => GOOD,
        Err(error) => {
            complain(&error);
            USAGE_OR_STATION
        }
    }
}

/// The language to use, and the unknown code if the requested one does not exist.
fn language(asked: Option<&str>, configured: Option<String>) -> Result<(Language, Option<String>), String> {
    let chosen = match asked {
        Some(code) => Language::of(code).ok_or_else(|| code.to_owned())?,
        None => {
            let spoken = configured.or_else(|| std::env::var("LC_ALL").ok()).or_else(|| std::env::var("LANG").ok());
            spoken.as_deref().and_then(Language::of).unwrap_or_else(Language::english)
        }
    };
    if chosen.needs_glyphs && is_kernel_console() {
        return Ok((Language::english(), Some(format!("this console has no signs for {}: English it is", chosen.name))));
    }
    Ok((chosen, None))
}

fn is_kernel_console() -> bool {
    std::env::var("TERM").is_ok_and(|term| term == "linux")
}

fn listen(socket: &Path, tell: &mpsc::SyncSender<Heard>) {
    loop {
        let news = match follow(socket, tell) {
            Ok(()) => return,
            // The station is down or was just stopped: the panel shows that anyway.
            Err(ClientError::Connect { .. } | ClientError::Broken { .. }) => refusal::last().map_or(Heard::Down(None), Heard::Refused),
            Err(other) => Heard::Down(Some(other.to_string())),
        };
        if tell.send(news).is_err() {
            return;
        }
        thread::sleep(RETRY);
    }
}

/// Sends the state of the station until the receiver is gone.
fn follow(socket: &Path, tell: &mpsc::SyncSender<Heard>) -> Result<(), ClientError> {
    let mut client = Client::connect(socket)?;
    let mut status = client.watch()?;
    while tell.send(Heard::Status(Box::new(status))).is_ok() {
        status = client.next_status()?;
    }
    Ok(())
}

fn now() -> String {
    crate::zone::now().strftime("%H:%M:%S").to_string()
}

/// The bell of the terminal.
struct Ringer {
    bell: Bell,
    wanted: bool,
}

impl Ringer {
    /// Rings if these news contain an outcome for which it has not rung yet.
    fn hear(&mut self, news: &Heard) -> io::Result<()> {
        let Heard::Status(status) = news else { return Ok(()) };
        let slots = status.slots.iter().map(|slot| bell::Heard {
            slot: &slot.slot,
            sign: &slot.sign,
            attempt: slot.attempt,
            diskseq: slot.diskseq,
        });
        if self.wanted && self.bell.rings(slots) {
            let mut out = io::stdout();
            out.write_all(BEL.as_bytes())?;
            out.flush()?;
        }
        Ok(())
    }
}

/// One line for every sign that changed.
fn print(heard: &mpsc::Receiver<Heard>, language: &Language, bins: &Bins, ringer: &mut Ringer) -> io::Result<()> {
    let mut before = Board::default();
    let mut out = io::stdout();
    while let Ok(news) = heard.recv() {
        let board = board_of(&news, "", bins);
        if board.health != before.health {
            let words = match &board.health {
                Health::Well => language.phrase("well").to_owned(),
                Health::Fault(why) => format!("{}  {}", language.phrase("fault"), language.stop_reasons(why)),
                Health::Down(None) => format!("{}  {}", language.phrase("down"), language.phrase("down-todo")),
                Health::Down(Some(why)) => format!("{}  {why}", language.phrase("down")),
            };
            writeln!(out, "{} {words}", now())?;
        }
        for fault in board.faults.iter().filter(|fault| !before.faults.contains(fault)) {
            writeln!(out, "{} {}  {fault}", now(), language.phrase("fault"))?;
        }
        for (code, text) in board.restrictions.iter().filter(|restriction| !before.restrictions.contains(restriction)) {
            writeln!(out, "{} {}  {}", now(), language.phrase("fault"), language.restriction(code, text))?;
        }
        if board.exposed != before.exposed && !board.exposed.is_empty() {
            writeln!(out, "{} {}", now(), language.phrase("exposed").replace("{slots}", &board.exposed.join(" ")))?;
        }
        if board.anchor != before.anchor
            && let Some((time, figures)) = &board.anchor
        {
            writeln!(out, "{} {}: {figures}", now(), language.phrase("shift-ended").replace("{time}", time))?;
        }
        for slot in &board.slots {
            if before.slots.iter().any(|other| other.name == slot.name && other.sign == slot.sign && other.why == slot.why) {
                continue;
            }
            let why = slot.why.as_ref().map(|why| format!("{}: ", language.reason(why))).unwrap_or_default();
            let bin = named_bin(slot, bins).unwrap_or_default();
            writeln!(out, "{} {}  {}  {why}{}{bin}", now(), slot.name, language.word(slot), language.todo(slot))?;
        }
        out.flush()?;
        ringer.hear(&news)?;
        before = board;
    }
    Ok(())
}

/// Restores the terminal to its former state, whatever happens.
struct Screen {
    font: bool,
}

impl Screen {
    fn begin() -> io::Result<Self> {
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        if is_kernel_console() {
            // Turns off the blanking of the console: a panel must not go dark after ten minutes (console_codes(4)).
            io::stdout().write_all(b"\x1b[9;0]\x1b[14;0]")?;
        }
        Ok(Self { font: false })
    }

    /// Uses larger letters if there are few slots and the kernel console has such a font.
    fn enlarge(&mut self) {
        if self.font || !is_kernel_console() {
            return;
        }
        self.font = FONTS.into_iter().any(|font| setfont(&[font]));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.font {
            // Restores the font of the PC's configuration.
            let _left = Command::new("setupcon").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
        let _gone = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _gone = disable_raw_mode();
    }
}

fn setfont(arguments: &[&str]) -> bool {
    Command::new("setfont").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn show(heard: &mpsc::Receiver<Heard>, language: &Language, bins: &Bins, ringer: &mut Ringer, locked: bool) -> io::Result<()> {
    let mut screen = Screen::begin()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let mut shown: Option<Board> = None;
    let mut painted = Instant::now();
    // The first answer takes a moment; that is no reason for an alarm.
    let Ok(mut news) = heard.recv() else { return Ok(()) };
    ringer.hear(&news)?;
    loop {
        let drawn = Instant::now();
        let board = board_of(&news, &now(), bins);
        if (1..=FEW_SLOTS).contains(&board.slots.len()) && shown.is_none() {
            screen.enlarge();
            terminal.autoresize()?;
        }
        if shown.as_ref() != Some(&board) {
            let picture = terminal.draw(|frame| draw(&board, language, frame.buffer_mut()))?.buffer.clone();
            // Without clearing the screen first, so that nothing flickers.
            if painted.elapsed() >= REPAINT {
                CrosstermBackend::new(io::stdout()).draw(cells(&picture))?;
                io::stdout().flush()?;
                painted = Instant::now();
            }
            shown = Some(board);
        }
        // Keys are read all the same: they must not be left to the next program on this terminal.
        if hang_up()? && !locked {
            return Ok(());
        }
        thread::sleep(PACE.saturating_sub(drawn.elapsed()));
        match heard.recv_timeout(CLOCK) {
            Ok(newest) => {
                ringer.hear(&newest)?;
                news = newest;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        // Of all news that arrived meanwhile, only the last is shown.
        while let Ok(newest) = heard.try_recv() {
            ringer.hear(&newest)?;
            news = newest;
        }
    }
}

/// Every cell of a picture, with its position.
fn cells(picture: &Buffer) -> impl Iterator<Item = (u16, u16, &Cell)> {
    picture.content.iter().enumerate().map(|(index, cell)| {
        let (x, y) = picture.pos_of(index);
        (x, y, cell)
    })
}

/// Was `q` or Ctrl-C pressed? If the size of the screen changed, it is drawn anew.
fn hang_up() -> io::Result<bool> {
    while event::poll(Duration::ZERO)? {
        if let event::Event::Key(key) = event::read()? {
            let control = key.modifiers.contains(event::KeyModifiers::CONTROL);
            if matches!(key.code, event::KeyCode::Char('q')) || (control && matches!(key.code, event::KeyCode::Char('c'))) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn board_of(heard: &Heard, clock: &str, bins: &Bins) -> Board {
    match heard {
        Heard::Down(why) => Board::down(clock, why.clone()),
        Heard::Refused(why) => Board::refused(clock, why.clone()),
        Heard::Status(status) => Board::of(status, clock, bins),
    }
}
