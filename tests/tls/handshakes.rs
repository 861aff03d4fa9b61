//! Handshakes: what is negotiated, what fails and how it is counted, and that none holds up another.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Certificates, Client, Elbow, SOON, Target, eventually};
use crate::{TLS12, configuration, https};

fn errors(elbow: &Elbow, cause: &str) -> f64 {
    elbow.metric(&format!(
        "elbow_client_tls_negotiation_errors_total{{cause=\"{cause}\"}}"
    ))
}

async fn expect_error(elbow: &Elbow, cause: &str) {
    let what = format!("an error of cause {cause}");
    eventually(SOON, &what, || errors(elbow, cause) == 1.0).await;
}

#[tokio::test]
async fn a_hybrid_key_exchange_is_preferred_by_default_and_http_1_1_is_agreed_on() {
    let target = Target::saying("hello").await;
    let (elbow, certificates) = https(&target).await;
    let visitor = certificates.visitor().offering(&["http/1.1"]);
    let client = visitor.visit(elbow.address(), "site.test").await;
    let group = client.session().negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(client.session().alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn a_policy_for_tls_1_3_alone_refuses_tls_1_2() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let policy = "ssl_policy = \"ELBSecurityPolicy-TLS13-1-3-2021-06\"";
    let elbow = Elbow::start(&configuration(&target, &[&site], policy)).await;
    let visitor = certificates.visitor();
    let old = certificates.visitor_of(TLS12);
    assert!(old.try_visit(elbow.address(), "site.test").await.is_none());
    expect_error(&elbow, "no_common_version").await;
    let mut client = visitor.visit(elbow.address(), "site.test").await;
    assert_eq!(client.get("/").await.status(), 200);
}

#[tokio::test]
async fn what_fails_is_counted_by_its_cause() {
    let target = Target::saying("hello").await;
    let (elbow, certificates) = https(&target).await;

    let mut plain = Client::connect(elbow.address()).await;
    plain
        .send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")
        .await;
    plain.wire.rest().await;
    expect_error(&elbow, "no_tls").await;

    let strangers = Certificates::new();
    strangers.make("other", &["site.test"]);
    let stranger = strangers.visitor();
    assert!(
        stranger
            .try_visit(elbow.address(), "site.test")
            .await
            .is_none()
    );
    expect_error(&elbow, "certificate_refused").await;

    let mut begun = TcpStream::connect(elbow.address()).await.unwrap();
    begun.write_all(&[0x16, 3, 1, 2]).await.unwrap();
    drop(begun);
    expect_error(&elbow, "client_closed").await;

    let mut stalled = TcpStream::connect(elbow.address()).await.unwrap();
    stalled.write_all(&[0x16]).await.unwrap();
    assert_eq!(stalled.read(&mut [0; 1]).await.unwrap_or(0), 0);
    expect_error(&elbow, "timeout").await;

    // Whoever only connects has negotiated nothing.
    drop(TcpStream::connect(elbow.address()).await.unwrap());
    elbow.expect_metric("elbow_active_connections", 0.0).await;
    let all = elbow.metric("elbow_client_tls_negotiation_errors_total");
    assert_eq!(all, 4.0);
    drop(certificates);
}

#[tokio::test]
async fn handshakes_that_stall_hold_up_no_others() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let text = configuration(&target, &[&site], "");
    let elbow = Elbow::start(&text.replace("timeout = \"1s\"", "timeout = \"60s\"")).await;
    let mut stalled = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(elbow.address()).await.unwrap();
        stream.write_all(&[0x16, 3, 1]).await.unwrap();
        stalled.push(stream);
    }
    elbow.expect_metric("elbow_active_connections", 50.0).await;
    let visit = async {
        let mut client = certificates
            .visitor()
            .visit(elbow.address(), "site.test")
            .await;
        client.get("/").await.status()
    };
    let status = tokio::time::timeout(Duration::from_secs(10), visit).await;
    assert_eq!(status.unwrap(), 200);
}
