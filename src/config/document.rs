//! The document that the operator writes, in ALB's words, with ALB's defaults.
//!
//! Plain data: every provider (the file, later an API or a container engine) contributes one of
//! these. Whether it makes sense is [`super::validate`]'s question.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::value::{Size, Span};

/// The whole configuration.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which numeric ranges are enforced: "alb" (AWS's own) or "relaxed" (for labs and tests).
    pub ranges: Ranges,
    /// Worker threads on the data path. Default: one for each processor.
    pub workers: Option<usize>,
    /// How long requests in flight may take to finish after SIGTERM.
    pub shutdown_deadline: Span,
    /// The admin address: metrics, health, API.
    pub admin: Admin,
    /// The access log.
    pub access_log: AccessLog,
    /// The load balancers.
    pub load_balancer: Vec<LoadBalancer>,
    /// The target groups.
    pub target_group: Vec<TargetGroup>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ranges: Ranges::default(),
            workers: None,
            shutdown_deadline: Span::from_secs(30),
            admin: Admin::default(),
            access_log: AccessLog::default(),
            load_balancer: Vec::new(),
            target_group: Vec::new(),
        }
    }
}

/// Which numeric ranges are enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ranges {
    /// AWS's own.
    #[default]
    Alb,
    /// Wide ones, so that a lab or a test need not wait for AWS's shortest interval.
    Relaxed,
}

/// The admin address.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where it listens. Keep it on loopback or behind a firewall: it has no authentication.
    pub address: SocketAddr,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9900),
        }
    }
}

/// The access log.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLog {
    /// The file, or "-" for standard output; none writes no access log. Reopened on SIGUSR1.
    pub path: Option<PathBuf>,
    /// The form of a line: "alb" or "json".
    pub format: LogFormat,
}

/// The form of an access log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// ALB's space-delimited fields.
    #[default]
    Alb,
    /// One JSON object a line, the same fields by name.
    Json,
}

/// A load balancer: nodes, listeners, and what ALB calls its attributes.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// Its name: at most 32 letters, digits and hyphens.
    pub name: String,
    /// One node for each enabled zone. Default: one node on all addresses, in no zone.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// What it listens on.
    #[serde(default)]
    pub listener: Vec<Listener>,
    /// ALB: idle_timeout.timeout_seconds, 1s-4000s. A connection on which nothing moves is closed.
    #[serde(default = "default::idle_timeout")]
    pub idle_timeout: Span,
    /// ALB: client_keep_alive.seconds, 60s-604800s. The longest life of a client connection.
    #[serde(default = "default::client_keep_alive")]
    pub client_keep_alive: Span,
    /// How long a client may take to send the head of a request, from its first byte.
    #[serde(default = "default::header_timeout")]
    pub header_timeout: Span,
    /// ALB: routing.http.xff_header_processing.mode.
    #[serde(default)]
    pub x_forwarded_for: ForwardedFor,
    /// ALB: routing.http.xff_client_port.enabled. Appends the client's port to its address.
    #[serde(default)]
    pub x_forwarded_for_client_port: bool,
    /// ALB: routing.http.preserve_host_header.enabled. Passes Host on untouched.
    #[serde(default)]
    pub preserve_host: bool,
    /// ALB: routing.http.drop_invalid_header_fields.enabled.
    #[serde(default)]
    pub drop_invalid_header_fields: bool,
    /// The most client connections at a time; none is no limit of its own.
    #[serde(default)]
    pub max_connections: Option<usize>,
    /// How large the parts of a message may be.
    #[serde(default)]
    pub limits: Limits,
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

/// How large the parts of a message may be. The defaults are ALB's fixed quotas.
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
    /// Its zone; none serves all zones alike.
    #[serde(default)]
    pub zone: Option<String>,
    /// The address to listen on.
    pub address: IpAddr,
}

/// A listener: protocol, port, rules.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The port, on every node of the load balancer. 0 lets the system choose (tests).
    pub port: u16,
    /// The protocol: "HTTP".
    #[serde(default)]
    pub protocol: ListenerProtocol,
    /// What happens to a request that no rule matches.
    pub default: Action,
    /// The rules.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

/// A listener's protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ListenerProtocol {
    /// Plain HTTP/1.1.
    #[default]
    #[serde(rename = "HTTP")]
    Http,
}

/// A rule: priority, conditions (all must match; of a condition's values one), one action.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// 1-50000, unique in its listener; the lowest is tried first.
    pub priority: u32,
    /// host-header: names, with wildcards.
    #[serde(default)]
    pub host: Vec<String>,
    /// path-pattern: paths, with wildcards, case-sensitive.
    #[serde(default)]
    pub path: Vec<String>,
    /// http-request-method: exact, case-sensitive.
    #[serde(default)]
    pub method: Vec<String>,
    /// source-ip: CIDR blocks; the peer of the TCP connection, never X-Forwarded-For.
    #[serde(default)]
    pub source_ip: Vec<String>,
    /// http-header.
    #[serde(default)]
    pub header: Vec<HeaderCondition>,
    /// query-string.
    #[serde(default)]
    pub query: Vec<QueryCondition>,
    /// Action: forward.
    #[serde(default)]
    pub forward: Option<Forward>,
    /// Action: redirect.
    #[serde(default)]
    pub redirect: Option<Redirect>,
    /// Action: fixed-response.
    #[serde(default)]
    pub fixed_response: Option<FixedResponse>,
}

/// An http-header condition.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderCondition {
    /// The field's name; not Host.
    pub name: String,
    /// Values, with wildcards.
    pub values: Vec<String>,
}

/// A query-string condition: one of the pairs must be in the query.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryCondition {
    /// The key, with wildcards; none matches any key.
    #[serde(default)]
    pub key: Option<String>,
    /// Values, with wildcards.
    pub values: Vec<String>,
}

/// Exactly one of the actions.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Action {
    /// Forward to one target group, or to several by weight.
    pub forward: Option<Forward>,
    /// Redirect the client.
    pub redirect: Option<Redirect>,
    /// Answer without a target.
    pub fixed_response: Option<FixedResponse>,
}

/// Where to forward: `"group"`, or up to five `{ group, weight }`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Forward {
    /// All to one group.
    Group(String),
    /// A share to each.
    Weighted(Vec<WeightedGroup>),
}

/// One of several groups to forward to.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedGroup {
    /// The group's name.
    pub group: String,
    /// Its share, 0-999.
    #[serde(default = "default::weight")]
    pub weight: u32,
}

/// A redirect. What is not given stays as the request has it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// "HTTP", "HTTPS" or "#{protocol}".
    #[serde(default)]
    pub protocol: Option<String>,
    /// The host, with placeholders.
    #[serde(default)]
    pub host: Option<String>,
    /// The port, or "#{port}".
    #[serde(default)]
    pub port: Option<String>,
    /// The path, with placeholders, starting with "/".
    #[serde(default)]
    pub path: Option<String>,
    /// The query, with placeholders, without "?".
    #[serde(default)]
    pub query: Option<String>,
    /// 301 or 302.
    pub status: u16,
}

/// An answer without a target.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedResponse {
    /// 2xx, 4xx or 5xx.
    pub status: u16,
    /// One of ALB's five.
    #[serde(default = "default::content_type")]
    pub content_type: String,
    /// At most 1024 bytes.
    #[serde(default)]
    pub body: String,
}

/// A target group.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetGroup {
    /// Its name: at most 32 letters, digits and hyphens.
    pub name: String,
    /// The protocol to the targets: "HTTP".
    #[serde(default)]
    pub protocol: TargetProtocol,
    /// ALB: load_balancing.algorithm.type.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// ALB: load_balancing.cross_zone.enabled. When false, a node sends only to its own zone.
    #[serde(default = "default::yes")]
    pub cross_zone: bool,
    /// How much of a node's traffic goes to which zone: `{ zone = weight }` for every node alike,
    /// or `{ entry_zone = { zone = weight } }`. Excludes `cross_zone = false` and `prefer_local`.
    #[serde(default)]
    pub zone_weights: BTreeMap<String, ZoneWeight>,
    /// Keeps traffic in the entry zone while it has the healthy capacity, and spills over in
    /// proportion as it loses it.
    #[serde(default)]
    pub prefer_local: bool,
    /// Send to all targets when none is healthy (ALB); false answers 503 instead (Classic).
    #[serde(default = "default::yes")]
    pub fail_open: bool,
    /// ALB: deregistration_delay.timeout_seconds, 0s-3600s.
    #[serde(default = "default::deregistration_delay")]
    pub deregistration_delay: Span,
    /// How long connecting to a target may take.
    #[serde(default = "default::connect_timeout")]
    pub connect_timeout: Span,
    /// How long a target may take to begin its response, and to go on with it. Default: the load
    /// balancer's idle timeout, as ALB has it.
    #[serde(default)]
    pub response_timeout: Option<Span>,
    /// How often a request that may safely be repeated is tried on another target, 0-10.
    #[serde(default = "default::retries")]
    pub retries: u32,
    /// How targets are probed.
    #[serde(default)]
    pub health_check: HealthCheck,
    /// The targets.
    #[serde(default)]
    pub targets: Vec<Target>,
}

/// The protocol to the targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TargetProtocol {
    /// Plain HTTP/1.1.
    #[default]
    #[serde(rename = "HTTP")]
    Http,
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
}

/// A zone's weight, or an entry zone's own table of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ZoneWeight {
    /// The same for every node, 0-999.
    Weight(u32),
    /// For the node in this entry zone: zone to weight, 0-999.
    ByZone(BTreeMap<String, u32>),
}

/// How targets are probed. The defaults are ALB's.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    /// Whether targets are probed at all; without probes they are `unavailable` and take requests.
    pub enabled: bool,
    /// "HTTP", "HTTPS" (the target's certificate is not verified) or "TCP".
    pub protocol: ProbeProtocol,
    /// A fixed port, or the target's own.
    pub port: Option<u16>,
    /// Path and query, at most 1024 characters.
    pub path: String,
    /// From one probe to the next, 5s-300s.
    pub interval: Span,
    /// How long an answer may take, 2s-120s.
    pub timeout: Span,
    /// Passes in a row that readmit an unhealthy target, 2-10.
    pub healthy_threshold: u32,
    /// Failures in a row that take a target out, 2-10.
    pub unhealthy_threshold: u32,
    /// The statuses that pass, 200-499: "200", "200,302", "200-299".
    pub matcher: String,
    /// The Host that a probe sends. Default: the target's address and port, as ALB does.
    pub host: Option<String>,
    /// More header fields of a probe.
    pub headers: BTreeMap<String, String>,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            enabled: true,
            protocol: ProbeProtocol::Http,
            port: None,
            path: "/".to_owned(),
            interval: Span::from_secs(30),
            timeout: Span::from_secs(5),
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            matcher: "200".to_owned(),
            host: None,
            headers: BTreeMap::new(),
        }
    }
}

/// What a probe speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ProbeProtocol {
    /// GET over plain HTTP/1.1.
    #[default]
    #[serde(rename = "HTTP")]
    Http,
    /// GET over TLS; the certificate is not verified.
    #[serde(rename = "HTTPS")]
    Https,
    /// A connection that is accepted passes.
    #[serde(rename = "TCP")]
    Tcp,
}

/// One target.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its id. Default: its address. Together with its port it identifies the target.
    #[serde(default)]
    pub id: Option<String>,
    /// "10.0.0.6:80", "[fd00::6]:80", or "name:80".
    pub address: String,
    /// Its availability zone; none serves all zones alike.
    #[serde(default)]
    pub zone: Option<String>,
    /// Its share relative to the others, 0-999; 0 takes no new requests.
    #[serde(default = "default::weight")]
    pub weight: u32,
}

/// Defaults of single fields, where `Default` of the type is not it.
mod default {
    use super::Span;

    pub(super) fn idle_timeout() -> Span {
        Span::from_secs(60)
    }
    pub(super) fn client_keep_alive() -> Span {
        Span::from_secs(3600)
    }
    pub(super) fn header_timeout() -> Span {
        Span::from_secs(60)
    }
    pub(super) fn deregistration_delay() -> Span {
        Span::from_secs(300)
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
    pub(super) fn yes() -> bool {
        true
    }
    pub(super) fn content_type() -> String {
        "text/plain".to_owned()
    }
}
