//! Candidates for the tests of the algorithms.

use super::{Candidates, RoundRobin};

/// Candidates with given requests in flight, some of which may not be picked.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    pub(super) in_flight: Vec<u32>,
    may_take: Vec<bool>,
}

impl Crowd {
    pub(super) fn idle(count: usize) -> Self {
        Self::busy(vec![0; count])
    }

    pub(super) fn busy(in_flight: Vec<u32>) -> Self {
        Self {
            may_take: vec![true; in_flight.len()],
            in_flight,
        }
    }

    pub(super) fn without(mut self, index: usize) -> Self {
        self.may_take[index] = false;
        self
    }
}

impl Candidates for Crowd {
    fn may_take(&self, index: usize) -> bool {
        self.may_take[index]
    }

    fn in_flight(&self, index: usize) -> u32 {
        self.in_flight[index]
    }
}

/// Whom round robin picks in the first `turns` turns.
pub(super) fn pick_times(weights: &[u32], turns: usize) -> Vec<usize> {
    let balancer = RoundRobin::new(weights);
    (0..turns).filter_map(|turn| balancer.place(turn)).collect()
}

/// How often round robin picks each candidate in `turns` turns from `start` on.
pub(super) fn shares(weights: &[u32], start: usize, turns: usize) -> Vec<usize> {
    let balancer = RoundRobin::new(weights);
    let crowd = Crowd::idle(weights.len());
    let mut counted = vec![0; weights.len()];
    for turn in start..start + turns {
        if let Some(index) = balancer.pick(turn, &crowd) {
            counted[index] += 1;
        }
    }
    counted
}
