//! In turn, by weight.
//!
//! The candidates' weights, laid end to end, are a circle of positions. Each turn steps on by a
//! stride that shares no divisor with the circle's length, so as many turns as there are positions
//! meet each position once: every candidate gets exactly its weight's share of them. A stride near
//! the golden section of the circle spreads a heavy candidate's turns instead of bunching them.

use super::Candidates;

/// See [`Algorithm::RoundRobin`](super::Algorithm::RoundRobin).
#[derive(Debug)]
pub struct RoundRobin {
    count: usize,
    /// Where each candidate's stretch of the circle ends; empty when all weigh alike.
    ends: Box<[u64]>,
    total: u64,
    stride: u64,
}

impl RoundRobin {
    /// A balancer over as many candidates as there are weights. The sum of the weights, divided by
    /// their greatest common divisor, is the number of turns after which the shares are exact.
    pub fn new(weights: &[u32]) -> Self {
        let count = weights.len();
        let divisor = weights.iter().fold(0, |a, &b| gcd(a, u64::from(b)));
        if divisor == 0 || weights.iter().all(|&weight| u64::from(weight) == divisor) {
            return Self {
                count,
                ends: Box::default(),
                total: if divisor == 0 { 0 } else { count as u64 },
                stride: 1,
            };
        }
        let mut total = 0;
        let ends = weights.iter().map(|&weight| {
            total += u64::from(weight) / divisor;
            total
        });
        let ends = ends.collect();
        Self {
            count,
            ends,
            total,
            stride: golden_stride(total),
        }
    }

    /// Whose turn it is, whether or not it may be picked; none when no candidate has a weight.
    pub fn place(&self, turn: usize) -> Option<usize> {
        if self.total == 0 {
            return None;
        }
        let turn = turn as u64 % self.total;
        if self.ends.is_empty() {
            return Some(turn as usize);
        }
        // Exact as long as `total` is below 2^32, which is four million targets of the weight 999.
        let position = turn.wrapping_mul(self.stride) % self.total;
        Some(self.ends.partition_point(|&end| end <= position))
    }

    /// How many whole rounds lie before the turn. A round gives every candidate its exact share.
    pub fn round(&self, turn: usize) -> u64 {
        (turn as u64).checked_div(self.total).unwrap_or(0)
    }

    /// The candidate whose turn it is, or the next one that may be picked.
    pub fn pick(&self, turn: usize, candidates: &impl Candidates) -> Option<usize> {
        let first = self.place(turn)?;
        (first..self.count)
            .chain(0..first)
            .find(|&index| self.has_weight(index) && candidates.may_take(index))
    }

    fn has_weight(&self, index: usize) -> bool {
        match self.ends.get(..=index) {
            Some([.., before, end]) => end > before,
            Some([end]) => *end > 0,
            _ => true,
        }
    }
}

/// The first number from about 0.618 of `total` on that has no common divisor with it.
fn golden_stride(total: u64) -> u64 {
    let golden = ((total.saturating_mul(618) + 500) / 1000).max(1);
    (golden..total)
        .find(|&stride| gcd(stride, total) == 1)
        .unwrap_or(1)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::balance::testing::{Crowd, pick_times, shares};

    fn order(weights: &[u32], turns: usize) -> String {
        let balancer = RoundRobin::new(weights);
        let crowd = Crowd::idle(weights.len());
        (0..turns)
            .filter_map(|turn| balancer.pick(turn, &crowd))
            .map(|index| char::from(b'A' + index as u8))
            .collect()
    }

    #[test]
    fn targets_of_one_weight_are_asked_strictly_in_turn() {
        assert_eq!(order(&[1, 1, 1], 7), "ABCABCA");
        assert_eq!(order(&[7, 7, 7], 7), "ABCABCA");
    }

    #[test]
    fn a_heavy_target_is_asked_more_often_but_not_all_at_once() {
        assert_eq!(order(&[2, 1], 6), "ABAABA");
        assert_eq!(order(&[3, 1], 4), "ABAA");
        assert_eq!(order(&[5, 1, 1], 7), "AAABACA");
    }

    #[test]
    fn a_target_of_weight_0_is_never_asked() {
        assert_eq!(order(&[0, 1, 0], 3), "BBB");
        assert_eq!(order(&[0, 0], 3), "");
        let alone = Crowd::idle(2).without(1);
        assert_eq!(RoundRobin::new(&[0, 3]).pick(0, &alone), None);
    }

    #[test]
    fn the_next_target_stands_in_for_one_that_may_not_be_asked() {
        let balancer = RoundRobin::new(&[1, 1, 1]);
        let crowd = Crowd::idle(3).without(2);
        assert_eq!(balancer.pick(1, &crowd), Some(1));
        assert_eq!(balancer.pick(2, &crowd), Some(0));
        let nobody = Crowd::idle(3).without(0).without(1).without(2);
        assert_eq!(balancer.pick(2, &nobody), None);
    }

    #[test]
    fn nobody_is_next_among_none() {
        assert_eq!(RoundRobin::new(&[]).pick(5, &Crowd::idle(0)), None);
    }

    /// The longest run of turns in which the target is not asked, over two rounds.
    fn longest_wait(weights: &[u32], target: usize) -> usize {
        let total: u32 = weights.iter().sum();
        let picks = pick_times(weights, 2 * total as usize);
        let mut wait = 0;
        let mut longest = 0;
        for picked in picks {
            wait = if picked == target { 0 } else { wait + 1 };
            longest = longest.max(wait);
        }
        longest
    }

    #[test]
    fn two_targets_of_one_weight_in_three_do_not_wait_for_a_whole_round() {
        // An even spread would let each wait for 2 or 3 turns; bunching would take 300.
        for target in 0..3 {
            assert!(longest_wait(&[300, 301, 299], target) <= 6);
        }
    }

    proptest! {
        #[test]
        fn over_a_round_each_target_gets_exactly_its_share(
            weights in prop::collection::vec(0_u32..=999, 1..20),
            start in prop_oneof![0..100_usize, any::<usize>()],
        ) {
            let divisor = weights.iter().fold(0, |a, &b| gcd(a, u64::from(b)));
            prop_assume!(divisor > 0);
            let round = (weights.iter().map(|w| u64::from(*w)).sum::<u64>() / divisor) as usize;
            prop_assume!(start.checked_add(round).is_some());
            let counted = shares(&weights, start, round);
            for (weight, count) in weights.iter().zip(counted) {
                prop_assert_eq!(count as u64, u64::from(*weight) / divisor);
            }
        }
    }
}
