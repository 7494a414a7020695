//! The map of an image: one BLAKE3 subtree value for every piece of 1 MiB, and the root they merge to.
//!
//! BLAKE3 is a binary tree over chunks of 1 KiB whose left subtrees are always the largest power of two that leaves something
//! for the right (BLAKE3 paper, 2.1), so a piece of 1024 chunks at a multiple of its length is a subtree of its own. Its value
//! can be compared alone, and all values together give exactly what `b3sum` prints for the raw image.

use std::sync::OnceLock;

use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::extents::is_zero;
use crate::station::outcome::Digest;
use crate::station::units::{Bytes, MIB, to_u64, to_usize};

/// The length of a piece; the last one of an image may be shorter.
pub(crate) const PIECE: u64 = MIB;

/// The value of one piece: its subtree's chaining value. For an image with only one piece it is the root itself, because a tree of one
/// subtree has no other value.
pub(crate) type PieceValue = [u8; 32];

/// Span, values and root of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PieceMap {
    span: Bytes,
    values: Vec<PieceValue>,
    root: Digest,
}

impl PieceMap {
    /// From the values of all pieces; `None` if their number does not fit `span`.
    #[must_use]
    pub(crate) fn new(span: Bytes, values: Vec<PieceValue>) -> Option<Self> {
        if values.is_empty() || to_u64(values.len()) != pieces(span) {
            return None;
        }
        let root = root(&values);
        Some(Self { span, values, root })
    }

    /// Length of the image in bytes.
    #[must_use]
    pub(crate) fn span(&self) -> Bytes {
        self.span
    }

    /// The BLAKE3 of the whole image.
    #[must_use]
    pub(crate) fn root(&self) -> Digest {
        self.root
    }

    /// All values, in the image's order.
    #[must_use]
    pub(crate) fn values(&self) -> &[PieceValue] {
        &self.values
    }

    /// The number of pieces of the image.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The first byte of piece `index`.
    #[must_use]
    pub(crate) fn start(&self, index: usize) -> Bytes {
        Bytes(to_u64(index) * PIECE)
    }

    /// The number of bytes of piece `index`.
    #[must_use]
    pub(crate) fn length(&self, index: usize) -> Bytes {
        Bytes(self.span.0.saturating_sub(self.start(index).0).min(PIECE))
    }
}

/// The values of pieces that contain only zeroes: most pieces of many images, and every card returns the same. Each is hashed once, by the
/// first thread that meets it.
#[derive(Debug)]
pub(crate) struct ZeroValues {
    known: Box<[OnceLock<PieceValue>]>,
}

impl ZeroValues {
    /// For an image of this many pieces; none is known yet.
    #[must_use]
    pub(crate) fn new(pieces: usize) -> Self {
        Self { known: (0..pieces).map(|_| OnceLock::new()).collect() }
    }

    /// Records the value of a piece that consists of zeroes.
    pub(super) fn note(&self, piece: usize, value: PieceValue) {
        if let Some(place) = self.known.get(piece) {
            // Another thread may have been first, with the same value.
            let _known = place.set(value);
        }
    }

    /// The value of `data`, which is piece `piece` of an image of `span` bytes. Never waits: two threads that meet zeroes at once hash them
    /// twice.
    #[must_use]
    pub(crate) fn value(&self, piece: usize, data: &[u8], span: Bytes) -> PieceValue {
        let hashed = || value(Bytes(to_u64(piece) * PIECE), data, span);
        if !is_zero(data) {
            return hashed();
        }
        self.known.get(piece).and_then(OnceLock::get).copied().unwrap_or_else(|| {
            let value = hashed();
            self.note(piece, value);
            value
        })
    }
}

/// The number of pieces of an image of `span` bytes.
#[must_use]
pub(crate) fn pieces(span: Bytes) -> u64 {
    span.0.div_ceil(PIECE)
}

/// The value of the piece `data` that begins at `start`, of an image of `span` bytes.
#[must_use]
pub(crate) fn value(start: Bytes, data: &[u8], span: Bytes) -> PieceValue {
    let mut hasher = Hasher::new();
    if span.0 <= PIECE {
        return *hasher.update(data).finalize().as_bytes();
    }
    hasher.set_input_offset(start.0);
    hasher.update(data).finalize_non_root()
}

/// Merges the values of all pieces of an image, at least one.
#[must_use]
pub(crate) fn root(values: &[PieceValue]) -> Digest {
    match values {
        [only] => Digest(*only),
        _ => {
            let (left, right) = values.split_at(left_pieces(values.len()));
            Digest(*merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes())
        }
    }
}

fn subtree(values: &[PieceValue]) -> ChainingValue {
    match values {
        [only] => *only,
        _ => {
            let (left, right) = values.split_at(left_pieces(values.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// The largest power of two below `count`, which is at least 2.
fn left_pieces(count: usize) -> usize {
    to_usize(to_u64(count).next_power_of_two() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_what_b3sum_prints_whatever_the_length() {
        let mib = to_usize(PIECE);
        for length in [1, 1024, 1025, mib - 1, mib, mib + 1, mib + 1024, 2 * mib, 2 * mib + 1, 3 * mib, 5 * mib + 17, 8 * mib, 9 * mib - 1]
        {
            let data: Vec<u8> = (0..length).map(|index| u8::try_from(index % 253).expect("below 253")).collect();
            let span = Bytes(to_u64(length));
            let values = data.chunks(mib).enumerate().map(|(index, piece)| value(Bytes(to_u64(index) * PIECE), piece, span)).collect();
            let map = PieceMap::new(span, values).expect("as many values as pieces");
            assert_eq!(map.root(), Digest(*blake3::hash(&data).as_bytes()), "{length} bytes");
        }
    }

    #[test]
    fn zeroes_have_the_same_value_whether_it_is_known_already_or_not_and_data_is_never_taken_for_them() {
        let span = Bytes(2 * PIECE + 5);
        let zeroes = ZeroValues::new(3);
        for (piece, length) in [(0, PIECE), (1, PIECE), (2, 5)] {
            let mut data = vec![0; to_usize(length)];
            let hashed = value(Bytes(to_u64(piece) * PIECE), &data, span);
            assert_eq!([zeroes.value(piece, &data, span), zeroes.value(piece, &data, span)], [hashed; 2]);
            *data.last_mut().expect("not empty") = 1;
            assert_ne!(zeroes.value(piece, &data, span), hashed);
            assert_eq!(zeroes.value(piece, &data, span), value(Bytes(to_u64(piece) * PIECE), &data, span));
        }
    }

    #[test]
    fn a_map_with_a_piece_too_many_or_too_few_is_none() {
        assert_eq!(PieceMap::new(Bytes(PIECE), vec![[0; 32]; 2]), None);
        assert_eq!(PieceMap::new(Bytes(PIECE + 1), vec![[0; 32]; 1]), None);
        assert_eq!(PieceMap::new(Bytes(0), vec![]), None);
    }
}
