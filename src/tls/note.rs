//! What rustls decides in one handshake over QUIC, which the layer between does not tell.
//!
//! A connection has a configuration of its own, whose certificates, keys and sessions note how they are
//! asked for. What they answer is the same.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::server::{ClientHello, ResolvesServerCert, StoresServerSessions};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{CipherSuite, ServerConfig, SignatureAlgorithm, SignatureScheme};

use super::choose::{Certificates, Wish};
use super::cipher;

/// What is known of one handshake.
#[derive(Debug, Default)]
pub struct Note {
    certificate: OnceLock<Arc<str>>,
    cipher: OnceLock<CipherSuite>,
    signed: AtomicBool,
    found_session: AtomicBool,
}

impl Note {
    /// The certificate that the client is shown, by the name of its place; when its session was resumed,
    /// the one that it would have been shown.
    pub fn certificate(&self) -> Option<&Arc<str>> {
        self.certificate.get()
    }

    /// The cipher suite, by OpenSSL's name.
    pub fn cipher(&self) -> &'static str {
        self.cipher
            .get()
            .map_or("-", |suite| cipher::openssl_name(*suite))
    }

    /// Whether an earlier session was resumed, once the handshake is complete: the certificate has not been
    /// proved then (RFC 8446 section 2.2).
    pub fn is_resumed(&self) -> bool {
        !self.signed.load(Ordering::Relaxed)
    }

    /// Whether the client named a session that is kept, without which no early data is taken. Known when its
    /// first message has been answered, and so is all the rest then.
    pub fn found_session(&self) -> bool {
        self.found_session.load(Ordering::Relaxed)
    }
}

/// Makes `config`, for one connection over QUIC, tell.
pub(super) fn noting(
    mut config: ServerConfig,
    certificates: &Arc<Certificates>,
) -> (ServerConfig, Arc<Note>) {
    let note = Arc::new(Note::default());
    config.cert_resolver = Arc::new(Resolver {
        certificates: Arc::clone(certificates),
        provider: Arc::clone(config.crypto_provider()),
        note: Arc::clone(&note),
    });
    config.session_storage = Arc::new(Storage {
        inner: Arc::clone(&config.session_storage),
        note: Arc::clone(&note),
    });
    (config, note)
}

#[derive(Debug)]
struct Resolver {
    certificates: Arc<Certificates>,
    provider: Arc<CryptoProvider>,
    note: Arc<Note>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // The first of ours that the client has: the configuration ignores the client's order.
        let ours = self.provider.cipher_suites.iter();
        let mut ours = ours.filter(|suite| suite.tls13().is_some_and(|it| it.quic.is_some()));
        let suite = ours.find(|suite| hello.cipher_suites().contains(&suite.suite()));
        if let Some(suite) = suite {
            // It stays what it is when the client is asked to say hello again.
            let _ = self.note.cipher.set(suite.suite());
        }
        let chosen = self.certificates.choose(&Wish::of(&hello, true))?;
        let _ = self.note.certificate.set(chosen.name);
        let key = chosen.certificate.key();
        Some(Arc::new(CertifiedKey {
            cert: key.cert.clone(),
            key: Arc::new(Key {
                inner: Arc::clone(&key.key),
                note: Arc::clone(&self.note),
            }),
            ocsp: key.ocsp.clone(),
        }))
    }
}

#[derive(Debug)]
struct Key {
    inner: Arc<dyn SigningKey>,
    note: Arc<Note>,
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.note.signed.store(true, Ordering::Relaxed);
        self.inner.choose_scheme(offered)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.inner.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.inner.algorithm()
    }
}

#[derive(Debug)]
struct Storage {
    inner: Arc<dyn StoresServerSessions>,
    note: Arc<Note>,
}

impl StoresServerSessions for Storage {
    fn put(&self, id: Vec<u8>, session: Vec<u8>) -> bool {
        self.inner.put(id, session)
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.inner.get(id)
    }

    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        let session = self.inner.take(id)?;
        self.note.found_session.store(true, Ordering::Relaxed);
        Some(session)
    }

    fn can_cache(&self) -> bool {
        self.inner.can_cache()
    }
}
