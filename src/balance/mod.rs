//! Which candidate is next.
//!
//! An [`Algorithm`] is the setting, a [`Balancer`] what runs it over a fixed list of candidates,
//! known by their index and weight. [`Candidates`] is what a balancer may ask about them at the
//! moment of the pick.
//!
//! Nothing here knows what a candidate is, and nothing has a clock, a counter or randomness of its
//! own: whose turn it is, and the lot, come as arguments.

mod least_outstanding_requests;
mod round_robin;
mod weighted_random;

#[cfg(test)]
mod testing;

pub use least_outstanding_requests::LeastOutstandingRequests;
pub use round_robin::RoundRobin;
pub use weighted_random::WeightedRandom;

/// How the next target is chosen (ALB: `load_balancing.algorithm.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight for its weight.
    LeastOutstandingRequests,
    /// By lot, by weight.
    WeightedRandom,
}

impl Algorithm {
    /// ALB's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::LeastOutstandingRequests => "least_outstanding_requests",
            Self::WeightedRandom => "weighted_random",
        }
    }
}

/// What a balancer may ask about its candidates at the moment of a pick.
pub trait Candidates {
    /// Whether the candidate may be picked this time.
    fn may_take(&self, index: usize) -> bool;

    /// The requests that the candidate has in flight.
    fn in_flight(&self, index: usize) -> u32;
}

/// An algorithm at work on a fixed list of candidates.
#[derive(Debug)]
pub enum Balancer {
    /// See [`RoundRobin`].
    RoundRobin(RoundRobin),
    /// See [`LeastOutstandingRequests`].
    LeastOutstandingRequests(LeastOutstandingRequests),
    /// See [`WeightedRandom`].
    WeightedRandom(WeightedRandom),
}

impl Balancer {
    /// A balancer over as many candidates as there are weights.
    pub fn new(algorithm: Algorithm, weights: &[u32]) -> Self {
        match algorithm {
            Algorithm::RoundRobin => Self::RoundRobin(RoundRobin::new(weights)),
            Algorithm::LeastOutstandingRequests => {
                Self::LeastOutstandingRequests(LeastOutstandingRequests::new(weights))
            }
            Algorithm::WeightedRandom => Self::WeightedRandom(WeightedRandom::new(weights)),
        }
    }

    /// The index of the next candidate; none when no candidate may be picked. `turn`, asked of
    /// algorithms that take turns, is one more at each pick; `chance` is any number.
    pub fn pick(
        &self,
        turn: impl FnOnce() -> usize,
        chance: u64,
        candidates: &impl Candidates,
    ) -> Option<usize> {
        match self {
            Self::RoundRobin(balancer) => balancer.pick(turn(), candidates),
            Self::LeastOutstandingRequests(balancer) => balancer.pick(turn(), candidates),
            Self::WeightedRandom(balancer) => balancer.pick(chance, candidates),
        }
    }
}
