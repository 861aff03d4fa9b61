//! What a target group is told by its targets: that somebody's eligibility has changed, or a place is free.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Counts the changes of eligibility in one target group, so that whoever keeps a list of eligible
/// targets can tell in one load that it is stale; and wakes who waits for a place at one of them.
#[derive(Debug, Default)]
pub struct Epoch {
    changes: AtomicU64,
    openings: Notify,
}

impl Epoch {
    /// The number of changes so far.
    pub fn current(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Notes a change.
    pub fn advance(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.open();
    }

    /// Wakes who waits: a place may be free.
    pub(super) fn open(&self) {
        self.openings.notify_waiters();
    }

    /// Waits until a target may have a place that it had not. Enable it before looking: one that
    /// opens in between is then not missed.
    pub fn opening(&self) -> Notified<'_> {
        self.openings.notified()
    }
}
