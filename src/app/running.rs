//! The handle of a daemon that runs.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::access_log::AccessLog;
use crate::admin::Readiness;
use crate::metrics::Metrics;
use crate::reload::ReloadHandle;
use crate::server::Addresses;
use crate::snapshot::Shared;
use crate::succession::{Lineage, UpgradeHandle};

/// A daemon that runs. Dropping it ends the daemon at once; [`Running::shutdown`] lets requests in
/// flight finish.
#[derive(Debug)]
pub struct Running {
    /// Where the load balancers listen.
    pub addresses: Addresses,
    /// Where the admin address listens.
    pub admin: SocketAddr,
    /// Asks for a reload.
    pub reload: ReloadHandle,
    /// The configuration in force, with the state of all targets.
    pub shared: Arc<Shared>,
    /// What is measured.
    pub metrics: Metrics,
    /// The access log.
    pub access_log: AccessLog,
    /// The connection log.
    pub connection_log: AccessLog,
    /// Whether it wants traffic.
    pub readiness: Readiness,
    /// Asks for a new process to take over.
    pub upgrade: UpgradeHandle,
    /// Which process this is, and whether another one has taken over.
    pub lineage: Lineage,
    pub(super) stop: oneshot::Sender<Departure>,
    pub(super) ended: oneshot::Receiver<Ended>,
}

/// Why the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// Somebody wants it to.
    Shutdown,
    /// Another process has taken over.
    Succession,
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Connections that were still open at the deadline, and were cut.
    pub cut: usize,
}

impl Running {
    /// Closes all listeners, lets requests in flight finish until the configured deadline, cuts
    /// what is left, and ends all threads.
    pub async fn shutdown(self) -> Ended {
        // The control thread answers both, unless it has panicked: then there is nothing to wait for.
        let _ = self.stop.send(Departure::Shutdown);
        self.ended.await.unwrap_or_default()
    }

    /// Leaves the listeners to the process that has taken over, lets each connection end with its next
    /// answer until the configured deadline, cuts what is left, and ends all threads.
    pub async fn retire(self) -> Ended {
        let _ = self.stop.send(Departure::Succession);
        self.ended.await.unwrap_or_default()
    }
}
