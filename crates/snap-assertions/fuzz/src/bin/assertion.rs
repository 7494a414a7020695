#![no_main]
//! The text of assertions.

use snap_assertions::assertion::Assertion;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _answer = Assertion::read_all(bytes);
});
