//! What is remembered of a request until it ends: one access log line, and the figures of its node.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::client::Arrival;
use super::ends::Ends;
use super::error::ProxyError;
use super::headers::{Host, TraceId, is_grpc};
use super::sticky::Stay;
use crate::access_log::{Bodies, Entry, LogBuffer, RequestKind, RequestLine};
use crate::config::ResponseChanges;
use crate::http1::{Class, FieldName, Reason, RequestHead, Version};
use crate::routing::{Scheme, Transformed};
use crate::snapshot::{Entrance, Group};
use crate::target::Zone;
use crate::tls::Facts;

/// The record of one request. Dropping it, at the end or when its connection is cut, writes it
/// exactly once.
#[derive(Debug)]
pub(super) struct RequestRecord<'r> {
    log: &'r LogBuffer,
    entrance: &'r Entrance,
    ends: &'r Ends,
    arrival: Arrival,
    /// Whom the request comes from.
    pub(super) client: SocketAddr,
    pub(super) head: Option<&'r RequestHead>,
    pub(super) host: Option<Host<'r>>,
    pub(super) trace_id: TraceId,
    pub(super) priority: Option<u32>,
    /// What was done before the action: a session or a token was looked at.
    pub(super) authenticated: &'static str,
    pub(super) action: &'static str,
    pub(super) redirect_url: Option<String>,
    /// What the target gets instead of the client's host, path and query.
    pub(super) transformed: Option<Box<Transformed>>,
    pub(super) transform_status: Option<&'static str>,
    pub(super) group: Option<&'r Group>,
    pub(super) received: u64,
    /// Where its client stays, if it does.
    pub(super) stay: Option<Box<Stay<'r>>>,
    pub(super) sent: AtomicU64,
    /// What of that belonged to heads.
    pub(super) sent_heads: u64,
    pub(super) upgraded: bool,
    /// Only the end of the connection tells the client where the response ends.
    pub(super) ends_with_connection: bool,
    /// How it departs from the grammar.
    departs: Option<Reason>,
    status: Option<u16>,
    error: Option<&'static str>,
    targets: SmallVec<[SocketAddr; 2]>,
    statuses: SmallVec<[Option<u16>; 2]>,
    /// The zone of the last target.
    zone: Option<Zone>,
    dispatched: Option<Instant>,
    responded: Option<Instant>,
    /// When the last byte was sent, if the clock was read then; else when the record is dropped.
    pub(super) ended: Option<Instant>,
}

/// When the daemon cuts a request short at the end of its shutdown, nobody is told a status.
const CUT: u16 = 503;

impl<'r> RequestRecord<'r> {
    pub(super) fn open(
        log: &'r LogBuffer,
        entrance: &'r Entrance,
        ends: &'r Ends,
        arrival: Arrival,
    ) -> Self {
        Self {
            log,
            entrance,
            ends,
            arrival,
            client: ends.client,
            head: None,
            host: None,
            trace_id: TraceId::default(),
            priority: None,
            authenticated: "",
            action: "",
            redirect_url: None,
            transformed: None,
            transform_status: None,
            group: None,
            received: 0,
            stay: None,
            sent: AtomicU64::new(0),
            sent_heads: 0,
            upgraded: false,
            ends_with_connection: false,
            departs: None,
            status: None,
            error: None,
            targets: SmallVec::new(),
            statuses: SmallVec::new(),
            zone: None,
            dispatched: None,
            responded: None,
            ended: None,
        }
    }

    /// Notes the rule that the request met; 0 is the default one.
    pub(super) fn matched(&mut self, priority: u32) {
        self.priority = Some(priority);
        let rules = self.entrance.listener.rules.rules();
        let evaluated = match priority {
            0 => rules.len(),
            _ => {
                1 + rules
                    .iter()
                    .take_while(|rule| rule.priority() < priority)
                    .count()
            }
        };
        self.entrance
            .metrics
            .rule_evaluations
            .inc_by(evaluated as u64);
    }

    /// Makes the request's trace id from what the client sent, the time and chance.
    pub(super) fn trace(&mut self, make: impl FnOnce(Option<&[u8]>, SystemTime, u128) -> TraceId) {
        let sent = self
            .head
            .and_then(|head| head.value(FieldName::XAmznTraceId));
        self.trace_id = make(sent, self.arrival.time, fastrand::u128(..));
    }

    /// Counts a request that has a header field whose name ALB calls invalid.
    pub(super) fn note_header_names(&self) {
        if self.head.is_some_and(|head| !head.has_valid_names()) {
            let metrics = &self.entrance.metrics;
            let drops = self
                .entrance
                .load_balancer
                .attributes
                .drop_invalid_header_fields;
            match drops {
                true => metrics.dropped_invalid_header_requests.inc(),
                false => metrics.forwarded_invalid_header_requests.inc(),
            }
        }
    }

    /// Notes how the request departs from the grammar, if it does.
    pub(super) fn classified(&mut self, reason: Reason) {
        if reason.class() != Class::Compliant {
            let metrics = &self.entrance.metrics;
            metrics.non_compliant(reason.class().as_str(), reason.as_str());
            self.departs = Some(reason);
        }
    }

    /// What the listener changes in responses.
    pub(super) fn response_changes(&self) -> Option<&'r ResponseChanges> {
        self.entrance.listener.headers.response.as_ref()
    }

    /// The same by the calendar.
    pub(super) fn arrived_at(&self) -> SystemTime {
        self.arrival.time
    }

    /// When the request came.
    pub(super) fn arrived(&self) -> Instant {
        self.arrival.at
    }

    /// Whether the client would go on after this request.
    pub(super) fn keeps_alive(&self) -> bool {
        self.head.is_some_and(RequestHead::keeps_alive)
    }

    /// Notes the target that is asked next.
    pub(super) fn target(&mut self, address: SocketAddr, zone: Option<&Zone>) {
        self.targets.push(address);
        self.statuses.push(None);
        self.zone = zone.cloned();
    }

    /// Notes that the head has been sent to the target.
    pub(super) fn dispatched(&mut self, now: Instant) {
        self.dispatched = Some(now);
    }

    /// Notes the final status of the target now being asked.
    pub(super) fn answered(&mut self, status: u16, now: Instant) {
        self.status = Some(status);
        if let Some(last) = self.statuses.last_mut() {
            *last = Some(status);
        }
        self.responded = Some(now);
        if let (Some(group), Some(dispatched)) = (self.group, self.dispatched) {
            let metrics = group.metrics.zone(self.zone.as_ref().map(Zone::as_str));
            metrics.response(status).inc();
            metrics
                .response_time
                .observe((now - dispatched).as_secs_f64());
        }
    }

    /// Notes the status of an answer that the balancer makes itself.
    pub(super) fn answered_by_balancer(&mut self, status: u16) {
        self.status = Some(status);
        self.entrance.metrics.response(status).inc();
    }

    /// Notes why the request failed.
    pub(super) fn failed(&mut self, error: &ProxyError) {
        self.error = Some(error.reason());
        self.entrance.metrics.error(error.reason());
    }

    /// Notes an oddity that does not make the request fail.
    pub(super) fn noted(&mut self, reason: &'static str) {
        self.error = Some(reason);
        self.entrance.metrics.error(reason);
    }

    /// What the target now being asked has answered.
    pub(super) fn target_status(&self) -> Option<u16> {
        self.statuses.last().copied().flatten()
    }

    /// Whether the client has been sent a status.
    pub(super) fn has_status(&self) -> bool {
        self.status.is_some()
    }

    fn request_line(&self) -> RequestLine<'_> {
        let host = self.host.map_or("", |host| host.name);
        RequestLine {
            method: self.head.map_or("", RequestHead::method).as_bytes(),
            scheme: match (self.ends.scheme(), self.upgraded) {
                (scheme, false) => scheme.as_str(),
                (Scheme::Http, true) => "ws",
                (Scheme::Https, true) => "wss",
            },
            host: match host {
                "" => self.entrance.load_balancer.name.as_bytes(),
                host => host.as_bytes(),
            },
            port: self
                .host
                .and_then(|host| host.port)
                .and_then(|port| port.parse().ok())
                .unwrap_or_else(|| self.ends.node.port()),
            uri: self.head.map_or("", path_and_query).as_bytes(),
            version: self.head.map_or("", |head| head.version().as_str()),
        }
    }

    /// The port on which a client that does not speak HTTP/3 yet may do so.
    pub(super) fn http3_port(&self) -> Option<u16> {
        let speaks = self
            .head
            .is_some_and(|head| head.version() == Version::Http3);
        let offered = self.entrance.listener.http3 && !speaks;
        offered.then(|| self.ends.node.port())
    }

    fn kind(&self) -> RequestKind {
        let scheme = self.ends.scheme();
        if self.upgraded {
            return match scheme {
                Scheme::Http => RequestKind::Ws,
                Scheme::Https => RequestKind::Wss,
            };
        }
        let Some(head) = self.head.filter(|head| head.version().has_streams()) else {
            return match scheme {
                Scheme::Http => RequestKind::Http,
                Scheme::Https => RequestKind::Https,
            };
        };
        match (is_grpc(head), head.version()) {
            (true, _) => RequestKind::Grpcs,
            (false, Version::Http3) => RequestKind::H3,
            (false, _) => RequestKind::H2,
        }
    }

    /// What of the bytes belonged to bodies, which is what Classic logs.
    fn bodies(&self) -> Option<Bodies> {
        let classic = self.entrance.load_balancer.attributes.classic;
        let head = self
            .head
            .map_or(self.received, |head| head.received() as u64);
        classic.then(|| Bodies {
            received: self.received.saturating_sub(head),
            sent: self
                .sent
                .load(Ordering::Relaxed)
                .saturating_sub(self.sent_heads),
        })
    }

    fn write(&self) {
        let tls = self.ends.tls.as_deref();
        let now = self.ended.unwrap_or_else(Instant::now);
        let took = now - self.arrival.at;
        let between =
            |from: Option<Instant>, to: Option<Instant>| Some(to?.saturating_duration_since(from?));
        let transformed = self.transformed.as_deref();
        let user_agent = self.head.and_then(|head| head.value(FieldName::UserAgent));
        self.log.write(&Entry {
            kind: self.kind(),
            time: self.arrival.time + took,
            elb: &self.entrance.load_balancer.name,
            client: self.client,
            target: self.targets.last().copied(),
            request_processing_time: between(Some(self.arrival.at), self.dispatched),
            target_processing_time: between(self.dispatched, self.responded),
            response_processing_time: between(self.responded, Some(now)),
            elb_status_code: self.status.unwrap_or(CUT),
            target_status_code: self.statuses.last().copied().flatten(),
            received_bytes: self.received,
            sent_bytes: self.sent.load(Ordering::Relaxed),
            request: self.request_line(),
            user_agent: user_agent.unwrap_or_default(),
            ssl_cipher: tls.map(|tls| tls.cipher),
            ssl_protocol: tls.map(|tls| tls.version),
            target_group: self.group.map(|group| &*group.settings().name),
            trace_id: self.trace_id.as_bytes(),
            domain_name: tls.and_then(|tls| tls.server_name.as_deref()),
            chosen_certificate: tls.and_then(chosen_certificate),
            matched_rule_priority: self.priority.and_then(|priority| priority.try_into().ok()),
            request_creation_time: self.arrival.time,
            actions_executed: actions(self.authenticated, self.action),
            redirect_url: self.redirect_url.as_deref().map(str::as_bytes),
            error_reason: self.error,
            targets: &self.targets,
            target_status_codes: &self.statuses,
            classification: self.departs.map(|reason| reason.class().as_str()),
            classification_reason: self.departs.map(Reason::as_str),
            conn_trace_id: Some(self.ends.conn_trace_id()),
            transformed_host: transformed.and_then(|it| it.host.as_deref()),
            transformed_uri: transformed.and_then(|it| it.uri.as_deref()),
            request_transform_status: self.transform_status,
            classic: self.bodies(),
        });
    }
}

/// A client that resumes its session is shown no certificate.
fn chosen_certificate(tls: &Facts) -> Option<&str> {
    match tls.resumed {
        true => Some("session-reused"),
        false => tls.certificate.as_deref(),
    }
}

/// Both, as ALB's log has them.
fn actions(authenticated: &'static str, action: &'static str) -> &'static str {
    match (authenticated, action) {
        ("", action) => action,
        (authenticated, "") => authenticated,
        ("authenticate", "forward") => "authenticate,forward",
        ("authenticate", "redirect") => "authenticate,redirect",
        ("authenticate", _) => "authenticate,fixed-response",
        (_, "forward") => "jwt-validation,forward",
        (_, "redirect") => "jwt-validation,redirect",
        (_, _) => "jwt-validation,fixed-response",
    }
}

/// The target as ALB logs it: without scheme and host.
fn path_and_query(head: &RequestHead) -> &str {
    let skipped = head.authority().map_or(0, |authority| {
        head.target().find(authority).unwrap_or(0) + authority.len()
    });
    &head.target()[skipped..]
}

impl Drop for RequestRecord<'_> {
    fn drop(&mut self) {
        let metrics = &self.entrance.metrics;
        metrics.requests.inc();
        metrics.received_bytes.inc_by(self.received);
        let sent = *self.sent.get_mut();
        metrics.sent_bytes.inc_by(sent);
        if self.ends.client.is_ipv6() {
            metrics.ipv6_requests.inc();
            metrics.ipv6_bytes.inc_by(self.received + sent);
        }
        self.write();
    }
}
