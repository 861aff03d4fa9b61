//! HTTPS to targets: whom the balancer believes there, and what becomes of requests when it does not.

use std::sync::Arc;

use base64::Engine;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use crate::support::{Certificates, Client, Elbow, Message, Target, Wire};

/// A target that speaks TLS with the certificate of that name, and says so.
async fn secure(certificates: &Certificates, name: &str) -> Target {
    let key = PrivateKeyDer::from_pem_file(certificates.paths(name).1).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificates.read(name)], key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Target::raw(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let session = stream.get_ref().1;
            let name = session.server_name().unwrap_or("-").to_owned();
            let kind = session.handshake_kind().unwrap();
            let body = format!("{name} {kind:?}");
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            let mut wire = Wire::over(stream);
            while let Some(request) = wire.request().await {
                let close = request.start_line().contains("/close");
                if wire.try_send(&answer).await.is_err() || close {
                    return;
                }
            }
        }
    })
    .await
}

/// A daemon before one HTTPS group with these targets; `tls` are keys of the group's `tls`.
async fn before(targets: &[&Target], tls: &str) -> Elbow {
    Elbow::before(
        targets,
        "",
        &format!("protocol = \"HTTPS\"\ntls = {{ {tls} }}"),
    )
    .await
}

async fn get(elbow: &Elbow, path: &str) -> Message {
    Client::connect(elbow.address()).await.get(path).await
}

#[tokio::test]
async fn a_target_is_believed_by_its_authority_and_its_name() {
    let certificates = Certificates::new();
    certificates.make("target", &["127.0.0.1", "inner.test"]);
    let target = secure(&certificates, "target").await;
    let ca = certificates.paths("target").0;

    // By its address, which is not asked for (RFC 6066 section 3) but must be in the certificate.
    let elbow = before(&[&target], &format!("ca = {ca:?}")).await;
    assert_eq!(get(&elbow, "/").await.text(), "- Full");
    let elbow = before(
        &[&target],
        &format!("ca = {ca:?}, server_name = \"inner.test\""),
    )
    .await;
    assert_eq!(get(&elbow, "/").await.text(), "inner.test Full");
    for wrong in [
        format!("ca = {ca:?}, server_name = \"other.test\""),
        String::new(),
    ] {
        let elbow = before(&[&target], &wrong).await;
        assert_eq!(get(&elbow, "/").await.status(), 502);
        let line = elbow.log_line().await;
        assert_eq!(line.text("error_reason"), "TargetTlsNegotiationError");
        elbow
            .expect_metric("elbow_target_tls_negotiation_errors_total", 1.0)
            .await;
        assert_eq!(elbow.metric("elbow_target_connection_errors_total"), 0.0);
    }
}

#[tokio::test]
async fn without_verification_any_certificate_is_believed_as_by_alb() {
    let certificates = Certificates::new();
    certificates.make("target", &["elsewhere.test"]);
    let target = secure(&certificates, "target").await;
    let elbow = before(&[&target], "verify = false").await;
    assert_eq!(get(&elbow, "/").await.status(), 200);
}

#[tokio::test]
async fn a_pinned_key_is_believed_whoever_issued_it_and_no_other_is() {
    let certificates = Certificates::new();
    certificates.make("target", &["elsewhere.test"]);
    let target = secure(&certificates, "target").await;
    let der = certificates.read("target");
    let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
    let key = parsed.tbs_certificate.subject_pki.raw;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key);
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    for (pin, status) in [(encode(digest.as_ref()), 200), (encode(&[7; 32]), 502)] {
        let settings = format!("verify = false, pinned_keys = [\"{pin}\"]");
        let elbow = before(&[&target], &settings).await;
        assert_eq!(get(&elbow, "/").await.status(), status);
    }
}

#[tokio::test]
async fn connections_are_kept_and_sessions_resumed() {
    let certificates = Certificates::new();
    certificates.make("target", &["127.0.0.1"]);
    let target = secure(&certificates, "target").await;
    let elbow = before(&[&target], "verify = false").await;
    let mut client = Client::connect(elbow.address()).await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.text(), "- Full");
    }
    assert_eq!(target.connections(), 1);
    assert_eq!(client.get("/close").await.status(), 200);
    let resumed = async {
        loop {
            // Until the balancer has seen that the connection was closed.
            if client.get("/").await.text() == "- Resumed" {
                return;
            }
        }
    };
    tokio::time::timeout(crate::support::SOON, resumed)
        .await
        .unwrap();
    assert_eq!(target.connections(), 2);
}

#[tokio::test]
async fn a_target_that_speaks_no_tls_is_left_for_another() {
    let certificates = Certificates::new();
    certificates.make("target", &["127.0.0.1"]);
    let good = secure(&certificates, "target").await;
    let plain = Target::raw(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let elbow = before(&[&plain, &good], "verify = false").await;
    for _ in 0..4 {
        assert_eq!(get(&elbow, "/").await.status(), 200);
    }
    assert!(plain.connections() > 0);
}

#[tokio::test]
async fn a_target_that_hangs_in_the_handshake_is_answered_for_with_504() {
    let silent = Target::raw(|stream, _| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let elbow = Elbow::before(
        &[&silent],
        "",
        "protocol = \"HTTPS\"\nretries = 0\nconnect_timeout = \"200ms\"",
    )
    .await;
    assert_eq!(get(&elbow, "/").await.status(), 504);
}
