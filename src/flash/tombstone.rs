//! The contents of a card's head until the card is proven: readable text in every block, and nothing that a firmware boots.
//!
//! Each block of 512 bytes contains the attempt, a nonce for it, and its own address, so that a card that drops or moves writes is caught
//! when the tombstone is read back. No block ends in the boot signature `55 aa` or begins with a known magic.

use std::io::Write;

use crate::station::outcome::Nonce;
use crate::station::record::AttemptNumber;
use crate::station::units::{Bytes, to_u64, to_usize};

/// The length of a block that differs from every other. At most a card's logical block.
const BLOCK: u64 = 512;

/// The beginning of every block.
const OPENING: &str = "FLASHLINE:";

/// The tombstone of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Tombstone {
    attempt: AttemptNumber,
    nonce: [u8; 16],
}

impl Tombstone {
    /// Makes one with a new nonce from the kernel's generator.
    ///
    /// # Errors
    /// If the kernel provides none.
    pub(crate) fn fresh(attempt: AttemptNumber) -> Result<Self, getrandom::Error> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        Ok(Self { attempt, nonce })
    }

    /// Fills `buffer`, which is at `at` on the card. Both are multiples of 512.
    pub(crate) fn fill(&self, at: Bytes, buffer: &mut [u8]) {
        buffer.fill(0);
        let nonce = u128::from_be_bytes(self.nonce);
        for (index, block) in buffer.chunks_mut(to_usize(BLOCK)).enumerate() {
            let address = at.0 + to_u64(index) * BLOCK;
            let mut text = block;
            writeln!(
                text,
                "{OPENING} this card is not finished and must not be used.\nattempt {}\nnonce {nonce:032x}\nbyte {address}",
                self.attempt
            )
            .expect("the text is shorter than a block");
        }
    }
}

impl Tombstone {
    /// The number that belongs to this attempt alone.
    #[must_use]
    pub(crate) fn nonce(&self) -> Nonce {
        Nonce(u128::from_be_bytes(self.nonce))
    }

    /// The number in a block of any attempt's tombstone; `None` for other contents, also for a damaged tombstone.
    #[must_use]
    pub(crate) fn nonce_in(block: &[u8]) -> Option<Nonce> {
        let text = std::str::from_utf8(block.get(..to_usize(BLOCK))?).ok()?;
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let nonce = value("nonce ").and_then(Nonce::parse)?;
        let other = Self { attempt: value("attempt ")?.parse().ok()?, nonce: nonce.0.to_be_bytes() };
        other.address_of(block).map(|_| nonce)
    }

    /// The address in a block; `None` if it is not a block of this attempt. The nonce shows that: it is unique to this attempt.
    #[must_use]
    pub(crate) fn address_of(&self, block: &[u8]) -> Option<Bytes> {
        if !block.starts_with(OPENING.as_bytes()) {
            return None;
        }
        let text = std::str::from_utf8(block.get(..to_usize(BLOCK))?).ok()?.trim_end_matches('\0');
        let address = text.lines().find_map(|line| line.strip_prefix("byte "))?.parse().ok().map(Bytes)?;
        let mut own = [0; 512];
        self.fill(address, &mut own);
        (own[..] == block[..own.len()]).then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_readable_bears_its_address_and_boots_nothing() {
        let tombstone = Tombstone::fresh(u64::MAX).expect("the kernel has random numbers");
        let mut buffer = vec![0xee; 4096];
        tombstone.fill(Bytes(u64::MAX - 8191), &mut buffer);
        let blocks: Vec<&[u8]> = buffer.chunks(512).collect();
        for (index, block) in blocks.iter().enumerate() {
            assert!(block.starts_with(b"FLASHLINE: this card is not finished"));
            assert_ne!(block[510..], [0x55, 0xaa]);
            assert_eq!(block[511], 0, "the text ends before the block");
            assert!(blocks[..index].iter().all(|other| other != block), "every block is told from every other");
        }
    }

    #[test]
    fn a_block_of_ours_tells_where_it_belongs_and_anothers_does_not() {
        let (ours, others) = (Tombstone::fresh(1).expect("random"), Tombstone::fresh(1).expect("random"));
        let mut block = [0; 512];
        ours.fill(Bytes(4096), &mut block);
        assert_eq!((ours.address_of(&block), others.address_of(&block)), (Some(Bytes(4096)), None));
        assert_eq!(ours.address_of(&[0xff; 512]), None);
        assert_eq!(Tombstone::nonce_in(&block), Some(ours.nonce()));
        assert_ne!(ours.nonce(), others.nonce());
        let place = block.iter().position(|byte| *byte == b'b').expect("there is a letter");
        for damaged in [place, 300, 511] {
            let mut block = block;
            block[damaged] ^= 1;
            assert_eq!(Tombstone::nonce_in(&block), None, "with another byte {damaged}");
        }
        assert_eq!((Tombstone::nonce_in(&[0; 512]), Tombstone::nonce_in(&block[..100])), (None, None));
    }

    #[test]
    fn two_attempts_never_share_a_tombstone() {
        let fill = || {
            let mut buffer = [0; 512];
            Tombstone::fresh(1).expect("the kernel has random numbers").fill(Bytes(0), &mut buffer);
            buffer
        };
        assert_ne!(fill(), fill());
    }
}
