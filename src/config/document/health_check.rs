//! How targets are probed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Span;

/// How targets are probed. The defaults are ALB's.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    /// Whether targets are probed at all; without probes they are `unavailable` and take requests.
    pub enabled: bool,
    /// Classic: HealthCheck.Target. Protocol, port and path in one: "HTTP:80/index.html",
    /// "HTTPS:443/", "TCP:80" or "SSL:443". Instead of `protocol`, `port` and `path`.
    pub target: Option<String>,
    /// "HTTP", "HTTPS", "TCP" or "SSL". Over TLS a probe believes whom the group's requests believe; in
    /// groups that speak no TLS it believes any certificate, as ALB does everywhere. Default: HTTP,
    /// and TCP for a group of protocol TCP or of a classic load balancer, SSL for one of protocol TLS.
    pub protocol: Option<ProbeProtocol>,
    /// A fixed port, 1-65535. Default: the target's own.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Path and query, at most 1024 characters; for a GRPC group the method, "/package.Service/Method".
    /// Default: "/", for a GRPC group "/AWS.ALB/healthcheck". Of the standard health service,
    /// "/grpc.health.v1.Health/Check", the answer is read, too: a target must say SERVING.
    #[schemars(length(min = 1, max = 1024))]
    pub path: Option<String>,
    /// From the start of one probe to the start of the next, 5s-300s.
    pub interval: Span,
    /// How long an answer may take, 2s-120s; shorter than the interval.
    pub timeout: Span,
    /// Passes in a row that readmit an unhealthy target, 2-10. Default: 5; 10 for a classic load
    /// balancer.
    pub healthy_threshold: Option<u32>,
    /// Failures in a row that take a target out, 2-10.
    pub unhealthy_threshold: u32,
    /// The statuses that pass, 200-499: "200", "200,302", "200-299"; for a GRPC group gRPC's, 0-99.
    /// Default: "200", for a GRPC group "12" (unimplemented: the server is there and speaks gRPC).
    pub matcher: Option<String>,
    /// The Host that a probe sends. Default: the target's address and port, as ALB does.
    pub host: Option<String>,
    /// Whether a 503 with Retry-After, which says that a target is being maintained, counts as a failure
    /// only while another target is healthy: when all say so, they stay in service.
    pub tolerate_maintenance: bool,
    /// More header fields of a probe, such as `X-Forwarded-Proto = "https"`.
    pub headers: BTreeMap<String, String>,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            enabled: true,
            target: None,
            protocol: None,
            port: None,
            path: None,
            interval: Span::from_secs(30),
            timeout: Span::from_secs(5),
            healthy_threshold: None,
            unhealthy_threshold: 2,
            matcher: None,
            host: None,
            tolerate_maintenance: false,
            headers: BTreeMap::new(),
        }
    }
}

/// What a probe speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ProbeProtocol {
    /// GET over plain HTTP/1.1.
    #[serde(rename = "HTTP")]
    Http,
    /// GET over TLS.
    #[serde(rename = "HTTPS")]
    Https,
    /// A connection that is accepted passes.
    #[serde(rename = "TCP")]
    Tcp,
    /// A TLS handshake passes.
    #[serde(rename = "SSL")]
    Ssl,
}
