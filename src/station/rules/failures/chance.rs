//! The probability that chance alone puts so many of the failures here.
//!
//! Cards are compared only within a stratum: cards of one type and lot, or cards of one slot. If it makes no difference where a card is
//! written, then the failures of a stratum are spread over its cards at random: the number that falls here has a hypergeometric
//! distribution, whatever the failure rate of these cards is (Fisher's exact test). Strata are independent, so the distribution of the sum
//! is the convolution of theirs: the exact conditional test of independence in 2×2 tables of several strata (M. W. Birch, "The detection of
//! partial association, I: the 2×2 case", Journal of the Royal Statistical Society B 26, 1964; C. R. Mehta, N. R. Patel, R. Gray, Journal of
//! the American Statistical Association 80, 1985). No failure rate is estimated, and nothing is approximated, so it also holds for few cards
//! and rare failures. A stratum with cards only here, or only elsewhere, changes nothing.

use crate::station::types::units::{to_f64, to_u64};

/// Weights below this share of the largest are left out: far below any probability that decides something, and far above what a number of 64
/// bits cannot hold.
const NEGLIGIBLE: f64 = 1e-200;

/// Written cards of one stratum, here and elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stratum {
    pub(super) failed: u64,
    pub(super) of: u64,
    pub(super) others_failed: u64,
    pub(super) others_of: u64,
}

impl Stratum {
    /// Cards of this stratum were written here and elsewhere.
    pub(super) fn compares(&self) -> bool {
        self.of > 0 && self.others_of > 0
    }
}

/// Probabilities of the counts `first`, `first + 1` …
#[derive(Clone, Debug)]
struct Distribution {
    first: u64,
    weights: Vec<f64>,
}

impl Distribution {
    /// Zero, for sure.
    fn zero() -> Self {
        Self { first: 0, weights: vec![1.0] }
    }

    /// The number of failures that fall here, if all failures of the stratum are spread over its cards at random.
    fn of(stratum: &Stratum) -> Self {
        let (cards, here) = (stratum.of + stratum.others_of, stratum.of);
        let failures = stratum.failed + stratum.others_failed;
        let (least, most) = ((here + failures).saturating_sub(cards), here.min(failures));
        // From the most likely count in both directions: no weight is larger than 1.
        let mode = u128::from(here + 1) * u128::from(failures + 1) / u128::from(cards + 2);
        let mode = u64::try_from(mode).unwrap_or(most).clamp(least, most);
        // Of a count and the next larger one.
        let ratio = |count: u64| {
            let more = to_f64(failures - count) * to_f64(here - count);
            more / (to_f64(count + 1) * to_f64(cards + count + 1 - here - failures))
        };
        let step = |weight: f64| (weight > NEGLIGIBLE).then_some(weight);
        let below = (least..mode).rev().scan(1.0, |weight, count| {
            *weight /= ratio(count);
            step(*weight)
        });
        let mut weights: Vec<f64> = below.collect();
        let first = mode - to_u64(weights.len());
        weights.reverse();
        weights.push(1.0);
        weights.extend((mode..most).scan(1.0, |weight, count| {
            *weight *= ratio(count);
            step(*weight)
        }));
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Self { first, weights }
    }

    /// The sum of two independent counts.
    fn plus(&self, other: &Self) -> Self {
        let mut weights = vec![0.0; self.weights.len() + other.weights.len() - 1];
        for (place, one) in self.weights.iter().enumerate() {
            for (sum, weight) in weights[place..].iter_mut().zip(&other.weights) {
                *sum += one * weight;
            }
        }
        let is_small = |weight: &&f64| **weight < NEGLIGIBLE;
        let (below, above) = (weights.iter().take_while(is_small).count(), weights.iter().rev().take_while(is_small).count());
        weights.truncate(weights.len() - above);
        weights.drain(..below);
        Self { first: self.first + other.first + to_u64(below), weights }
    }

    /// The probability of this count or a larger one.
    fn at_least(&self, count: u64) -> f64 {
        let skip = usize::try_from(count.saturating_sub(self.first)).unwrap_or(usize::MAX);
        // The smallest first, so that none is lost in the sum.
        self.weights.iter().skip(skip).rev().sum::<f64>().min(1.0)
    }
}

/// The probability that at least as many failures as counted fall here, if it makes no difference where a card is written.
pub(super) fn chance<'s>(strata: impl IntoIterator<Item = &'s Stratum>) -> f64 {
    let mut sum = Distribution::zero();
    let mut failed = 0;
    for stratum in strata.into_iter().filter(|stratum| stratum.compares()) {
        failed += stratum.failed;
        sum = sum.plus(&Distribution::of(stratum));
    }
    sum.at_least(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stratum(failed: u64, of: u64, others_failed: u64, others_of: u64) -> Stratum {
        Stratum { failed, of, others_failed, others_of }
    }

    fn choose(of: u64, some: u64) -> f64 {
        if some > of { 0.0 } else { (0..some).map(|place| to_f64(of - place) / to_f64(place + 1)).product() }
    }

    /// The same by the definition: over all ways in which the failures of every stratum can be spread.
    fn counted_out(strata: &[Stratum]) -> f64 {
        let mut sums = vec![(0, 1.0)];
        for one in strata.iter().filter(|one| one.compares()) {
            let failures = one.failed + one.others_failed;
            let ways = choose(one.of + one.others_of, failures);
            let spread = |here: u64| choose(one.of, here) * choose(one.others_of, failures - here) / ways;
            sums = sums.iter().flat_map(|(sum, likely)| (0..=failures).map(move |here| (sum + here, likely * spread(here)))).collect();
        }
        let failed: u64 = strata.iter().filter(|one| one.compares()).map(|one| one.failed).sum();
        sums.iter().filter(|(sum, _)| *sum >= failed).map(|(_, likely)| likely).sum()
    }

    #[test]
    fn the_probability_is_the_exact_one_for_one_and_for_several_strata() {
        // Fisher's tea: 3 of 4 cups right, 17/70.
        assert!((chance([&stratum(3, 4, 1, 4)]) - 17.0 / 70.0).abs() < 1e-12);
        let cases: [&[Stratum]; 6] = [
            &[stratum(5, 25, 1, 375)],
            &[stratum(0, 25, 6, 375)],
            &[stratum(25, 25, 0, 375)],
            &[stratum(3, 12, 2, 30), stratum(2, 13, 1, 40)],
            &[stratum(3, 12, 2, 30), stratum(2, 13, 1, 40), stratum(1, 2, 8, 10), stratum(9, 9, 0, 0)],
            &[stratum(9, 10, 9, 10), stratum(10, 10, 10, 10)],
        ];
        for strata in cases {
            let (exact, counted) = (chance(strata), counted_out(strata));
            assert!((exact - counted).abs() <= 1e-10 * counted, "{strata:?}: {exact} {counted}");
        }
    }

    #[test]
    fn cards_that_were_written_only_here_or_only_elsewhere_prove_nothing() {
        assert!(chance([&stratum(20, 20, 0, 0)]) >= 1.0 && chance([&stratum(0, 0, 3, 200)]) >= 1.0 && chance([]) >= 1.0);
        let one = stratum(4, 20, 1, 300);
        assert!((chance([&one, &stratum(20, 20, 0, 0)]) - chance([&one])).abs() < 1e-15);
    }

    #[test]
    fn years_of_cards_neither_overflow_nor_become_impossible() {
        let likely = chance([&stratum(3000, 100_000, 3000, 100_000)]);
        assert!(likely > 0.5 && likely < 0.52, "{likely}");
        let unlikely = chance([&stratum(3500, 100_000, 2500, 100_000)]);
        assert!(unlikely < 1e-20 && unlikely.is_finite(), "{unlikely}");
    }
}
