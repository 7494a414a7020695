//! A flash log for tests, and an output whose reader has gone.

use std::io::{self, Write};
use std::path::Path;

use super::LogContext;
use crate::ledger::{Ledger, LogReader, Month, Stamp, Wanted, archive_on};
use crate::report::times::Shifts;
use crate::station::armed::{Armed, DeviceModel, ModelProof};
use crate::station::first_off::FirstOffRule;
use crate::station::outcome::{Effort, Failure, Outcome, Pull, Refusal};
use crate::station::past::Past;
use crate::station::record::{Attempt, Entry, Plan};
use crate::station::request::Who;
use crate::station::testing::{armed_by, attempt, card, image, mapped_proof, proof};
use crate::station::units::Bytes;

/// Accepts this many bytes, then the reader is gone.
pub(super) struct Pipe(pub(super) usize, pub(super) io::ErrorKind);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 { Err(self.1.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn context() -> LogContext {
    LogContext { now: "2026-11-24T09:30[Europe/Berlin]".parse().expect("a time"), shifts: Shifts::default() }
}

/// This many more attempts: every third was pulled, the others passed; each with another card, in slots A1 to A4.
pub(super) fn log_of(path: &Path, attempts: u64) {
    let mut ledger = Ledger::open_on(path, "bench-1", "0123456789abcdef0123456789abcdef").expect("the log opens");
    let first = ledger.next_attempt().expect("a number");
    for number in first..first + attempts {
        let mut card = card("pci-0000:00:14.0/usb3-1/lun-0", number);
        card.serial = Some(format!("S-{number}"));
        let attempt = attempt(number, &format!("A{}", number % 4 + 1), card);
        let outcome = if number % 3 == 0 { Outcome::Pulled(Pull::Taken) } else { Outcome::Passed(proof()) };
        ledger.append(&Entry::AttemptStarted(Box::new(attempt.clone()))).expect("appended");
        ledger.append(&Entry::AttemptClosed { attempt: Box::new(attempt), outcome, effort: Effort::default() }).expect("appended");
    }
}

/// Archives everything that is in the log as October 2026.
pub(super) fn archive_all(path: &Path, folder: &Path) {
    let cut = LogReader::open(path).and_then(|log| log.newest_at()).expect("readable").expect("an event");
    let month_of = |at| {
        let (name, end) = if at <= cut { ("2026-10", cut + 1) } else { ("2026-11", i64::MAX) };
        Month { name: name.to_owned(), end }
    };
    let by = Who { uid: 1000, name: "ann".to_owned() };
    let wanted = Wanted { log: path, folder, before: cut + 1, month_of: &month_of, by: &by };
    archive_on(&wanted, "0123456789abcdef0123456789abcdef").expect("archived");
}

/// Three days of November 2026 with every kind of outcome, in four slots, on two kinds of cards, with an image that is proven for
/// `acme/my-pi3`.
pub(super) fn log_of_a_lot(path: &Path) {
    let hour = 3_600_000_000;
    let begin = "2026-11-21T05:30:00Z".parse::<jiff::Timestamp>().expect("a time").as_microsecond();
    let stamp = |at| Stamp { at, boot: String::new(), since_boot_ms: None, synced: Some(true) };
    let armed = Armed {
        model_proof: ModelProof::Proven(DeviceModel {
            brand: "acme".to_owned(),
            model: "my-pi3".to_owned(),
            series: "16".to_owned(),
            revision: 4,
            sha3_384: "Gq3x".repeat(16),
            sign_key: Some("kY7p".repeat(16)),
        }),
        uncovered: vec!["grub.cfg of ubuntu-seed".to_owned()],
        ..image()
    };
    let mut ledger = Ledger::open_on(path, "bench-1", "0123456789abcdef0123456789abcdef").expect("the log opens");
    let mut add = |at, entry| {
        ledger.append_at(&stamp(at), &entry).expect("appended");
    };
    add(begin, Entry::ModelArmed { armed: armed.clone(), by: armed_by(), first_off: FirstOffRule::Off });
    for number in 1..=120_u64 {
        let mut card = card(&format!("pci-0000:00:14.0/usb3-{}/lun-0", number % 4 + 1), number);
        card.serial = Some(format!("S-{number:04}"));
        if number % 5 == 0 {
            card.capacity = Bytes(32_000_000_000);
        }
        let attempt = Attempt {
            number,
            slot: format!("A{}", number % 4 + 1),
            model: armed.logged_model(),
            image: Some(armed.clone()),
            card,
            plan: Plan::Write,
            order: None,
            past: Past::Unknown,
            labels: crate::station::labels::Labels::default(),
            looks_for_tombstone: false,
            second_try_of: None,
        };
        let outcome = match number % 16 {
            1 => Outcome::PassedMapped(mapped_proof()),
            2 | 3 => Outcome::Rechecked(proof()),
            5 => Outcome::RecheckedMapped(mapped_proof()),
            6 | 7 => Outcome::Failed(Failure::Stalled { at: Bytes(4096), waited: std::time::Duration::from_secs(90) }),
            8 => Outcome::Refused(Refusal::WriteProtected),
            9 => Outcome::Pulled(Pull::Taken),
            10 => Outcome::Interrupted,
            _ => Outcome::Passed(proof()),
        };
        let at = begin + i64::try_from(number).expect("small") * hour / 2;
        let effort = Effort { total: std::time::Duration::from_millis(40_000 + number * 37), ..Effort::default() };
        if number % 16 != 8 {
            add(at, Entry::AttemptStarted(Box::new(attempt.clone())));
        }
        add(at + 1, Entry::AttemptClosed { attempt: Box::new(attempt), outcome, effort });
    }
}
