//! By lot: each candidate's chance is its weight's share.

use super::Candidates;

/// See [`Algorithm::WeightedRandom`](super::Algorithm::WeightedRandom).
#[derive(Debug)]
pub struct WeightedRandom {
    /// Where each candidate's stretch ends, the stretches laid end to end.
    ends: Box<[u64]>,
    total: u64,
}

impl WeightedRandom {
    /// A balancer over as many candidates as there are weights.
    pub fn new(weights: &[u32]) -> Self {
        let mut total = 0;
        let ends = weights.iter().map(|&weight| {
            total += u64::from(weight);
            total
        });
        let ends = ends.collect();
        Self { ends, total }
    }

    /// The candidate on whom the lot falls; if that one may not be picked, another lot among those
    /// that may. All of `chance` is used: its values are to be equally likely.
    pub fn pick(&self, chance: u64, candidates: &impl Candidates) -> Option<usize> {
        let point = scale(chance, self.total)?;
        let index = self.ends.partition_point(|&end| end <= point);
        if candidates.may_take(index) {
            return Some(index);
        }
        let rest = || (0..self.ends.len()).filter(|&index| candidates.may_take(index));
        let total = rest().map(|index| self.weight(index)).sum();
        // Not the same lot again: where it fell says something about its first bits.
        let mut point = scale(chance.wrapping_mul(0x9e37_79b9_7f4a_7c15), total)?;
        rest().find(|&index| {
            let weight = self.weight(index);
            let falls_here = point < weight;
            point = point.saturating_sub(weight);
            falls_here
        })
    }

    fn weight(&self, index: usize) -> u64 {
        let before = match index {
            0 => 0,
            _ => self.ends[index - 1],
        };
        self.ends[index] - before
    }
}

/// A number below `total`, each as likely as the others; none below 0.
fn scale(chance: u64, total: u64) -> Option<u64> {
    let scaled = (u128::from(chance) * u128::from(total)) >> 64;
    (total > 0).then_some(scaled as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing::Crowd;

    /// How often each candidate is picked in so many evenly spread lots, drawn in an odd order.
    fn counts(weights: &[u32], lots: u64, crowd: &Crowd) -> Vec<u64> {
        let balancer = WeightedRandom::new(weights);
        let mut random = fastrand::Rng::with_seed(7);
        let mut counted = vec![0; weights.len()];
        for _ in 0..lots {
            if let Some(index) = balancer.pick(random.u64(..), crowd) {
                counted[index] += 1;
            }
        }
        counted
    }

    #[test]
    fn each_target_is_drawn_as_often_as_its_weight_says() {
        let counted = counts(&[1, 2, 0, 5], 80_000, &Crowd::idle(4));
        for (weight, count) in [1, 2, 0, 5].into_iter().zip(counted) {
            // Four and a half standard deviations are at most 640.
            assert!(count.abs_diff(weight * 10_000) < 640, "{weight}: {count}");
        }
    }

    #[test]
    fn the_first_and_the_last_lot_fall_on_somebody() {
        let balancer = WeightedRandom::new(&[3, 3, 1]);
        assert_eq!(balancer.pick(0, &Crowd::idle(3)), Some(0));
        assert_eq!(balancer.pick(u64::MAX, &Crowd::idle(3)), Some(2));
    }

    #[test]
    fn the_others_stand_in_by_weight_for_one_that_may_not_be_asked() {
        let counted = counts(&[3, 1, 4], 80_000, &Crowd::idle(3).without(2));
        assert_eq!(counted[2], 0);
        assert!(counted[0].abs_diff(60_000) < 640, "{counted:?}");
        assert!(counted[1].abs_diff(20_000) < 640, "{counted:?}");
    }

    #[test]
    fn nobody_is_drawn_where_nobody_may_be_asked() {
        let pick = |weights: &[u32], crowd: &Crowd| WeightedRandom::new(weights).pick(9, crowd);
        assert_eq!(pick(&[], &Crowd::idle(0)), None);
        assert_eq!(pick(&[0, 0], &Crowd::idle(2)), None);
        assert_eq!(pick(&[1, 1], &Crowd::idle(2).without(0).without(1)), None);
        assert_eq!(pick(&[0, 1], &Crowd::idle(2).without(1)), None);
    }
}
