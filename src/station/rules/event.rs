//! Events and effects: everything that passes between the station and the rest of the program.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::station::status::view::{Anchor, DayCount};
use crate::station::types::card::{Card, Visit};
use crate::station::types::outcome::{Digest, Effort, Failure, MappedProof, Proof, Refusal, StationFault};
use crate::station::types::port::{Cabling, Port};
use crate::station::types::record::{Attempt, AttemptNumber, Entry, Receipt, Step};
use crate::station::types::request::{Command, Denied, RequestId, Who};
use crate::station::types::settings::Configuration;
use crate::station::types::survey::Survey;
use crate::station::types::units::Bytes;

/// How a card's thread ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// Every byte was read back and is the image's.
    Verified(Proof),
    /// The image's data was read back; its zeroes were skipped.
    VerifiedMapped(MappedProof),
    /// The card held the image already: every byte was read back, and nothing was written.
    Rechecked(Proof),
    /// The same of the image's data, where its zeroes are skipped.
    RecheckedMapped(MappedProof),
    /// The claim was refused; nothing was written.
    Refused(Refusal),
    /// The card failed; contents undefined.
    Failed(Failure),
    /// The station failed, and the card has no part in it.
    StationFault(StationFault),
    /// The card left while it was busy.
    Gone,
    /// It stopped because it was asked to.
    Cancelled,
}

impl End {
    /// The card holds the image, and no program may write to it any more.
    #[must_use]
    pub(crate) fn is_proof(&self) -> bool {
        matches!(self, Self::Verified(_) | Self::VerifiedMapped(_) | Self::Rechecked(_) | Self::RecheckedMapped(_))
    }
}

/// Before what a card was in its slot already, so that nobody put it in to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Before {
    /// The daemon began to look.
    Start,
    /// The PC slept: the card may have been changed meanwhile, and the kernel need not have noticed.
    Sleep,
}

/// What the station is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// A card is in its port. Told again with the same visit when the kernel announces it again.
    Seen {
        /// The card that was seen.
        card: Box<Card>,
        /// It was there before anybody looked.
        before: Option<Before>,
        /// For how long its USB device, or the host it is in, has been on its bus, where the card came together with that. Nothing where it
        /// was put into something that was there already.
        with_device: Option<Duration>,
    },
    /// That visit is over. Told once more when its device follows it at once.
    Gone {
        /// The visit that is over.
        visit: Visit,
        /// The USB device or the host left with the card, which thus need not have been taken out.
        with_device: bool,
    },
    /// The answer to [`Effect::Survey`]; nothing where the card could not be found any more.
    Surveyed {
        /// The visit asked about.
        visit: Visit,
        /// What was found out about the card.
        survey: Option<Box<Survey>>,
    },
    /// The answer to [`Effect::Identify`]; nothing where the card could not be asked, or had left.
    Identified {
        /// The visit asked about.
        visit: Visit,
        /// All that is known of it.
        card: Option<Box<Card>>,
    },
    /// A thread has come this far.
    Advanced {
        /// The attempt of the thread.
        attempt: AttemptNumber,
        /// The step it is in.
        step: Step,
        /// Bytes done in this step.
        done: Bytes,
        /// Bytes of this step.
        of: Bytes,
    },
    /// The thread of an attempt ended.
    Ended {
        /// The attempt of the thread.
        attempt: AttemptNumber,
        /// How the thread ended.
        end: End,
        /// How long it took, and what was done.
        effort: Effort,
    },
    /// A thread has moved nothing for so long that it will hardly come back.
    Stalled {
        /// The attempt of the thread.
        attempt: AttemptNumber,
        /// For how long nothing moved.
        waited: Duration,
        /// It waited for the station's own image, and not for the card.
        on_image: bool,
        /// What it did before.
        effort: Effort,
    },
    /// Somebody else has written to the card of this attempt, which was proven and is still claimed, or was until it left.
    Changed {
        /// The attempt that proved it.
        attempt: AttemptNumber,
        /// How many sectors of 512 bytes.
        sectors: u64,
    },
    /// A staged copy cannot be read, or is not what was staged.
    ImageFault {
        /// The digest of the image.
        digest: Digest,
        /// What is wrong with the copy.
        fault: StationFault,
    },
    /// The answer to [`Effect::Restage`].
    Restaged {
        /// The digest of the image.
        digest: Digest,
        /// It is staged anew, or why not, as a sentence.
        result: Result<(), String>,
    },
    /// The devices that slots hang on, as they are now: told when the daemon begins to look, and at every change.
    Cabling(Cabling),
    /// Which ports udev keeps the PC's other programs from, and which not: told when the daemon begins to look, and again and again.
    Covered(BTreeMap<Port, bool>),
    /// The log has it on disk.
    Recorded(Receipt),
    /// The log cannot write, for this reason; or it can again.
    LogHealth(Option<String>),
    /// What holds from now on: slots, and which models' images may be written. Running cards finish with what they started with.
    Configure(Box<Configuration>),
    /// Somebody asks for something; answered by [`Effect::Answer`].
    Asked {
        /// To tell answers apart.
        request: RequestId,
        /// The user who asked.
        by: Who,
        /// What they want the station to do.
        command: Command,
    },
    /// What the log has of this day, by the PC's own clock: at the start, and when another day begins.
    Today(DayCount),
    /// A shift has ended, and this was the log's head.
    ShiftEnded(Anchor),
    /// The station is to stop: nothing new begins, what runs is cancelled.
    Stop,
    /// Time has passed; sent ten times a second.
    Tick,
}

/// What the station wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Effect {
    /// Ask who uses this card.
    Survey(Box<Card>),
    /// Ask this card for its numbers: it is not to be begun, and another one put in its place is to be told from it.
    Identify(Box<Card>),
    /// Make this durable, then say so with [`Event::Recorded`].
    Record(Box<Entry>),
    /// The same for what somebody asked, who is answered when it is on disk: [`Receipt::Asked`].
    RecordAsked {
        /// What they wait for.
        request: RequestId,
        /// The entry to record.
        entry: Box<Entry>,
    },
    /// Claim, write and prove this card.
    Start(Box<Attempt>),
    /// Tell this attempt's thread to stop.
    Cancel(AttemptNumber),
    /// Stage this image anew from its source: its staged copy is damaged. Answered by [`Event::Restaged`].
    Restage {
        /// The digest of the image.
        digest: Digest,
        /// The copy that is there may be read once more: it could not be read, which need not last.
        unread: bool,
    },
    /// Answer a request.
    Answer {
        /// The number of the request.
        request: RequestId,
        /// Done, or why not.
        answer: Result<(), Denied>,
    },
}
