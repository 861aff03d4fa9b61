//! TLS for tests: certificates in a folder of their own, and clients that trust them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Client, Identity, Wire};

/// A client whose connection carries TLS.
pub(crate) type TlsClient = Client<TlsStream<TcpStream>>;

/// Certificates and keys in files.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Makes a certificate for these names, or another one in the place of the last of that name.
    /// Returns the entry for a listener's `certificates`, which is named so, too.
    pub(crate) fn make(&self, name: &str, hosts: &[&str]) -> String {
        self.make_with(name, &KeyPair::generate().unwrap(), hosts)
    }

    pub(crate) fn make_with(&self, name: &str, key: &KeyPair, hosts: &[&str]) -> String {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(key).unwrap().pem();
        let (certificate_path, key_path) = self.paths(name);
        replace(&key_path, &key.serialize_pem());
        replace(&certificate_path, &certificate);
        format!(
            "{{ name = {name:?}, certificate = {certificate_path:?}, private_key = {key_path:?} }}"
        )
    }

    pub(crate) fn paths(&self, name: &str) -> (PathBuf, PathBuf) {
        let at = |ending: &str| self.0.path().join(format!("{name}.{ending}"));
        (at("pem"), at("key"))
    }

    /// The certificate of that name, as it is now.
    pub(crate) fn read(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.paths(name).0).unwrap()
    }

    /// Who trusts all that are there now.
    pub(crate) fn visitor(&self) -> Visitor {
        self.visitor_of(rustls::ALL_VERSIONS)
    }

    /// The same, who speaks only these versions.
    pub(crate) fn visitor_of(&self, versions: &[&'static SupportedProtocolVersion]) -> Visitor {
        let mut roots = RootCertStore::empty();
        for entry in std::fs::read_dir(self.0.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "pem") {
                let certificate = CertificateDer::from_pem_file(&path).unwrap();
                roots.add(certificate).unwrap();
            }
        }
        let staple = Arc::default();
        Visitor(configured(roots, versions, &staple), staple)
    }
}

fn configured(
    roots: RootCertStore,
    versions: &[&'static SupportedProtocolVersion],
    staple: &Arc<Mutex<Vec<u8>>>,
) -> ClientConfig {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![kx_group::X25519MLKEM768, kx_group::X25519];
    let provider = Arc::new(provider);
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
    let verifier = Arc::new(Noting(verifier, Arc::clone(staple)));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config
}

/// As an editor or a renewal does it: there is never half a file.
fn replace(path: &std::path::Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, path).unwrap();
}

/// Opens TLS connections.
#[derive(Clone)]
pub(crate) struct Visitor(ClientConfig, Arc<Mutex<Vec<u8>>>);

impl Visitor {
    /// Shows a certificate of its own when it is asked for one.
    pub(crate) fn showing(mut self, identity: Identity) -> Self {
        let key = aws_lc_rs::sign::any_supported_type(&identity.key).unwrap();
        let shown = CertifiedKey::new(identity.chain, key);
        self.0.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(shown));
        self
    }

    /// Resumes sessions.
    pub(crate) fn resuming(mut self) -> Self {
        self.0.resumption = Resumption::in_memory_sessions(16);
        self
    }

    /// The OCSP response that came with the last certificate.
    pub(crate) fn stapled(&self) -> Vec<u8> {
        self.1.lock().clone()
    }

    /// What it connects with.
    pub(crate) fn into_config(self) -> ClientConfig {
        self.0
    }

    /// Offers application protocols.
    pub(crate) fn offering(mut self, protocols: &[&str]) -> Self {
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        self.0.alpn_protocols = protocols.collect();
        self
    }

    /// Asks for the certificate of `host`; `None` when the handshake fails.
    pub(crate) async fn try_visit(&self, address: SocketAddr, host: &str) -> Option<TlsClient> {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let own = tcp.local_addr().unwrap();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let stream = TlsConnector::from(Arc::new(self.0.clone()))
            .connect(name, tcp)
            .await
            .ok()?;
        Some(Client {
            address: own,
            wire: Wire::over(stream),
        })
    }

    /// The same, when it must succeed.
    pub(crate) async fn visit(&self, address: SocketAddr, host: &str) -> TlsClient {
        let client = self.try_visit(address, host).await;
        client.expect("a TLS handshake")
    }
}

impl TlsClient {
    /// The certificate that the client was shown.
    pub(crate) fn shown(&self) -> CertificateDer<'static> {
        let (_, session) = self.wire.stream.get_ref();
        session.peer_certificates().unwrap()[0].clone()
    }

    pub(crate) fn session(&self) -> &rustls::ClientConnection {
        self.wire.stream.get_ref().1
    }
}

/// Verifies as usual, and notes the OCSP response.
#[derive(Debug)]
struct Noting(Arc<WebPkiServerVerifier>, Arc<Mutex<Vec<u8>>>);

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.1.lock() = ocsp.to_vec();
        self.0
            .verify_server_cert(end_entity, intermediates, name, &[], now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
