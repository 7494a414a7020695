//! The ranges of an image that contain data, and those that are zeroes, found by content. The holes of a file system are not used: they may
//! differ on another one.

use std::ops::Range;

use crate::station::units::{Bytes, KIB, to_u64, to_usize};

/// Runs of zeroes shorter than this are treated as data: a separate write for each would cost more than it saves.
pub(crate) const GRAIN: u64 = 64 * KIB;

/// The runs of data of an image, ascending and apart; everything between them is zeroes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    data: Vec<Range<u64>>,
}

impl Extents {
    /// From ranges as [`data`](Self::data) returns them; `None` if they are not ascending and apart, or exceed `span`.
    #[must_use]
    pub(crate) fn new(data: Vec<Range<u64>>, span: Bytes) -> Option<Self> {
        let whole = data.iter().all(|range| range.start < range.end && range.end <= span.0);
        let apart = data.windows(2).all(|pair| pair[0].end < pair[1].start);
        (whole && apart).then_some(Self { data })
    }

    /// The ranges of the file that contain data, in bytes.
    #[must_use]
    pub(crate) fn data(&self) -> &[Range<u64>] {
        &self.data
    }

    /// Adds the next part of the image, which begins at `at`, a multiple of the grain; returns its runs of data, counted from its own
    /// beginning.
    pub(crate) fn push(&mut self, at: Bytes, part: &[u8]) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (index, grain) in part.chunks(to_usize(GRAIN)).enumerate() {
            if is_zero(grain) {
                continue;
            }
            let start = index * to_usize(GRAIN);
            let end = start + grain.len();
            match runs.last_mut() {
                Some(run) if run.end == start => run.end = end,
                _ => runs.push(start..end),
            }
        }
        for run in &runs {
            let (start, end) = (at.0 + to_u64(run.start), at.0 + to_u64(run.end));
            match self.data.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => self.data.push(start..end),
            }
        }
        runs
    }

    /// Runs of data inside a range.
    #[must_use]
    pub fn data_in(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let first = self.data.partition_point(|data| data.end <= range.start);
        let inside = self.data[first..].iter().take_while(|data| data.start < range.end);
        inside.map(|data| data.start.max(range.start)..data.end.min(range.end)).filter(|part| part.start < part.end).collect()
    }

    /// Runs of zeroes inside a range.
    #[must_use]
    pub(crate) fn zeroes_in(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut zeroes = Vec::new();
        let mut from = range.start;
        for data in self.data_in(range) {
            if from < data.start {
                zeroes.push(from..data.start);
            }
            from = data.end;
        }
        if from < range.end {
            zeroes.push(from..range.end);
        }
        zeroes
    }
}

/// Compared as words, which the compiler turns into wide loads.
#[must_use]
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().all(|word| u64::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range is meant, not its elements")]
mod tests {
    use super::*;
    use crate::station::units::MIB;

    #[test]
    fn data_and_zeroes_are_told_by_content_and_runs_grow_over_parts() {
        let mut extents = Extents::default();
        let mut part = vec![0; to_usize(MIB)];
        part[to_usize(MIB) - 1] = 1;
        assert_eq!(extents.push(Bytes(0), &part), [to_usize(MIB - GRAIN)..to_usize(MIB)]);
        part.fill(0);
        part[0] = 1;
        extents.push(Bytes(MIB), &part);
        assert!(extents.push(Bytes(2 * MIB), &[0; 1000]).is_empty());
        assert_eq!(extents.data(), [MIB - GRAIN..MIB + GRAIN]);
        assert_eq!(extents.zeroes_in(&(0..2 * MIB + 1000)), [0..MIB - GRAIN, MIB + GRAIN..2 * MIB + 1000]);
        assert_eq!(extents.data_in(&(MIB..MIB + 10)), [MIB..MIB + 10]);
        assert_eq!(extents.zeroes_in(&(MIB..MIB + 10)), []);
    }

    #[test]
    fn ranges_that_overlap_or_reach_too_far_are_none() {
        assert!(Extents::new(vec![0..5, 7..9], Bytes(9)).is_some());
        assert_eq!(Extents::new(vec![0..5, 5..9], Bytes(9)), None);
        assert_eq!(Extents::new(vec![0..10], Bytes(9)), None);
        assert_eq!(Extents::new(vec![Range { start: 3, end: 3 }], Bytes(9)), None);
    }
}
