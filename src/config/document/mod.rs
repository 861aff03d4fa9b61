//! The document that the operator writes, in ALB's words, with ALB's defaults.
//!
//! Plain data: every provider (the file, later an API or a container engine) contributes one of
//! these. The doc comments are the manual: `elbow schema` prints them, and the shape of a file is
//! checked against that schema. Whether the document makes sense is [`super::validate`]'s question.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod acme;
mod action;
mod active_standby;
mod authenticate;
mod certificate;
mod cookie_keys;
mod discovery;
mod health_check;
mod listener;
mod listener_headers;
mod load_balancer;
mod proxy_protocol;
mod response_timeout;
mod security;
mod stickiness;
mod surge_queue;
mod target_group;
mod target_group_health;
mod transform;
mod trust_store;
mod trusted_proxies;
mod upgrade;

pub use acme::{Acme, AcmeChallenge, AcmeKey, ExternalAccount};
pub use action::{Action, FixedResponse, Forward, ForwardConfig, Redirect, WeightedGroup};
pub use active_standby::{ActiveStandby, FailBack};
pub use authenticate::{
    AdditionalClaim, AdditionalClaimFormat, AuthenticateOidc, JwtValidation,
    OnUnauthenticatedRequest,
};
pub use certificate::{ListenerCertificate, TargetTls, Tls};
pub use cookie_keys::CookieKeys;
pub use discovery::{ContainerHealth, DeregisterOn, Dns, Docker, InvalidState, Reach, Records};
pub use health_check::{HealthCheck, ProbeProtocol};
pub use listener::{
    HeaderCondition, Listener, ListenerProtocol, QueryCondition, QueryPair, Rule, TlsMode,
};
pub use listener_headers::{RequestHeaderNames, ResponseHeaders};
pub use load_balancer::{
    DesyncMitigation, ForwardedFor, Limits, LoadBalancer, LoadBalancerType, Node, NormalizePath,
};
pub use proxy_protocol::{Others, ProxyProtocol, ProxyProtocolVersion};
pub use response_timeout::ResponseTimeout;
pub use security::{
    AclAction, AclRule, InboundRule, NetworkAcl, RuleProtocol, Scheme, SecurityGroup, Sources,
    Subnet,
};
pub use stickiness::{GroupStickiness, Stickiness, StickinessType};
pub use surge_queue::SurgeQueue;
pub use target_group::{
    Algorithm, Connections, CrossZone, FromLoadBalancer, Preset, ProtocolVersion, Target,
    TargetGroup, TargetProtocol, ZoneWeight,
};
pub use target_group_health::{
    DnsFailover, MinimumHealthyTargets, Off, TargetGroupHealth, Threshold, UnhealthyStateRouting,
};
pub use transform::Rewrite;
pub use trust_store::{MutualAuthentication, MutualAuthenticationMode, TrustStore};
pub use trusted_proxies::{Forwarded, OriginField, TrustedProxies};
pub use upgrade::Upgrade;

use super::value::Span;

/// The configuration of Elbow.
///
/// Durations are written "30s", "500ms" or "5m", sizes "64KiB". Unknown keys are errors.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which numeric ranges are enforced: "alb" (AWS's own) or "relaxed" (for labs and tests).
    pub ranges: Ranges,
    /// Worker threads on the data path, 1-1024. Default: one for each processor.
    #[schemars(range(min = 1, max = 1024))]
    pub workers: Option<usize>,
    /// How long requests in flight may take to finish after SIGTERM, 0s-1h.
    pub shutdown_deadline: Span,
    /// How a new process takes over from the one that runs.
    pub upgrade: Upgrade,
    /// Where what must survive a restart is kept: the keys of cookies, certificates that were ordered, what
    /// was made through the AWS API. Made if it is not there; nodes may share it. Default: nowhere, and
    /// nothing can be made through the AWS API.
    pub state_directory: Option<PathBuf>,
    /// The keys of the cookies for stickiness and sessions.
    pub cookie_keys: CookieKeys,
    /// The admin address: metrics, health, API.
    pub admin: Admin,
    /// The access log.
    pub access_log: AccessLog,
    /// The connection log.
    pub connection_log: ConnectionLog,
    /// What holds for all TLS.
    pub tls: Tls,
    /// Accounts with authorities that make certificates by ACME.
    pub acme: Vec<Acme>,
    /// Certificates for listeners that are made through the AWS API, where they are called
    /// `arn:aws:acm:REGION:ACCOUNT:certificate/NAME`. Each must have a `name`.
    pub certificate: Vec<ListenerCertificate>,
    /// Certificate authorities that vouch for clients.
    pub trust_store: Vec<TrustStore>,
    /// Who may connect.
    pub security_group: Vec<SecurityGroup>,
    /// Where nodes stand.
    pub subnet: Vec<Subnet>,
    /// What may come into subnets.
    pub network_acl: Vec<NetworkAcl>,
    /// The load balancers.
    pub load_balancer: Vec<LoadBalancer>,
    /// The target groups.
    pub target_group: Vec<TargetGroup>,
    /// Container engines whose containers are targets.
    pub docker: Vec<Docker>,
}

impl Config {
    /// Whether providers besides the file contribute targets.
    pub fn uses_discovery(&self) -> bool {
        let asks_dns = |group: &TargetGroup| !group.dns.is_empty();
        !self.docker.is_empty() || self.target_group.iter().any(asks_dns)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ranges: Ranges::default(),
            workers: None,
            shutdown_deadline: Span::from_secs(30),
            upgrade: Upgrade::default(),
            state_directory: None,
            cookie_keys: CookieKeys::default(),
            admin: Admin::default(),
            access_log: AccessLog::default(),
            connection_log: ConnectionLog::default(),
            tls: Tls::default(),
            acme: Vec::new(),
            certificate: Vec::new(),
            trust_store: Vec::new(),
            security_group: Vec::new(),
            subnet: Vec::new(),
            network_acl: Vec::new(),
            load_balancer: Vec::new(),
            target_group: Vec::new(),
            docker: Vec::new(),
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
    #[schemars(extend("x-form" = "address-and-port"))]
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
    /// The file, or "-" for standard output. Default: no access log. Reopened on SIGUSR1.
    pub path: Option<PathBuf>,
    /// The form of a line: "alb" or "json".
    pub format: LogFormat,
}

/// The connection log: one line for each connection of a client's, when it is established or fails to
/// be; with what became of the TLS handshake, and of the client's certificate.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionLog {
    /// The file, or "-" for standard output. Default: no connection log. Reopened on SIGUSR1.
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
