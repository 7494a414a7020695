//! Asks a SCSI device for its caching page, and interprets the answer.
//!
//! The kernel decides by this page whether a device has a write-back cache, and sends a flush only to one that has. It asks USB devices for
//! all pages at once with 192 bytes, as Windows does, because many accept nothing else (`sd_read_cache_type` in `drivers/scsi/sd.c`,
//! `use_192_bytes_for_3f` in `drivers/usb/storage/scsiglue.c`); so does this module. Any process that may read the device may send this
//! command (`scsi_cmd_allowed` in `drivers/scsi/scsi_ioctl.c`, `MODE_SENSE`).

use std::fs::File;
use std::thread;
use std::time::Duration;

use super::ioctl;
use super::scsi::{Meaning, REPEAT_INTERVAL, is_no_scsi_device};

/// MODE SENSE (6) of all pages, current values, answered in at most 192 bytes (SPC-4, 6.11).
const MODE_SENSE: [u8; 6] = [0x1a, 0, 0x3f, 0, 192, 0];
/// The length of the answer that is asked for.
const LENGTH: usize = 192;
/// How often a device is asked again that reports its reset, which it does once to the next command (SAM-5, 5.14).
const REPEATS: usize = 2;

/// What a device shows of its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CachingPage {
    /// A caching page, with its write cache enabled: the kernel flushes the device.
    WriteBack,
    /// A caching page, with its write cache disabled.
    WriteThrough,
    /// Pages, and no caching page among them: the kernel takes the device for one without a cache.
    None,
    /// It does not know the command, or gave no usable answer.
    Unanswered,
    /// It is not a SCSI device.
    NotScsi,
}

/// Asks the device behind `device`, which has `patience` to answer.
pub(super) fn caching_page(device: &File, patience: Duration) -> CachingPage {
    let mut data = [0; LENGTH];
    for _ in 0..=REPEATS {
        match ioctl::ask_scsi(device, &MODE_SENSE, &mut data, patience) {
            Ok((answer, length)) => match answer.meaning() {
                Meaning::Done => return in_pages(&data[..length]),
                Meaning::Reset | Meaning::Again => thread::sleep(REPEAT_INTERVAL),
                _ => return CachingPage::Unanswered,
            },
            Err(error) if is_no_scsi_device(&error) => return CachingPage::NotScsi,
            Err(error) => {
                tracing::debug!(%error, "the kernel does not let the device be asked for its caching page");
                return CachingPage::Unanswered;
            }
        }
    }
    CachingPage::Unanswered
}

/// The caching page in the data of MODE SENSE (6): a header of 4 bytes, whose last is the length of block descriptors, then pages of a code,
/// a length and that many bytes (SPC-4, 7.5; SBC-4, 6.5.5).
fn in_pages(data: &[u8]) -> CachingPage {
    const HEADER: usize = 4;
    const CACHING: u8 = 0x08;
    const WRITE_CACHE_ENABLED: u8 = 0x04;
    const SUBPAGES: u8 = 0x40;
    let Some(&[told, _, _, descriptors]) = data.first_chunk::<HEADER>() else { return CachingPage::Unanswered };
    let end = data.len().min(usize::from(told) + 1);
    let Some(mut pages) = data.get(HEADER + usize::from(descriptors)..end) else {
        // A header that promises more than was sent shows no page.
        return if end >= HEADER { CachingPage::None } else { CachingPage::Unanswered };
    };
    while let [code, length, rest @ ..] = pages {
        if code & SUBPAGES == 0 && code & 0x3f == CACHING {
            return match rest.first() {
                Some(flags) if *length > 0 && flags & WRITE_CACHE_ENABLED != 0 => CachingPage::WriteBack,
                Some(_) if *length > 0 => CachingPage::WriteThrough,
                _ => CachingPage::None,
            };
        }
        // The sub-page format has its length in two more bytes.
        let skip = match (code & SUBPAGES != 0, rest) {
            (true, [high, low, ..]) => 2 + usize::from(u16::from_be_bytes([*high, *low])),
            (true, _) => return CachingPage::None,
            (false, _) => usize::from(*length),
        };
        pages = rest.get(skip..).unwrap_or_default();
    }
    CachingPage::None
}

#[cfg(test)]
mod cases {
    use super::*;

    /// The answer of a device with one block descriptor and these pages.
    fn answer(pages: &[&[u8]]) -> Vec<u8> {
        let mut data = vec![0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 2, 0];
        pages.iter().for_each(|page| data.extend_from_slice(page));
        data[0] = u8::try_from(data.len() - 1).expect("it is short");
        data
    }

    #[test]
    fn a_caching_page_is_found_behind_other_pages_and_its_write_cache_bit_decides() {
        let error_page = [0x01, 2, 0xff, 0xff];
        assert_eq!(in_pages(&answer(&[&error_page, &[0x08, 2, 0x04, 0]])), CachingPage::WriteBack);
        assert_eq!(
            in_pages(&answer(&[&error_page, &[0x88, 2, 0x01, 0]])),
            CachingPage::WriteThrough,
            "bit 7 only says that it can be saved"
        );
        assert_eq!(in_pages(&answer(&[&error_page, &[0x1c, 2, 0x04, 0]])), CachingPage::None);
        let sub_page = [0x4a, 1, 0, 2, 8, 8];
        assert_eq!(in_pages(&answer(&[&sub_page, &[0x08, 2, 0x04, 0]])), CachingPage::WriteBack, "a sub-page has a longer head");
    }

    #[test]
    fn what_a_broken_device_answers_is_read_as_no_page_and_never_beyond_its_end() {
        assert_eq!(in_pages(&[]), CachingPage::Unanswered);
        assert_eq!(in_pages(&[3, 0, 0, 0]), CachingPage::None, "a stick that shows no page at all");
        assert_eq!(in_pages(&[191, 0, 0, 255]), CachingPage::None);
        assert_eq!(in_pages(&answer(&[&[0x08]])), CachingPage::None);
        assert_eq!(in_pages(&answer(&[&[0x01, 200, 0]])), CachingPage::None);
        let mut short = answer(&[&[0x01, 2, 0, 0], &[0x08, 2, 0x04, 0]]);
        short[0] = 10;
        assert_eq!(in_pages(&short), CachingPage::None, "what lies behind the promised length is what was in memory before");
    }
}
