//! Classifies wrong contents of a card. Called once, for a card that has failed already.

use std::io;

use crate::device::aligned::AlignedBuf;
use crate::image::Staged;
use crate::image::extents::is_zero;
use crate::image::map::PIECE;
use crate::station::outcome::Damage;
use crate::station::units::{Bytes, to_u64, to_usize};

/// Cards go wrong by whole sectors.
pub(super) const SECTOR: usize = 512;
/// The distance, in sectors, in which shifted data is searched: a few of the largest erase blocks of flash memory.
const SHIFT: i64 = 64;
/// More flipped bits than these in a sector count as other contents.
pub(super) const FLIPS: u32 = 64;

/// A sector that was read back, and the same sector of the image.
#[derive(Debug)]
pub(super) struct Wrong<'a> {
    /// The offset of the sector.
    pub(super) at: Bytes,
    /// The bytes that were read back.
    pub(super) found: &'a [u8],
    /// The bytes of the image.
    pub(super) expected: &'a [u8],
}

impl Wrong<'_> {
    /// The kind of the damage. If it cannot be determined because the image cannot be read, it is [`Damage::Other`].
    pub(super) fn damage(&self, image: &Staged) -> Damage {
        if is_zero(self.found) {
            return Damage::Zeroes;
        }
        if self.found.iter().all(|byte| *byte == 0xff) {
            return Damage::Ones;
        }
        let bits = self.found.iter().zip(self.expected).map(|(found, expected)| (found ^ expected).count_ones()).sum();
        if bits <= FLIPS {
            return Damage::BitsFlipped { bits };
        }
        let mut other = [0; SECTOR];
        for sectors in (-SHIFT..=SHIFT).filter(|sectors| *sectors != 0) {
            let from = self.at.0.checked_add_signed(-sectors * 512).filter(|from| *from < image.span().0);
            if let Some(from) = from
                && image.read_padded(Bytes(from), &mut other).is_ok()
                && other[..self.found.len().min(SECTOR)] == *self.found
            {
                return Damage::Shifted { sectors };
            }
        }
        Damage::Other
    }

    /// Another place of this sector in the image, if it is not near its own place: then the card mapped two addresses to one place. Reads
    /// the whole image.
    pub(super) fn stray(&self, image: &Staged) -> io::Result<Option<Bytes>> {
        if self.found.len() < SECTOR || self.found.iter().all(|byte| *byte == self.found[0]) {
            return Ok(None);
        }
        let mut piece = AlignedBuf::zeroed(to_usize(PIECE))?;
        for index in 0..image.map().len() {
            let start = image.map().start(index);
            image.read_padded(start, &mut piece)?;
            let here = piece.chunks_exact(SECTOR).position(|sector| sector == self.found);
            if let Some(place) = here.map(|place| Bytes(start.0 + to_u64(place * SECTOR))).filter(|place| *place != self.at) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// The sector around the first byte in which `found` differs from `expected`, both read at `at`.
pub(super) fn first_wrong<'a>(at: Bytes, found: &'a [u8], expected: &'a [u8]) -> Option<(usize, Wrong<'a>)> {
    let offset = found.iter().zip(expected).position(|(found, expected)| found != expected)?;
    let start = offset / SECTOR * SECTOR;
    let end = (start + SECTOR).min(found.len());
    Some((offset, Wrong { at: Bytes(at.0 + to_u64(start)), found: &found[start..end], expected: &expected[start..end] }))
}
