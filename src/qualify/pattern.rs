//! The bytes that a trial writes: no two blocks of a trial are equal, and each says when and for which place it was written.

use crate::station::units::{Bytes, to_u64, to_usize};

/// The length of a block that differs from every other. At most a card's logical block.
const BLOCK: u64 = 512;
/// Nonce, generation and address at the beginning of a block.
const STAMP: usize = 32;

/// The pattern of one trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    nonce: [u8; 16],
    generation: u64,
}

impl Pattern {
    /// A pattern with a nonce from the kernel's generator.
    ///
    /// # Errors
    /// If the kernel provides none.
    pub(crate) fn fresh() -> Result<Self, getrandom::Error> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        Ok(Self { nonce, generation: 0 })
    }

    /// The same for the next write: every block of it differs from that of the write before in the same place.
    pub(crate) fn advance(&mut self) {
        self.generation += 1;
    }

    /// The pattern of the write before.
    #[must_use]
    pub(crate) fn before(&self) -> Self {
        Self { generation: self.generation.saturating_sub(1), ..self.clone() }
    }

    /// Fills a buffer with bytes that no controller can pack, for [`Self::stamp`].
    pub(crate) fn ground(&self, buffer: &mut [u8]) {
        blake3::Hasher::new().update(&self.nonce).finalize_xof().fill(buffer);
    }

    /// Writes the stamps of a buffer that is at `at` on the card, a multiple of 512.
    pub(crate) fn stamp(&self, at: Bytes, buffer: &mut [u8]) {
        for (index, block) in buffer.chunks_mut(to_usize(BLOCK)).enumerate() {
            let stamp = self.stamp_of(at.0 + to_u64(index) * BLOCK);
            let length = stamp.len().min(block.len());
            block[..length].copy_from_slice(&stamp[..length]);
        }
    }

    fn stamp_of(&self, address: u64) -> [u8; STAMP] {
        let mut stamp = [0; STAMP];
        stamp[..16].copy_from_slice(&self.nonce);
        stamp[16..24].copy_from_slice(&self.generation.to_be_bytes());
        stamp[24..].copy_from_slice(&address.to_be_bytes());
        stamp
    }

    /// Is every block of this buffer, which was read at `at`, stamped by this write?
    #[must_use]
    pub(crate) fn is_all_of(&self, at: Bytes, buffer: &[u8]) -> bool {
        self.blocks(at, buffer).all(|is_ours| is_ours)
    }

    /// Is any block of it stamped by this write?
    #[must_use]
    pub(crate) fn is_any_of(&self, at: Bytes, buffer: &[u8]) -> bool {
        self.blocks(at, buffer).any(|is_ours| is_ours)
    }

    fn blocks<'b>(&'b self, at: Bytes, buffer: &'b [u8]) -> impl Iterator<Item = bool> + 'b {
        let places = (0..).map(move |index| at.0 + index * BLOCK);
        buffer.chunks(to_usize(BLOCK)).zip(places).map(|(block, place)| block.starts_with(&self.stamp_of(place)))
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_block_of_an_earlier_write_or_of_another_place_is_not_taken_for_this_one() {
        let mut pattern = Pattern::fresh().expect("the kernel has random numbers");
        let mut buffer = vec![0; 4096];
        pattern.ground(&mut buffer);
        pattern.stamp(Bytes(8192), &mut buffer);
        assert!(pattern.is_all_of(Bytes(8192), &buffer));
        assert!(!pattern.is_any_of(Bytes(8192 + 512), &buffer), "every block is in another place");
        pattern.advance();
        assert!(!pattern.is_any_of(Bytes(8192), &buffer) && pattern.before().is_all_of(Bytes(8192), &buffer));
        pattern.stamp(Bytes(8192), &mut buffer[..512]);
        assert!(pattern.is_any_of(Bytes(8192), &buffer) && !pattern.is_all_of(Bytes(8192), &buffer));
        let mut other = Pattern::fresh().expect("random");
        other.advance();
        assert!(!other.is_any_of(Bytes(8192), &buffer), "the nonce is of one trial");
    }
}
