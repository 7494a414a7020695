//! Random numbers that depend on a seed alone: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// A number below `limit`, which is not zero.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// True in so many of 1000 cases.
    pub(crate) fn chance(&mut self, of_1000: u64) -> bool {
        self.below(1000) < of_1000
    }

    /// An index of a list of this length, which is not empty.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(length).unwrap_or(u64::MAX)).unwrap_or(0)
    }
}

fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A stream for one purpose, which depends on `salt` and `purpose` alone: what happens to one card does not depend on what happens to
/// another, so that a history stays the same when other events are taken out of it.
pub(crate) fn stream(salt: u64, purpose: u64) -> Random {
    Random::new(scramble(salt ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93)))
}
