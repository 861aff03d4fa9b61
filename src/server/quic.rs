//! Accepting clients over QUIC: one endpoint for each worker and socket.
//!
//! The kernel spreads clients over the workers' sockets by their addresses, so a client that moves to
//! another network may reach another worker, which does not know it: it connects anew then.
//! Which process a packet is for, while one takes over from another, is `datagrams`' question.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quinn::{Endpoint, EndpointConfig, Incoming, TokioRuntime, TransportConfig};
use tracing::error;

use super::accept::Acceptor;
use super::connection::ConnectionGuard;
use super::datagrams::Datagrams;
use super::newcomer::{Newcomer, Shaking};
use crate::inbound::Transport;
use crate::net::Drain;
use crate::snapshot::{Entrance, EntranceKey};
use crate::tls::Note;

/// How many requests a client may have in flight on one connection, as in HTTP/2.
const STREAMS: u32 = 128;
/// What a client may send ahead on one stream, and on all of a connection's.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What is kept for a client that does not acknowledge it.
const SEND_WINDOW: u64 = 1024 * 1024;
/// With so many handshakes under way on a worker, a client has to show that it has the address that it
/// sends from (RFC 9000 section 8.1.2) before anything else is done for it.
const UNPROVEN: usize = 64;

impl Acceptor {
    /// Accepts until `drain` asks for an end; what is open then goes on.
    pub(super) async fn accept_quic(
        self: Arc<Self>,
        socket: Datagrams,
        entrance: EntranceKey,
        drain: Drain,
    ) {
        let endpoint = self.endpoint(socket, &entrance);
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(error) => {
                error!(address = %entrance.address, %error, "cannot accept QUIC connections");
                return;
            }
        };
        let Ok(node) = endpoint.local_addr() else {
            return;
        };
        let shaking = Arc::new(AtomicUsize::new(0));
        loop {
            let incoming = tokio::select! {
                biased;
                () = drain.finishing() => break,
                incoming = endpoint.accept() => incoming,
            };
            match incoming {
                Some(incoming) => {
                    self.admit_quic(incoming, (&entrance, node), &drain, &shaking);
                }
                None => break,
            }
        }
        endpoint.set_server_config(None);
    }

    fn endpoint(&self, socket: Datagrams, entrance: &EntranceKey) -> std::io::Result<Endpoint> {
        let snapshot = self.shared.load();
        let config = snapshot
            .entrance(entrance)
            .and_then(|entrance| server_config(entrance))
            .map(|(config, _)| config)
            .ok_or_else(|| std::io::Error::other("the listener has no TLS that QUIC can use"))?;
        let mut endpoint = EndpointConfig::default();
        endpoint.cid_generator(socket.sharing.connection_ids());
        let socket = socket.into_endpoint_socket()?;
        let runtime = Arc::new(TokioRuntime);
        Endpoint::new_with_abstract_socket(endpoint, Some(config), socket, runtime)
    }

    fn admit_quic(
        &self,
        incoming: Incoming,
        (entrance, node): (&EntranceKey, SocketAddr),
        drain: &Drain,
        shaking: &Arc<AtomicUsize>,
    ) {
        let snapshot = self.shared.load();
        let entrance = snapshot.entrance(entrance);
        let Some((entrance, (config, note))) =
            entrance.zip(entrance.and_then(|it| server_config(it)))
        else {
            return incoming.refuse();
        };
        if !entrance.admits(incoming.remote_address(), Transport::Udp) {
            // Not a word: the address may be forged, and whoever has it has asked for nothing.
            return incoming.ignore();
        }
        if shaking.load(Ordering::Relaxed) >= UNPROVEN && !incoming.remote_address_validated() {
            // Fails only for one that has shown it.
            let _ = incoming.retry();
            return;
        }
        let Some(guard) = ConnectionGuard::open(entrance, &self.metrics) else {
            return incoming.refuse();
        };
        let Ok(connecting) = incoming.accept_with(Arc::new(config)) else {
            return;
        };
        let newcomer = Newcomer {
            proxy: Arc::clone(&self.proxy),
            log: self.connection_log.clone(),
            entrance: Arc::clone(entrance),
            note,
            node,
            drain: drain.clone(),
            shaking: Shaking::new(shaking),
            farewell: self.farewell.clone(),
        };
        self.connections.spawn(async move {
            let _guard = guard;
            newcomer.serve(connecting).await;
        });
    }
}

/// For one connection, with what its handshake comes to.
fn server_config(entrance: &Entrance) -> Option<(quinn::ServerConfig, Arc<Note>)> {
    let (crypto, note) = entrance.listener.tls.as_ref().and_then(|tls| tls.quic())?;
    let mut transport = TransportConfig::default();
    // A connection that waits for a slow target is not idle: the idle timeout proper is looked
    // after where requests are known. This one notices clients that have vanished.
    let idle = entrance.load_balancer.attributes.idle_timeout + Duration::from_secs(30);
    transport
        .max_concurrent_bidi_streams(STREAMS.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(SEND_WINDOW)
        .max_idle_timeout(idle.try_into().ok());
    let mut config = quinn::ServerConfig::with_crypto(crypto);
    config.transport_config(Arc::new(transport));
    // Who is let in is let in by its address: elsewhere it would have to be looked at again.
    config.migration(entrance.inbound.is_none());
    Some((config, note))
}
