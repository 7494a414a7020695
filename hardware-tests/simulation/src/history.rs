//! Histories: the events that a factory brings about, with their times. Everything else follows from them and from the seed.

use std::fmt;
use std::str::FromStr;

/// The first line of a file with a history.
const HEAD: &str = "flashline-simulation 1";

/// Something that happens by itself or by a hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Milliseconds since the history began, without those in which the PC slept or nothing happened for hours.
    pub at: u64,
    /// What happens then.
    pub verb: Verb,
    /// The place, if it has one: an index of the places of this factory.
    pub place: u8,
    /// All its details: which card, how long, and what becomes of it.
    pub salt: u64,
}

macro_rules! verbs {
    ($($verb:ident = $word:literal: $meaning:literal,)*) => {
        /// The kinds of events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Verb {
            $(#[doc = $meaning] $verb,)*
        }

        impl Verb {
            /// Every kind, in the order of the list above.
            pub const ALL: &[Self] = &[$(Self::$verb,)*];

            /// The word in a file.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$verb => $word,)* }
            }
        }
    };
}

verbs! {
    Insert = "insert": "A hand puts a card in.",
    TakeOut = "take-out": "A hand takes a card out.",
    Swap = "swap": "A quick hand takes a card out and puts another one in.",
    Blink = "blink": "The device of a card leaves the bus, with all its cards, and comes back by itself.",
    BlinkHub = "blink-hub": "A hub leaves the bus, with all that hangs on it, and comes back by itself.",
    Unplug = "unplug": "A hand unplugs a reader or hub with its cards, and plugs it in again after some seconds.",
    Mount = "mount": "Another program mounts a card that it may mount.",
    Unmount = "unmount": "The other program unmounts the card.",
    ForeignWrite = "foreign-write": "A program of root writes to a card, whether it is claimed or not.",
    LogFails = "log-fails": "The disk of the flash log fails.",
    LogRecovers = "log-recovers": "The disk of the flash log works again.",
    LogSlow = "log-slow": "The disk of the flash log takes seconds for a while.",
    Crash = "crash": "The daemon is killed.",
    Reboot = "reboot": "The PC loses its power and starts again.",
    Stop = "stop": "The daemon is told to stop, and is started again.",
    Sleep = "sleep": "The PC sleeps and wakes up.",
    Disarm = "disarm": "A user takes a slot or model out of work.",
    Arm = "arm": "A user re-enables a slot or model.",
    StartOrder = "start-order": "A user starts an order.",
    StopOrder = "stop-order": "A user stops an order.",
    Approve = "approve": "A user approves the first card of a model.",
    BeginMaintenance = "begin-maintenance": "A user begins maintenance.",
    EndMaintenance = "end-maintenance": "A user ends maintenance.",
    Restart = "restart": "A user asks for a restart when the last card is out.",
    Confirm = "confirm": "A user confirms that the log was begun anew.",
    Identify = "identify": "A user searches for a slot.",
    Reload = "reload": "The engineer changes the configuration, and has it read.",
    Restrict = "restrict": "The unit hides something from the station.",
    Unrestrict = "unrestrict": "The station sees everything again.",
    Cover = "cover": "The udev rules of a port are lost, or come back.",
    Recable = "recable": "A hub or reader is exchanged for another one, or put back.",
    DamageImage = "damage-image": "A staged copy is damaged.",
    Nonsense = "nonsense": "Events that fit nothing reach the station.",
    Flood = "flood": "The kernel announces a card again and again.",
    LoseHints = "lose-hints": "udev gives no hints for a while.",
    Jump = "jump": "Hours pass in which nothing happens.",
}

/// A history that can be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Cards, places and first configuration are drawn from it.
    pub seed: u64,
    /// The time, in milliseconds, from which on nothing fails any more.
    pub end: u64,
    /// All events, by their times.
    pub actions: Vec<Action>,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}\nseed {}\nend {}", self.seed, self.end)?;
        self.actions.iter().try_for_each(|action| {
            let Action { at, verb, place, salt } = action;
            writeln!(f, "{at} {} {place} {salt}", verb.word())
        })
    }
}

impl FromStr for History {
    type Err = String;

    /// # Errors
    /// The first line that is not one of a history.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate();
        let mut next = |what: &str| {
            let (_, line) = lines.next().ok_or_else(|| format!("it ends before the line `{what}`"))?;
            line.strip_prefix(what).map(str::trim).ok_or_else(|| format!("{line:?} stands where `{what}` is expected"))
        };
        next(HEAD)?;
        let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?} is no number: {error}"));
        let seed = number(next("seed")?)?;
        let end = number(next("end")?)?;
        let action = |(index, line): (usize, &str)| {
            let wrong = || format!("line {}: {line:?} is no event: MILLISECONDS VERB PLACE NUMBER", index + 1);
            let mut words = line.split_whitespace();
            let mut word = || words.next().ok_or_else(wrong);
            let at = number(word()?)?;
            let verb = word()?;
            let verb = Verb::ALL.iter().copied().find(|known| known.word() == verb).ok_or_else(wrong)?;
            let place = u8::try_from(number(word()?)?).map_err(|error| format!("line {}: {error}", index + 1))?;
            Ok(Action { at, verb, place, salt: number(word()?)? })
        };
        let actions = lines.filter(|(_, line)| !line.trim().is_empty()).map(action).collect::<Result<Vec<_>, String>>()?;
        Ok(Self { seed, end, actions })
    }
}
