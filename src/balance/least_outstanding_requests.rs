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
