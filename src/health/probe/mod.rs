//! One probe of one target: resolve its name, connect, (TLS,) ask, judge; all within the timeout.
//!
//! [`Prober::probe`] cannot fail: whatever goes wrong is a finding, with ALB's reason code and with
//! words that tell an operator what to look at. A probe changes no health: it only reports.

mod http;
mod http2;
mod https;
mod tcp;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use super::Resolver;
use crate::causes::in_full;
use crate::target::{HealthReason, Outcome, ProbeRecord, Target, TargetAddress, TargetHealth};
use crate::target_group::{HealthCheck, ProbeProtocol, ProtocolVersion};
use crate::tls::{Connector, ConnectorError};

/// Sends probes.
#[derive(Clone, Debug, Default)]
pub(super) struct Prober {
    resolver: Resolver,
}

impl Prober {
    /// One that resolves targets' names with `resolver`.
    pub(super) fn new(resolver: Resolver) -> Self {
        Self { resolver }
    }

    /// Probes once, within the check's timeout. `connector` is that of the group's requests, if they
    /// go over TLS.
    pub(super) async fn probe(
        &self,
        target: &Target,
        check: &HealthCheck,
        connector: Option<&Connector>,
    ) -> ProbeRecord {
        let at = SystemTime::now();
        let start = Instant::now();
        let mut progress = Progress::default();
        let attempt = self.attempt((target, check, connector), &mut progress);
        let found = match timeout(check.timeout, attempt).await {
            Ok(found) => found,
            Err(_) => Err(ProbeError::Timeout {
                missing: progress.missing,
                limit: check.timeout,
            }),
        };
        record(at, start.elapsed(), progress.address, found)
    }

    async fn attempt(
        &self,
        (target, check, connector): (&Target, &HealthCheck, Option<&Connector>),
        progress: &mut Progress,
    ) -> Result<Option<u16>, ProbeError> {
        let mut address = self.locate(target, check).await?;
        address.set_port(check.port.unwrap_or(address.port()));
        progress.address = Some(address);
        progress.missing = Step::Connection;
        let stream = tcp::connect(address, check.proxy_protocol).await?;
        let status = match check.protocol {
            ProbeProtocol::Tcp => return Ok(None),
            ProbeProtocol::Ssl => {
                progress.missing = Step::Handshake;
                https::handshake(stream, target, check, connector).await?;
                return Ok(None);
            }
            ProbeProtocol::Http => {
                progress.missing = Step::Answer;
                ask(stream, address, check).await?
            }
            ProbeProtocol::Https => {
                progress.missing = Step::Handshake;
                let stream = https::handshake(stream, target, check, connector).await?;
                progress.missing = Step::Answer;
                ask(stream, address, check).await?
            }
        };
        Ok(Some(status))
    }

    /// Where the target is now. A name that stands for another address than before takes requests
    /// there from now on; one that cannot be resolved keeps the address that it had. In a group
    /// that keeps addresses only registration looks a name up.
    pub(super) async fn locate(
        &self,
        target: &Target,
        check: &HealthCheck,
    ) -> Result<SocketAddr, ProbeError> {
        match &target.address {
            TargetAddress::Ip(address) => Ok(*address),
            TargetAddress::Name(name, port) => {
                let present = target.state.resolved();
                let registered = target.state.health() != TargetHealth::Initial;
                if let Some(address) = present.filter(|_| check.keeps_address && registered) {
                    return Ok(address);
                }
                let resolved = self.resolver.resolve(name, *port, present).await;
                let address = resolved.map_err(ProbeError::Name)?;
                target.state.resolve(address);
                Ok(address)
            }
        }
    }
}

/// Asks in the group's version of HTTP, and judges the answer.
async fn ask<S>(stream: S, address: SocketAddr, check: &HealthCheck) -> Result<u16, ProbeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match check.version {
        ProtocolVersion::Http1 => http::ask(stream, address, check).await,
        ProtocolVersion::Http2 | ProtocolVersion::Grpc => http2::ask(stream, address, check).await,
    }
}

/// How far a probe has come, for the verdict when its time is up.
#[derive(Debug, Default)]
struct Progress {
    address: Option<SocketAddr>,
    missing: Step,
}

/// What a probe is waiting for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Step {
    #[default]
    Address,
    Connection,
    Handshake,
    Answer,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "name not resolved",
            Self::Connection => "no connection",
            Self::Handshake => "no TLS handshake",
            Self::Answer => "no answer",
        })
    }
}

/// Why a probe failed, in an operator's words.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("name not resolved: {0}")]
    Name(#[source] io::Error),
    #[error("{}", in_words(.0))]
    Connect(#[source] io::Error),
    #[error("TLS handshake failed: {}", in_words(.0))]
    Tls(#[source] io::Error),
    #[error("the target does not speak {0}: it did not agree on that (ALPN)")]
    Protocol(&'static str),
    #[error("no well-formed answer: {}", in_full(.0))]
    Answer(#[source] hyper::Error),
    #[error("no well-formed answer in HTTP/2: {}", in_full(.0))]
    Http2(#[source] h2::Error),
    #[error("maintenance: HTTP 503, Retry-After: {0}")]
    Maintenance(String),
    #[error("HTTP 200 with a body that has neither Content-Length nor chunks")]
    Unframed,
    #[error("the answer has no gRPC status (HTTP {0})")]
    NoGrpcStatus(u16),
    #[error("gRPC status {status}, expected {expected}")]
    GrpcMismatch { status: u16, expected: String },
    #[error("the health service says {0}")]
    NotServing(&'static str),
    #[error("HTTP {status}{}, expected {expected}", redirected(.location.as_deref()))]
    Mismatch {
        status: u16,
        location: Option<String>,
        expected: String,
    },
    #[error("{missing} within {}", humantime::format_duration(*.limit))]
    Timeout { missing: Step, limit: Duration },
    #[error("the probe's request cannot be made: {0}")]
    Request(#[source] ::http::Error),
    #[error("the target's host is no name that TLS can ask for")]
    ServerName,
    #[error(transparent)]
    TlsClient(#[from] ConnectorError),
}

impl ProbeError {
    /// ALB's reason code for it.
    fn reason(&self) -> HealthReason {
        match self {
            Self::Name(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::Protocol(_)
            | Self::Answer(_)
            | Self::Http2(_)
            | Self::Unframed
            | Self::NoGrpcStatus(_)
            | Self::NotServing(_) => HealthReason::FailedHealthChecks,
            Self::Maintenance(_) => HealthReason::ResponseCodeMismatch(503),
            Self::Mismatch { status, .. } | Self::GrpcMismatch { status, .. } => {
                HealthReason::ResponseCodeMismatch(*status)
            }
            Self::Timeout { .. } => HealthReason::Timeout,
            Self::Request(_) | Self::ServerName | Self::TlsClient(_) => HealthReason::InternalError,
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Maintenance(_) => Outcome::Maintenance,
            _ => Outcome::Fail(self.reason()),
        }
    }

    fn status(&self) -> Option<u16> {
        match self {
            Self::Mismatch { status, .. } | Self::GrpcMismatch { status, .. } => Some(*status),
            Self::Maintenance(_) => Some(503),
            _ => None,
        }
    }
}

fn record(
    at: SystemTime,
    latency: Duration,
    address: Option<SocketAddr>,
    found: Result<Option<u16>, ProbeError>,
) -> ProbeRecord {
    let (outcome, status, detail) = match found {
        Ok(status) => (Outcome::Pass, status, String::new()),
        Err(error) => (error.outcome(), error.status(), error.to_string()),
    };
    ProbeRecord {
        at,
        address,
        outcome,
        status,
        latency,
        detail,
    }
}

/// The kind of an error of the operating system reads better than its text with its number.
fn in_words(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) if !error.kind().to_string().starts_with("uncategorized") => {
            error.kind().to_string()
        }
        _ => error.to_string(),
    }
}

/// Where a redirect leads says at once why a probe meets one (WordPress sends a request for a host
/// that it does not know to its own). Cut, because the target chose its length.
fn redirected(location: Option<&str>) -> String {
    location.map_or_else(String::new, |to| {
        format!(" to {}", to.chars().take(200).collect::<String>())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::health::sample::{self, Scripted};

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    async fn probe(target: &Target, check: &HealthCheck) -> ProbeRecord {
        Prober::default().probe(target, check, None).await
    }

    fn within(timeout: Duration) -> HealthCheck {
        HealthCheck {
            timeout,
            ..HealthCheck::default()
        }
    }

    #[tokio::test]
    async fn a_refused_connection_is_a_failed_health_check() {
        let (address, _held) = sample::refusing();
        let target = sample::target(TargetAddress::Ip(address));
        let record = probe(&target, &HealthCheck::default()).await;
        let reason = HealthReason::FailedHealthChecks;
        assert_eq!(record.outcome, Outcome::Fail(reason));
        assert_eq!(record.detail, "connection refused");
        assert_eq!(record.address, Some(address));
    }

    #[tokio::test]
    async fn no_answer_within_the_timeout_is_a_timeout() {
        let silent = Scripted::answering("").await;
        let record = probe(&silent.target(), &within(Duration::from_millis(300))).await;
        assert_eq!(record.outcome, Outcome::Fail(HealthReason::Timeout));
        assert_eq!(record.detail, "no answer within 300ms");
        assert!(record.latency >= Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn resolving_the_name_is_part_of_the_timeout() {
        let prober = Prober::new(Resolver::new(|_, _| std::future::pending()));
        let target = sample::target(TargetAddress::Name("wp.example".into(), 80));
        let record = prober.probe(&target, &HealthCheck::default(), None).await;
        assert_eq!(record.outcome, Outcome::Fail(HealthReason::Timeout));
        assert_eq!(record.detail, "name not resolved within 5s");
        assert_eq!(record.latency.as_secs(), 5);
    }

    #[tokio::test]
    async fn a_name_that_is_not_resolved_fails_the_check_and_keeps_its_old_address() {
        let prober = Prober::new(Resolver::new(async |_, _| {
            Err(io::Error::other("no such host"))
        }));
        let target = sample::target(TargetAddress::Name("wp.example".into(), 80));
        let old = "127.0.0.9:80".parse().unwrap();
        target.state.resolve(old);
        let record = prober.probe(&target, &HealthCheck::default(), None).await;
        let reason = HealthReason::FailedHealthChecks;
        assert_eq!(record.outcome, Outcome::Fail(reason));
        assert_eq!(record.detail, "name not resolved: no such host");
        assert_eq!(record.address, None);
        assert_eq!(target.socket_address(), Some(old));
    }

    #[tokio::test]
    async fn a_fixed_port_is_probed_in_place_of_the_traffic_port() {
        let site = Scripted::answering(OK).await;
        let (traffic, _held) = sample::refusing();
        let target = sample::target(TargetAddress::Ip(traffic));
        let check = HealthCheck {
            port: Some(site.address.port()),
            ..HealthCheck::default()
        };
        let record = probe(&target, &check).await;
        assert_eq!(record.outcome, Outcome::Pass);
        assert_eq!(record.address, Some(site.address));
    }

    #[tokio::test]
    async fn a_tcp_probe_passes_when_the_connection_is_taken() {
        let check = HealthCheck {
            protocol: ProbeProtocol::Tcp,
            ..HealthCheck::default()
        };
        let site = Scripted::answering("").await;
        let record = probe(&site.target(), &check).await;
        assert_eq!((record.outcome, record.status), (Outcome::Pass, None));
        sample::eventually("the connection is closed", || site.closed() == 1).await;

        let (address, _held) = sample::refusing();
        let target = sample::target(TargetAddress::Ip(address));
        let record = probe(&target, &check).await;
        assert_ne!(record.outcome, Outcome::Pass);
    }
}
