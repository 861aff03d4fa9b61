//! Where requests of one entry zone go: pools of targets, and each pool's share.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::group_state::Turn;
use super::{Moment, PickError};
use crate::balance::{Algorithm, Balancer, Candidates, RoundRobin};
use crate::target::{Lease, Target, TargetHealth, TargetKey};

/// The pools that requests of one entry zone are shared among.
#[derive(Debug)]
pub(super) struct Route {
    pools: Box<[Pool]>,
    /// Each pool's share as it was given.
    odds: Box<[u32]>,
    shares: RoundRobin,
    turn: Turn,
    fail_open: bool,
    /// What a target takes at a time.
    most: Option<u32>,
}

/// What each target takes of the requests that enter through one node.
#[derive(Clone, Debug)]
pub struct Shares {
    /// Whether no target is healthy, so that the unhealthy ones take requests.
    pub fail_open: bool,
    /// The targets that take requests, each with its share, 0 to 1. With
    /// [`Algorithm::LeastOutstandingRequests`] that is the share of targets that are equally quick.
    pub targets: Vec<(Arc<Target>, f64)>,
}

/// Targets among which the group's algorithm chooses.
#[derive(Debug)]
pub(super) struct Pool {
    targets: Box<[Arc<Target>]>,
    /// What each of them is good for at this moment.
    weights: Box<[u32]>,
    /// What the targets together are good for at this moment.
    weight: u64,
    balancer: Balancer,
    turn: Turn,
}

impl Route {
    /// A route over pools and their shares. A pool with the share 0 gets only requests that have
    /// tried all targets of the others.
    pub(super) fn new(
        pools: Vec<(u32, Pool)>,
        turn: Turn,
        fail_open: bool,
        most: Option<u32>,
    ) -> Self {
        let (shares, pools): (Vec<_>, Vec<_>) = pools.into_iter().unzip();
        Self {
            pools: pools.into(),
            shares: RoundRobin::new(&shares),
            odds: shares.into(),
            turn,
            fail_open,
            most,
        }
    }

    /// A place at the next target that is not in `tried`.
    pub(super) fn pick(&self, tried: &[TargetKey], moment: Moment) -> Result<Lease, PickError> {
        let Some(most) = self.most else {
            return self
                .next(tried, moment, None)
                .map(|target| Lease::new(Arc::clone(target), self.fail_open))
                .ok_or(PickError::AllTried);
        };
        while let Some(target) = self.next(tried, moment, Some(most)) {
            // Unless another worker has taken its last place meanwhile.
            if let Some(lease) = Lease::within(most, target, self.fail_open) {
                return Ok(lease);
            }
        }
        let is_full = self.next(tried, moment, None).is_some();
        Err(match is_full {
            true => PickError::Saturated,
            false => PickError::AllTried,
        })
    }

    fn next(&self, tried: &[TargetKey], moment: Moment, most: Option<u32>) -> Option<&Arc<Target>> {
        let (before, from) = self.pools.split_at(self.next_pool());
        from.iter()
            .chain(before)
            .find_map(|pool| pool.pick(tried, moment.chance, most))
    }

    /// What each target takes of the route's requests in the long run.
    pub(super) fn shares(&self) -> Shares {
        let all: f64 = self.odds.iter().map(|odds| f64::from(*odds)).sum();
        let pools = self.pools.iter().zip(&self.odds);
        let targets = pools.flat_map(|(pool, odds)| {
            let weights = pool.targets.iter().zip(&pool.weights);
            weights.map(move |(target, weight)| {
                let of_pool = f64::from(*weight) / (pool.weight.max(1) as f64);
                (
                    Arc::clone(target),
                    f64::from(*odds) / all.max(1.0) * of_pool,
                )
            })
        });
        Shares {
            fail_open: self.fail_open,
            targets: targets.collect(),
        }
    }

    fn next_pool(&self) -> usize {
        if self.pools.len() == 1 {
            return 0;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.shares.place(turn).unwrap_or(0)
    }
}

impl Pool {
    /// Targets and their weights at this moment.
    pub(super) fn new(
        algorithm: Algorithm,
        weighted: impl Iterator<Item = (Arc<Target>, u32)>,
        turn: Turn,
    ) -> Self {
        let (targets, weights): (Vec<_>, Vec<_>) = weighted.unzip();
        Self {
            weight: weights.iter().map(|weight| u64::from(*weight)).sum(),
            balancer: Balancer::new(algorithm, &weights),
            targets: targets.into(),
            weights: weights.into(),
            turn,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// What they would be good for if each took its whole share.
    pub(super) fn full_weight(&self) -> u64 {
        let weights = self.targets.iter().map(|target| u64::from(target.weight));
        weights.sum()
    }

    fn pick(&self, tried: &[TargetKey], chance: u64, most: Option<u32>) -> Option<&Arc<Target>> {
        let turn = || self.turn.fetch_add(1, Ordering::Relaxed);
        let targets = &self.targets;
        let candidates = Untried {
            targets,
            tried,
            most,
        };
        let index = self.balancer.pick(turn, chance, &candidates)?;
        Some(&self.targets[index])
    }
}

/// The targets of a pool that a request has not tried yet.
struct Untried<'a> {
    targets: &'a [Arc<Target>],
    tried: &'a [TargetKey],
    most: Option<u32>,
}

impl Candidates for Untried<'_> {
    /// A target that was deregistered or put out of use takes nothing from that moment on, even
    /// though the list that it is in may be rebuilt a moment later.
    fn may_take(&self, index: usize) -> bool {
        let target = &self.targets[index];
        !matches!(
            target.state.health(),
            TargetHealth::Draining | TargetHealth::Unused
        ) && !self.tried.contains(&target.key)
            && self.most.is_none_or(|most| target.state.in_flight() < most)
    }

    fn in_flight(&self, index: usize) -> u32 {
        self.targets[index].state.in_flight()
    }
}
