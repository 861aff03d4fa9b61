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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
mod tests {
    use prometheus::Registry;
    use tokio::time::Instant;

    use super::*;
    use crate::config;
    use crate::metrics::Metrics;
    use crate::snapshot::Snapshot;
    use crate::tls::Terminators;

    const ONE: &str = r#"
        [[load_balancer]]
        name = "web"
        max_connections = 1
        [[load_balancer.listener]]
        port = 80
        default = { fixed_response = { status = 200 } }
    "#;

    #[tokio::test]
    async fn a_panic_ends_its_connection_alone_and_is_counted() {
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let valid = config::check_text(ONE, "test").config.unwrap();
        let last = Snapshot::default();
        let snapshot = Snapshot::compile(
            &valid,
            &Terminators::default(),
            &last,
            &metrics,
            Instant::now(),
        );
        let entrance = snapshot.entrances.values().next().unwrap();

        let guard = ConnectionGuard::open(entrance, &metrics.server).unwrap();
        assert!(ConnectionGuard::open(entrance, &metrics.server).is_none());
        let connection = tokio::spawn(async move {
            let _guard = guard;
            panic!("as a test");
        });
        assert!(connection.await.unwrap_err().is_panic());
        assert_eq!(metrics.server.panics.get(), 1);
        assert_eq!(entrance.metrics.active_connections.get(), 0);

        drop(ConnectionGuard::open(entrance, &metrics.server).unwrap());
        assert_eq!(metrics.server.panics.get(), 1);
        assert_eq!(entrance.metrics.rejected_connections.get(), 1);
    }
}
