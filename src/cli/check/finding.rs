//! A finding of `flashline check`: what was looked at, how it is, and what to do about it.

use serde_json::{Value, json};

/// How something is. The worst of all findings is the verdict of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// As it should be.
    Good,
    /// The station runs, and something about it is worse than it could be, or is not known.
    Warning,
    /// The station does not start a card somewhere, or what it promises does not hold.
    Bad,
}

impl Mark {
    /// The word for programs; stable.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }

    pub(super) fn sign(self) -> char {
        match self {
            Self::Good => '✓',
            Self::Warning => '!',
            Self::Bad => '✗',
        }
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The configuration file as a whole.
    Configuration,
    /// The image of a model, and what proves that it is that model's.
    Image,
    /// Whether the cards of a slot hold its image.
    Capacity,
    /// Where cards are put in.
    Port,
    /// A reader that several slots share.
    Reader,
    /// Whether the slots were tried by `flashline qualify`.
    Qualified,
    /// The udev rules that keep other programs off the slots.
    Rules,
    /// Programs that mount what is plugged in.
    Automounter,
    /// How often the kernel asks a reader for its media.
    Polling,
    /// The lamps of the slots and of the station.
    Lamp,
    /// The bell of the station.
    Bell,
    /// The unit of systemd that the station runs under.
    Unit,
    /// Which disks the kernel lets the station open.
    Rights,
    /// The disk with the flash log and the staged images.
    StateDisk,
    /// The flash log.
    Log,
    /// Whether the verifier of the station was proven to detect faults.
    Verifier,
    /// Whether the flash log outlives the disk of this PC.
    Backup,
    /// Work on the station that nobody has ended.
    Maintenance,
    /// Whether somebody may approve a first card.
    Approval,
    /// The clock and the time zone.
    Clock,
    /// Whether a station that hangs is restarted.
    Watchdog,
    /// Whether the PC sleeps while a card is written.
    Sleep,
    /// Whether the armed images fit into memory.
    Memory,
}

impl Subject {
    /// The word for programs; stable.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Image => "image",
            Self::Capacity => "capacity",
            Self::Port => "port",
            Self::Reader => "reader",
            Self::Qualified => "qualified",
            Self::Rules => "rules",
            Self::Automounter => "automounter",
            Self::Polling => "polling",
            Self::Lamp => "lamp",
            Self::Bell => "bell",
            Self::Unit => "unit",
            Self::Rights => "rights",
            Self::StateDisk => "state-disk",
            Self::Log => "log",
            Self::Verifier => "verifier",
            Self::Backup => "backup",
            Self::Maintenance => "maintenance",
            Self::Approval => "approval",
            Self::Clock => "clock",
            Self::Watchdog => "watchdog",
            Self::Sleep => "sleep",
            Self::Memory => "memory",
        }
    }

    /// Whether the configuration can be used hangs on it. Everything else is the state of this PC, which may change without it.
    pub(super) fn is_of_the_configuration(self) -> bool {
        matches!(self, Self::Configuration | Self::Image | Self::Capacity)
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) subject: Subject,
    pub(super) mark: Mark,
    /// A sentence without its full stop.
    pub(super) what: String,
    /// What belongs to it, a line each.
    pub(super) details: Vec<String>,
    /// What to do, where `what` does not say it.
    pub(super) cure: Option<String>,
}

impl Finding {
    fn new(subject: Subject, mark: Mark, what: String) -> Self {
        Self { subject, mark, what, details: Vec::new(), cure: None }
    }

    pub(super) fn good(subject: Subject, what: impl Into<String>) -> Self {
        Self::new(subject, Mark::Good, what.into())
    }

    pub(super) fn warning(subject: Subject, what: impl Into<String>) -> Self {
        Self::new(subject, Mark::Warning, what.into())
    }

    pub(super) fn bad(subject: Subject, what: impl Into<String>) -> Self {
        Self::new(subject, Mark::Bad, what.into())
    }

    pub(super) fn cure(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }

    pub(super) fn details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// As printed: the first line begins with the mark, what belongs to it is indented.
    pub(super) fn lines(&self) -> Vec<String> {
        const COLUMN: usize = 14;
        let mut lines = vec![format!("{} {:COLUMN$} {}", self.mark.sign(), self.subject.word(), self.what)];
        let below = " ".repeat(COLUMN + 3);
        lines.extend(self.details.iter().map(|detail| format!("{below}{detail}")));
        lines.extend(self.cure.iter().map(|cure| format!("{below}→ {cure}")));
        lines
    }

    pub(super) fn json(&self) -> Value {
        json!({"subject": self.subject.word(), "mark": self.mark.word(), "what": self.what, "details": self.details, "cure": self.cure})
    }
}

/// `1 lamp`, `3 lamps`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The worst of them; good where there is none.
pub(super) fn worst<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Mark {
    findings.into_iter().map(|finding| finding.mark).max().unwrap_or(Mark::Good)
}

/// How many there are of each mark, in one line.
pub(super) fn summary(findings: &[Finding]) -> String {
    let count = |mark| findings.iter().filter(|finding| finding.mark == mark).count();
    let counts = [Mark::Bad, Mark::Warning, Mark::Good].map(|mark| format!("{} {}", count(mark), mark.sign()));
    counts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_read_from_its_mark_to_its_cure_and_the_worst_one_counts() {
        let bad = Finding::bad(Subject::Rights, "the station may write to sda")
            .details(vec!["sda is a disk of this PC".to_owned()])
            .cure("chmod 0660 /dev/sda");
        assert_eq!(
            bad.lines(),
            [
                "✗ rights         the station may write to sda",
                "                 sda is a disk of this PC",
                "                 → chmod 0660 /dev/sda"
            ]
        );
        assert_eq!(bad.json()["mark"], "bad");
        let findings = [Finding::good(Subject::Clock, "set"), Finding::warning(Subject::Sleep, "it may sleep"), bad];
        assert_eq!(worst(&findings), Mark::Bad);
        assert_eq!(worst(&findings[..2]), Mark::Warning);
        assert_eq!(worst([]), Mark::Good);
        assert_eq!(summary(&findings), "1 ✗  1 !  1 ✓");
    }
}
