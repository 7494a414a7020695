//! Events and effects: all messages between the station and the rest of the program.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::station::status::view::{Anchor, DayCount};
use crate::station::types::card::{Card, Visit};
use crate::station::types::outcome::{Digest, Effort, Failure, MappedProof, Proof, Refusal, StationFault};
use crate::station::types::port::{Cabling, Port};
use crate::station::types::prover::ProverReport;
use crate::station::types::record::{Attempt, AttemptNumber, Entry, Receipt, Step};
use crate::station::types::request::{Command, Denied, RequestId, Who};
use crate::station::types::restriction::Restriction;
use crate::station::types::settings::Configuration;
use crate::station::types::survey::Survey;
use crate::station::types::units::Bytes;
use crate::station::types::written_card::WrittenCard;

/// The end of a card's thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// Every byte was read back and is the image's.
    Verified(Proof),
    /// The image's data was read back; its zeroes were skipped.
    VerifiedMapped(MappedProof),
    /// The card already held the image: every byte was read back, and nothing was written.
    Rechecked(Proof),
    /// The same for the image's data, if its zeroes are skipped.
    RecheckedMapped(MappedProof),
    /// The claim was refused; nothing was written.
    Refused(Refusal),
    /// The card failed; contents undefined.
    Failed(Failure),
    /// The station failed; the card did not cause it.
    StationFault(StationFault),
    /// The card left while it was busy.
    Gone,
    /// It stopped on request.
    Cancelled,
}

impl End {
    /// The card holds the image, and no program may write to it any more.
    #[must_use]
    pub(crate) fn is_proof(&self) -> bool {
        matches!(self, Self::Verified(_) | Self::VerifiedMapped(_) | Self::Rechecked(_) | Self::RecheckedMapped(_))
    }
}

/// The event before which a card was already in its slot, so that it was not put in to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Before {
    /// The daemon began to watch.
    Start,
    /// The PC slept: the card may have been changed meanwhile, which the kernel does not always notice.
    Sleep,
}

/// The messages to the station.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// A card is in its port. Sent again with the same visit when the kernel announces it again.
    Seen {
        /// The card that was seen.
        card: Box<Card>,
        /// It was there before the station watched.
        before: Option<Before>,
        /// How long its USB device, or its host, has been on its bus, if the card came together with it. `None` if the card was put into a
        /// device that was already there.
        with_device: Option<Duration>,
    },
    /// That visit is over. Sent once more when its device follows at once.
    Gone {
        /// The visit that is over.
        visit: Visit,
        /// The USB device or the host left with the card, so the card was not necessarily taken out.
        with_device: bool,
    },
    /// The answer to [`Effect::Survey`]; `None` if the card could not be found any more.
    Surveyed {
        /// The visit asked about.
        visit: Visit,
        /// The facts about the card.
        survey: Option<Box<Survey>>,
    },
    /// The answer to [`Effect::Identify`]; `None` if the card could not be asked, or had left.
    Identified {
        /// The visit asked about.
        visit: Visit,
        /// All known facts about it.
        card: Option<Box<Card>>,
    },
    /// Progress of a thread.
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
        /// The duration and the effort.
        effort: Effort,
    },
    /// A thread has made no progress for so long that it will hardly return.
    Stalled {
        /// The attempt of the thread.
        attempt: AttemptNumber,
        /// The time without progress.
        waited: Duration,
        /// It waited for the station's image, not for the card.
        on_image: bool,
        /// The effort until then.
        effort: Effort,
    },
    /// Another program has written to the card of this attempt, which was proven and is still claimed, or was until it left.
    Changed {
        /// The attempt that proved it.
        attempt: AttemptNumber,
        /// The number of sectors of 512 bytes.
        sectors: u64,
    },
    /// The verifier is tried, or was.
    Prover(ProverReport),
    /// A staged copy cannot be read, or is not what was staged.
    ImageFault {
        /// The digest of the image.
        digest: Digest,
        /// The fault of the copy.
        fault: StationFault,
    },
    /// The answer to [`Effect::Restage`].
    Restaged {
        /// The digest of the image.
        digest: Digest,
        /// It is staged anew, or why not, as a sentence.
        result: Result<(), String>,
    },
    /// The devices on which slots hang: sent when the daemon begins to watch, and at every change.
    Cabling(Cabling),
    /// The ports that udev protects from the PC's other programs, and those that it does not: sent when the daemon begins to watch, and
    /// repeatedly.
    Covered(BTreeMap<Port, bool>),
    /// What the PC or the unit does not let the station do, all of it: sent when the daemon begins, and at every change.
    Restricted(Vec<Restriction>),
    /// An entry is on disk.
    Recorded(Receipt),
    /// The log cannot write, for this reason; or it can again.
    LogHealth(Option<String>),
    /// The configuration from now on: slots, and the models whose images may be written. Running cards finish with the old one.
    Configure(Box<Configuration>),
    /// A request of a client; answered by [`Effect::Answer`].
    Asked {
        /// The number of the request.
        request: RequestId,
        /// The user who asked.
        by: Who,
        /// The command for the station.
        command: Command,
    },
    /// The log's counts of this day, by the PC's own clock: at the start, and when another day begins.
    Today(DayCount),
    /// A shift has ended, and this was the log's head.
    ShiftEnded(Anchor),
    /// The last cards of every slot that passed or failed, by the log, oldest first: sent once, before the first configuration.
    Written(Vec<WrittenCard>),
    /// The station must stop: nothing new begins, running attempts are cancelled.
    Stop,
    /// Time has passed; sent ten times a second.
    Tick,
}

/// The actions that the station requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Effect {
    /// Find out which programs use this card.
    Survey(Box<Card>),
    /// Read the identity of this card: it is not to be begun, and another one put in its place must be distinguished from it.
    Identify(Box<Card>),
    /// Make this durable, then report it with [`Event::Recorded`].
    Record(Box<Entry>),
    /// The same for a client's request, which is answered when the entry is on disk: [`Receipt::Asked`].
    RecordAsked {
        /// The number of the request.
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
        /// The present copy may be read once more: reading failed, which may be temporary.
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
