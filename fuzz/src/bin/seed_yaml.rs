#![no_main]
//! The text of `seed.yaml`.

use flashline_fuzz::seed_yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| seed_yaml(bytes));
