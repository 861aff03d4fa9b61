//! The one place where the current snapshot is found.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Snapshot;

/// Holds the current snapshot. Everybody may read it; only the reloader publishes.
#[derive(Debug, Default)]
pub struct Shared(Arc<ArcSwap<Snapshot>>);

/// A worker's own view of [`Shared`]: reading it costs one load while nothing has changed.
pub type Cache = arc_swap::Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>;

impl Shared {
    /// The current snapshot.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// A cached view for one worker.
    pub fn cache(&self) -> Cache {
        Cache::new(Arc::clone(&self.0))
    }

    /// Makes `snapshot` the current one. Only the reloader calls this.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.0.store(snapshot);
    }
}
