//! What enters a load balancer through one node.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::MetricsError;
use super::auth::{AuthFamilies, AuthMetrics};
use super::rows::{Registrar, Rows};

/// The statuses for which a counter is kept.
const STATUSES: std::ops::Range<u16> = 100..600;

/// One node of one load balancer: labels `load_balancer` and `zone` (empty when the node is in no
/// zone).
#[derive(Debug)]
pub struct NodeMetrics {
    /// Connections from clients that were accepted.
    pub new_connections: IntCounter,
    /// Connections from clients that are open; [`ActiveConnection`] counts in it.
    pub active_connections: IntGauge,
    /// Connections that carry an upgraded protocol (WebSocket), among the active ones.
    pub upgraded_connections: IntGauge,
    /// Connections from clients that were closed at once because a limit was reached.
    pub rejected_connections: IntCounter,
    /// Bytes received from clients.
    pub received_bytes: IntCounter,
    /// Bytes sent to clients.
    pub sent_bytes: IntCounter,
    /// Bytes in both directions with clients that came by IPv6.
    pub ipv6_bytes: IntCounter,
    /// Requests read from clients, whatever became of them.
    pub requests: IntCounter,
    /// Requests from clients that came by IPv6.
    pub ipv6_requests: IntCounter,
    /// Rules that were evaluated; the default rule is not counted.
    pub rule_evaluations: IntCounter,
    /// Redirect actions that were answered.
    pub redirects: IntCounter,
    /// Redirects that were not answered because their URL would have been too long.
    pub redirect_url_limit_exceeded: IntCounter,
    /// Fixed-response actions that were answered.
    pub fixed_responses: IntCounter,
    /// Requests to a sticky target group whose target was chosen anew.
    pub non_sticky_requests: IntCounter,
    /// Those of them whose group follows a cookie of the application.
    pub app_cookie_non_sticky_requests: IntCounter,
    /// Requests from which an invalid header field was removed.
    pub dropped_invalid_header_requests: IntCounter,
    /// Requests that were forwarded with an invalid header field.
    pub forwarded_invalid_header_requests: IntCounter,
    /// Logins and tokens.
    pub auth: AuthMetrics,
    responses: Box<[OnceLock<IntCounter>]>,
    errors: Mutex<Vec<(&'static str, IntCounter)>>,
    proxy_protocol_errors: Mutex<Vec<(&'static str, IntCounter)>>,
    non_compliant: Mutex<Vec<(&'static str, IntCounter)>>,
    http2_floods: Mutex<Vec<(&'static str, IntCounter)>>,
    tls_errors: Mutex<Vec<(&'static str, IntCounter)>>,
    early_requests: Mutex<Vec<(&'static str, IntCounter)>>,
    tls_handshakes: [OnceLock<IntCounter>; 4],
    families: Families,
    rows: Rows<NodeMetrics>,
}

impl NodeMetrics {
    pub(super) fn new(families: &Families, rows: Rows<Self>) -> Self {
        let metrics = Self {
            new_connections: rows.row(&families.new_connections, &[]),
            active_connections: rows.row(&families.active_connections, &[]),
            upgraded_connections: rows.row(&families.upgraded_connections, &[]),
            rejected_connections: rows.row(&families.rejected_connections, &[]),
            received_bytes: rows.row(&families.bytes, &["received"]),
            sent_bytes: rows.row(&families.bytes, &["sent"]),
            ipv6_bytes: rows.row(&families.ipv6_bytes, &[]),
            requests: rows.row(&families.requests, &[]),
            ipv6_requests: rows.row(&families.ipv6_requests, &[]),
            rule_evaluations: rows.row(&families.rule_evaluations, &[]),
            redirects: rows.row(&families.redirects, &[]),
            redirect_url_limit_exceeded: rows.row(&families.redirect_url_limit_exceeded, &[]),
            fixed_responses: rows.row(&families.fixed_responses, &[]),
            non_sticky_requests: rows.row(&families.non_sticky_requests, &[]),
            app_cookie_non_sticky_requests: rows.row(&families.app_cookie_non_sticky_requests, &[]),
            dropped_invalid_header_requests: rows.row(&families.invalid_headers, &["dropped"]),
            forwarded_invalid_header_requests: rows.row(&families.invalid_headers, &["forwarded"]),
            auth: AuthMetrics::new(&families.auth, &rows),
            responses: STATUSES.map(|_| OnceLock::new()).collect(),
            errors: Mutex::default(),
            proxy_protocol_errors: Mutex::default(),
            non_compliant: Mutex::default(),
            http2_floods: Mutex::default(),
            tls_errors: Mutex::default(),
            early_requests: Mutex::default(),
            tls_handshakes: Default::default(),
            families: families.clone(),
            rows,
        };
        // Those that ALB has a metric for are there from the start, so that their first increase
        // is seen by rate().
        for status in [500, 502, 503, 504] {
            metrics.respond(status);
        }
        metrics
    }

    /// The counter of responses with this status that the balancer itself made (errors, redirects,
    /// fixed responses). Statuses outside of 100-599 count as 500.
    pub fn response(&self, status: u16) -> &IntCounter {
        self.respond(status)
    }

    /// Counts one error of the balancer by its reason, a word of an enum. Takes a lock: errors only.
    pub fn error(&self, reason: &'static str) {
        self.count(&self.errors, &self.families.errors, &[reason]);
    }

    /// Counts one request that departs from the grammar, by AWS's class and reason. Takes a lock.
    pub fn non_compliant(&self, class: &'static str, reason: &'static str) {
        let family = &self.families.non_compliant;
        self.count(&self.non_compliant, family, &[reason, class]);
    }

    /// Counts one connection that was closed for want of an acceptable PROXY protocol header, by
    /// its reason, a word of an enum. Takes a lock.
    pub fn proxy_protocol_error(&self, reason: &'static str) {
        let family = &self.families.proxy_protocol_errors;
        self.count(&self.proxy_protocol_errors, family, &[reason]);
    }

    /// Counts one connection that was ended for a flood of this kind, a word of an enum. Takes a lock.
    pub fn http2_flood(&self, kind: &'static str) {
        self.count(&self.http2_floods, &self.families.http2_floods, &[kind]);
    }

    /// Counts one TLS handshake that did not succeed, by its cause, a word of an enum. Takes a lock.
    pub fn tls_negotiation_error(&self, cause: &'static str) {
        self.count(&self.tls_errors, &self.families.tls_errors, &[cause]);
    }

    /// Counts one TLS handshake that succeeded; `version` is `TLSv1.3` or `TLSv1.2`.
    pub fn tls_handshake(&self, version: &'static str, resumed: bool) {
        let slot = 2 * usize::from(version == "TLSv1.3") + usize::from(resumed);
        let kind = if resumed { "resumed" } else { "full" };
        let row = || {
            self.rows
                .row(&self.families.tls_handshakes, &[version, kind])
        };
        self.tls_handshakes[slot].get_or_init(row).inc();
    }

    /// Counts one request that came before its client's handshake was complete, by what became of it, a
    /// word of an enum. Takes a lock.
    pub fn early_request(&self, fate: &'static str) {
        self.count(&self.early_requests, &self.families.early_requests, &[fate]);
    }

    /// Counts in the row of these labels, which is resolved when it first happens; the first of them
    /// tells it from the others.
    fn count(
        &self,
        resolved: &Mutex<Vec<(&'static str, IntCounter)>>,
        family: &IntCounterVec,
        labels: &[&'static str],
    ) {
        let reason = labels.first().copied().unwrap_or_default();
        let mut resolved = resolved.lock();
        match resolved.iter().find(|(known, _)| *known == reason) {
            Some((_, counter)) => counter.inc(),
            None => {
                let counter = self.rows.row(family, labels);
                counter.inc();
                resolved.push((reason, counter));
            }
        }
    }

    fn respond(&self, status: u16) -> &IntCounter {
        let status = if STATUSES.contains(&status) {
            status
        } else {
            500
        };
        let slot = &self.responses[usize::from(status - STATUSES.start)];
        slot.get_or_init(|| {
            let mut digits = itoa::Buffer::new();
            self.rows
                .row(&self.families.responses, &[digits.format(status)])
        })
    }
}

/// Counts as one open connection from a client until it is dropped.
#[derive(Debug)]
pub struct ActiveConnection {
    node: Arc<NodeMetrics>,
    upgraded: bool,
}

impl ActiveConnection {
    /// Counts a connection that was accepted just now.
    pub fn new(node: Arc<NodeMetrics>) -> Self {
        node.new_connections.inc();
        node.active_connections.inc();
        Self {
            node,
            upgraded: false,
        }
    }

    /// Notes that the connection carries an upgraded protocol from now on.
    pub fn upgrade(&mut self) {
        if !self.upgraded {
            self.upgraded = true;
            self.node.upgraded_connections.inc();
        }
    }

    /// The node through which the connection came.
    pub fn node(&self) -> &Arc<NodeMetrics> {
        &self.node
    }
}

impl Drop for ActiveConnection {
    fn drop(&mut self) {
        self.node.active_connections.dec();
        if self.upgraded {
            self.node.upgraded_connections.dec();
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Families {
    new_connections: IntCounterVec,
    active_connections: IntGaugeVec,
    upgraded_connections: IntGaugeVec,
    rejected_connections: IntCounterVec,
    bytes: IntCounterVec,
    ipv6_bytes: IntCounterVec,
    requests: IntCounterVec,
    ipv6_requests: IntCounterVec,
    rule_evaluations: IntCounterVec,
    redirects: IntCounterVec,
    redirect_url_limit_exceeded: IntCounterVec,
    fixed_responses: IntCounterVec,
    non_sticky_requests: IntCounterVec,
    app_cookie_non_sticky_requests: IntCounterVec,
    invalid_headers: IntCounterVec,
    non_compliant: IntCounterVec,
    http2_floods: IntCounterVec,
    responses: IntCounterVec,
    errors: IntCounterVec,
    proxy_protocol_errors: IntCounterVec,
    tls_errors: IntCounterVec,
    tls_handshakes: IntCounterVec,
    early_requests: IntCounterVec,
    auth: AuthFamilies,
}

impl Families {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let r = Registrar {
            registry,
            labels: &["load_balancer", "zone"],
        };
        Ok(Self {
            auth: AuthFamilies::new(&r)?,
            new_connections: r.counter(
                "elbow_new_connections_total",
                "Connections from clients that were accepted. ALB: NewConnectionCount.",
                &[],
            )?,
            active_connections: r.gauge(
                "elbow_active_connections",
                "Connections from clients that are open. ALB: ActiveConnectionCount.",
                &[],
            )?,
            upgraded_connections: r.gauge(
                "elbow_upgraded_connections",
                "Open connections that carry an upgraded protocol, for example WebSocket.",
                &[],
            )?,
            rejected_connections: r.counter(
                "elbow_rejected_connections_total",
                "Connections from clients that were refused at a limit. ALB: RejectedConnectionCount.",
                &[],
            )?,
            bytes: r.counter(
                "elbow_processed_bytes_total",
                "Bytes received from and sent to clients. ALB: ProcessedBytes.",
                &["direction"],
            )?,
            ipv6_bytes: r.counter(
                "elbow_ipv6_processed_bytes_total",
                "Bytes received from and sent to clients by IPv6. ALB: IPv6ProcessedBytes.",
                &[],
            )?,
            requests: r.counter(
                "elbow_client_requests_total",
                "Requests read from clients, also those that no target was chosen for.",
                &[],
            )?,
            ipv6_requests: r.counter(
                "elbow_ipv6_requests_total",
                "Requests from clients by IPv6. ALB: IPv6RequestCount.",
                &[],
            )?,
            rule_evaluations: r.counter(
                "elbow_rule_evaluations_total",
                "Rules evaluated, without the default rule. ALB: RuleEvaluations.",
                &[],
            )?,
            redirects: r.counter(
                "elbow_redirects_total",
                "Redirect actions answered. ALB: HTTP_Redirect_Count.",
                &[],
            )?,
            redirect_url_limit_exceeded: r.counter(
                "elbow_redirect_url_limit_exceeded_total",
                "Redirects refused because their URL was too long. \
                 ALB: HTTP_Redirect_Url_Limit_Exceeded_Count.",
                &[],
            )?,
            fixed_responses: r.counter(
                "elbow_fixed_responses_total",
                "Fixed-response actions answered. ALB: HTTP_Fixed_Response_Count.",
                &[],
            )?,
            non_sticky_requests: r.counter(
                "elbow_non_sticky_requests_total",
                "Requests to a sticky target group whose target was chosen anew, because the client \
                 was new or its target could not be used. ALB: NonStickyRequestCount.",
                &[],
            )?,
            app_cookie_non_sticky_requests: r.counter(
                "elbow_app_cookie_non_sticky_requests_total",
                "Those of them whose target group follows a cookie of the application. \
                 ALB: AppCookieNonStickinessCount.",
                &[],
            )?,
            invalid_headers: r.counter(
                "elbow_invalid_header_requests_total",
                "Requests with an invalid header field, by what was done with the field. \
                 ALB: DroppedInvalidHeaderRequestCount and ForwardedInvalidHeaderRequestCount.",
                &["action"],
            )?,
            non_compliant: r.counter(
                "elbow_non_compliant_requests_total",
                "Requests that depart from the grammar of HTTP/1.1, by AWS's class and reason. \
                 ALB: DesyncMitigationMode_NonCompliant_Request_Count. \
                 Classic: DesyncMitigationMode_NonCompliant_Request_Count.",
                &["reason", "class"],
            )?,
            responses: r.counter(
                "elbow_balancer_responses_total",
                "Responses made by the load balancer itself, by status. ALB: HTTPCode_ELB_3XX_Count, \
                 HTTPCode_ELB_4XX_Count, HTTPCode_ELB_5XX_Count, HTTPCode_ELB_500_Count, \
                 HTTPCode_ELB_502_Count, HTTPCode_ELB_503_Count, HTTPCode_ELB_504_Count. \
                 Classic: HTTPCode_ELB_4XX, HTTPCode_ELB_5XX.",
                &["code"],
            )?,
            errors: r.counter(
                "elbow_errors_total",
                "Requests that the load balancer answered with an error, and connections that it did not \
                 forward or that did not end in order, by reason.",
                &["reason"],
            )?,
            http2_floods: r.counter(
                "elbow_http2_floods_total",
                "HTTP/2 connections of clients that were ended because they were flooded, by what with.",
                &["kind"],
            )?,
            tls_errors: r.counter(
                "elbow_client_tls_negotiation_errors_total",
                "TLS handshakes with clients that did not succeed, by cause. \
                 ALB: ClientTLSNegotiationErrorCount.",
                &["cause"],
            )?,
            tls_handshakes: r.counter(
                "elbow_tls_handshakes_total",
                "TLS handshakes with clients that succeeded, by version, full or resumed.",
                &["protocol", "kind"],
            )?,
            early_requests: r.counter(
                "elbow_early_requests_total",
                "Requests in HTTP/3 that came as early data, before the handshake was complete: served at \
                 once, or left waiting until it was.",
                &["fate"],
            )?,
            proxy_protocol_errors: r.counter(
                "elbow_proxy_protocol_errors_total",
                "Connections closed for want of an acceptable PROXY protocol header, by reason.",
                &["reason"],
            )?,
        })
    }
}
