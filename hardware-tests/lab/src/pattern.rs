//! Bytes that look like real data, made from a seed, fast to make and to check.

/// A stream of numbers from a seed. It is SplitMix64: each number is a fixed function of the seed and its index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    state: u64,
}

/// The step of SplitMix64: odd, so that all 2^64 states are visited.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Fills `data` with the pattern of `seed` at `offset`, which is a multiple of 8.
pub(crate) fn fill(seed: u64, offset: u64, data: &mut [u8]) {
    let mut stream = Stream::new(seed.wrapping_add(STEP.wrapping_mul(offset / 8)));
    for word in data.chunks_mut(8) {
        let bytes = stream.next().to_le_bytes();
        word.copy_from_slice(bytes.get(..word.len()).unwrap_or(&bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_of_the_pattern_is_the_pattern_of_that_part() {
        let mut whole = vec![0; 4096 + 5];
        fill(7, 0, &mut whole);
        let mut part = vec![0; 100];
        fill(7, 1024, &mut part);
        assert_eq!(part, whole[1024..1124]);
        fill(8, 1024, &mut part);
        assert_ne!(part, whole[1024..1124]);
    }
}
