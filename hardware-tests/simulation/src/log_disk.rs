//! The disk of the simulated flash log: entries reach it late and in their order, and not at all while it fails.

use crate::plant::Plant;
use crate::random::{Random, stream};
use crate::station::Event;
use crate::station::record::{Entry, Receipt};
use crate::world::{What, World};

impl World {
    /// An entry goes to the log.
    pub(crate) fn record(&mut self, entry: Box<Entry>, request: Option<u64>) {
        self.check_entry(&entry);
        if self.plant == Some(Plant::LogConfirmsEarly)
            && let Some(receipt) = entry.receipt()
        {
            self.books.receipts_due += 1;
            self.send_from_log(0, Event::Recorded(receipt));
        }
        self.log.waiting.push_back(crate::log::Waiting { entry, request });
        self.write_log();
    }

    /// The log's disk gets the next write, if it is idle.
    fn write_log(&mut self) {
        if self.log.is_writing || self.log.is_faulty || self.log.waiting.is_empty() {
            return;
        }
        self.log.is_writing = true;
        let mut random = stream(self.seed ^ self.now, 23);
        let slow = self.now < self.log.slow_until || random.chance(10);
        let after = if slow { random.between(200, 3000) } else { random.between(1, 60) };
        self.in_daemon(after, What::Written);
    }

    /// A write of the log is on disk: a few entries, in their order.
    pub(crate) fn written(&mut self) {
        self.log.is_writing = false;
        if self.log.is_faulty {
            return;
        }
        let mut random = stream(self.seed ^ self.now, 24);
        for _ in 0..random.between(1, 4) {
            let Some(waiting) = self.log.waiting.pop_front() else { break };
            let is_early = self.plant == Some(Plant::LogConfirmsEarly);
            let receipt = waiting.entry.receipt().filter(|_| !is_early);
            let receipts = receipt.into_iter().chain(waiting.request.map(Receipt::Asked));
            let receipts: Vec<Receipt> = receipts.collect();
            let is_row = matches!(*waiting.entry, Entry::AttemptClosed { .. });
            match self.plant {
                Some(Plant::LogLosesRow) if is_row && random.chance(125) => {}
                Some(Plant::LogWritesTwice) if is_row && random.chance(125) => {
                    self.durable(waiting.entry.clone());
                    self.durable(waiting.entry);
                }
                _ => self.durable(waiting.entry),
            }
            for receipt in receipts {
                if let Receipt::Asked(request) = receipt {
                    self.books.is_durable(request);
                }
                self.books.receipts_due += 1;
                self.send_from_log(random.between(0, 20), Event::Recorded(receipt));
            }
        }
        self.write_log();
    }

    pub(crate) fn log_fails(&mut self, random: &mut Random) {
        if self.log.is_faulty || self.daemon.is_none() {
            return;
        }
        self.say(|_| "the disk of the flash log fails".to_owned());
        self.log.is_faulty = true;
        self.send_from_log(random.between(0, 500), Event::LogHealth(Some("disk full".to_owned())));
    }

    pub(crate) fn log_recovers(&mut self) {
        if !self.log.is_faulty {
            return;
        }
        self.say(|_| "the disk of the flash log works again".to_owned());
        self.log.is_faulty = false;
        self.send_from_log(0, Event::LogHealth(None));
        self.write_log();
    }
}
