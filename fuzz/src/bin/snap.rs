#![no_main]
//! The file system inside a snap.

use flashline::image::inspect::readers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _answer = readers::snap(bytes.to_vec());
});
