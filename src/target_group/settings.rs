//! What the operator sets for a target group.

use std::sync::Arc;
use std::time::Duration;

use super::ZoneWeights;
use crate::balance::Algorithm;
use crate::proxy_protocol::Version;

/// The settings of a target group, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The group's name.
    pub name: Arc<str>,
    /// How the next target is chosen.
    pub algorithm: Algorithm,
    /// How the traffic of a node is spread over the zones.
    pub zones: ZonePolicy,
    /// Whether unhealthy targets take requests while none is healthy (ALB does so).
    pub fail_open: bool,
    /// Whether targets are probed: [`HealthCheck::enabled`](super::HealthCheck::enabled). Targets
    /// that are not are `unavailable` and take requests.
    pub health_checked: bool,
    /// How long requests in flight at a deregistered target may go on.
    pub deregistration_delay: Duration,
    /// How long the share of a target that has turned healthy takes to rise to its full weight;
    /// none means that it takes all at once. Not with algorithms other than round robin.
    pub slow_start: Option<Duration>,
    /// How long connecting to a target may take.
    pub connect_timeout: Duration,
    /// How long a target may take to begin its response, and to go on with it; none means as long
    /// as the load balancer's idle timeout.
    pub response_timeout: Option<Duration>,
    /// How often a request that may safely be repeated is tried on another target.
    pub retries: u32,
    /// The PROXY protocol header that every connection to a target begins with, if any.
    pub proxy_protocol: Option<Version>,
}

impl Settings {
    /// ALB's defaults for a group of this name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            algorithm: Algorithm::default(),
            zones: ZonePolicy::default(),
            fail_open: true,
            health_checked: true,
            deregistration_delay: Duration::from_secs(300),
            slow_start: None,
            connect_timeout: Duration::from_secs(10),
            response_timeout: None,
            retries: 1,
            proxy_protocol: None,
        }
    }
}

/// How the traffic that enters through a node is spread over the zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ZonePolicy {
    /// All targets of all zones share alike (ALB: cross-zone load balancing on).
    #[default]
    CrossZone,
    /// Only the node's own zone, and targets without a zone (ALB: cross-zone load balancing off).
    OwnZone,
    /// By a table of zone weights.
    Weighted(ZoneWeights),
    /// The node's own zone while it has the healthy capacity; what it has lost spills over.
    PreferLocal,
}
