//! Who is at the two ends of a client's connection.

use std::net::SocketAddr;

use crate::access_log::ConnTraceId;
use crate::proxy_protocol::Header;
use crate::routing::Scheme;
use crate::tls::{ClientField, Facts};

/// The two ends of a client's connection.
#[derive(Debug)]
pub struct Ends {
    /// The client: the peer of the connection, or whom a PROXY protocol header names.
    pub(super) client: SocketAddr,
    /// The client's address as text, made once: every request carries it.
    pub(super) client_ip: String,
    /// The node's end: where the listener is.
    pub(super) node: SocketAddr,
    /// Where the client connected to: the node, or a proxy before it that says so.
    pub(super) destination: SocketAddr,
    /// Whether a proxy before the node says that it ended the client's TLS.
    pub(super) over_tls: bool,
    conn_trace_id: ConnTraceId,
    /// What was agreed in the TLS handshake; none on a plain connection. Boxed: plain ones pay a word.
    pub(super) tls: Option<Box<Facts>>,
}

impl Ends {
    /// Those of a connection from `peer` to `node`.
    pub fn new(peer: SocketAddr, node: SocketAddr) -> Self {
        Self {
            client: peer,
            client_ip: peer.ip().to_string(),
            node,
            destination: node,
            over_tls: false,
            conn_trace_id: ConnTraceId::from(fastrand::u128(..)),
            tls: None,
        }
    }

    /// The client: the peer of the connection, or whom a PROXY protocol header names.
    pub fn client(&self) -> SocketAddr {
        self.client
    }

    /// The node's end: where the listener is.
    pub fn node(&self) -> SocketAddr {
        self.node
    }

    /// Where the client connected to: the node, or a proxy before it that says so.
    pub fn destination(&self) -> SocketAddr {
        self.destination
    }

    /// What was negotiated with the client, if it speaks TLS to the node.
    pub fn tls(&self) -> Option<&Facts> {
        self.tls.as_deref()
    }

    /// Those of the client whom the peer, a proxy, introduces with `header`.
    pub fn introduced(self, header: &Header) -> Self {
        let Some(ends) = header.ends else {
            return self;
        };
        // The proxy's own socket may be one for both families.
        let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        let client = canonical(ends.source);
        Self {
            client,
            client_ip: client.ip().to_string(),
            node: self.node,
            destination: canonical(ends.destination),
            over_tls: header.tlvs.ssl.as_ref().is_some_and(|ssl| ssl.over_tls),
            conn_trace_id: self.conn_trace_id,
            tls: self.tls,
        }
    }

    /// The connection's name in the logs.
    pub fn conn_trace_id(&self) -> ConnTraceId {
        self.conn_trace_id
    }

    /// The same, of a connection that carries TLS.
    pub fn with_tls(self, facts: Facts) -> Self {
        let tls = Some(Box::new(facts));
        Self { tls, ..self }
    }

    /// Whether HTTP/2 was agreed on in the TLS handshake.
    pub(super) fn speaks_http2(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_http2())
    }

    /// What targets are told of the client's certificate; none where clients are not asked for one.
    pub(super) fn client_fields(&self) -> Option<&[(ClientField, String)]> {
        self.tls.as_ref()?.client_fields.as_deref()
    }

    /// What the client speaks to the node.
    pub(super) fn scheme(&self) -> Scheme {
        match self.tls {
            Some(_) => Scheme::Https,
            None => Scheme::Http,
        }
    }
}
