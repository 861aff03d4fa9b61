//! The right to send one request to one target.

use std::ops::Deref;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Target, TargetHealth};

/// Counts as one request in flight at its target until it is dropped.
#[derive(Debug)]
pub struct Lease {
    target: Arc<Target>,
    fail_open: bool,
    /// Whether somebody may be waiting for its place.
    limited: bool,
    recalls: u32,
}

impl Lease {
    /// Takes a place at the target. `fail_open` says that it was chosen without regard to its health,
    /// because too few targets are healthy.
    pub fn new(target: Arc<Target>, fail_open: bool) -> Self {
        target.state.enter();
        Self::entered(target, fail_open, false)
    }

    /// The same at a target that takes no more than `most` at a time; none if it is full.
    pub fn within(most: u32, target: &Arc<Target>, fail_open: bool) -> Option<Self> {
        let entered = target.state.enter_within(most);
        entered.then(|| Self::entered(Arc::clone(target), fail_open, true))
    }

    fn entered(target: Arc<Target>, fail_open: bool, limited: bool) -> Self {
        let recalls = target.state.recalls();
        Self {
            target,
            fail_open,
            limited,
            recalls,
        }
    }

    /// Whether the target was chosen without regard to its health (ALB: `UnhealthyRoutingRequestCount`).
    pub fn is_fail_open(&self) -> bool {
        self.fail_open
    }

    /// Notes that the target failed the request: it answered 5xx, or could not be spoken to.
    pub fn failed(&self) {
        self.target.state.fail();
    }

    /// Whether the target has turned unhealthy since it was chosen as a healthy one, or cannot
    /// answer because what runs it is stopped, paused or cut off. One that was told to stop may
    /// still finish.
    pub fn has_turned_unhealthy(&self) -> bool {
        match self.target.state.health() {
            TargetHealth::Unhealthy => !self.fail_open,
            TargetHealth::Unused => self.target.state.is_out_of_order(),
            _ => false,
        }
    }

    /// Whether another target has become active instead, and what is open is to be cut.
    pub fn is_recalled(&self) -> bool {
        self.target.state.recalls() != self.recalls
    }

    /// When this request is cut off because the target is being deregistered.
    pub fn cut_at(&self) -> Option<Instant> {
        self.target.state.drains_until()
    }
}

impl Deref for Lease {
    type Target = Arc<Target>;

    fn deref(&self) -> &Arc<Target> {
        &self.target
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.target.state.leave();
        if self.limited {
            self.target.state.make_room();
        }
    }
}
