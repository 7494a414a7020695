//! A source of bytes at any offset: a file inside the image, a part of the image, or the image itself.

use crate::image::inspect::read_error::ReadError;
use crate::station::units::{KIB, to_u64, to_usize};

/// Bytes of a file that are read at once.
const CHUNK: u64 = 64 * KIB;

/// A file that can be read at any offset.
pub(in crate::image::inspect) trait Contents {
    fn length(&self) -> u64;
    fn read_exact_at(&mut self, at: u64, into: &mut [u8]) -> Result<(), ReadError>;
}

/// Passes `contents` to `each`, part by part.
pub(in crate::image::inspect) fn read_through(contents: &mut dyn Contents, mut each: impl FnMut(&[u8])) -> Result<(), ReadError> {
    let mut buffer = vec![0; to_usize(CHUNK)];
    let mut at = 0;
    while at < contents.length() {
        let part = &mut buffer[..to_usize(CHUNK.min(contents.length() - at))];
        contents.read_exact_at(at, part)?;
        each(part);
        at += to_u64(part.len());
    }
    Ok(())
}
