#![no_main]
//! The file system inside a snap.

use flashline_fuzz::snap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| snap(bytes));
