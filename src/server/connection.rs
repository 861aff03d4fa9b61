//! What is counted of a client connection: begun at accept, ended by drop.

use std::sync::Arc;

use tracing::error;

use crate::metrics::{NodeMetrics, ServerMetrics};
use crate::snapshot::{Admission, Entrance};

/// One open client connection.
#[derive(Debug)]
pub(super) struct ConnectionGuard {
    _admission: Admission,
    node: Arc<NodeMetrics>,
    server: Arc<ServerMetrics>,
}

impl ConnectionGuard {
    /// Counts a connection; `None` when its load balancer has as many as it may.
    pub(super) fn open(entrance: &Entrance, server: &Arc<ServerMetrics>) -> Option<Self> {
        let Some(admission) = entrance.load_balancer.admit() else {
            entrance.metrics.rejected_connections.inc();
            return None;
        };
        entrance.metrics.new_connections.inc();
        entrance.metrics.active_connections.inc();
        Some(Self {
            _admission: admission,
            node: Arc::clone(&entrance.metrics),
            server: Arc::clone(server),
        })
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.node.active_connections.dec();
        if std::thread::panicking() {
            self.server.panics.inc();
            error!("a connection ended in a panic; all others go on. Please report it");
        }
    }
}
