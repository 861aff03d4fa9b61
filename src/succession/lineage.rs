//! Which process this is: the first one, or one that took over, from whom and when.

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Which process this is. Clones share it.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// How many processes there were, this one included; 1 took over from nobody.
    pub number: u64,
    /// From whom it took over.
    pub origin: Option<Origin>,
    /// That process has ended.
    predecessor_ended: CancellationToken,
    last_failure: Arc<Mutex<Option<(SystemTime, String)>>>,
    succeeded: CancellationToken,
    left: CancellationToken,
}

/// Whom a process took over from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// When.
    pub at: SystemTime,
}

impl Default for Lineage {
    fn default() -> Self {
        Self {
            number: 1,
            origin: None,
            predecessor_ended: CancellationToken::new(),
            last_failure: Arc::default(),
            succeeded: CancellationToken::new(),
            left: CancellationToken::new(),
        }
    }
}

impl Lineage {
    pub(super) fn after(number: u64, origin: Origin) -> Self {
        Self {
            number,
            origin: Some(origin),
            ..Self::default()
        }
    }

    /// Whether the process before still has connections.
    pub fn predecessor_drains(&self) -> bool {
        self.origin.is_some() && !self.predecessor_ended.is_cancelled()
    }

    /// When a new process failed to take over from this one, and why; the last time that one did.
    pub fn last_failure(&self) -> Option<(SystemTime, String)> {
        self.last_failure.lock().clone()
    }

    /// Resolves when another process has taken over from this one.
    pub async fn succeeded(&self) {
        self.succeeded.cancelled().await;
    }

    /// Notes that this process accepts no more, now that another one has taken over.
    pub fn note_left(&self) {
        self.left.cancel();
    }

    pub(super) async fn left(&self) {
        self.left.cancelled().await;
    }

    pub(super) fn note_end_of_predecessor(&self) {
        self.predecessor_ended.cancel();
    }

    pub(super) fn note_failure(&self, reason: String) {
        *self.last_failure.lock() = Some((SystemTime::now(), reason));
    }

    pub(super) fn note_success(&self) {
        self.succeeded.cancel();
    }
}
