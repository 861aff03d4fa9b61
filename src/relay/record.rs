//! What is remembered of a connection until it ends: one access log line, and its figures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::Ends;
use super::error::RelayError;
use super::exchange::Traffic;
use super::hello::Hello;
use super::reach::Reached;
use crate::access_log::{ConnectionEntry, ConnectionKind, LogBuffer};
use crate::metrics::TargetMetrics;
use crate::snapshot::{Entrance, Group};

/// What the log says of a connection that the daemon's end cut short.
const SHUTDOWN: &str = "ShutDown";

/// The record of one connection. Dropping it, at the end or when the daemon ends first, writes it
/// exactly once.
#[derive(Debug)]
pub(super) struct ConnectionRecord<'r> {
    log: &'r LogBuffer,
    pub(super) entrance: &'r Entrance,
    pub(super) ends: Ends,
    accepted: (Instant, SystemTime),
    pub(super) group: Option<&'r Group>,
    /// The target that was tried last.
    pub(super) target: Option<SocketAddr>,
    pub(super) traffic: Traffic,
    /// What the client of a listener that passes TLS through said first.
    pub(super) hello: Hello,
    reached: Option<Arc<TargetMetrics>>,
    error: Option<&'static str>,
}

impl<'r> ConnectionRecord<'r> {
    pub(super) fn open(log: &'r LogBuffer, entrance: &'r Entrance, ends: Ends) -> Self {
        let now = Instant::now();
        Self {
            log,
            entrance,
            ends,
            accepted: (now, SystemTime::now()),
            group: None,
            target: None,
            traffic: Traffic::new(now),
            hello: Hello::default(),
            reached: None,
            error: Some(SHUTDOWN),
        }
    }

    /// Notes that a target has taken the connection.
    pub(super) fn reached(&mut self, target: &Reached) {
        self.reached = Some(Arc::clone(&target.metrics));
    }

    /// Notes how the connection ended.
    pub(super) fn ended(&mut self, error: Option<&RelayError>) {
        self.error = error.map(RelayError::reason);
        if let Some(reason) = self.error {
            self.entrance.metrics.error(reason);
        }
    }
}

impl Drop for ConnectionRecord<'_> {
    fn drop(&mut self) {
        let (at, creation_time) = self.accepted;
        let took = at.elapsed();
        let received = *self.traffic.received.get_mut();
        let sent = *self.traffic.sent.get_mut();
        if let Some(target) = &self.reached {
            target.relay().duration.observe(took.as_secs_f64());
        }
        if self.ends.client.is_ipv6() {
            self.entrance.metrics.ipv6_bytes.inc_by(received + sent);
        }
        let tls = self.ends.tls.as_ref();
        let protocol = tls.and_then(|tls| tls.protocol.as_deref());
        self.log.write_connection(&ConnectionEntry {
            kind: match self.entrance.listener.protocol() {
                "TLS" => ConnectionKind::Tls,
                _ => ConnectionKind::Tcp,
            },
            time: creation_time + took,
            elb: &self.entrance.load_balancer.name,
            listener: self.ends.node,
            client: self.ends.client,
            target: self.target,
            connection_time: took,
            tls_handshake_time: tls.map(|tls| tls.took),
            received_bytes: received,
            sent_bytes: sent,
            chosen_certificate: tls.and_then(|tls| tls.certificate.as_deref()),
            tls_cipher: tls.map(|tls| tls.cipher),
            tls_protocol: tls.map(|tls| tls.version),
            domain_name: match tls {
                Some(tls) => tls.server_name.as_deref(),
                None => self.hello.server_name.as_deref(),
            },
            alpn: protocol.and_then(|name| std::str::from_utf8(name).ok()),
            alpn_offered: self.hello.protocols.as_deref(),
            creation_time,
            target_group: self.group.map(|group| &*group.settings().name),
            error_reason: self.error,
            classic: self
                .entrance
                .load_balancer
                .attributes
                .classic
                .then(|| self.traffic.first.times()),
        });
    }
}
