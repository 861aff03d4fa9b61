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

    /// The candidate whose turn it is, or the next one that may be picked.
    pub fn pick(&self, turn: usize, candidates: &impl Candidates) -> Option<usize> {
        let first = self.place(turn)?;
        (first..self.count)
            .chain(0..first)
            .find(|&index| candidates.may_take(index))
    }
}

/// The first number from 0.618 of `total` on that has no common divisor with it.
fn golden_stride(total: u64) -> u64 {
    let golden = (total.saturating_mul(618) / 1000).max(1);
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
