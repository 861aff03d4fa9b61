//! HTTPS to targets: whom the balancer believes there, and what becomes of requests when it does not.

use std::sync::Arc;

use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use crate::support::{
    Certificates, Client, Elbow, Http2Client, Message, SOON, Target, Wire, eventually,
};

/// Shows the certificate of that name, and speaks one of these protocols (ALPN); none agrees on none.
fn acceptor(certificates: &Certificates, name: &str, protocols: &[&str]) -> TlsAcceptor {
    let key = PrivateKeyDer::from_pem_file(certificates.paths(name).1).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificates.read(name)], key)
        .unwrap();
    let protocols = protocols.iter();
    config.alpn_protocols = protocols.map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A target that speaks TLS with the certificate of that name, and says so.
async fn secure(certificates: &Certificates, name: &str) -> Target {
    let acceptor = acceptor(certificates, name, &["http/1.1"]);
    Target::raw(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let session = stream.get_ref().1;
            let name = session.server_name().unwrap_or("-").to_owned();
            assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
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

/// A target that speaks HTTP/2 within TLS, whatever it agrees on; every call ends with gRPC's status 12.
async fn http2(certificates: &Certificates, name: &str, protocols: &[&str]) -> Target {
    let acceptor = acceptor(certificates, name, protocols);
    Target::raw(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let Ok(mut connection) = h2::server::handshake(stream).await else {
                return;
            };
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let head = Response::builder().status(200).body(()).unwrap();
                let Ok(mut body) = respond.send_response(head, false) else {
                    continue;
                };
                let _ = body.send_data(Bytes::from_static(b"in HTTP/2"), false);
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("12"));
                let _ = body.send_trailers(trailers);
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

#[tokio::test]
async fn http_2_and_grpc_are_spoken_to_targets_that_agree_on_it() {
    let certificates = Certificates::new();
    certificates.make("target", &["127.0.0.1"]);
    let ca = certificates.paths("target").0;
    for version in ["HTTP2", "GRPC"] {
        let target = http2(&certificates, "target", &["http/1.1", "h2"]).await;
        let elbow = Elbow::before(
            &[&target],
            "",
            &format!(
                "protocol = \"HTTPS\"\nprotocol_version = \"{version}\"\ntls = {{ ca = {ca:?} }}"
            ),
        )
        .await;
        let mut client = Http2Client::connect(elbow.address()).await;
        for _ in 0..3 {
            let response = client.post("/", b"").await;
            assert_eq!(response.status(), 200, "{version}");
            assert_eq!(response.text(), "in HTTP/2");
        }
        assert_eq!(target.connections(), 1, "{version}");
    }
}

#[tokio::test]
async fn a_target_that_does_not_agree_on_http_2_is_answered_for_with_502_and_the_reason() {
    let certificates = Certificates::new();
    certificates.make("target", &["127.0.0.1"]);
    let settings =
        "protocol = \"HTTPS\"\nprotocol_version = \"HTTP2\"\ntls = { verify = false }\nretries = 0";
    // One says that it speaks something else, the other has never heard of ALPN.
    for protocols in [&["http/1.1"][..], &[]] {
        let target = http2(&certificates, "target", protocols).await;
        let elbow = Elbow::before(&[&target], "", settings).await;
        let mut client = Http2Client::connect(elbow.address()).await;
        assert_eq!(client.get("/").await.status(), 502, "{protocols:?}");
        let line = elbow.log_line().await;
        assert_eq!(
            line.text("error_reason"),
            "TargetAlpnMismatch",
            "{protocols:?}"
        );
        elbow
            .expect_metric("elbow_target_tls_negotiation_errors_total", 1.0)
            .await;
    }
}

/// The health of the only target when it has been found out, and the last probe's words.
async fn found(target: &Target, settings: &str) -> (String, String) {
    let elbow = Elbow::start(&format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"group\" }} }}]\n\
         [[target_group]]\n\
         name = \"group\"\n\
         protocol = \"HTTPS\"\n\
         {}\n\
         {settings}\n",
        target.line()
    ))
    .await;
    let health = || {
        let snapshot = elbow.running().shared.load();
        let state = &snapshot.groups["group"].targets()[0].state;
        let last = state.probes().last().map(|probe| probe.detail.clone());
        (state.health().as_str().to_owned(), last.unwrap_or_default())
    };
    eventually(SOON, "healthy or not", || health().0.ends_with("healthy")).await;
    health()
}

#[tokio::test]
async fn probes_believe_whom_requests_believe() {
    let certificates = Certificates::new();
    certificates.make("target", &["127.0.0.1"]);
    certificates.make("other", &["127.0.0.1"]);
    let [ca, other] = ["target", "other"].map(|name| certificates.paths(name).0);
    let check =
        "protocol = \"HTTPS\", interval = \"2s\", timeout = \"1900ms\", unhealthy_threshold = 1";
    for version in ["HTTP1", "HTTP2", "GRPC"] {
        let target = match version {
            "HTTP1" => secure(&certificates, "target").await,
            _ => http2(&certificates, "target", &["h2"]).await,
        };
        let with = |tls: String| {
            let settings = format!(
                "protocol_version = \"{version}\"\ntls = {{ {tls} }}\nhealth_check = {{ {check} }}"
            );
            let target = &target;
            async move { found(target, &settings).await }
        };
        assert_eq!(with(format!("ca = {ca:?}")).await.0, "healthy", "{version}");
        assert_eq!(
            with("verify = false".to_owned()).await.0,
            "healthy",
            "{version}"
        );
        for unbelieved in [
            format!("ca = {other:?}"),
            format!("ca = {ca:?}, server_name = \"other.test\""),
            format!("verify = false, pinned_keys = [{:?}]", "A".repeat(43) + "="),
        ] {
            let (health, words) = with(unbelieved.clone()).await;
            assert_eq!(health, "unhealthy", "{version} {unbelieved}");
            assert!(words.starts_with("TLS handshake failed: "), "{words}");
        }
    }
}

#[tokio::test]
async fn a_probe_in_http_2_wants_it_agreed_on_too() {
    let certificates = Certificates::new();
    certificates.make("target", &["127.0.0.1"]);
    let check =
        "protocol = \"HTTPS\", interval = \"2s\", timeout = \"1900ms\", unhealthy_threshold = 1";
    for protocols in [&["http/1.1"][..], &[]] {
        let target = http2(&certificates, "target", protocols).await;
        let settings = format!(
            "protocol_version = \"HTTP2\"\ntls = {{ verify = false }}\nhealth_check = {{ {check} }}"
        );
        let (health, words) = found(&target, &settings).await;
        assert_eq!(health, "unhealthy");
        assert_eq!(
            words,
            "the target does not speak h2: it did not agree on that (ALPN)"
        );
    }
}
