//! The name that a client asks for (SNI), read from the first message of its TLS handshake without
//! answering it: what chooses the group on a TLS listener that passes connections through.
//!
//! rustls reads the message, strictly; what has been read is kept, for the target is to see it all. A
//! client that is only older than what rustls would speak (no TLS 1.2 at all, say) is no concern of a
//! listener that does not decrypt: it is passed on as one that asks for no name.

use std::time::Duration;

use rustls::Error;
use rustls::server::{Acceptor, ClientHello};
use tokio::time::timeout;

use super::error::RelayError;
use crate::net::{Stream, buffers};

/// How long the message may be. Those of browsers have about 2 KiB, with keys that resist quantum
/// computers.
const LONGEST: usize = 32 * 1024;

/// What a client said first.
#[derive(Debug, Default)]
pub(super) struct Hello {
    /// All bytes that have been read.
    pub(super) bytes: Vec<u8>,
    /// The name that it asks for.
    pub(super) server_name: Option<Box<str>>,
    /// The application protocols that it offers, separated by commas.
    pub(super) protocols: Option<Box<str>>,
}

/// Reads the first message, within `limit`.
///
/// # Errors
///
/// It does not come, or is none of TLS.
pub(super) async fn hear(client: &mut Stream, limit: Duration) -> Result<Hello, RelayError> {
    let heard = timeout(limit, read(client)).await;
    heard.unwrap_or(Err(RelayError::HelloTimeout))
}

async fn read(client: &mut Stream) -> Result<Hello, RelayError> {
    let (mut reader, _) = client.split();
    let mut bytes = buffers::take();
    let mut reading = Reading::default();
    loop {
        let before = bytes.len();
        match reader.read(&mut bytes).await {
            Ok(0) => return Err(RelayError::ClientClosedEarly),
            Ok(_) => {}
            Err(_) => return Err(RelayError::ClientReset),
        }
        match reading.feed(&bytes[before..])? {
            Some((server_name, protocols)) => {
                return Ok(Hello {
                    bytes,
                    server_name,
                    protocols,
                });
            }
            None if bytes.len() > LONGEST => return Err(RelayError::HelloInvalid),
            None => {}
        }
    }
}

type Asked = (Option<Box<str>>, Option<Box<str>>);

/// Reads the message piece by piece.
#[derive(Default)]
struct Reading(Acceptor);

impl Reading {
    /// Takes more bytes in; what the client asks for once the message is complete.
    fn feed(&mut self, mut bytes: &[u8]) -> Result<Option<Asked>, RelayError> {
        while !bytes.is_empty() {
            // Fails when there is more than a message may have.
            let read = self.0.read_tls(&mut bytes);
            if read.is_err() {
                return Err(RelayError::HelloInvalid);
            }
            match self.0.accept() {
                Ok(Some(accepted)) => return Ok(Some(asked(&accepted.client_hello()))),
                Ok(None) => {}
                Err((Error::PeerIncompatible(_), _)) => return Ok(Some((None, None))),
                Err(_) => return Err(RelayError::HelloInvalid),
            }
        }
        Ok(None)
    }
}

fn asked(hello: &ClientHello<'_>) -> Asked {
    let protocols = hello.alpn().map(|protocols| {
        let names = protocols.map(|name| String::from_utf8_lossy(name).into_owned());
        names.collect::<Vec<_>>().join(",").into()
    });
    (hello.server_name().map(Into::into), protocols)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::sync::Arc;

    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    /// The first message of rustls' own client.
    fn hello(name: &str, protocols: &[&str]) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let name = name.to_owned().try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_name_is_read_however_the_message_is_cut() {
        let bytes = hello("db.example.com", &["h2", "http/1.1"]);
        for size in [1, 5, 100, bytes.len()] {
            let mut reading = Reading::default();
            let mut asked = None;
            for piece in bytes.chunks(size) {
                assert!(asked.is_none(), "complete too early");
                asked = reading.feed(piece).unwrap();
            }
            let (name, protocols) = asked.unwrap();
            assert_eq!(name.as_deref(), Some("db.example.com"));
            assert_eq!(protocols.as_deref(), Some("h2,http/1.1"));
        }
    }

    #[test]
    fn who_asks_by_address_asks_for_no_name() {
        let asked = Reading::default().feed(&hello("127.0.0.1", &[])).unwrap();
        assert_eq!(asked, Some((None, None)));
    }

    #[test]
    fn what_is_no_tls_is_refused_at_once() {
        for text in ["GET / HTTP/1.1\r\n", "SSH-2.0-OpenSSH\r\n"] {
            let fed = Reading::default().feed(text.as_bytes());
            assert!(matches!(fed, Err(RelayError::HelloInvalid)), "{text}");
        }
    }

    #[test]
    fn no_message_makes_the_reader_panic() {
        let right = hello("db.example.com", &["h2"]);
        for place in 0..right.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut wrong = right.clone();
                wrong[place] ^= flip;
                let _ = Reading::default().feed(&wrong);
            }
        }
    }
}
