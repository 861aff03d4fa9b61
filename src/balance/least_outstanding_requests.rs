//! The candidate with the fewest requests in flight for its weight.
//!
//! Among at most [`LeastOutstandingRequests::EXACT`] candidates the least is found exactly, and
//! those that tie take turns by weight. In a larger pool as many are looked at, beginning with the
//! one whose turn it is, and the first of the least wins: looking at all of a thousand would cost
//! more than it brings.

use std::cmp::Ordering;

use super::{Candidates, RoundRobin};

/// See [`Algorithm::LeastOutstandingRequests`](super::Algorithm::LeastOutstandingRequests).
#[derive(Debug)]
pub struct LeastOutstandingRequests {
    weights: Box<[u32]>,
    turns: RoundRobin,
}

impl LeastOutstandingRequests {
    /// How many candidates a pick looks at.
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
        if self.weights.len() <= Self::EXACT {
            self.pick_exactly(turn, candidates)
        } else {
            self.pick_from_sample(turn, candidates)
        }
    }

    fn pick_exactly(&self, turn: usize, candidates: &impl Candidates) -> Option<usize> {
        let mut ties = [0_u8; Self::EXACT];
        let mut tied = 0;
        let mut tied_weight = 0;
        let mut least = Load::MAX;
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
                    tied = 0;
                    tied_weight = 0;
                }
            }
            ties[tied] = index as u8;
            tied += 1;
            tied_weight += u64::from(weight);
        }
        if tied == self.weights.len() {
            return self.turns.place(turn);
        }
        let ties = &ties[..tied];
        let mut position = (turn as u64).checked_rem(tied_weight)?;
        for &index in ties {
            let weight = u64::from(self.weights[usize::from(index)]);
            if position < weight {
                return Some(usize::from(index));
            }
            position -= weight;
        }
        None
    }

    fn pick_from_sample(&self, turn: usize, candidates: &impl Candidates) -> Option<usize> {
        let first = self.turns.place(turn)?;
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
    fn idle_targets_share_alike_beside_a_busy_one() {
        let crowd = Crowd::busy(vec![1, 0, 0, 0]);
        assert_eq!(counts(&[1; 4], 30, &crowd), [0, 10, 10, 10]);
        assert_eq!(counts(&[1, 1, 2, 3], 60, &crowd), [0, 10, 20, 30]);
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
