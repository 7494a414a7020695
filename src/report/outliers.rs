//! Finds slots and kinds of cards that fail more often than the others, beyond chance.
//!
//! Owns the exact binomial interval (Clopper and Pearson, 1934). Small lots are the rule here, and failures are rare: the usual
//! approximation by a normal distribution is wrong in both cases.

use statrs::distribution::{Beta, ContinuousCDF};

use crate::station::units::to_f64;

/// The allowed error: the true rate is outside of its interval in at most one of twenty lots, on both sides together.
const DOUBT: f64 = 0.05;

/// The number of failures, and the number of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) failed: u64,
    /// Cards that were written to their end, good or bad.
    pub(super) of: u64,
}

impl Rate {
    /// All others together.
    pub(super) fn rest_of(self, all: Self) -> Self {
        Self { failed: all.failed.saturating_sub(self.failed), of: all.of.saturating_sub(self.of) }
    }

    /// The lowest and the highest true rate for which this count is still likely. For no cards, every rate is likely.
    pub(super) fn interval(self) -> (f64, f64) {
        let (failed, passed) = (to_f64(self.failed), to_f64(self.of.saturating_sub(self.failed)));
        let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).ok().map(|beta| beta.inverse_cdf(p));
        let low = if self.failed == 0 { None } else { quantile(failed, passed + 1.0, DOUBT / 2.0) };
        let high = if self.failed >= self.of { None } else { quantile(failed + 1.0, passed, 1.0 - DOUBT / 2.0) };
        (low.unwrap_or(0.0), high.unwrap_or(1.0))
    }

    /// The failure rate is higher than that of all others together, beyond what chance makes likely: the two intervals do not meet.
    pub(super) fn stands_out_of(self, all: Self) -> bool {
        self.interval().0 > self.rest_of(all).interval().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(failed: u64, of: u64) -> Rate {
        Rate { failed, of }
    }

    /// The probability of each count of failures among `of`, by the definition of the distribution.
    fn binomial(of: u32, p: f64) -> Vec<f64> {
        let mut row = vec![1.0];
        for _ in 0..of {
            let mut next = vec![0.0; row.len() + 1];
            for (failed, likely) in row.iter().enumerate() {
                next[failed] += likely * (1.0 - p);
                next[failed + 1] += likely * p;
            }
            row = next;
        }
        row
    }

    #[test]
    fn the_interval_is_the_exact_one() {
        // At the ends of the interval, a count at least this extreme has exactly the allowed probability, by definition.
        for (failed, of) in [(1_u32, 10_u32), (3, 10), (9, 10), (1, 500), (25, 500), (250, 500), (499, 500), (7, 1000)] {
            let (low, high) = rate(failed.into(), of.into()).interval();
            let index = usize::try_from(failed).expect("small");
            let above: f64 = binomial(of, low)[index..].iter().sum();
            let below: f64 = binomial(of, high)[..=index].iter().sum();
            assert!((above - 0.025).abs() < 1e-9, "{failed} of {of}: {above}");
            assert!((below - 0.025).abs() < 1e-9, "{failed} of {of}: {below}");
        }
        // The rule of three in its exact form.
        let (low, high) = rate(0, 20).interval();
        assert!(low == 0.0 && (high - (1.0 - 0.025_f64.powf(1.0 / 20.0))).abs() < 1e-9);
        assert!(rate(20, 20).interval().1 >= 1.0);
        assert_eq!(rate(0, 0).interval(), (0.0, 1.0), "nothing is known of nothing");
        let (low, high) = rate(50_000, 5_000_000).interval();
        assert!(low > 0.009_9 && low < 0.01 && high > 0.01 && high < 0.010_1, "years of cards: {low} {high}");
    }

    #[test]
    fn a_slot_as_good_as_the_others_is_hardly_ever_marked_and_a_bad_one_mostly_is() {
        // 50 cards in the slot, 350 in the others.
        let marked = |p_slot: f64, p_rest: f64| -> f64 {
            let (slot, rest) = (binomial(50, p_slot), binomial(350, p_rest));
            let mut likely = 0.0;
            for (failed, one) in slot.iter().enumerate() {
                for (others, other) in rest.iter().enumerate().take(120) {
                    let failed = u64::try_from(failed).expect("small");
                    let all = rate(failed + u64::try_from(others).expect("small"), 400);
                    if one * other > 1e-9 && rate(failed, 50).stands_out_of(all) {
                        likely += one * other;
                    }
                }
            }
            likely
        };
        for p in [0.01, 0.05, 0.2] {
            assert!(marked(p, p) < 0.01, "a fair slot is marked in {} of the lots", marked(p, p));
        }
        assert!(marked(0.3, 0.05) > 0.9, "a bad slot is marked in {} of the lots", marked(0.3, 0.05));
    }

    #[test]
    fn the_only_slot_there_is_stands_out_of_nothing() {
        assert!(!rate(20, 20).stands_out_of(rate(20, 20)));
        assert!(!rate(0, 0).stands_out_of(rate(20, 20)));
        assert!(!rate(1, 2).stands_out_of(rate(11, 1002)), "one bad card of two proves nothing");
        assert!(rate(8, 20).stands_out_of(rate(10, 200)));
    }
}
