//! A client's connection over QUIC, from its first packet to its end.
//!
//! Where early data is taken, requests are served from the client's first flight on, and all is given up
//! if the handshake is not complete in time. Elsewhere nothing is looked at before it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quinn::crypto::rustls::HandshakeData;
use quinn::{Connecting, Connection};
use rustls::pki_types::CertificateDer;
use tokio::time::{Instant, timeout_at};

use super::connection_log::{ConnectionLog, Failed};
use super::farewell::Farewell;
use crate::net::Drain;
use crate::proxy::{Ends, Handshake, Proxy};
use crate::snapshot::Entrance;
use crate::tls::{Facts, Note};

/// A client that has been let in.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) proxy: Arc<Proxy>,
    pub(super) log: ConnectionLog,
    pub(super) entrance: Arc<Entrance>,
    pub(super) note: Arc<Note>,
    pub(super) node: SocketAddr,
    pub(super) drain: Drain,
    pub(super) shaking: Shaking,
    pub(super) farewell: Farewell,
}

impl Newcomer {
    /// Serves it to its end.
    pub(super) async fn serve(self, connecting: Connecting) {
        let begun = Instant::now();
        let tls = self.entrance.listener.tls.as_ref();
        match tls.is_some_and(|tls| tls.takes_early_data()) {
            true => self.serve_early(connecting, begun).await,
            false => self.serve_shaken(connecting, begun).await,
        }
    }

    /// Serves it when the handshake is complete.
    async fn serve_shaken(self, connecting: Connecting, begun: Instant) {
        let stranger = Ends::new(connecting.remote_address(), self.node);
        let connection = match timeout_at(self.deadline(begun), connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(_)) => return self.refused(&stranger, "quic"),
            Err(_) => return self.refused(&stranger, "timeout"),
        };
        let took = begun.elapsed();
        let ends = self.ends(&connection, took);
        self.shaken(&ends, took);
        let (key, drain) = (self.entrance.key.clone(), self.drain);
        drop((self.entrance, self.shaking));
        let handshake = Handshake::completed();
        let proxy = self.proxy;
        let serving = proxy.serve_http3(connection.clone(), Arc::new(ends), key, drain, handshake);
        self.farewell.serve(connection, serving).await;
    }

    /// Serves it from its first flight on.
    async fn serve_early(self, mut connecting: Connecting, begun: Instant) {
        let deadline = self.deadline(begun);
        let stranger = Ends::new(connecting.remote_address(), self.node);
        match timeout_at(deadline, connecting.handshake_data()).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return self.refused(&stranger, "quic"),
            Err(_) => return self.refused(&stranger, "timeout"),
        }
        if !self.note.found_session() {
            // Nothing of it can be early.
            return Box::pin(self.serve_shaken(connecting, begun)).await;
        }
        // The accepting side never fails to.
        let Ok((connection, completed)) = connecting.into_0rtt() else {
            return self.refused(&stranger, "quic");
        };
        let ends = Arc::new(self.ends(&connection, begun.elapsed()));
        let handshake = Handshake::default();
        // Boxed, because it is handed on half-way.
        let mut serving = Box::pin(Arc::clone(&self.proxy).serve_http3(
            connection.clone(),
            Arc::clone(&ends),
            self.entrance.key.clone(),
            self.drain.clone(),
            handshake.clone(),
        ));
        tokio::select! {
            // In this order, so that what comes after the handshake is not taken for early.
            biased;
            outcome = timeout_at(deadline, completed) => if outcome.is_err() {
                return self.refused(&ends, "timeout");
            },
            () = serving.as_mut() => {}
        }
        if !is_complete(&connection) {
            return self.refused(&ends, "quic");
        }
        handshake.complete();
        self.shaken(&ends, begun.elapsed());
        drop((self.entrance, self.shaking));
        self.farewell.serve(connection, serving).await;
    }

    fn deadline(&self, begun: Instant) -> Instant {
        begun + self.entrance.load_balancer.attributes.tls_handshake_timeout
    }

    fn ends(&self, connection: &Connection, took: Duration) -> Ends {
        let mut facts = facts(connection, &self.note, took);
        let tls = self.entrance.listener.tls.as_ref();
        let asked = tls.and_then(|tls| tls.client_authentication());
        facts.client_fields = asked.map(|asked| asked.fields(&facts.peer_certificates));
        // A socket on all addresses is told which of them a packet came to.
        let ip = connection.local_ip().unwrap_or(self.node.ip());
        let node = SocketAddr::new(ip, self.node.port());
        Ends::new(connection.remote_address(), node).with_tls(facts)
    }

    /// Notes that the handshake is complete.
    fn shaken(&self, ends: &Ends, took: Duration) {
        if let Some(facts) = ends.tls() {
            let metrics = &self.entrance.metrics;
            metrics.tls_handshake(facts.version, facts.resumed);
        }
        self.log.shaken(ends, Some(took));
    }

    /// Notes that it failed. The library does not tell what was wrong with a client's certificate.
    fn refused(&self, ends: &Ends, cause: &'static str) {
        self.entrance.metrics.tls_negotiation_error(cause);
        self.log.failed(ends, &Failed::unmapped());
    }
}

/// Counts as a handshake under way until it is dropped.
#[derive(Debug)]
pub(super) struct Shaking(Arc<AtomicUsize>);

impl Shaking {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Shaking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the client's last message of the handshake has come, also if the connection has ended since: TLS
/// has no secrets to export before it (RFC 8446 section 7.5).
fn is_complete(connection: &Connection) -> bool {
    let mut secret = [0; 1];
    let exported = connection.export_keying_material(&mut secret, b"elbow", b"");
    exported.is_ok()
}

/// What is known of the handshake: all but the group of the key exchange.
fn facts(connection: &Connection, note: &Note, took: Duration) -> Facts {
    let data = connection.handshake_data();
    let data = data.and_then(|data| data.downcast::<HandshakeData>().ok());
    let server_name = data.as_ref().and_then(|data| data.server_name.as_deref());
    let identity = connection.peer_identity();
    let identity =
        identity.and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    Facts {
        version: "TLSv1.3",
        cipher: note.cipher(),
        group: None,
        server_name: server_name.map(Box::from),
        certificate: note.certificate().cloned(),
        resumed: note.is_resumed(),
        protocol: Some(b"h3".as_slice().into()),
        client_fields: None,
        peer_certificates: identity.map_or_else(Vec::new, |chain| *chain),
        took,
    }
}
