//! A load balancer: its nodes and what ALB calls its attributes.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Forwarded, Listener, Scheme, TrustedProxies};
use crate::config::value::{Size, Span};

/// A load balancer: nodes, listeners, and what ALB calls its attributes.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// Its name: at most 32 letters, digits and hyphens, no hyphen at either end, and not starting
    /// with "internal-".
    #[schemars(length(min = 1, max = 32))]
    pub name: String,
    /// "application", or "classic": AWS's load balancer of 2009, with its defaults, states and limits.
    #[serde(rename = "type", default)]
    pub kind: LoadBalancerType,
    /// ALB: Scheme. "internet-facing", or "internal", whose nodes have private addresses only.
    #[serde(default)]
    pub scheme: Scheme,
    /// ALB: SecurityGroups, at most 5 names. They say who may connect: others are refused before a byte is read. Default:
    /// none, everybody may.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// One node for each enabled zone. Default: one node on all IPv4 addresses, in no zone.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// What it listens on.
    #[serde(default)]
    pub listener: Vec<Listener>,
    /// ALB: idle_timeout.timeout_seconds, 1s-4000s. A connection on which nothing moves is closed, and a
    /// response of which the client takes less than 1KiB in that time is given up.
    #[serde(default = "default::idle_timeout")]
    pub idle_timeout: Span,
    /// ALB: client_keep_alive.seconds, 60s-604800s. The longest life of a client connection.
    #[serde(default = "default::client_keep_alive")]
    pub client_keep_alive: Span,
    /// How long a client may take to send the head of a request, from its first byte, 1s-4000s.
    #[serde(default = "default::header_timeout")]
    pub header_timeout: Span,
    /// HTTPS: how long a TLS handshake may take, 1s-60s.
    #[serde(default = "default::tls_handshake_timeout")]
    pub tls_handshake_timeout: Span,
    /// ALB: routing.http.xff_header_processing.mode. What happens to X-Forwarded-For: "append",
    /// "preserve" or "remove".
    #[serde(default)]
    pub x_forwarded_for: ForwardedFor,
    /// ALB: routing.http.xff_client_port.enabled. Appends the client's port to its address in
    /// X-Forwarded-For.
    #[serde(default)]
    pub x_forwarded_for_client_port: bool,
    /// Proxies in front of this load balancer that say whom a request comes from. Default: none, the
    /// client is who opened the connection.
    #[serde(default)]
    pub trusted_proxies: Option<TrustedProxies>,
    /// What happens to Forwarded (RFC 7239).
    #[serde(default)]
    pub forwarded: Forwarded,
    /// ALB: routing.http.preserve_host_header.enabled. Passes Host on untouched, also where the request
    /// has an absolute target, and rules look at it; otherwise the listener's port is appended, or on
    /// port 80 and 443 taken away.
    #[serde(default)]
    pub preserve_host: bool,
    /// ALB: routing.http.drop_invalid_header_fields.enabled. Removes header fields whose names hold
    /// anything but letters, digits and hyphens; otherwise they are passed on and counted.
    #[serde(default)]
    pub drop_invalid_header_fields: bool,
    /// Which path rules look at and targets get when a client writes one in an odd way ("//a",
    /// "/./a", "/x/../a", "/%61"): "for_rules", "for_rules_and_targets" or "never".
    #[serde(default)]
    pub normalize_path: NormalizePath,
    /// ALB: routing.http2.enabled. HTTP/2 for clients that ask for it in the TLS handshake; and on
    /// HTTP listeners, where ALB has none, for those that begin with it (prior knowledge).
    #[serde(default = "default::yes")]
    pub http2: bool,
    /// ALB: load_balancing.cross_zone.enabled, which AWS keeps on. What the target groups have that
    /// do not say it themselves. Default: true; false for a classic load balancer, as its API has it.
    #[serde(default)]
    pub cross_zone: Option<bool>,
    /// ALB: routing.http.x_amzn_tls_version_and_cipher_suite.enabled. Tells targets with which version
    /// of TLS and which cipher suite a client came, in X-Amzn-Tls-Version and
    /// X-Amzn-Tls-Cipher-Suite; what a client writes there is removed.
    #[serde(default)]
    pub x_amzn_tls_version_and_cipher_suite: bool,
    /// ALB: routing.http.desync_mitigation_mode. What happens to requests that depart from the
    /// grammar of HTTP: "monitor", "defensive" or "strictest".
    #[serde(default)]
    pub desync_mitigation: DesyncMitigation,
    /// ALB: zonal_shift.config.enabled. Lets an operator keep traffic away from a zone for a while.
    #[serde(default)]
    pub zonal_shift: bool,
    /// The most client connections at a time. Default: no limit of its own.
    #[schemars(range(min = 1))]
    #[serde(default)]
    pub max_connections: Option<usize>,
    /// How large the parts of a message may be.
    #[serde(default)]
    pub limits: Limits,
}

impl LoadBalancer {
    /// One of that name with all defaults, without listeners.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: LoadBalancerType::default(),
            scheme: Scheme::default(),
            security_groups: Vec::new(),
            nodes: Vec::new(),
            listener: Vec::new(),
            idle_timeout: default::idle_timeout(),
            client_keep_alive: default::client_keep_alive(),
            header_timeout: default::header_timeout(),
            tls_handshake_timeout: default::tls_handshake_timeout(),
            x_forwarded_for: ForwardedFor::default(),
            x_forwarded_for_client_port: false,
            trusted_proxies: None,
            forwarded: Forwarded::default(),
            preserve_host: false,
            drop_invalid_header_fields: false,
            normalize_path: NormalizePath::default(),
            http2: default::yes(),
            cross_zone: None,
            x_amzn_tls_version_and_cipher_suite: false,
            desync_mitigation: DesyncMitigation::default(),
            zonal_shift: false,
            max_connections: None,
            limits: Limits::default(),
        }
    }
}

/// What a path in an odd spelling becomes before it is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormalizePath {
    /// Rules look at the normal form, targets get what the client sent: ALB's way.
    #[default]
    ForRules,
    /// Rules and targets see the normal form: for targets that do not normalise paths themselves.
    ForRulesAndTargets,
    /// Rules and targets see what the client sent.
    Never,
}

/// What a load balancer does as AWS's of that type does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadBalancerType {
    /// ALB.
    #[default]
    Application,
    /// Classic: one group behind each listener, no rules, no HTTP/2; 503 when no target is healthy;
    /// least outstanding requests; 10 passes to come back.
    Classic,
}

/// What happens to X-Forwarded-For.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardedFor {
    /// The client's address is appended.
    #[default]
    Append,
    /// The field is passed on as it came.
    Preserve,
    /// The field is removed.
    Remove,
}

/// What happens to requests that depart from the grammar of HTTP. Each is counted and logged with
/// AWS's class and reason. Whatever the mode, what goes to a target has one reading only, and what
/// has none is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DesyncMitigation {
    /// All are served that can be.
    Monitor,
    /// Ambiguous ones are served, and the connections of client and target closed afterwards;
    /// severe ones are refused.
    #[default]
    Defensive,
    /// Only compliant ones are served.
    Strictest,
}

/// How large the parts of a message may be, 1KiB-1MiB. The defaults are ALB's fixed quotas.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The request line; a longer one is answered with 414.
    pub request_line: Size,
    /// One header field of a request.
    pub header: Size,
    /// All header fields of a request.
    pub headers: Size,
    /// All header fields of a response; a larger head is answered with 502.
    pub response_headers: Size,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line: Size::from_kib(16),
            header: Size::from_kib(16),
            headers: Size::from_kib(64),
            response_headers: Size::from_kib(32),
        }
    }
}

/// The address in one zone on which a load balancer answers.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// ALB: SubnetId. The subnet that it stands in. Default: the one that its address lies in, if one is.
    #[serde(default)]
    pub subnet: Option<String>,
    /// Its availability zone. Default: its subnet's; without a subnet none, it serves all zones alike.
    #[serde(default)]
    pub zone: Option<String>,
    /// ALB: PrivateIPv4Address. The address to listen on. Default: the next one of its subnet that no node has.
    #[serde(default)]
    pub address: Option<IpAddr>,
}

mod default {
    use super::Span;

    pub(super) fn yes() -> bool {
        true
    }

    pub(super) fn idle_timeout() -> Span {
        Span::from_secs(60)
    }

    pub(super) fn client_keep_alive() -> Span {
        Span::from_secs(3600)
    }

    pub(super) fn tls_handshake_timeout() -> Span {
        Span::from_secs(10)
    }

    pub(super) fn header_timeout() -> Span {
        Span::from_secs(60)
    }
}
