#![no_main]
//! Partition tables. The checksums are made right, so that what is behind them is reached.

use flashline::image::inspect::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut image = bytes.to_vec();
    image.resize(64 << 10, 0);
    let _answer = fuzzing::table(image.clone());
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    image[450] = 0xee;
    image[512..520].copy_from_slice(b"EFI PART");
    image[520..528].copy_from_slice(&[0, 0, 1, 0, 92, 0, 0, 0]);
    image[528..532].fill(0);
    let mut crc = u32::MAX;
    for byte in &image[512..604] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    image[528..532].copy_from_slice(&(!crc).to_le_bytes());
    let _answer = fuzzing::table(image);
});
