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
    shares: RoundRobin,
    turn: Turn,
    fail_open: bool,
}

/// Targets among which the group's algorithm chooses.
#[derive(Debug)]
pub(super) struct Pool {
    targets: Box<[Arc<Target>]>,
    /// What the targets together are good for at this moment.
    weight: u64,
    balancer: Balancer,
    turn: Turn,
}

impl Route {
    /// A route over pools and their shares. A pool with the share 0 gets only requests that have
    /// tried all targets of the others.
    pub(super) fn new(pools: Vec<(u32, Pool)>, turn: Turn, fail_open: bool) -> Self {
        let (shares, pools): (Vec<_>, Vec<_>) = pools.into_iter().unzip();
        Self {
            pools: pools.into(),
            shares: RoundRobin::new(&shares),
            turn,
            fail_open,
        }
    }

    /// A place at the next target that is not in `tried`.
    pub(super) fn pick(&self, tried: &[TargetKey], moment: Moment) -> Result<Lease, PickError> {
        let (before, from) = self.pools.split_at(self.next_pool());
        from.iter()
            .chain(before)
            .find_map(|pool| pool.pick(tried, moment.chance))
            .map(|target| Lease::new(Arc::clone(target), self.fail_open))
            .ok_or(PickError::AllTried)
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

    fn pick(&self, tried: &[TargetKey], chance: u64) -> Option<&Arc<Target>> {
        let turn = || self.turn.fetch_add(1, Ordering::Relaxed);
        let targets = &self.targets;
        let candidates = Untried { targets, tried };
        let index = self.balancer.pick(turn, chance, &candidates)?;
        Some(&self.targets[index])
    }
}

/// The targets of a pool that a request has not tried yet.
struct Untried<'a> {
    targets: &'a [Arc<Target>],
    tried: &'a [TargetKey],
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
    }

    fn in_flight(&self, index: usize) -> u32 {
        self.targets[index].state.in_flight()
    }
}
