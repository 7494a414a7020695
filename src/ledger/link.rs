//! Computes the hash of an event, or of many events at once. Owns the hashed bytes and their order; does not know where events are stored.
//!
//! BLAKE3 cuts a message into chunks of a kilobyte, and a CPU's vectors hash as many chunks side by side as they are wide. An event has
//! one or two: alone, it uses one lane of sixteen. The first chunks of many events fill them all.

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use blake3::platform::Platform;
use blake3::{CHUNK_LEN, Hasher, IncrementCounter, OUT_LEN};

use crate::station::units::to_u64;

/// A link: BLAKE3 of one event.
pub(super) type Link = [u8; 32];

/// The link before the first event.
pub(super) const ORIGIN: Link = [0; 32];

/// Events that are hashed at once: as many as the widest vectors have lanes.
pub(super) const LANES: usize = 16;

/// The hashed bytes of an event. The layout is part of the format, and described in `schema.sql`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashed<'e> {
    pub(super) prev: &'e [u8],
    pub(super) station: &'e [u8],
    pub(super) seq: i64,
    pub(super) kind: &'e [u8],
    pub(super) at: i64,
    pub(super) body: &'e [u8],
}

impl Hashed<'_> {
    /// The hash that the next event carries as `prev`.
    pub(super) fn link(&self) -> Link {
        let mut hasher = Hasher::new();
        self.tell(|bytes| {
            hasher.update(bytes);
        });
        *hasher.finalize().as_bytes()
    }

    fn tell(&self, mut each: impl FnMut(&[u8])) {
        for field in [self.prev, self.station, &self.seq.to_le_bytes(), self.kind, &self.at.to_le_bytes(), self.body] {
            // Preceded by its length, so that no two events give the same bytes.
            each(&to_u64(field.len()).to_le_bytes());
            each(field);
        }
    }
}

/// Events that are to be hashed together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Kept, so that an event does not need its own allocation.
    messages: Vec<Vec<u8>>,
    filled: usize,
    platform: Platform,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { messages: vec![Vec::new(); LANES], filled: 0, platform: Platform::detect() }
    }

    /// Adds one more; a batch must not have more than there are lanes.
    pub(super) fn add(&mut self, event: &Hashed<'_>) {
        if let Some(message) = self.messages.get_mut(self.filled) {
            message.clear();
            event.tell(|bytes| message.extend_from_slice(bytes));
            self.filled += 1;
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == self.messages.len()
    }

    /// Returns the links of all messages in their order, and begins anew.
    pub(super) fn links(&mut self) -> Vec<Link> {
        let messages = self.messages.get(..self.filled).unwrap_or_default();
        let links = links(self.platform, messages);
        self.filled = 0;
        links
    }
}

/// The hash of each message.
fn links(platform: Platform, messages: &[Vec<u8>]) -> Vec<Link> {
    let mut leaves: Vec<Vec<ChainingValue>> = vec![Vec::new(); messages.len()];
    // Chunks with the same number are hashed together. The last one of a message is short and may have a unique length.
    for number in 0.. {
        let (lanes, chunks): (Vec<usize>, Vec<&[u8; CHUNK_LEN]>) =
            messages.iter().enumerate().filter_map(|(lane, message)| whole_chunk(message, number).map(|chunk| (lane, chunk))).unzip();
        if chunks.is_empty() {
            break;
        }
        let mut values = vec![0; chunks.len() * OUT_LEN];
        platform.hash_many(&chunks, &IV, to_u64(number), IncrementCounter::No, 0, CHUNK_START, CHUNK_END, &mut values);
        for (lane, value) in lanes.into_iter().zip(values.as_chunks().0) {
            leaves[lane].push(*value);
        }
    }
    messages
        .iter()
        .zip(leaves)
        .map(|(message, mut leaves)| {
            if leaves.is_empty() {
                return *blake3::hash(message).as_bytes();
            }
            let rest = leaves.len() * CHUNK_LEN;
            leaves.push(Hasher::new().set_input_offset(to_u64(rest)).update(&message[rest..]).finalize_non_root());
            let (left, right) = leaves.split_at(left(leaves.len()));
            *merge_subtrees_root(&merged(left), &merged(right), Mode::Hash).as_bytes()
        })
        .collect()
}

/// A chunk with something behind it.
fn whole_chunk(message: &[u8], number: usize) -> Option<&[u8; CHUNK_LEN]> {
    message.get(number * CHUNK_LEN..).filter(|rest| rest.len() > CHUNK_LEN).and_then(<[u8]>::first_chunk)
}

/// The number of leaves in the left subtree: the largest power of two that leaves something for the right.
fn left(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

fn merged(leaves: &[ChainingValue]) -> ChainingValue {
    if let [leaf] = leaves {
        return *leaf;
    }
    let (left, right) = leaves.split_at(left(leaves.len()));
    merge_subtrees_non_root(&merged(left), &merged(right), Mode::Hash)
}

/// BLAKE3's own constants (BLAKE3 paper, tables 1 and 3).
const IV: [u32; 8] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// The module `platform` gives no promise of stability, so every shape of a message is compared with the crate's stable function.
    #[test]
    fn events_hashed_together_have_the_hashes_they_have_alone() {
        let text: Vec<u8> = (0..5 * CHUNK_LEN).map(|index| u8::try_from(index % 251).expect("a byte")).collect();
        let mut lengths = (0..text.len()).step_by(7).chain((0..5).flat_map(|chunks| chunks * CHUNK_LEN..chunks * CHUNK_LEN + 200));
        let mut batch = Batch::new();
        loop {
            let lengths: Vec<usize> = lengths.by_ref().take(LANES - 3).collect();
            if lengths.is_empty() {
                break;
            }
            let events: Vec<_> = lengths
                .iter()
                .zip(0..)
                .map(|(length, seq)| Hashed { prev: &ORIGIN, station: b"s", seq, kind: b"k", at: -seq, body: &text[..*length] })
                .collect();
            events.iter().for_each(|event| batch.add(event));
            assert_eq!(batch.links(), events.iter().map(Hashed::link).collect::<Vec<_>>(), "bodies of {lengths:?} bytes");
        }
        assert!(batch.links().is_empty(), "and each once");
    }
}
