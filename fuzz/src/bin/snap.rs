#![no_main]
//! The file system inside a snap.

use flashline::image::inspect::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _answer = fuzzing::snap(bytes.to_vec());
});
