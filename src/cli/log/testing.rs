//! A log for tests, and a pipe that ends.

use std::io::{self, Write};
use std::path::Path;

use super::Around;
use crate::ledger::Ledger;
use crate::report::times::Shifts;
use crate::station::outcome::{Effort, Outcome, Pull};
use crate::station::record::{Attempt, Entry, Plan};
use crate::station::testing::{card, image, proof};

/// Takes so many bytes, then is gone.
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

pub(super) fn around() -> Around {
    Around { now: "2026-11-24T09:30[Europe/Berlin]".parse().expect("a time"), shifts: Shifts::default() }
}

/// So many attempts more: every third was pulled, the others passed; each of a card of its own, in slots A1 to A4.
pub(super) fn log_of(path: &Path, attempts: u64) {
    let mut ledger = Ledger::open_on(path, "bench-1", "0123456789abcdef0123456789abcdef").expect("the log opens");
    let first = ledger.next_attempt().expect("a number");
    for number in first..first + attempts {
        let mut card = card("pci-0000:00:14.0/usb3-1/lun-0", number);
        card.serial = Some(format!("S-{number}"));
        let attempt = Attempt {
            number,
            slot: format!("A{}", number % 4 + 1),
            model: "acme/box".to_owned(),
            image: Some(image()),
            card,
            plan: Plan::Write,
            order: None,
        };
        let outcome = if number % 3 == 0 { Outcome::Pulled(Pull::Taken) } else { Outcome::Passed(proof()) };
        ledger.append(&Entry::AttemptStarted(Box::new(attempt.clone()))).expect("appended");
        ledger.append(&Entry::AttemptClosed { attempt: Box::new(attempt), outcome, effort: Effort::default() }).expect("appended");
    }
}
