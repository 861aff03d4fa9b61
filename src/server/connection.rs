//! What is counted of a client connection: begun at accept, ended by drop.

use std::sync::Arc;

use prometheus::IntCounter;
use tracing::error;

use crate::metrics::{ActiveConnection, ServerMetrics};
use crate::snapshot::{Admission, Entrance};

/// One open client connection.
#[derive(Debug)]
pub(super) struct ConnectionGuard {
    _admission: Admission,
    _active: ActiveConnection,
    panics: IntCounter,
}

impl ConnectionGuard {
    /// Counts a connection; `None` when its load balancer has as many as it may.
    pub(super) fn open(entrance: &Entrance, server: &ServerMetrics) -> Option<Self> {
        let Some(admission) = entrance.load_balancer.admit() else {
            entrance.metrics.rejected_connections.inc();
            return None;
        };
        Some(Self {
            _admission: admission,
            _active: ActiveConnection::new(Arc::clone(&entrance.metrics)),
            panics: server.panics.clone(),
        })
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.panics.inc();
            error!("a connection ended in a panic; all others go on. Please report it");
        }
    }
}
