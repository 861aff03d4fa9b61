//! What the logs say of a handshake over QUIC.

use std::net::Ipv4Addr;
use std::sync::Arc;

use http::Request;
use parking_lot::Mutex;
use quinn::Endpoint;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS13_AES_128_GCM_SHA256 as AES_128, TLS13_AES_256_GCM_SHA384 as AES_256,
    TLS13_CHACHA20_POLY1305_SHA256 as CHACHA20,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, KeyLog, RootCertStore, SupportedCipherSuite};

use crate::client::Http3Client;
use crate::configuration;
use crate::support::{Certificates, Elbow, LogLine, SOON, Target, eventually, soon};

/// How long the secrets of a client's last handshake were: as long as its cipher suite's hash.
#[derive(Debug, Default)]
struct Secrets(Mutex<usize>);

impl KeyLog for Secrets {
    fn log(&self, _: &str, _: &[u8], secret: &[u8]) {
        *self.0.lock() = secret.len();
    }
}

/// A client that has these cipher suites, the one that it likes best first.
fn client(
    certificates: &Certificates,
    suites: &[SupportedCipherSuite],
    secrets: &Arc<Secrets>,
) -> quinn::ClientConfig {
    let mut provider = default_provider();
    provider.cipher_suites = suites.to_vec();
    let mut roots = RootCertStore::empty();
    roots.add(certificates.read("site")).unwrap();
    let mut tls = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    tls.key_log = Arc::clone(secrets) as _;
    let initial = AES_128.tls13().unwrap().quic_suite().unwrap();
    let tls = QuicClientConfig::with_initial(Arc::new(tls), initial).unwrap();
    quinn::ClientConfig::new(Arc::new(tls))
}

async fn ask(elbow: &Elbow, config: &quinn::ClientConfig) {
    let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    endpoint.set_default_client_config(config.clone());
    let connecting = endpoint.connect(elbow.address(), "site.test").unwrap();
    let quic = soon(connecting).await.unwrap();
    let mut client = Http3Client::over(endpoint, quic).await;
    client.ask(Request::get("https://site.test/"), b"").await;
}

#[tokio::test]
async fn the_logs_of_http_3_name_cipher_and_certificate() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let other = certificates.make("other", &["other.test"]);
    let site = certificates.make("site", &["site.test"]);
    let connections = certificates.path("connections.log");
    let text = configuration(&target, &format!("{other}, {site}"), "");
    let log = format!("connection_log = {{ path = {connections:?}, format = \"json\" }}\n");
    let elbow = Elbow::start(&(log + &text)).await;
    let secrets = Arc::default();
    let offers = [
        &[CHACHA20][..],
        &[AES_256],
        &[AES_128],
        &[AES_128, AES_256],
        &[AES_256, AES_128],
    ];
    for (before, offered) in offers.into_iter().enumerate() {
        ask(&elbow, &client(&certificates, offered, &secrets)).await;
        let line = elbow.log(before + 1).await.pop().unwrap();
        let cipher = line.text("ssl_cipher");
        if let [only] = offered {
            let name = format!("{:?}", only.suite()).replace("TLS13", "TLS");
            assert_eq!(cipher, name);
        }
        let length = if cipher.ends_with("SHA384") { 48 } else { 32 };
        assert_eq!(*secrets.0.lock(), length, "{cipher}");
        assert_eq!(line.text("chosen_cert_arn"), "site");
        eventually(SOON, "the connection is logged", || {
            LogLine::read(&connections).len() == before + 1
        })
        .await;
        let connection = LogLine::read(&connections).pop().unwrap();
        assert_eq!(connection.text("tls_cipher"), cipher);
    }
}

#[tokio::test]
async fn the_logs_and_metrics_of_http_3_tell_of_sessions_that_are_resumed() {
    for early in ["", "early_data = true"] {
        let target = Target::saying("hello").await;
        let certificates = Certificates::new();
        let site = certificates.make("site", &["site.test"]);
        let text = configuration(&target, &site, "");
        let text = text.replacen("http3 = true\n", &format!("http3 = true\n{early}\n"), 1);
        let elbow = Elbow::start(&text).await;
        let returning = client(&certificates, &[AES_128], &Arc::default());
        for expected in ["site", "session-reused"] {
            ask(&elbow, &returning).await;
            let lines = if expected == "site" { 1 } else { 2 };
            let line = elbow.log(lines).await.pop().unwrap();
            assert_eq!(line.text("chosen_cert_arn"), expected, "{early}");
        }
        for (kind, count) in [("full", 1.0), ("resumed", 1.0)] {
            let row = format!("elbow_tls_handshakes_total{{kind={kind:?}}}");
            elbow.expect_metric(&row, count).await;
        }
    }
}
