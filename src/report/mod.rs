//! Reports made from the log: rows in, text out. Owns the names and the order of the columns; uses no clock or terminal.

mod columns;
pub(crate) mod files;
mod machine;
mod outliers;
pub(crate) mod page;
pub(crate) mod row_facts;
pub(crate) mod serials;
mod show;
pub mod summary;
mod table;
pub mod tally;
mod text;
pub mod times;
pub(crate) mod verifier;

pub use table::Table;

pub(crate) use machine::{RowCsv, json};
pub(crate) use show::show;
pub(crate) use table::local_time;
pub(crate) use text::{harmless, harmless_json, harmless_lines};

#[cfg(test)]
pub(crate) mod testing {
    //! Makes rows for tests.

    use crate::ledger::{Brief, Row};
    use crate::station::outcome::OutcomeWord;

    /// A card that passed, and one that failed, with words that can break a terminal, a table and a spreadsheet.
    pub(crate) fn rows() -> [Row; 2] {
        let passed = Row {
            seq: 3,
            station_id: "6f1e…".to_owned(),
            attempt: 1,
            slot: Some("A1".to_owned()),
            model: Some("acme/box".to_owned()),
            serial: Some("S-1".to_owned()),
            image_span: Some(8 << 20),
            started: Some(1_700_000_000_000_000),
            ended: Some(1_700_000_012_345_678),
            clock_synced: Some(true),
            writing_us: Some(7_000_001),
            writing_kib_s: Some("[20480,null]".to_owned()),
            reading_kib_s: Some("{\"a\":1}\n".to_owned()),
            total_us: Some(12_345_678),
            outcome: OutcomeWord::Passed,
            ..Row::default()
        };
        let failed = Row {
            seq: 5,
            attempt: 12_345_678,
            slot: Some("ライン四の左上のスロット".to_owned()),
            model: Some("工場株式会社/とても長い名前のモデル・第二版・改".to_owned()),
            serial: Some("=HYPERLINK(\"http://x\"),\u{1b}[31m\u{301}e".to_owned()),
            product: Some("\tTab".to_owned()),
            vendor: Some("-1+1".to_owned()),
            started: None,
            ended: Some(1_700_000_020_000_000),
            total_us: Some(3_600_000_000),
            outcome: OutcomeWord::Failed,
            code: Some("write-error".to_owned()),
            reason: Some(format!("writing at byte 4194304 of 8589934592: {}", "エラー".repeat(30))),
            failed_at: Some(4_194_304),
            ..Row::default()
        };
        [passed, failed]
    }

    /// The same with the model assertion that was found inside its image.
    pub(crate) fn proven(row: &Row) -> Row {
        let text = |text: &str| Some(text.to_owned());
        Row {
            image_blake3: Some("07".repeat(32)),
            model_proof: text("proven"),
            model_brand: text("acme"),
            model_name: text("my-pi3"),
            model_series: text("16"),
            model_revision: Some(4),
            model_sha3_384: text("dddd"),
            model_sign_key: text("kkkk"),
            ..row.clone()
        }
    }

    /// A card that passed.
    pub(crate) fn brief() -> Brief<'static> {
        Brief {
            seq: 3,
            at: 1_700_000_012_345_678,
            model: Some("acme/box"),
            slot: Some("A1"),
            outcome: &OutcomeWord::Passed,
            code: None,
            total_us: Some(12_345_678),
            image_blake3: Some("0707070707070707070707070707070707070707070707070707070707070707"),
            port: Some("pci-0000:00:14.0/usb3-1/lun-0"),
            bus: Some("usb"),
            vendor: Some("Acme"),
            product: Some("Reader"),
            cid_name: Some("SL16G"),
            capacity: Some(15_931_539_456),
        }
    }

    /// Three slots and 303 attempts: A2 fails far more often than A1 and A3; one card passed mapped only, one was pulled,
    /// one refused.
    pub(crate) fn a_lot() -> Vec<Brief<'static>> {
        let slot = |slot, failed, passed| {
            let of = |outcome, code| Brief { slot: Some(slot), outcome, code, ..brief() };
            let failed = std::iter::repeat_n(of(&OutcomeWord::Failed, Some("mismatch")), failed);
            failed.chain(std::iter::repeat_n(of(&OutcomeWord::Passed, None), passed))
        };
        let others = [
            Brief { outcome: &OutcomeWord::PassedMapped, ..brief() },
            Brief { outcome: &OutcomeWord::Pulled, ..brief() },
            Brief { outcome: &OutcomeWord::Refused, code: Some("write-protected"), ..brief() },
        ];
        slot("A1", 1, 99).chain(slot("A2", 30, 70)).chain(slot("A3", 2, 98)).chain(others).collect()
    }
}
