//! A target group: how its targets are chosen, reached and drained, and which they are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ActiveStandby, Dns, HealthCheck, InvalidState, ProxyProtocolVersion, ResponseTimeout,
    Stickiness, SurgeQueue, TargetGroupHealth, TargetTls,
};
use crate::config::value::Span;

/// A target group.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetGroup {
    /// Its name: at most 32 letters, digits and hyphens, no hyphen at either end.
    #[schemars(length(min = 1, max = 32))]
    pub name: String,
    /// What the settings below are that are not written here, for a well-known application:
    /// "wordpress". `elbow check --explain-presets` prints them, with reasons.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// The protocol to the targets: "HTTP", "HTTPS"; or, for TCP and TLS listeners, "TCP" or "TLS".
    #[serde(default)]
    pub protocol: TargetProtocol,
    /// HTTPS and TLS: whose certificates are believed. Default: those of known authorities.
    #[serde(default)]
    pub tls: Option<TargetTls>,
    /// ALB: ProtocolVersion. "HTTP1"; or "HTTP2" or "GRPC", for clients that speak HTTP/2 themselves:
    /// others are answered with 464.
    #[serde(default)]
    pub protocol_version: ProtocolVersion,
    /// ALB: load_balancing.algorithm.type. "round_robin", "least_outstanding_requests" or
    /// "weighted_random". Default: round_robin; for requests of a classic load balancer
    /// least_outstanding_requests.
    #[serde(default)]
    pub algorithm: Option<Algorithm>,
    /// ALB: load_balancing.algorithm.anomaly_mitigation. Gives targets that fail more often than the
    /// others less of the traffic. Only with weighted_random.
    #[serde(default)]
    pub anomaly_mitigation: bool,
    /// ALB: load_balancing.cross_zone.enabled. When false, a node sends only to its own zone.
    /// "load_balancer" (ALB: use_load_balancer_configuration) leaves it to the load balancer.
    #[serde(default)]
    pub cross_zone: CrossZone,
    /// How much of a node's traffic goes to which zone: `{ zone = weight }` for every node alike,
    /// or `{ entry_zone = { zone = weight } }`. Excludes `cross_zone = false` and `prefer_local`.
    #[serde(default)]
    pub zone_weights: BTreeMap<String, ZoneWeight>,
    /// Keeps traffic in the entry zone while it has the healthy capacity, and spills over in
    /// proportion as it loses it.
    #[serde(default)]
    pub prefer_local: bool,
    /// Send to all targets when too few are healthy (ALB); false answers 503 instead when none is
    /// (Classic). Default: true; false for a classic load balancer.
    #[serde(default)]
    pub fail_open: Option<bool>,
    /// What became of a stopped and started instance in 2014: a target known by its name keeps the
    /// address that it had when it was registered, whatever the name stands for later.
    #[serde(default)]
    pub stale_ip_after_stop: bool,
    /// How many healthy targets the group needs.
    #[serde(default)]
    pub target_group_health: TargetGroupHealth,
    /// ALB: deregistration_delay.timeout_seconds, 0s-3600s. How long a target that is taken out may
    /// go on with its requests in flight, or with its connections in a group of protocol TCP.
    #[serde(default = "default::deregistration_delay")]
    pub deregistration_delay: Span,
    /// ALB: slow_start.duration_seconds, 30s-900s, or 0s (off). How long the share of a target that
    /// has turned healthy takes to rise to its full weight. Only with round_robin.
    #[serde(default = "default::no_time")]
    pub slow_start: Span,
    /// Whether a client stays with its target.
    #[serde(default)]
    pub stickiness: Stickiness,
    /// How many requests, or connections in a group of protocol TCP, a target takes at a time, from 1
    /// on. While all targets are full, others wait in the surge queue. Default: any number.
    #[schemars(range(min = 1))]
    #[serde(default)]
    pub max_concurrency: Option<u32>,
    /// Who waits while all targets are full.
    #[serde(default)]
    pub surge_queue: SurgeQueue,
    /// How long connecting to a target may take, the TLS handshake included, 100ms-60s.
    #[serde(default = "default::connect_timeout")]
    pub connect_timeout: Span,
    /// How long a target may take to begin its response, and to go on with it, 1s-4000s. Default:
    /// the load balancer's idle timeout, as ALB has it.
    #[serde(default)]
    pub response_timeout: Option<Span>,
    /// The same for some paths; the first that fits goes before `response_timeout`.
    #[serde(default)]
    pub response_timeouts: Vec<ResponseTimeout>,
    /// Some targets take all traffic and the others stand by, by the targets' priorities. Default: all
    /// share it.
    #[serde(default)]
    pub active_standby: Option<ActiveStandby>,
    /// What becomes of the open connections of a target that turns unhealthy, in a group of protocol
    /// TCP: "cut" or "keep". NLB: target_health_state.unhealthy.connection_termination.enabled.
    /// Default: cut; keep for a classic load balancer that drains connections.
    #[serde(default)]
    pub on_unhealthy: Option<Connections>,
    /// How often a request that may safely be repeated is tried on another target, 0-10; a TCP
    /// connection is tried elsewhere while it cannot be made.
    #[schemars(range(max = 10))]
    #[serde(default = "default::retries")]
    pub retries: u32,
    /// NLB: proxy_protocol_v2.enabled, and Classic's ProxyProtocolPolicyType. Begins every
    /// connection to a target with a PROXY protocol header, "v1" or "v2", that names the client.
    /// Clients share no connection then. Probes of the traffic port send a header of their own
    /// (UNKNOWN, LOCAL). Default: none.
    #[serde(default)]
    pub proxy_protocol: Option<ProxyProtocolVersion>,
    /// The security groups of its targets, by name: who may connect to them. Elbow is in no position to keep others away
    /// from targets, but `elbow nft` prints rules for a firewall that is.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// How targets are probed.
    #[serde(default)]
    pub health_check: HealthCheck,
    /// The targets.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Names in DNS whose answers are targets, too.
    #[serde(default)]
    pub dns: Vec<Dns>,
}

/// A well-known application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// WordPress.
    Wordpress,
}

/// The protocol to the targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TargetProtocol {
    /// Plain HTTP/1.1.
    #[default]
    #[serde(rename = "HTTP")]
    Http,
    /// HTTP over TLS.
    #[serde(rename = "HTTPS")]
    Https,
    /// Whatever is spoken on TCP.
    #[serde(rename = "TCP")]
    Tcp,
    /// Whatever is spoken, over TLS that begins here.
    #[serde(rename = "TLS")]
    Tls,
}

/// What becomes of open connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Connections {
    /// They are reset.
    #[default]
    Cut,
    /// They go on.
    Keep,
}

/// The version of HTTP in which targets are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ProtocolVersion {
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "HTTP1")]
    Http1,
    /// HTTP/2.
    #[serde(rename = "HTTP2")]
    Http2,
    /// gRPC over HTTP/2.
    #[serde(rename = "GRPC")]
    Grpc,
}

/// How the next target is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight for its weight.
    LeastOutstandingRequests,
    /// By lot, by weight.
    WeightedRandom,
}

/// Whether a node sends to the targets of all zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum CrossZone {
    /// As it is said here.
    Enabled(bool),
    /// As the load balancer has it.
    Inherited(FromLoadBalancer),
}

impl Default for CrossZone {
    fn default() -> Self {
        Self::Inherited(FromLoadBalancer::LoadBalancer)
    }
}

/// The word for a setting that the load balancer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FromLoadBalancer {
    /// "load_balancer".
    LoadBalancer,
}

/// A zone's weight, or an entry zone's own table of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ZoneWeight {
    /// The same for every node, 0-999.
    Weight(#[schemars(range(max = 999))] u32),
    /// For the node in this entry zone: zone to weight, 0-999.
    ByZone(BTreeMap<String, u32>),
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its id. Default: the host of its address. Together with the port it identifies the target:
    /// its health outlives every change of its other settings.
    #[serde(default)]
    pub id: Option<String>,
    /// `10.0.0.6:80`, `[fd00::6]:80`, or `name:80`.
    pub address: String,
    /// Its availability zone. Default: none, it serves all zones alike. "all" means the same, and
    /// that cross-zone load balancing stays on.
    #[serde(default)]
    pub zone: Option<String>,
    /// Its share relative to the others, 0-999; 0 takes no new requests.
    #[schemars(range(max = 999))]
    #[serde(default = "default::weight")]
    pub weight: u32,
    /// Why it cannot serve. Only a provider knows: a file cannot say so.
    #[schemars(skip)]
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub invalid_state: Option<InvalidState>,
    /// Its place in an active/standby group, 1-999; the lowest number takes all traffic. Default: 1.
    #[schemars(range(min = 1, max = 999))]
    #[serde(default)]
    pub priority: Option<u32>,
}

mod default {
    use super::Span;

    pub(super) fn deregistration_delay() -> Span {
        Span::from_secs(300)
    }

    pub(super) fn no_time() -> Span {
        Span::from_secs(0)
    }

    pub(super) fn connect_timeout() -> Span {
        Span::from_secs(10)
    }

    pub(super) fn retries() -> u32 {
        1
    }

    pub(super) fn weight() -> u32 {
        1
    }
}
