//! Where targets come from besides the file: the engines that run containers, and DNS.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Span;
use crate::target;

/// A container engine whose containers become targets by their labels: `elbow.target_group`,
/// `.port`, `.id`, `.zone`, `.weight`, `.priority`, `.network`, `.deregister_on`, `.health`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Docker {
    /// What logs, metrics and the admin API call it. Unique.
    #[schemars(length(min = 1, max = 32))]
    #[serde(default = "default::docker")]
    pub name: String,
    /// Where it answers: `unix:///var/run/docker.sock`, or `http://10.0.0.5:2375` (a proxy of the
    /// socket that only lets reading through, say).
    #[serde(default = "default::host")]
    pub host: String,
    /// The target groups that labels may name: whoever may start a container may not choose others.
    pub target_groups: Vec<String>,
    /// What the names of the labels begin with.
    #[serde(default = "default::label_prefix")]
    pub label_prefix: String,
    /// By which address: "container" (its own, in one of its networks) or "published" (the port of
    /// the engine's host that leads to it).
    #[serde(default)]
    pub reach: Reach,
    /// The address of the engine's host, for published ports and for containers in its own network.
    #[serde(default = "default::loopback")]
    pub host_address: IpAddr,
    /// The network whose addresses are used where a container has several; with or without the
    /// name of its Compose project. Label: `network`.
    #[serde(default)]
    pub network: Option<String>,
    /// The zone of its containers. Default: none. Label: `zone`.
    #[serde(default)]
    pub zone: Option<String>,
    /// Their zones by address, as `{ "10.0.0.0/24" = "zone-a" }`; the narrowest network decides.
    #[serde(default)]
    pub zones: BTreeMap<String, String>,
    /// When a container is deregistered: "remove" (a stopped one is `unused` until it is started
    /// again) or "stop" (as soon as it is told to stop). Label: `deregister_on`.
    #[serde(default)]
    pub deregister_on: DeregisterOn,
    /// What the container's own health check (its image's HEALTHCHECK) means: "ignore", or "follow"
    /// (nothing is sent to it while the engine does not call it healthy). Label: `health`.
    #[serde(default)]
    pub container_health: ContainerHealth,
}

/// By which address a container is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Its own, in one of its networks.
    #[default]
    Container,
    /// The port of the engine's host that leads to it.
    Published,
}

/// When a container is deregistered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeregisterOn {
    /// When it is removed.
    #[default]
    Remove,
    /// As soon as it is told to stop.
    Stop,
}

/// What the container's own health check means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContainerHealth {
    /// Nothing: Elbow's own probes decide.
    #[default]
    Ignore,
    /// Nothing is sent to a container that the engine does not call healthy.
    Follow,
}

/// A name in DNS whose answers are targets.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The name: `web.internal`, or for SRV `_http._tcp.web.internal`.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// What is asked for: "address" (A and AAAA), "A", "AAAA" or "SRV".
    #[serde(default)]
    pub records: Records,
    /// The targets' port, 1-65535. SRV records bring their own.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default)]
    pub port: Option<u16>,
    /// Their share relative to the others, 0-999. SRV records bring their own.
    #[schemars(range(max = 999))]
    #[serde(default)]
    pub weight: Option<u32>,
    /// Their zone. Default: none.
    #[serde(default)]
    pub zone: Option<String>,
    /// Their zones by address, as `{ "10.0.0.0/24" = "zone-a" }`; the narrowest network decides.
    #[serde(default)]
    pub zones: BTreeMap<String, String>,
    /// The shortest time from one question to the next, whatever the answer's TTL, 1s-3600s.
    #[serde(default = "default::min_ttl")]
    pub min_ttl: Span,
    /// The longest, 1s-86400s.
    #[serde(default = "default::max_ttl")]
    pub max_ttl: Span,
    /// The servers to ask, such as "10.0.0.2:53". Default: the system's, from `/etc/resolv.conf`.
    #[schemars(with = "Vec<AddressAndPort>")]
    #[serde(default)]
    pub servers: Vec<SocketAddr>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Records {
    /// IPv4 and IPv6 addresses.
    #[default]
    #[serde(rename = "address")]
    Address,
    /// IPv4 addresses.
    #[serde(rename = "A")]
    A,
    /// IPv6 addresses.
    #[serde(rename = "AAAA")]
    Aaaa,
    /// Hosts with ports, priorities and weights (RFC 2782).
    #[serde(rename = "SRV")]
    Srv,
}

/// What a provider knows of a target that cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InvalidState {
    /// It was told to stop.
    Stopping,
    /// It is stopped.
    Stopped,
    /// It is gone.
    Terminated,
    /// It is paused, or in no network.
    Invalid,
}

impl From<InvalidState> for target::InvalidState {
    fn from(state: InvalidState) -> Self {
        match state {
            InvalidState::Stopping => Self::Stopping,
            InvalidState::Stopped => Self::Stopped,
            InvalidState::Terminated => Self::Terminated,
            InvalidState::Invalid => Self::Invalid,
        }
    }
}

/// How the schema describes an IP address with a port.
#[derive(JsonSchema)]
#[schemars(extend("x-form" = "address-and-port"))]
#[expect(dead_code, reason = "only its schema is used")]
struct AddressAndPort(String);

mod default {
    use super::{IpAddr, Ipv4Addr, Span};

    pub(super) fn docker() -> String {
        "docker".to_owned()
    }

    pub(super) fn host() -> String {
        "unix:///var/run/docker.sock".to_owned()
    }

    pub(super) fn label_prefix() -> String {
        "elbow".to_owned()
    }

    pub(super) fn loopback() -> IpAddr {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    }

    pub(super) fn min_ttl() -> Span {
        Span::from_secs(1)
    }

    pub(super) fn max_ttl() -> Span {
        Span::from_secs(60)
    }
}
