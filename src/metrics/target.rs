//! What happens between the balancer and the targets of one group in one zone.

use std::sync::{Arc, OnceLock};

use prometheus::{
    Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
};

use super::rows::{Registrar, Rows};
use super::{MetricsError, RelayMetrics, relay};

/// Upper bounds of the response time histogram, in seconds.
const RESPONSE_TIME: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// Why a request was sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RetryReason {
    /// The target refused the connection, or could not be reached.
    ConnectFailed,
    /// The connection was not made in time.
    ConnectTimeout,
    /// A connection from the pool turned out to be closed by the target.
    StaleConnection,
    /// The connection ended before the first byte of the response.
    ConnectionLost,
    /// The target turned unhealthy while the request waited for its answer.
    TargetUnhealthy,
}

impl RetryReason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 5] = [
        Self::ConnectFailed,
        Self::ConnectTimeout,
        Self::StaleConnection,
        Self::ConnectionLost,
        Self::TargetUnhealthy,
    ];

    /// The word in the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConnectFailed => "connect_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::StaleConnection => "stale_connection",
            Self::ConnectionLost => "connection_lost",
            Self::TargetUnhealthy => "target_unhealthy",
        }
    }
}

/// Why a connection to a target was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CloseReason {
    /// The target said `Connection: close`, or speaks HTTP/1.0.
    NotReusable,
    /// The target closed it while it was idle; seen before a request was sent on it.
    TargetClosed,
    /// The target's `Keep-Alive: timeout` was about to elapse.
    TargetTimeout,
    /// The target's `Keep-Alive: max` was reached.
    TargetMaximum,
    /// Idle for as long as the load balancer lets it be.
    IdleTimeout,
    /// The pool was full.
    PoolFull,
    /// The target left the configuration, or its address changed.
    TargetGone,
    /// It had been made in the name of one client, and the client went.
    ClientGone,
    /// The exchange broke off: error, timeout, or a client that went away.
    Broken,
    /// It had been upgraded (WebSocket), and ended.
    Upgraded,
    /// It was a client's connection forwarded whole, and both sides had finished.
    Finished,
    /// It was one, and the client reset it.
    ClientReset,
    /// It was one, and the target reset it.
    TargetReset,
    /// It was one, and was cut because of what became of the target or the listener.
    Cut,
}

impl CloseReason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 14] = [
        Self::NotReusable,
        Self::TargetClosed,
        Self::TargetTimeout,
        Self::TargetMaximum,
        Self::IdleTimeout,
        Self::PoolFull,
        Self::TargetGone,
        Self::ClientGone,
        Self::Broken,
        Self::Upgraded,
        Self::Finished,
        Self::ClientReset,
        Self::TargetReset,
        Self::Cut,
    ];

    /// The word in the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReusable => "not_reusable",
            Self::TargetClosed => "target_closed",
            Self::TargetTimeout => "target_timeout",
            Self::TargetMaximum => "target_maximum",
            Self::IdleTimeout => "idle_timeout",
            Self::PoolFull => "pool_full",
            Self::TargetGone => "target_gone",
            Self::ClientGone => "client_gone",
            Self::Broken => "broken",
            Self::Upgraded => "upgraded",
            Self::Finished => "finished",
            Self::ClientReset => "client_reset",
            Self::TargetReset => "target_reset",
            Self::Cut => "cut",
        }
    }
}

/// The targets of one group in one zone: labels `load_balancer`, `target_group` and `zone` (the
/// targets' zone; empty when they are in none).
#[derive(Debug)]
pub struct TargetMetrics {
    /// Requests for which a target was chosen.
    pub requests: IntCounter,
    /// Seconds from the request's last byte sent to the first byte of the response head.
    pub response_time: Histogram,
    /// Connections that could not be made (those of probes are not counted).
    pub connection_errors: IntCounter,
    /// TLS handshakes with targets that did not succeed.
    pub tls_negotiation_errors: IntCounter,
    /// Requests sent to any target, healthy or not, because too few were healthy.
    pub unhealthy_routing_requests: IntCounter,
    /// Requests that met a connection which the target had closed, and were sent again on a fresh
    /// one. Each would have been a 502.
    pub stale_reuse: IntCounter,
    /// Connections made.
    pub connections_opened: IntCounter,
    /// Requests sent on a connection that was open already.
    pub connections_reused: IntCounter,
    /// Connections that are open, idle ones too.
    pub connections: IntGauge,
    /// Connections that wait in the pools of the workers.
    pub idle_connections: IntGauge,
    responses: [IntCounter; 5],
    // Resolved when they first happen: most never do, and a thousand groups would have them all.
    retries: [OnceLock<IntCounter>; RetryReason::ALL.len()],
    closed: [OnceLock<IntCounter>; CloseReason::ALL.len()],
    relay: OnceLock<RelayMetrics>,
    families: Arc<Families>,
    rows: Rows<TargetMetrics>,
}

impl TargetMetrics {
    pub(super) fn new(families: &Arc<Families>, rows: Rows<Self>) -> Self {
        Self {
            requests: rows.row(&families.requests, &[]),
            response_time: rows.row(&families.response_time, &[]),
            connection_errors: rows.row(&families.connection_errors, &[]),
            tls_negotiation_errors: rows.row(&families.tls_negotiation_errors, &[]),
            unhealthy_routing_requests: rows.row(&families.unhealthy_routing_requests, &[]),
            stale_reuse: rows.row(&families.stale_reuse, &[]),
            connections_opened: rows.row(&families.connections_opened, &[]),
            connections_reused: rows.row(&families.connections_reused, &[]),
            connections: rows.row(&families.connections, &[]),
            idle_connections: rows.row(&families.idle_connections, &[]),
            responses: ["1xx", "2xx", "3xx", "4xx", "5xx"]
                .map(|class| rows.row(&families.responses, &[class])),
            retries: Default::default(),
            closed: Default::default(),
            relay: OnceLock::new(),
            families: Arc::clone(families),
            rows,
        }
    }

    /// The counter of final responses from targets in the class of this status. 101 is final, so
    /// there is a class 1xx. A status outside of 100-599 counts in the class at its end.
    pub fn response(&self, status: u16) -> &IntCounter {
        let class = (status / 100).clamp(1, 5);
        &self.responses[usize::from(class - 1)]
    }

    /// The counter of requests that were sent once more for this reason.
    pub fn retry(&self, reason: RetryReason) -> &IntCounter {
        self.retries[reason as usize]
            .get_or_init(|| self.rows.row(&self.families.retries, &[reason.as_str()]))
    }

    /// The figures of connections that are forwarded whole; a group of protocol HTTP has none.
    pub fn relay(&self) -> &RelayMetrics {
        let families = &self.families.relay;
        self.relay
            .get_or_init(|| RelayMetrics::new(families, &self.rows))
    }

    /// The counter of connections that were closed for this reason.
    pub fn connection_closed(&self, reason: CloseReason) -> &IntCounter {
        let family = &self.families.connections_closed;
        self.closed[reason as usize].get_or_init(|| self.rows.row(family, &[reason.as_str()]))
    }
}

#[derive(Debug)]
pub(super) struct Families {
    requests: IntCounterVec,
    responses: IntCounterVec,
    response_time: HistogramVec,
    connection_errors: IntCounterVec,
    tls_negotiation_errors: IntCounterVec,
    unhealthy_routing_requests: IntCounterVec,
    retries: IntCounterVec,
    stale_reuse: IntCounterVec,
    connections_opened: IntCounterVec,
    connections_reused: IntCounterVec,
    connections_closed: IntCounterVec,
    connections: IntGaugeVec,
    idle_connections: IntGaugeVec,
    relay: relay::Families,
}

impl Families {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let r = Registrar {
            registry,
            labels: &["load_balancer", "target_group", "zone"],
        };
        Ok(Self {
            requests: r.counter(
                "elbow_requests_total",
                "Requests for which a target was chosen. ALB: RequestCount. \
                 Classic: RequestCount.",
                &[],
            )?,
            responses: r.counter(
                "elbow_target_responses_total",
                "Responses of targets, by class of status. ALB: HTTPCode_Target_2XX_Count, \
                 HTTPCode_Target_3XX_Count, HTTPCode_Target_4XX_Count, HTTPCode_Target_5XX_Count. \
                 Classic: HTTPCode_Backend_2XX, HTTPCode_Backend_3XX, HTTPCode_Backend_4XX, \
                 HTTPCode_Backend_5XX.",
                &["class"],
            )?,
            response_time: r.histogram(
                "elbow_target_response_time_seconds",
                "From the request sent to the first byte of the response. ALB: TargetResponseTime. \
                 Classic: Latency.",
                &RESPONSE_TIME,
            )?,
            tls_negotiation_errors: r.counter(
                "elbow_target_tls_negotiation_errors_total",
                "TLS handshakes with targets that did not succeed, without those of probes. \
                 ALB: TargetTLSNegotiationErrorCount.",
                &[],
            )?,
            connection_errors: r.counter(
                "elbow_target_connection_errors_total",
                "Connections to targets that could not be made, without those of probes. \
                 ALB: TargetConnectionErrorCount.",
                &[],
            )?,
            unhealthy_routing_requests: r.counter(
                "elbow_unhealthy_routing_requests_total",
                "Requests sent to any target, healthy or not, because too few were healthy. \
                 ALB: UnhealthyRoutingRequestCount.",
                &[],
            )?,
            retries: r.counter(
                "elbow_retries_total",
                "Requests that were sent once more, by reason.",
                &["reason"],
            )?,
            stale_reuse: r.counter(
                "elbow_stale_reuse_total",
                "Requests that met a connection closed by the target and were sent again on a \
                 fresh one: each a 502 avoided.",
                &[],
            )?,
            connections_opened: r.counter(
                "elbow_target_connections_opened_total",
                "Connections made to targets. ALB: NewConnectionCount, the part towards targets. \
                 NLB: NewFlowCount.",
                &[],
            )?,
            connections_reused: r.counter(
                "elbow_target_connections_reused_total",
                "Requests sent on a connection from the pool.",
                &[],
            )?,
            connections_closed: r.counter(
                "elbow_target_connections_closed_total",
                "Connections to targets that were closed, by reason.",
                &["reason"],
            )?,
            connections: r.gauge(
                "elbow_target_connections",
                "Open connections to targets. ALB: ActiveConnectionCount, the part towards targets. \
                 NLB: ActiveFlowCount.",
                &[],
            )?,
            idle_connections: r.gauge(
                "elbow_target_idle_connections",
                "Connections to targets that wait in the pools for a request.",
                &[],
            )?,
            relay: relay::Families::new(registry)?,
        })
    }
}
