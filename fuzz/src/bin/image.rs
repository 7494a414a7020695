#![no_main]
//! Whole images with changes in their used blocks.

use flashline_fuzz::image;
use libfuzzer_sys::fuzz_target;

// A panic that the inspection catches is not a finding; one that it does not catch ends the target by itself.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |bytes: &[u8]| image(bytes));
