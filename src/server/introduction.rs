//! Who a new connection's client is: its peer, or whom a trusted proxy introduces with a PROXY
//! protocol header before anything else, TLS too.
//!
//! A proxy that is trusted must introduce its clients, for a receiver that guesses whether there is
//! a header can be lied to by any client behind that proxy. From everybody else a header is nothing
//! but the first bytes of whatever the listener speaks.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use crate::config::{Others, ValidProxyProtocol};
use crate::net::Drain;
use crate::proxy::Ends;
use crate::proxy_protocol::{Header, receive};
use crate::snapshot::Entrance;

/// The ends of a connection from `peer`. None when the connection is not to be served: no header
/// came although it must, or in time, or it is refused; or `drain` came first.
pub(super) async fn ends(
    stream: &TcpStream,
    peer: SocketAddr,
    entrance: &Entrance,
    drain: &Drain,
) -> Option<Ends> {
    // Fails when the client has gone already.
    let ends = Ends::new(peer, stream.local_addr().ok()?);
    let Some(settings) = &entrance.listener.proxy_protocol else {
        return Some(ends);
    };
    if settings.from.contains(peer.ip()) {
        let introduced = tokio::select! {
            biased;
            introduced = introduction(stream, settings) => introduced,
            () = drain.closing() => return None,
        };
        return match introduced {
            Ok(header) => Some(ends.introduced(&header)),
            Err(reason) => refuse(peer, entrance, reason),
        };
    }
    match settings.others {
        Others::Serve => Some(ends),
        Others::Refuse => refuse(peer, entrance, "untrusted"),
    }
}

async fn introduction(
    stream: &TcpStream,
    settings: &ValidProxyProtocol,
) -> Result<Header, &'static str> {
    let received = timeout(settings.timeout, receive(stream)).await;
    let received = received.map_err(|_| "timeout")?;
    received.map_err(|error| error.reason())
}

/// A word in the log at `debug` only: whoever reaches the port can cause one.
fn refuse(peer: SocketAddr, entrance: &Entrance, reason: &'static str) -> Option<Ends> {
    entrance.metrics.proxy_protocol_error(reason);
    debug!(
        load_balancer = %entrance.key.load_balancer,
        address = %entrance.key.address,
        %peer,
        reason,
        "connection closed: no acceptable PROXY protocol header"
    );
    None
}
