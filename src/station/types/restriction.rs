//! What the PC, or the unit that the station runs under, does not let the station do.

/// How the sentences for a unit's setting end.
const THEN: &str = "(`systemctl cat flashline` shows where), then systemctl daemon-reload && systemctl restart flashline";

/// The errno of a system call that a filter forbids (`asm-generic/errno-base.h`), as the unit sets it.
const EPERM: i32 = 1;
/// The errno of a write to a file system that is mounted read-only.
const EROFS: i32 = 30;
/// The errno of a socket whose family `RestrictAddressFamilies=` forbids (systemd.exec(5)).
const EAFNOSUPPORT: i32 = 97;

/// Something that the station needs and does not get. Nothing of it is the fault of a card.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Restriction {
    /// The control socket cannot be made, or was removed.
    NoControl {
        /// What happened to it.
        why: String,
        /// The errno, if the kernel refused it.
        errno: Option<i32>,
    },
    /// The kernel does not tell which user asks.
    AskersUnknown,
    /// A configured LED exists, and its files cannot be written.
    LampsStuck {
        /// The first of them.
        led: String,
        /// The error, in the words of the system.
        why: String,
        /// The errno, if it is known.
        errno: Option<i32>,
    },
    /// The records of udev can be read, but not watched.
    NoHints {
        /// The error, in the words of the system.
        why: String,
    },
    /// The part of `/proc` that is not about processes is hidden.
    SwapsHidden,
    /// The table of mounts cannot be read.
    MountsHidden {
        /// The error, in the words of the system.
        why: String,
    },
    /// The records of udev exist and cannot be read.
    UdevHidden {
        /// The error, in the words of the system.
        why: String,
    },
    /// No disk of the PC has a node in `/dev`.
    DisksHidden,
}

impl Restriction {
    /// The stable code for programs and languages.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoControl { .. } => "no-control",
            Self::AskersUnknown => "askers-unknown",
            Self::LampsStuck { .. } => "lamps-stuck",
            Self::NoHints { .. } => "no-hints",
            Self::SwapsHidden => "swaps-hidden",
            Self::MountsHidden { .. } => "mounts-hidden",
            Self::UdevHidden { .. } => "udev-hidden",
            Self::DisksHidden => "disks-hidden",
        }
    }

    /// Whether no card is begun. Without these facts a card cannot be admitted, and that is not the fault of the card: it waits.
    #[must_use]
    pub(crate) fn stops(&self) -> bool {
        match self {
            Self::MountsHidden { .. } | Self::UdevHidden { .. } | Self::DisksHidden => true,
            Self::NoControl { .. } | Self::AskersUnknown | Self::LampsStuck { .. } | Self::NoHints { .. } | Self::SwapsHidden => false,
        }
    }

    /// What does not work, and why, in English.
    #[must_use]
    pub(crate) fn what(&self) -> String {
        match self {
            Self::NoControl { why, .. } => format!("nobody can ask the station: {why}"),
            Self::AskersUnknown => {
                "the kernel does not tell the station who asks it: only root may look or change, and the flash log names nobody".to_owned()
            }
            Self::LampsStuck { led, why, .. } => format!("the LED {led} cannot be switched ({why}): what lamps show may not be true"),
            Self::NoHints { why } => format!("the station does not hear of new cards, and looks for them once a second ({why})"),
            Self::SwapsHidden => {
                "the station sees neither the swap space nor the uptime of this PC: swap space in a slot is found only when it is opened, and \
                 rows of the flash log have no boot"
                    .to_owned()
            }
            Self::MountsHidden { why } => format!("the mounts of this PC cannot be read ({why}): no card is begun"),
            Self::UdevHidden { why } => format!("the records of udev cannot be read ({why}): no card is begun"),
            Self::DisksHidden => "no disk of this PC has a node in the station's /dev: no card is begun".to_owned(),
        }
    }

    /// What the station engineer does about it, in English.
    #[must_use]
    pub(crate) fn cure(&self) -> String {
        let of_the_unit = |setting: &str| format!("{setting} {THEN}");
        match self {
            Self::NoControl { errno: Some(EAFNOSUPPORT), .. } => of_the_unit("allow AF_UNIX in RestrictAddressFamilies= of the unit"),
            Self::NoControl { errno: Some(EPERM), .. } => of_the_unit("take the SystemCallFilter= that forbids it out of the unit"),
            Self::NoControl { .. } => "remove the cause, then systemctl restart flashline".to_owned(),
            Self::AskersUnknown => of_the_unit("take PrivateUsers= out of the unit"),
            Self::LampsStuck { errno: Some(EROFS), .. } => {
                of_the_unit("the unit needs ReadWritePaths=/sys/devices, and no ReadOnlyPaths= there")
            }
            Self::LampsStuck { .. } => "run `flashline slots rules --write` as root, which gives the LEDs to the station".to_owned(),
            Self::NoHints { .. } => of_the_unit("take the setting that forbids to watch /run/udev/data out of the unit"),
            Self::SwapsHidden => of_the_unit("take ProcSubset=pid out of the unit"),
            Self::MountsHidden { .. } => of_the_unit("take the setting that hides /proc (InaccessiblePaths=) out of the unit"),
            Self::UdevHidden { .. } => of_the_unit("take the setting that hides /run/udev (InaccessiblePaths=) out of the unit"),
            Self::DisksHidden => of_the_unit("take PrivateDevices= out of the unit"),
        }
    }

    /// The whole sentence: what does not work, why, and the cure.
    #[must_use]
    pub(crate) fn sentence(&self) -> String {
        format!("{}: {}", self.what(), self.cure())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::Restriction;

    /// One of each.
    pub(crate) fn one_of_each() -> Vec<Restriction> {
        let why = || "Permission denied".to_owned();
        let all = vec![
            Restriction::NoControl { why: why(), errno: None },
            Restriction::AskersUnknown,
            Restriction::LampsStuck { led: "a".to_owned(), why: why(), errno: None },
            Restriction::NoHints { why: why() },
            Restriction::SwapsHidden,
            Restriction::MountsHidden { why: why() },
            Restriction::UdevHidden { why: why() },
            Restriction::DisksHidden,
        ];
        // A new one is missing in the list above, and belongs there.
        let place = |restriction: &Restriction| match restriction {
            Restriction::NoControl { .. } => 0,
            Restriction::AskersUnknown => 1,
            Restriction::LampsStuck { .. } => 2,
            Restriction::NoHints { .. } => 3,
            Restriction::SwapsHidden => 4,
            Restriction::MountsHidden { .. } => 5,
            Restriction::UdevHidden { .. } => 6,
            Restriction::DisksHidden => 7,
        };
        assert!(all.iter().enumerate().all(|(index, restriction)| place(restriction) == index) && all.len() == 8);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_restriction_says_its_cause_and_its_cure_and_names_the_setting_that_makes_it() {
        for restriction in testing::one_of_each() {
            let sentence = restriction.sentence();
            assert!(sentence.contains(&restriction.what()) && sentence.contains(&restriction.cure()), "{sentence}");
            assert_eq!(restriction.stops(), sentence.contains("no card is begun"), "{sentence}");
        }
        let made = |errno| Restriction::NoControl { why: "it cannot be made".to_owned(), errno: Some(errno) }.cure();
        assert!(made(EAFNOSUPPORT).contains("AF_UNIX") && made(EPERM).contains("SystemCallFilter="));
        assert!(!made(13).contains("daemon-reload"), "another error is not the unit's");
        let led = |errno| Restriction::LampsStuck { led: "a".to_owned(), why: "no".to_owned(), errno: Some(errno) }.cure();
        assert!(led(EROFS).contains("ReadWritePaths=/sys/devices") && led(13).contains("slots rules --write"));
    }
}
