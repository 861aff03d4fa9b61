//! What the operator sets for a target group.

use std::sync::Arc;
use std::time::Duration;

use super::{ActiveStandby, Failover, ResponseTimeout, SurgeQueueLimits, ZoneWeights};
use crate::balance::Algorithm;
use crate::proxy_protocol::Version;
use crate::stickiness;

/// The settings of a target group, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The group's name.
    pub name: Arc<str>,
    /// What its targets are spoken to in.
    pub protocol: TargetProtocol,
    /// The version of HTTP in which targets are asked.
    pub version: ProtocolVersion,
    /// How the next target is chosen.
    pub algorithm: Algorithm,
    /// Whether targets that fail more often than the others get less; only with weighted random.
    pub anomaly_mitigation: bool,
    /// How the traffic of a node is spread over the zones.
    pub zones: ZonePolicy,
    /// Whether unhealthy targets take requests while too few are healthy (ALB does so).
    pub fail_open: bool,
    /// How many healthy targets are too few.
    pub failover: Failover,
    /// Whether targets are probed: [`HealthCheck::enabled`](super::HealthCheck::enabled). Targets
    /// that are not are `unavailable` and take requests.
    pub health_checked: bool,
    /// How long requests in flight at a deregistered target may go on.
    pub deregistration_delay: Duration,
    /// How long the share of a target that has turned healthy takes to rise to its full weight;
    /// none means that it takes all at once. Not with algorithms other than round robin.
    pub slow_start: Option<Duration>,
    /// How a client stays with its target; none is not at all.
    pub stickiness: Option<stickiness::Policy>,
    /// How many requests, or connections, a target takes at a time; none is any number.
    pub max_concurrency: Option<u32>,
    /// Who waits while all targets are full.
    pub surge_queue: SurgeQueueLimits,
    /// How long connecting to a target may take.
    pub connect_timeout: Duration,
    /// How long a target may take to begin its response, and to go on with it; none means as long
    /// as the load balancer's idle timeout.
    pub response_timeout: Option<Duration>,
    /// The same for some paths; the first that fits.
    pub response_timeouts: Arc<[ResponseTimeout]>,
    /// How often a request that may safely be repeated is tried on another target.
    pub retries: u32,
    /// The PROXY protocol header that every connection to a target begins with, if any.
    pub proxy_protocol: Option<Version>,
    /// Whether one tier of targets takes all traffic while the others stand by.
    pub active_standby: Option<ActiveStandby>,
    /// Whether the group belongs to a Classic load balancer.
    pub classic: bool,
    /// Whether a registered target keeps the address that it had when it was registered.
    pub keeps_address: bool,
    /// Whether open connections of a target that turns unhealthy are cut; for relayed ones alone.
    pub cut_unhealthy: bool,
}

impl Settings {
    /// ALB's defaults for a group of this name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            protocol: TargetProtocol::default(),
            version: ProtocolVersion::default(),
            algorithm: Algorithm::default(),
            anomaly_mitigation: false,
            zones: ZonePolicy::default(),
            fail_open: true,
            failover: Failover::default(),
            health_checked: true,
            deregistration_delay: Duration::from_secs(300),
            slow_start: None,
            stickiness: None,
            max_concurrency: None,
            surge_queue: SurgeQueueLimits::NONE,
            connect_timeout: Duration::from_secs(10),
            response_timeout: None,
            response_timeouts: Arc::default(),
            retries: 1,
            proxy_protocol: None,
            active_standby: None,
            classic: false,
            keeps_address: false,
            cut_unhealthy: true,
        }
    }
}

/// What the targets of a group are spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TargetProtocol {
    /// Plain HTTP/1.1: it takes requests.
    #[default]
    Http,
    /// HTTP over TLS: it takes requests.
    Https,
    /// Whatever the client speaks: it takes connections.
    Tcp,
    /// The same, over TLS: it takes connections.
    Tls,
}

impl TargetProtocol {
    /// The word that the configuration and ALB's API use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Whether connections are forwarded to it whole, instead of requests.
    pub const fn is_relayed(self) -> bool {
        match self {
            Self::Http | Self::Https => false,
            Self::Tcp | Self::Tls => true,
        }
    }
}

/// The version of HTTP in which targets are asked (ALB: `ProtocolVersion`). It also says which
/// clients a group takes (AWS: "Target groups for your Application Load Balancers", protocol version).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtocolVersion {
    /// HTTP/1.1, for all clients but those of gRPC.
    #[default]
    Http1,
    /// HTTP/2, for clients that speak HTTP/2 themselves, gRPC among them.
    Http2,
    /// gRPC: HTTP/2, and POST only.
    Grpc,
}

impl ProtocolVersion {
    /// The word that the configuration and ALB's API use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP1",
            Self::Http2 => "HTTP2",
            Self::Grpc => "GRPC",
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
