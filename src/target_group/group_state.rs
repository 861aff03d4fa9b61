//! What a target group takes along from snapshot to snapshot.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use super::ZonalShift;
use super::standby::Standby;
use super::surge_queue::SurgeQueues;
use crate::target::{Epoch, Zone};

/// Whose turn it is in one pool of targets, or among pools.
pub(super) type Turn = Arc<AtomicUsize>;

/// Adopted by the group's next snapshot, so that a reload neither loses a change of eligibility
/// nor starts a round again at its first target.
#[derive(Debug, Default)]
pub(super) struct GroupState {
    pub(super) epoch: Arc<Epoch>,
    pub(super) standby: Mutex<Standby>,
    /// An operator's order for the group's load balancer.
    pub(super) shift: ArcSwapOption<ZonalShift>,
    pub(super) queues: SurgeQueues,
    turns: Mutex<HashMap<(Entry, PoolName), Turn>>,
}

/// Through which node requests enter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    /// A node in no zone; also stands for every node where the policy makes no difference.
    NoZone,
    /// The node in this zone.
    Zone(Zone),
    /// A node in a zone that no target and no zone weight names.
    Elsewhere,
}

/// What a turn counts in, for one entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum PoolName {
    /// The choice among the pools.
    Split,
    /// All targets.
    All,
    /// The targets of the entry zone.
    Local,
    /// The targets of this zone.
    Zone(Zone),
    /// The targets of all zones but the entry zone.
    Beyond,
}

impl Entry {
    pub(super) fn zone(&self) -> Option<&Zone> {
        match self {
            Self::Zone(zone) => Some(zone),
            Self::NoZone | Self::Elsewhere => None,
        }
    }
}

impl GroupState {
    /// The turn of a pool: the one that it has had so far, if it has.
    pub(super) fn turn(&self, entry: &Entry, pool: PoolName) -> Turn {
        let mut turns = self.turns.lock();
        Arc::clone(turns.entry((entry.clone(), pool)).or_default())
    }

    /// Forgets the turns that no list of eligible targets uses.
    pub(super) fn forget_unused_turns(&self) {
        self.turns
            .lock()
            .retain(|_, turn| Arc::strong_count(turn) > 1);
    }
}
