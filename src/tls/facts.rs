//! What a handshake has led to, in the words of ALB's logs.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{CommonState, Connection, HandshakeKind, NamedGroup};

use super::cipher;
use super::client_fields::ClientFields;

/// What a client and a listener agreed on.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite, by OpenSSL's name.
    pub cipher: &'static str,
    /// The group of the key exchange, by its IANA name, such as `X25519MLKEM768`; none when a TLS 1.2
    /// session was resumed.
    pub group: Option<&'static str>,
    /// The name that the client asked for (SNI).
    pub server_name: Option<Box<str>>,
    /// The certificate that it was shown, by the name of its place; when the session was resumed, the
    /// one that it would have been shown.
    pub certificate: Option<Arc<str>>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The application protocol that was agreed on (ALPN).
    pub protocol: Option<Box<[u8]>>,
    /// The client's own certificate and its chain; empty if it showed none.
    pub peer_certificates: Vec<CertificateDer<'static>>,
    /// What targets are told of the client's certificate; none where clients are not asked for one.
    pub client_fields: Option<ClientFields>,
    /// How long the handshake took, from the client's first message.
    pub took: Duration,
}

impl Facts {
    /// Reads them from a session whose handshake is done.
    pub fn of(connection: &Connection, certificate: Option<Arc<str>>, took: Duration) -> Self {
        let server_name = match connection {
            Connection::Server(server) => server.server_name().map(Box::from),
            Connection::Client(_) => None,
        };
        let common: &CommonState = connection;
        let suite = common.negotiated_cipher_suite();
        let group = common.negotiated_key_exchange_group();
        Self {
            version: common.protocol_version().map_or("-", cipher::version_name),
            cipher: suite.map_or("-", |suite| cipher::openssl_name(suite.suite())),
            group: group.map(|group| group_name(group.name())),
            server_name,
            certificate,
            resumed: common.handshake_kind() == Some(HandshakeKind::Resumed),
            protocol: common.alpn_protocol().map(Box::from),
            peer_certificates: common.peer_certificates().unwrap_or_default().to_vec(),
            client_fields: None,
            took,
        }
    }

    /// Whether HTTP/2 was agreed on.
    pub fn is_http2(&self) -> bool {
        self.protocol.as_deref() == Some(b"h2")
    }
}

fn group_name(group: NamedGroup) -> &'static str {
    match group {
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        NamedGroup::secp256r1MLKEM768 => "SecP256r1MLKEM768",
        NamedGroup::X25519 => "x25519",
        NamedGroup::secp256r1 => "secp256r1",
        NamedGroup::secp384r1 => "secp384r1",
        _ => "-",
    }
}
