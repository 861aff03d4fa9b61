//! The candidate with the fewest requests in flight for its weight.
//!
//! An idle candidate whose turn it is takes the request: none can have less in flight. Otherwise
//! the least is looked for: among at most [`LeastOutstandingRequests::EXACT`] candidates it is
//! found exactly, and those that tie take turns by weight. In a larger pool as many are looked at,
//! beginning with the one whose turn it is, and the first of the least wins: looking at all of a
//! thousand would cost more than it brings.

use std::cmp::Ordering;

use super::{Candidates, RoundRobin};

/// See [`Algorithm::LeastOutstandingRequests`](super::Algorithm::LeastOutstandingRequests).
#[derive(Debug)]
pub struct LeastOutstandingRequests {
    weights: Box<[u32]>,
    turns: RoundRobin,
}

impl LeastOutstandingRequests {
    /// How many candidates a pick looks at: as many as the set of ties has bits.
    pub const EXACT: usize = 64;

    /// A balancer over as many candidates as there are weights.
    pub fn new(weights: &[u32]) -> Self {
        Self {
            weights: weights.into(),
            turns: RoundRobin::new(weights),
        }
    }

    /// The least loaded candidate that may be picked.
    pub fn pick(&self, turn: usize, candidates: &impl Candidates) -> Option<usize> {
        let first = self.turns.place(turn)?;
        if candidates.in_flight(first) == 0 && candidates.may_take(first) {
            return Some(first);
        }
        if self.weights.len() <= Self::EXACT {
            self.pick_exactly(turn, first, candidates)
        } else {
            self.pick_from_sample(first, candidates)
        }
    }

    /// When the one whose turn it is has more in flight than others, its turns fall to those
    /// others by weight. They go by the round, not by the turn: turns that come to the same
    /// candidate lie a round apart, and would fall to the same stand-in again and again.
    fn pick_exactly(
        &self,
        turn: usize,
        first: usize,
        candidates: &impl Candidates,
    ) -> Option<usize> {
        let mut least = Load::MAX;
        let mut ties = Ties::default();
        for (index, &weight) in self.weights.iter().enumerate() {
            if weight == 0 || !candidates.may_take(index) {
                continue;
            }
            let load = Load::new(candidates.in_flight(index), weight);
            match load.compare(least) {
                Ordering::Greater => continue,
                Ordering::Equal => {}
                Ordering::Less => {
                    least = load;
                    ties = Ties::default();
                }
            }
            ties.add(index, weight);
        }
        if ties.contains(first) {
            return Some(first);
        }
        ties.pick(self.turns.round(turn), &self.weights)
    }

    fn pick_from_sample(&self, first: usize, candidates: &impl Candidates) -> Option<usize> {
        let sample = (first..self.weights.len())
            .chain(0..first)
            .filter(|&index| self.weights[index] > 0 && candidates.may_take(index))
            .take(Self::EXACT);
        let mut least = Load::MAX;
        let mut best = None;
        for index in sample {
            let in_flight = candidates.in_flight(index);
            if in_flight == 0 {
                return Some(index);
            }
            let load = Load::new(in_flight, self.weights[index]);
            if load.compare(least) == Ordering::Less {
                least = load;
                best = Some(index);
            }
        }
        best
    }
}

/// The candidates that are least loaded alike: one bit each, and the sum of their weights.
#[derive(Clone, Copy, Default)]
struct Ties {
    bits: u64,
    weight: u64,
}

impl Ties {
    fn add(&mut self, index: usize, weight: u32) {
        self.bits |= 1 << index;
        self.weight += u64::from(weight);
    }

    fn contains(self, index: usize) -> bool {
        self.bits & 1 << index != 0
    }

    /// Whose turn it is among them, by weight.
    fn pick(mut self, turn: u64, weights: &[u32]) -> Option<usize> {
        let mut position = turn.checked_rem(self.weight)?;
        loop {
            let index = self.bits.trailing_zeros() as usize;
            let weight = u64::from(*weights.get(index)?);
            if position < weight {
                return Some(index);
            }
            position -= weight;
            self.bits &= self.bits - 1;
        }
    }
}

/// Requests in flight for a weight.
#[derive(Clone, Copy)]
struct Load {
    in_flight: u64,
    weight: u64,
}

impl Load {
    /// More than any candidate has.
    const MAX: Self = Self {
        in_flight: 1,
        weight: 0,
    };

    fn new(in_flight: u32, weight: u32) -> Self {
        Self {
            in_flight: u64::from(in_flight),
            weight: u64::from(weight),
        }
    }

    /// Compares `in_flight / weight` without dividing.
    fn compare(self, other: Self) -> Ordering {
        (self.in_flight * other.weight).cmp(&(other.in_flight * self.weight))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::balance::testing::Crowd;

    fn pick(weights: &[u32], turn: usize, crowd: &Crowd) -> Option<usize> {
        LeastOutstandingRequests::new(weights).pick(turn, crowd)
    }

    /// How often each candidate is picked in `turns` turns when every request ends at once.
    fn counts(weights: &[u32], turns: usize, crowd: &Crowd) -> Vec<usize> {
        let balancer = LeastOutstandingRequests::new(weights);
        let mut counted = vec![0; weights.len()];
        for turn in 0..turns {
            if let Some(index) = balancer.pick(turn, crowd) {
                counted[index] += 1;
            }
        }
        counted
    }

    #[test]
    fn the_target_with_the_fewest_requests_in_flight_is_next() {
        for turn in 0..5 {
            assert_eq!(pick(&[1; 3], turn, &Crowd::busy(vec![4, 2, 3])), Some(1));
        }
    }

    #[test]
    fn a_target_of_twice_the_weight_carries_twice_the_requests() {
        assert_eq!(pick(&[2, 1], 0, &Crowd::busy(vec![3, 2])), Some(0));
        assert_eq!(pick(&[2, 1], 0, &Crowd::busy(vec![5, 2])), Some(1));
    }

    #[test]
    fn idle_targets_take_turns() {
        assert_eq!(counts(&[1; 3], 30, &Crowd::idle(3)), [10, 10, 10]);
        assert_eq!(counts(&[3, 1], 40, &Crowd::idle(2)), [30, 10]);
    }

    #[test]
    fn idle_targets_share_alike_beside_busy_ones() {
        let one_of_four = Crowd::busy(vec![1, 0, 0, 0]);
        assert_eq!(counts(&[1; 4], 24, &one_of_four), [0, 8, 8, 8]);
        assert_eq!(counts(&[1, 1, 2, 3], 84, &one_of_four), [0, 14, 28, 42]);
        let two_of_four = Crowd::busy(vec![1, 0, 1, 0]);
        assert_eq!(counts(&[1; 4], 24, &two_of_four), [0, 12, 0, 12]);
    }

    #[test]
    fn targets_that_are_busy_alike_take_turns() {
        let crowd = Crowd::busy(vec![2, 4, 3, 2]);
        assert_eq!(counts(&[1, 2, 1, 1], 40, &crowd), [10, 20, 0, 10]);
    }

    #[test]
    fn a_target_that_may_not_be_asked_is_left_out() {
        let crowd = Crowd::busy(vec![0, 5, 7]).without(0);
        assert_eq!(pick(&[1; 3], 0, &crowd), Some(1));
        assert_eq!(pick(&[1], 0, &Crowd::idle(1).without(0)), None);
        assert_eq!(pick(&[0, 1], 0, &Crowd::idle(2).without(1)), None);
        assert_eq!(pick(&[], 0, &Crowd::idle(0)), None);
    }

    #[test]
    fn a_large_pool_of_idle_targets_shares_alike() {
        assert_eq!(counts(&[1; 500], 1000, &Crowd::idle(500)), [2; 500]);
    }

    #[test]
    fn a_large_pool_finds_the_idle_target_within_the_sample() {
        let mut in_flight = vec![9; 500];
        in_flight[63] = 3;
        in_flight[64] = 0;
        let crowd = Crowd::busy(in_flight);
        assert_eq!(pick(&[1; 500], 0, &crowd), Some(63));
        assert_eq!(pick(&[1; 500], 1, &crowd), Some(64));
        assert_eq!(pick(&[1; 500], 65, &crowd), Some(65));
    }

    #[test]
    fn a_large_pool_looks_past_targets_that_may_not_be_asked() {
        let crowd = (0..499).fold(Crowd::busy(vec![1; 500]), Crowd::without);
        assert_eq!(pick(&[1; 500], 7, &crowd), Some(499));
        assert_eq!(pick(&[1; 500], 7, &crowd.without(499)), None);
    }

    proptest! {
        #[test]
        fn no_target_is_less_loaded_than_the_one_picked(
            pool in prop::collection::vec((1_u32..=999, 0_u32..50), 1..=64),
            turn in any::<usize>(),
        ) {
            let (weights, in_flight): (Vec<_>, Vec<_>) = pool.into_iter().unzip();
            let picked = pick(&weights, turn, &Crowd::busy(in_flight.clone()));
            let load = |i: usize| f64::from(in_flight[i]) / f64::from(weights[i]);
            let picked = picked.map(load);
            let least = (0..weights.len()).map(load).fold(f64::INFINITY, f64::min);
            prop_assert_eq!(picked, Some(least));
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn long_requests_pile_up_in_proportion_to_the_weights(
            weights in prop::collection::vec(1_u32..=4, 2..=80),
        ) {
            let balancer = LeastOutstandingRequests::new(&weights);
            let mut crowd = Crowd::idle(weights.len());
            let total: u32 = weights.iter().sum();
            for turn in 0..4 * total as usize {
                let index = balancer.pick(turn, &crowd);
                prop_assert!(index.is_some());
                crowd.in_flight[index.unwrap_or_default()] += 1;
            }
            for (weight, in_flight) in weights.iter().zip(&crowd.in_flight) {
                prop_assert!(in_flight.abs_diff(4 * weight) <= *weight, "{crowd:?}");
            }
        }
    }
}
