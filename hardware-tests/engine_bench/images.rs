//! The images that the benchmark writes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// Bytes in a mebibyte (2^20).
pub(crate) const MIB: u64 = 1 << 20;
/// Bytes in a gibibyte (2^30).
pub(crate) const GIB: u64 = 1 << 30;

/// A raw image, and how much of it is not zero.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) path: PathBuf,
    pub(crate) span: u64,
    pub(crate) data: u64,
}

impl Image {
    /// `percent` of every 32 MiB are incompressible data, in one run at its beginning; the rest are zeroes.
    pub(crate) fn make(path: &Path, span: u64, percent: u64) -> Result<Self> {
        const STRIDE: u64 = 32 * MIB;
        let file = File::create(path)?;
        file.set_len(span)?;
        let mut noise = Noise(span ^ percent);
        let mut data = 0;
        for start in (0..span).step_by(usize::try_from(STRIDE)?) {
            // Whole grains of 64 KiB, as the station's map counts them.
            let run = (STRIDE.min(span - start) * percent / 100).next_multiple_of(64 << 10).min(span - start);
            noise.fill(&file, start, run)?;
            data += run;
        }
        // An MBR with one partition: a file without one is not written.
        let mut table = [0; 66];
        table[4] = 0x83;
        table[8..12].copy_from_slice(&1_u32.to_le_bytes());
        table[12..16].copy_from_slice(&u32::try_from(span / 512 - 1)?.to_le_bytes());
        table[64..].copy_from_slice(&[0x55, 0xaa]);
        file.write_all_at(&table, 446)?;
        file.sync_all()?;
        Ok(Self { path: path.to_owned(), span, data })
    }

    /// The same, packed by `xz` into blocks that can be unpacked in parallel.
    pub(crate) fn pack_in_blocks(&self) -> Result<PathBuf> {
        let packed = self.path.with_extension("img.xz");
        let status = Command::new("xz").args(["-0", "-k", "-f", "-T2", "--block-size=16MiB"]).arg(&self.path).status()?;
        if status.success() { Ok(packed) } else { Err("xz could not pack the image".into()) }
    }
}

/// xorshift64*: no packer finds a pattern in it.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, file: &File, mut at: u64, mut length: u64) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 20];
        while length > 0 {
            for word in buffer.chunks_exact_mut(8) {
                self.0 ^= self.0 >> 12;
                self.0 ^= self.0 << 25;
                self.0 ^= self.0 >> 27;
                word.copy_from_slice(&self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
            }
            let part = length.min(MIB);
            file.write_all_at(&buffer[..usize::try_from(part).unwrap_or(buffer.len())], at)?;
            at += part;
            length -= part;
        }
        Ok(())
    }
}
