//! Asks a SCSI device to empty its cache, and interprets the answer.
//!
//! The kernel sends SYNCHRONIZE CACHE only to a device that it believes to have a write-back cache. A USB device that shows no caching page
//! counts as having none ("No Caching mode page found", `drivers/scsi/sd.c`) and is never sent one, so this module sends it, on the open
//! descriptor. Any process that has the device open for writing may send this command (`scsi_cmd_allowed` in `drivers/scsi/scsi_ioctl.c`,
//! there named `GPCMD_FLUSH_CACHE`); no capability is needed.

use std::io;
use std::time::Duration;

use nix::libc;

/// SYNCHRONIZE CACHE (10) of all blocks, answered once they are on the medium (SBC-4, 5.34): no IMMED, from block 0, with the number that
/// means all blocks.
pub(super) const SYNCHRONIZE_CACHE: [u8; 10] = [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// The requested length of sense data: the fixed format has 18 bytes, and the descriptor format begins with the same facts.
pub(super) const SENSE: usize = 32;
/// The time after which a command is repeated for a device that requests that.
pub(super) const REPEAT_INTERVAL: Duration = Duration::from_millis(200);

/// Was the command not sent because the device is not a SCSI device? Such a device does not know `SG_IO`: `ENOTTY`, and `EINVAL` from loop
/// devices.
pub(super) fn is_no_scsi_device(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL | libc::EOPNOTSUPP))
}

/// The answer, as in `sg_io_hdr` (`include/scsi/sg.h`).
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The device's status (SAM-5, 5.3.1).
    pub(super) status: u8,
    /// The kernel's status of the transport to the device, `DID_…` (`include/scsi/scsi_status.h`).
    pub(super) host: u16,
    /// Sense data, as much as was received.
    pub(super) sense: Vec<u8>,
}

/// The meaning of a device's answer for a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It has done so.
    Done,
    /// It does not know the command: it has no cache to empty.
    Unknown,
    /// It wants the command again: it is busy.
    Again,
    /// It was reset, which it reports to the next command.
    Reset,
    /// It has no medium.
    NoMedium,
    /// It was silent until the time was over.
    Silent,
    /// The transport failed, or the device is gone.
    Broken,
    /// It could not do so.
    Failed,
}

const GOOD: u8 = 0x00;
const CHECK_CONDITION: u8 = 0x02;
const BUSY: u8 = 0x08;
const TASK_SET_FULL: u8 = 0x28;
const DID_OK: u16 = 0;
const DID_TIME_OUT: u16 = 3;
/// Sense keys (SPC-5, 4.4.8).
const NO_SENSE: u8 = 0x0;
const RECOVERED: u8 = 0x1;
const NOT_READY: u8 = 0x2;
const ILLEGAL_REQUEST: u8 = 0x5;
const UNIT_ATTENTION: u8 = 0x6;
const ABORTED_COMMAND: u8 = 0xb;
/// Additional sense code: medium not present.
const NO_MEDIUM: u8 = 0x3a;

impl Answer {
    pub(super) fn meaning(&self) -> Meaning {
        match (self.host, self.status) {
            (DID_OK, GOOD) => Meaning::Done,
            (DID_OK, CHECK_CONDITION) => match self.sense() {
                Some((NO_SENSE | RECOVERED, _)) => Meaning::Done,
                Some((ILLEGAL_REQUEST, _)) => Meaning::Unknown,
                Some((NOT_READY, NO_MEDIUM)) => Meaning::NoMedium,
                Some((UNIT_ATTENTION, _)) => Meaning::Reset,
                Some((NOT_READY | ABORTED_COMMAND, _)) => Meaning::Again,
                _ => Meaning::Failed,
            },
            (DID_OK, BUSY | TASK_SET_FULL) => Meaning::Again,
            (DID_OK, _) => Meaning::Failed,
            (DID_TIME_OUT, _) => Meaning::Silent,
            _ => Meaning::Broken,
        }
    }

    /// Sense key and additional sense code, of either format (SPC-5, 4.4.2 and 4.4.3).
    fn sense(&self) -> Option<(u8, u8)> {
        match self.sense.first()? & 0x7f {
            0x70 | 0x71 => Some((self.sense.get(2)? & 0x0f, self.sense.get(12).copied().unwrap_or(0))),
            0x72 | 0x73 => Some((self.sense.get(1)? & 0x0f, *self.sense.get(2)?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    fn fixed(key: u8, code: u8) -> Vec<u8> {
        let mut sense = vec![0; 18];
        (sense[0], sense[2], sense[7], sense[12]) = (0x70, key, 10, code);
        sense
    }

    fn meaning(host: u16, status: u8, sense: Vec<u8>) -> Meaning {
        Answer { status, host, sense }.meaning()
    }

    #[test]
    fn only_a_good_status_counts_as_done_and_only_an_illegal_request_as_having_no_cache() {
        assert_eq!(meaning(0, GOOD, Vec::new()), Meaning::Done);
        assert_eq!(meaning(0, CHECK_CONDITION, fixed(RECOVERED, 0)), Meaning::Done);
        assert_eq!(meaning(0, CHECK_CONDITION, fixed(ILLEGAL_REQUEST, 0x20)), Meaning::Unknown);
        assert_eq!(meaning(0, CHECK_CONDITION, vec![0x72, ILLEGAL_REQUEST, 0x20, 0, 0, 0, 0, 0]), Meaning::Unknown, "descriptor format");
        assert_eq!(meaning(0, CHECK_CONDITION, fixed(UNIT_ATTENTION, 0x29)), Meaning::Reset);
        assert_eq!(meaning(0, CHECK_CONDITION, fixed(ABORTED_COMMAND, 0)), Meaning::Again);
        assert_eq!(meaning(0, CHECK_CONDITION, fixed(NOT_READY, NO_MEDIUM)), Meaning::NoMedium);
        for key in [3, 4, 7, 8, 9, 0xd, 0xe] {
            assert_eq!(meaning(0, CHECK_CONDITION, fixed(key, 0)), Meaning::Failed, "sense key {key}");
        }
        assert_eq!(meaning(0, CHECK_CONDITION, Vec::new()), Meaning::Failed, "a condition without sense data says nothing");
        assert_eq!(meaning(0, CHECK_CONDITION, vec![0x70, 0]), Meaning::Failed);
    }

    #[test]
    fn only_a_device_that_does_not_know_the_call_is_no_scsi_device() {
        let is_none = |errno| is_no_scsi_device(&io::Error::from_raw_os_error(errno));
        assert!([libc::ENOTTY, libc::EINVAL, libc::EOPNOTSUPP].into_iter().all(is_none));
        assert!(![libc::ENODEV, libc::ENXIO, libc::EIO, libc::EACCES].into_iter().any(is_none));
        assert!(!is_no_scsi_device(&io::Error::other("no number")));
    }

    #[test]
    fn what_the_way_to_the_device_says_comes_first() {
        assert_eq!(meaning(3, GOOD, Vec::new()), Meaning::Silent);
        for host in [1, 2, 4, 5, 7, 8] {
            assert_eq!(meaning(host, GOOD, Vec::new()), Meaning::Broken, "DID {host}");
        }
    }
}
