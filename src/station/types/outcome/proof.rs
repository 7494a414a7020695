//! What proves a card: the one place that decides a pass.

use std::fmt;

use super::super::units::Bytes;

/// The BLAKE3 of an image's raw bytes: what `b3sum` prints for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads 64 hexadecimal digits, in either case of letters; `None` for any other text.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        if text.len() != 2 * digest.len() {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = 16 * value(*high)? + value(*low)?;
        }
        Some(Self(digest))
    }
}

/// The value of a hexadecimal digit, below 16.
fn value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The result of a read-back: measured, not yet judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReadBack {
    /// BLAKE3 of the bytes read from the card, in the image's order.
    pub digest: Digest,
    /// The number of bytes of the span that were read.
    pub bytes: Bytes,
}

/// Evidence that a card holds the image. Only [`Proof::conclude`] makes one, so a pass that was not read back cannot be
/// recorded: it would not compile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proof {
    read_back: ReadBack,
}

impl Proof {
    /// The only decision behind every PASS: every byte of the span was read from the card, and together they are the image.
    #[must_use]
    pub fn conclude(read_back: ReadBack, image: Digest, span: Bytes) -> Option<Self> {
        (read_back.digest == image && read_back.bytes == span).then_some(Self { read_back })
    }

    /// The digest of the bytes read from the card.
    #[must_use]
    pub(crate) fn digest(&self) -> Digest {
        self.read_back.digest
    }
}

/// Evidence that a card holds the image's data, and nothing more: the places of the image's zeroes were not read. It has no digest, because
/// the image's digest covers bytes that were never read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MappedProof {
    bytes: Bytes,
}

impl MappedProof {
    /// `read_back` has the digest of the data read from the card, with zeroes in place of the bytes that were not read, and the count of
    /// the bytes of data; `mapped` is the image's count.
    #[must_use]
    pub(crate) fn conclude(read_back: &ReadBack, image: Digest, mapped: Bytes) -> Option<Self> {
        (read_back.digest == image && read_back.bytes == mapped).then_some(Self { bytes: mapped })
    }

    /// The number of proven bytes of the span.
    #[must_use]
    pub(crate) fn bytes(&self) -> Bytes {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_shown_and_nothing_else_is_one() {
        let digest = Digest(std::array::from_fn(|index| u8::try_from(index * 8 + 7).expect("below 256")));
        let shown = digest.to_string();
        assert_eq!((Digest::parse(&shown), Digest::parse(&shown.to_uppercase())), (Some(digest), Some(digest)));
        for other in [&shown[1..], &format!("{shown}0"), &shown.replace('f', "g"), &format!("+{}", &shown[1..]), &"é".repeat(32), ""] {
            assert_eq!(Digest::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_proof_needs_every_byte_and_the_right_digest() {
        let right = Digest([7; 32]);
        let back = |digest, bytes| ReadBack { digest, bytes: Bytes(bytes) };
        assert!(Proof::conclude(back(right, 10), right, Bytes(10)).is_some());
        assert!(Proof::conclude(back(right, 9), right, Bytes(10)).is_none(), "one byte was not read back");
        assert!(Proof::conclude(back(Digest([8; 32]), 10), right, Bytes(10)).is_none(), "other bytes were read back");
    }

    #[test]
    fn a_proof_of_the_data_alone_needs_all_of_it_and_claims_no_digest_and_no_pass() {
        let right = Digest([7; 32]);
        let conclude = |digest, bytes| MappedProof::conclude(&ReadBack { digest, bytes: Bytes(bytes) }, right, Bytes(10));
        assert!(conclude(right, 9).is_none(), "one byte of data was not read back");
        assert!(conclude(Digest([8; 32]), 10).is_none(), "other bytes were read back");
        let outcome = Outcome::PassedMapped(conclude(right, 10).expect("all of the data"));
        assert_eq!((outcome.word().as_str(), outcome.readback_class()), ("passed-mapped-only", Some("mapped-only")));
        assert_eq!(crate::station::sign::Sign::of_outcome(&outcome).word(), "PASS (MAPPED ONLY)");
    }
}
