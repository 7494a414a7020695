//! The moments at which a fault strikes, told by the calls that reach the device alone. Knows nothing of the engine's own state.

/// What the engine does at a moment, which decides which faults can strike then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// The first call, whatever it is.
    First,
    /// The device is asked whether it flushes.
    Ask,
    Write,
    Zero,
    Read,
    Flush,
    /// No call: the attempt is over, and the card is kept.
    None,
}

/// A moment of an attempt: the call before which a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    Claimed,
    RecheckHead,
    RecheckFirst,
    RecheckLast,
    Asked,
    Tombstone,
    TombstoneFlush,
    TombstoneRead,
    Marks,
    EarlyBody,
    LateBody,
    Zeroing,
    BodyFlush,
    MarksRead,
    MarksErase,
    ReadFirst,
    ReadMiddle,
    ReadLast,
    TombstoneAgain,
    HeadRest,
    HeadRestFlush,
    HeadFirst,
    HeadFlush,
    HeadRead,
    Proven,
}

impl Moment {
    /// Every moment, in the order of an attempt.
    pub(super) const ALL: [Self; 25] = [
        Self::Claimed,
        Self::RecheckHead,
        Self::RecheckFirst,
        Self::RecheckLast,
        Self::Asked,
        Self::Tombstone,
        Self::TombstoneFlush,
        Self::TombstoneRead,
        Self::Marks,
        Self::EarlyBody,
        Self::LateBody,
        Self::Zeroing,
        Self::BodyFlush,
        Self::MarksRead,
        Self::MarksErase,
        Self::ReadFirst,
        Self::ReadMiddle,
        Self::ReadLast,
        Self::TombstoneAgain,
        Self::HeadRest,
        Self::HeadRestFlush,
        Self::HeadFirst,
        Self::HeadFlush,
        Self::HeadRead,
        Self::Proven,
    ];

    /// The name in cells and in the document.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::RecheckHead => "recheck-head",
            Self::RecheckFirst => "recheck-first",
            Self::RecheckLast => "recheck-last",
            Self::Asked => "asked",
            Self::Tombstone => "tombstone",
            Self::TombstoneFlush => "tombstone-flush",
            Self::TombstoneRead => "tombstone-read",
            Self::Marks => "marks",
            Self::EarlyBody => "early-body",
            Self::LateBody => "late-body",
            Self::Zeroing => "zeroing",
            Self::BodyFlush => "body-flush",
            Self::MarksRead => "marks-read",
            Self::MarksErase => "marks-erase",
            Self::ReadFirst => "read-first",
            Self::ReadMiddle => "read-middle",
            Self::ReadLast => "read-last",
            Self::TombstoneAgain => "tombstone-again",
            Self::HeadRest => "head-rest",
            Self::HeadRestFlush => "head-rest-flush",
            Self::HeadFirst => "head-first",
            Self::HeadFlush => "head-flush",
            Self::HeadRead => "head-read",
            Self::Proven => "proven",
        }
    }

    /// A sentence for the document: the call before which the fault strikes.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Claimed => "before the first call to the card",
            Self::RecheckHead => "the head of a card that may hold the image is read",
            Self::RecheckFirst => "the first part of the body of such a card is read",
            Self::RecheckLast => "the last part of the body of such a card is read",
            Self::Asked => "the device is asked whether it empties its cache on command",
            Self::Tombstone => "the first write: the tombstone goes into the head",
            Self::TombstoneFlush => "the tombstone is flushed",
            Self::TombstoneRead => "the tombstone is read back",
            Self::Marks => "the first mark is written",
            Self::EarlyBody => "the first part of the body is written",
            Self::LateBody => "the last part of the body is written",
            Self::Zeroing => "the kernel zeroes the first range: zeroes of the image, or the last MiB of the card",
            Self::BodyFlush => "the body is flushed",
            Self::MarksRead => "the first mark is read back",
            Self::MarksErase => "the first mark is erased",
            Self::ReadFirst => "the first part of the body is read back",
            Self::ReadMiddle => "a later part of the body is read back",
            Self::ReadLast => "the last part of the body is read back",
            Self::TombstoneAgain => "the tombstone is read once more, behind the body",
            Self::HeadRest => "the head without its first block is written",
            Self::HeadRestFlush => "that is flushed",
            Self::HeadFirst => "the first block of the head is written",
            Self::HeadFlush => "the whole head is flushed",
            Self::HeadRead => "the head is read back",
            Self::Proven => "the card is proven and kept",
        }
    }

    /// The kind of its call.
    pub(super) fn call(self) -> Call {
        match self {
            Self::Claimed => Call::First,
            Self::Asked => Call::Ask,
            Self::Tombstone | Self::Marks | Self::EarlyBody | Self::LateBody | Self::MarksErase | Self::HeadRest | Self::HeadFirst => {
                Call::Write
            }
            Self::Zeroing => Call::Zero,
            Self::RecheckHead
            | Self::RecheckFirst
            | Self::RecheckLast
            | Self::TombstoneRead
            | Self::MarksRead
            | Self::ReadFirst
            | Self::ReadMiddle
            | Self::ReadLast
            | Self::TombstoneAgain
            | Self::HeadRead => Call::Read,
            Self::TombstoneFlush | Self::BodyFlush | Self::HeadRestFlush | Self::HeadFlush => Call::Flush,
            Self::Proven => Call::None,
        }
    }

    /// It belongs to the reading of a card that may already hold the image.
    pub(super) fn is_recheck(self) -> bool {
        matches!(self, Self::RecheckHead | Self::RecheckFirst | Self::RecheckLast)
    }
}

/// The places by which calls are told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// The logical block of the card.
    pub(super) block: u64,
    /// First byte behind the first part of the head.
    pub(super) head_end: u64,
    /// First byte behind the last data of the body.
    pub(super) last_data_end: u64,
    /// First byte behind the last part of the body that is read back.
    pub(super) last_read_end: u64,
}

/// A call, as the device sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Ask,
    Write { at: u64, length: u64, is_mark: bool },
    Zero { at: u64, length: u64 },
    Read { at: u64, length: u64 },
    Flush,
}

/// The part of an attempt between two of its flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Untouched,
    Tombstone,
    TombstoneFlushed,
    Body,
    Marks,
    ReadBack,
    Head,
    HeadRest,
    HeadFirst,
    Done,
}

/// Follows the calls of an attempt and names their moments. Each moment is named once.
#[derive(Debug)]
pub(super) struct Tracker {
    places: Places,
    stage: Stage,
    named: Vec<Moment>,
}

impl Tracker {
    pub(super) fn new(places: Places) -> Self {
        Self { places, stage: Stage::Untouched, named: Vec::new() }
    }

    /// The moments that this call is, if it is the first one of them.
    pub(super) fn see(&mut self, call: Seen) -> Vec<Moment> {
        let first = if self.named.is_empty() { Some(Moment::Claimed) } else { None };
        let new: Vec<Moment> = first.into_iter().chain(self.moments(call)).filter(|moment| !self.named.contains(moment)).collect();
        self.named.extend(&new);
        new
    }

    fn moments(&mut self, call: Seen) -> Vec<Moment> {
        let Places { block, head_end, last_data_end, last_read_end } = self.places;
        match (self.stage, call) {
            (Stage::Untouched, Seen::Ask) => vec![Moment::Asked],
            // The backup of a partition table lies behind the body.
            (Stage::Untouched, Seen::Read { at, .. }) if at < head_end || at >= last_read_end => vec![Moment::RecheckHead],
            (Stage::Untouched, Seen::Read { at, length }) => parts(at + length >= last_read_end, Moment::RecheckFirst, Moment::RecheckLast),
            (Stage::Untouched, Seen::Write { .. }) => self.enter(Stage::Tombstone, Moment::Tombstone),
            (Stage::Tombstone, Seen::Flush) => self.enter(Stage::TombstoneFlushed, Moment::TombstoneFlush),
            (Stage::TombstoneFlushed, Seen::Read { .. }) => self.enter(Stage::Body, Moment::TombstoneRead),
            (Stage::Body, Seen::Write { is_mark: true, .. }) => vec![Moment::Marks],
            (Stage::Body, Seen::Write { at, length, .. }) => parts(at + length >= last_data_end, Moment::EarlyBody, Moment::LateBody),
            (Stage::Body, Seen::Zero { .. }) => vec![Moment::Zeroing],
            (Stage::Body, Seen::Flush) => self.enter(Stage::Marks, Moment::BodyFlush),
            (Stage::Marks, Seen::Read { .. }) => vec![Moment::MarksRead],
            (Stage::Marks, Seen::Write { .. }) => vec![Moment::MarksErase],
            (Stage::Marks, Seen::Flush) => {
                self.stage = Stage::ReadBack;
                Vec::new()
            }
            (Stage::ReadBack, Seen::Read { at, .. }) if at < head_end => self.enter(Stage::Head, Moment::TombstoneAgain),
            (Stage::ReadBack, Seen::Read { at, length }) => {
                let is_first = !self.named.contains(&Moment::ReadFirst);
                match (is_first, at + length >= last_read_end) {
                    (true, last) => parts(last, Moment::ReadFirst, Moment::ReadLast),
                    (false, true) => vec![Moment::ReadLast],
                    (false, false) => vec![Moment::ReadMiddle],
                }
            }
            (Stage::Head | Stage::HeadRest, Seen::Write { at: 0, length, .. }) if length == block => {
                self.enter(Stage::HeadFirst, Moment::HeadFirst)
            }
            (Stage::Head, Seen::Write { .. }) => vec![Moment::HeadRest],
            (Stage::Head, Seen::Flush) => self.enter(Stage::HeadRest, Moment::HeadRestFlush),
            (Stage::HeadFirst, Seen::Flush) => vec![Moment::HeadFlush],
            (Stage::HeadFirst, Seen::Read { .. }) => self.enter(Stage::Done, Moment::HeadRead),
            _ => Vec::new(),
        }
    }

    fn enter(&mut self, stage: Stage, moment: Moment) -> Vec<Moment> {
        self.stage = stage;
        vec![moment]
    }
}

/// The first part, and the last one too if it is that.
fn parts(is_last: bool, first: Moment, last: Moment) -> Vec<Moment> {
    if is_last { vec![first, last] } else { vec![first] }
}
