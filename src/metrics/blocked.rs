//! Who is not let in by security groups and network ACLs.

use prometheus::{IntCounter, IntCounterVec, Registry};

use super::MetricsError;
use super::rows::{Registrar, Rows};

const TRANSPORTS: [&str; 2] = ["tcp", "udp"];
const BY: [&str; 2] = ["security_group", "network_acl"];

/// One listener on one node: labels `load_balancer`, `zone` (empty when the node is in no zone) and `listener`, its
/// port.
#[derive(Debug)]
pub struct BlockedMetrics {
    counts: [[IntCounter; BY.len()]; TRANSPORTS.len()],
    _rows: Rows<Self>,
}

impl BlockedMetrics {
    pub(super) fn new(families: &Families, rows: Rows<Self>) -> Self {
        let row = |transport| BY.map(|by| rows.row(&families.blocked, &[transport, by]));
        Self {
            counts: TRANSPORTS.map(row),
            _rows: rows,
        }
    }

    /// Counts a connection, of `tcp` or `udp`, that was refused by a `security_group` or a `network_acl`.
    pub fn blocked(&self, transport: &str, by: &str) {
        self.counts[usize::from(transport == TRANSPORTS[1])][usize::from(by == BY[1])].inc();
    }
}

#[derive(Debug)]
pub(super) struct Families {
    blocked: IntCounterVec,
}

impl Families {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let r = Registrar {
            registry,
            labels: &["load_balancer", "zone", "listener"],
        };
        Ok(Self {
            blocked: r.counter(
                "elbow_blocked_connections_total",
                "Connections that security groups or network ACLs did not let in. \
                 NLB: SecurityGroupBlockedFlowCount_Inbound_TCP, SecurityGroupBlockedFlowCount_Inbound_UDP.",
                &["protocol", "by"],
            )?,
        })
    }
}
