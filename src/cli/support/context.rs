//! What every file of the archive is made from, and what is not sent as it stands.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disguise::Disguise;
use super::own_words::{Known, OwnWords};
use super::source::Source;
use crate::cli::sentence;
use crate::config::{self, ConfigError, DEFAULT_STATE, ImageCheck, LOG_FILE, STORE, Settings, Shared};

/// How long one file may take: a program or a disk that does not answer must not keep the others out of the archive.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// What the user asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wishes {
    /// Serials as they are.
    pub(super) serials: bool,
    /// The name of this PC.
    pub(super) host_name: bool,
    /// The most lines of the journal.
    pub(super) lines: u32,
}

/// A PC with its station, running or not.
pub(super) struct Context {
    pub(super) source: Source,
    pub(super) config: PathBuf,
    /// The configuration as it may be shown; an error if it cannot be read.
    pub(super) shared: io::Result<Shared>,
    /// The same with its meaning; the mistakes in it, if it cannot be used.
    pub(super) settings: Option<Result<Settings, ConfigError>>,
    pub(super) disguise: Disguise,
    pub(super) wishes: Wishes,
    /// The name of this PC, only if it was asked for.
    pub(super) host: Option<String>,
    words: OwnWords,
    known: Known,
}

/// What could be made of a file of the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) contents: String,
    /// What could not be found out, and why: a line each, in words that may be sent.
    pub(super) unread: Vec<String>,
}

impl Made {
    pub(super) fn json(value: &serde_json::Value, unread: Vec<String>) -> Self {
        Self { contents: format!("{value:#}\n"), unread }
    }
}

impl Context {
    /// Looks at what everything else depends on.
    ///
    /// # Errors
    /// If the kernel gives no random numbers, or the program's own file cannot be read.
    pub(super) fn new(source: Source, config: &Path, wishes: Wishes) -> io::Result<Self> {
        let mut disguise = Disguise::new(wishes.serials, wishes.host_name)?;
        disguise.learn_devices(&source.sysfs);
        let host = source.read("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        for name in [&host, &source.read("/etc/hostname").unwrap_or_default()] {
            disguise.learn_host(name);
        }
        let text = source.read(config);
        let shared = text.as_ref().map(|text| config::share(text, &|serial| disguise.serial(serial)));
        let shared = shared.map_err(|error| error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error));
        let settings = text.ok().map(|text| config::prove(config, &text, ImageCheck::Unseen));
        let sockets = source.sysfs.sockets();
        let known = shared.iter().flat_map(|shared| shared.words.iter().cloned());
        let known = known.chain(source.sysfs.disk_names().unwrap_or_default());
        let known = known.chain(sockets.into_iter().map(|socket| socket.port.0));
        let known = Known::of(known.chain(std::iter::once(config.display().to_string())));
        let host = Some(host).filter(|_| wishes.host_name);
        Ok(Self { source, config: config.to_owned(), shared, settings, disguise, wishes, host, words: OwnWords::read()?, known })
    }

    /// The settings, if the configuration can be used.
    pub(super) fn good_settings(&self) -> Option<&Settings> {
        self.settings.as_ref()?.as_ref().ok()
    }

    /// The program's own words and the names that the configuration shows; anything else is cut out.
    pub(super) fn own(&self, text: &str) -> String {
        self.disguise.text(&self.words.keep(text, &self.known))
    }

    /// An error with its causes, as [`own`](Self::own), and the numbers of the kernel's errors in it.
    pub(super) fn error(&self, error: &dyn std::error::Error) -> String {
        self.own(&sentence(error))
    }

    /// A path that the configuration shows; what stands for it otherwise.
    pub(super) fn path(&self, path: &Path) -> String {
        self.own(&path.display().to_string())
    }

    /// The flash log, by the configuration, or where a packaged station has it.
    pub(super) fn log(&self) -> PathBuf {
        let log = self.good_settings().map_or_else(|| Path::new(DEFAULT_STATE).join(LOG_FILE), Settings::log);
        self.source.place(&log)
    }

    /// The staged images.
    pub(super) fn store(&self) -> PathBuf {
        let store = self.good_settings().map_or_else(|| Path::new(DEFAULT_STATE).join(STORE), Settings::store);
        self.source.place(&store)
    }
}

/// Why something could not be read, in the words of the system alone.
pub(super) fn why(what: &str, error: &io::Error) -> String {
    let words = match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number).to_string(),
        None => error.kind().to_string(),
    };
    format!("{what}: {words}")
}

/// A word of a few plain letters, as a program or the kernel gives it; `None` for anything else.
pub(super) fn plain(text: &str) -> Option<&str> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || " ._:/,+-~#()=@[]".contains(letter);
    (text.len() <= 400 && text.chars().all(is_plain)).then_some(text)
}
