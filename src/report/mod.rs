//! What people and programs read of the log: rows in, text out. Owns the names and the order of the columns; knows no file,
//! clock or terminal.

mod columns;
mod machine;
mod table;

pub use machine::{csv, json};
pub use table::{WIDTH, table};

#[cfg(test)]
pub(crate) mod testing {
    //! Rows for tests.

    use crate::ledger::Row;

    /// A card that passed, and one that failed in words that a terminal, a table and a spreadsheet all dislike.
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
            outcome: "passed".to_owned(),
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
            outcome: "failed".to_owned(),
            code: Some("write-error".to_owned()),
            reason: Some(format!("writing at byte 4194304 of 8589934592: {}", "エラー".repeat(30))),
            failed_at: Some(4_194_304),
            ..Row::default()
        };
        [passed, failed]
    }
}
