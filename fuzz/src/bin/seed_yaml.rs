#![no_main]
//! The text of `seed.yaml`.

use flashline::image::inspect::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _answer = fuzzing::seed_yaml(bytes);
});
