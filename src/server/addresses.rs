//! Where the server listens: what an operator, or a test that asked for port 0, needs to know.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::snapshot::{Entrance, EntranceKey};
use crate::target::Zone;

/// One address on which a load balancer answers.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The listener and node it belongs to, as configured.
    pub entrance: EntranceKey,
    /// The node's zone.
    pub zone: Option<Zone>,
    /// The address with the port that the system chose, where the configuration says 0.
    pub address: SocketAddr,
}

impl Bound {
    pub(super) fn new(key: &EntranceKey, entrance: &Entrance, address: SocketAddr) -> Self {
        Self {
            entrance: key.clone(),
            zone: entrance.zone.clone(),
            address,
        }
    }
}

/// The addresses at this time. Clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Addresses(Arc<RwLock<Vec<Bound>>>);

impl Addresses {
    /// All of them.
    pub fn all(&self) -> Vec<Bound> {
        self.0.read().clone()
    }

    /// Those of one load balancer, in the order of its addresses.
    pub fn of(&self, load_balancer: &str) -> Vec<SocketAddr> {
        self.0
            .read()
            .iter()
            .filter(|bound| &*bound.entrance.load_balancer == load_balancer)
            .map(|bound| bound.address)
            .collect()
    }

    pub(super) fn replace(&self, bound: impl IntoIterator<Item = Bound>) {
        *self.0.write() = bound.into_iter().collect();
    }
}
