#![no_main]
//! The text of assertions.

use libfuzzer_sys::fuzz_target;
use snap_assertions_fuzz::assertion;

fuzz_target!(|bytes: &[u8]| assertion(bytes));
