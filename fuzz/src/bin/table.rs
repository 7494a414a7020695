#![no_main]
//! Partition tables: MBR and GPT.

use flashline_fuzz::table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| table(bytes));
