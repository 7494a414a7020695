//! The moments at which a fault strikes, told by the requests that reach the card alone. Knows nothing of the station's own state.

use flashline_lab::{MIB, Request};

/// Image and tombstone: the first MiB is the head, and every second MiB is data, so that the last data is in the last but one.
pub(crate) const SPAN: u64 = 8 * MIB;
const HEAD: u64 = MIB;
const LAST_DATA: u64 = 6 * MIB;
const MIDDLE: u64 = 4 * MIB;
const LAST: u64 = 7 * MIB;
/// The logical block, in which a mark is.
const BLOCK: u64 = 512;

/// A moment of an attempt: the request at which the card stops, and the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    Asked,
    Tombstone,
    TombstoneFlush,
    TombstoneRead,
    Marks,
    EarlyBody,
    LateBody,
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

/// The kind of request that a moment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Write,
    Read,
    Flush,
    /// None: a proven card is asked for nothing more.
    None,
}

impl Moment {
    /// Every moment, in the order of an attempt.
    pub(crate) const ALL: [Self; 20] = [
        Self::Asked,
        Self::Tombstone,
        Self::TombstoneFlush,
        Self::TombstoneRead,
        Self::Marks,
        Self::EarlyBody,
        Self::LateBody,
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
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Tombstone => "tombstone",
            Self::TombstoneFlush => "tombstone-flush",
            Self::TombstoneRead => "tombstone-read",
            Self::Marks => "marks",
            Self::EarlyBody => "early-body",
            Self::LateBody => "late-body",
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

    /// The kind of its request.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Tombstone | Self::Marks | Self::EarlyBody | Self::LateBody | Self::MarksErase | Self::HeadRest | Self::HeadFirst => {
                Kind::Write
            }
            Self::TombstoneRead
            | Self::MarksRead
            | Self::ReadFirst
            | Self::ReadMiddle
            | Self::ReadLast
            | Self::TombstoneAgain
            | Self::HeadRead => Kind::Read,
            Self::Asked | Self::TombstoneFlush | Self::BodyFlush | Self::HeadRestFlush | Self::HeadFlush => Kind::Flush,
            Self::Proven => Kind::None,
        }
    }

    /// Does this request, which follows those that the tracker has seen, come at this moment? For [`Medium::stop_at`](flashline_lab::Medium).
    pub(crate) fn stops(self) -> impl FnMut(&Request) -> bool + Send + 'static {
        let mut tracker = Tracker::default();
        move |request| tracker.see(*request).contains(&self)
    }
}

/// The part of an attempt between two of its flushes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Untouched,
    Tombstone,
    TombstoneFlushed,
    Body,
    BodyFlushed,
    Marks,
    ReadBack,
    Head,
    HeadRest,
    HeadFirst,
    Done,
}

/// Follows the requests of one attempt to a new or used card.
#[derive(Debug, Default)]
struct Tracker {
    stage: Stage,
}

impl Tracker {
    /// The moments that this request is.
    fn see(&mut self, request: Request) -> Vec<Moment> {
        match (self.stage, request) {
            (Stage::Untouched, Request::Flush) => vec![Moment::Asked],
            (Stage::Untouched, Request::Write { .. }) => self.enter(Stage::Tombstone, Moment::Tombstone),
            (Stage::Tombstone, Request::Flush) => self.enter(Stage::TombstoneFlushed, Moment::TombstoneFlush),
            (Stage::TombstoneFlushed, Request::Read { .. }) => self.enter(Stage::Body, Moment::TombstoneRead),
            (Stage::Body, Request::Write { length: BLOCK, .. }) => vec![Moment::Marks],
            // What is written elsewhere are zeroes.
            (Stage::Body, Request::Write { offset, .. }) if offset >= SPAN || (offset / MIB) % 2 != 0 => Vec::new(),
            (Stage::Body, Request::Write { offset, .. }) if offset >= LAST_DATA => vec![Moment::EarlyBody, Moment::LateBody],
            (Stage::Body, Request::Write { .. }) => vec![Moment::EarlyBody],
            (Stage::Body, Request::Flush) => self.enter(Stage::BodyFlushed, Moment::BodyFlush),
            // The kernel flushes, and then the station itself.
            (Stage::BodyFlushed, Request::Read { .. }) => self.enter(Stage::Marks, Moment::MarksRead),
            (Stage::Marks, Request::Write { .. }) => vec![Moment::MarksErase],
            (Stage::Marks, Request::Flush) => {
                self.stage = Stage::ReadBack;
                Vec::new()
            }
            (Stage::ReadBack, Request::Read { offset, .. }) if offset < HEAD => self.enter(Stage::Head, Moment::TombstoneAgain),
            (Stage::ReadBack, Request::Read { offset, .. }) if offset >= LAST => vec![Moment::ReadLast],
            (Stage::ReadBack, Request::Read { offset, .. }) if offset >= MIDDLE => vec![Moment::ReadMiddle],
            (Stage::ReadBack, Request::Read { .. }) => vec![Moment::ReadFirst],
            (Stage::Head, Request::Write { .. }) => vec![Moment::HeadRest],
            (Stage::Head, Request::Flush) => self.enter(Stage::HeadRest, Moment::HeadRestFlush),
            (Stage::HeadRest, Request::Write { .. }) => self.enter(Stage::HeadFirst, Moment::HeadFirst),
            (Stage::HeadFirst, Request::Flush) => vec![Moment::HeadFlush],
            (Stage::HeadFirst, Request::Read { .. }) => self.enter(Stage::Done, Moment::HeadRead),
            _ => Vec::new(),
        }
    }

    fn enter(&mut self, stage: Stage, moment: Moment) -> Vec<Moment> {
        self.stage = stage;
        vec![moment]
    }
}
