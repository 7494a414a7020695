#![no_main]
//! The text of `seed.yaml`.

use flashline::image::inspect::readers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _answer = readers::seed_yaml(bytes);
});
