//! TLS-ALPN-01: the certificates by which an ACME server finds out who has a name (RFC 8737).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// What the ACME server says it speaks.
pub(super) const PROTOCOL: &[u8] = b"acme-tls/1";

/// The challenges that wait to be asked for, by name. Clones of the `Arc` share them; all listeners
/// answer.
#[derive(Debug, Default)]
pub struct Challenges(RwLock<HashMap<Box<str>, Arc<CertifiedKey>>>);

impl Challenges {
    /// Answers for `host` with `key` from now on.
    pub fn expect(&self, host: &str, key: Arc<CertifiedKey>) {
        self.0.write().insert(host.to_ascii_lowercase().into(), key);
    }

    /// Answers for `host` no more.
    pub fn forget(&self, host: &str) {
        self.0.write().remove(&*host.to_ascii_lowercase());
    }

    /// Whether none waits: nobody need look at what clients speak then.
    pub fn is_empty(&self) -> bool {
        self.0.read().is_empty()
    }
}

/// Whether a client is an ACME server that asks a challenge. RFC 8737 section 3: it offers this
/// protocol and no other.
pub(super) fn is_asked(hello: &ClientHello<'_>) -> bool {
    let mut protocols = hello.alpn().into_iter().flatten();
    protocols.next() == Some(PROTOCOL) && protocols.next().is_none()
}

impl ResolvesServerCert for Challenges {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name()?.to_ascii_lowercase();
        self.0.read().get(&*host).map(Arc::clone)
    }
}
