//! How the targets of a group are probed.

use std::time::Duration;

use super::{Matcher, ProtocolVersion};
use crate::proxy_protocol::Version;
use crate::target::Thresholds;

/// The health check settings of a target group, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Whether targets are probed at all; without probes they are `unavailable` and take requests.
    pub enabled: bool,
    /// What a probe speaks.
    pub protocol: ProbeProtocol,
    /// The version of HTTP that a probe speaks: the group's.
    pub version: ProtocolVersion,
    /// The port of every probe; none means each target's own (ALB: `traffic-port`).
    pub port: Option<u16>,
    /// Path and query of the request.
    pub path: String,
    /// From one probe of a target to the next, however long an answer takes.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many probes in a row decide.
    pub thresholds: Thresholds,
    /// The statuses that pass.
    pub matcher: Matcher,
    /// The Host of the request; none means the target's address and probe port, as ALB sends.
    pub host: Option<String>,
    /// More header fields of the request, in order.
    pub headers: Vec<(String, String)>,
    /// Whether 503 with Retry-After is told apart from other failures.
    pub tolerate_maintenance: bool,
    /// Whether a probe calls itself what Classic's did.
    pub classic: bool,
    /// Whether a target known by its name keeps the address that it had first.
    pub keeps_address: bool,
    /// The PROXY protocol header with which a probe begins; it says that the connection is the
    /// balancer's own.
    pub proxy_protocol: Option<Version>,
}

/// ALB's defaults.
impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            enabled: true,
            protocol: ProbeProtocol::Http,
            version: ProtocolVersion::default(),
            port: None,
            path: "/".to_owned(),
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            thresholds: Thresholds {
                healthy: 5,
                unhealthy: 2,
            },
            matcher: Matcher::default(),
            host: None,
            headers: Vec::new(),
            tolerate_maintenance: false,
            classic: false,
            keeps_address: false,
            proxy_protocol: None,
        }
    }
}

/// What a probe speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProbeProtocol {
    /// GET over plain HTTP/1.1.
    #[default]
    Http,
    /// GET over TLS.
    Https,
    /// A connection that is accepted passes.
    Tcp,
    /// A TLS handshake passes.
    Ssl,
}

impl ProbeProtocol {
    /// The word that the configuration and ALB's API use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tcp => "TCP",
            Self::Ssl => "SSL",
        }
    }
}
