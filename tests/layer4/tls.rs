//! TLS listeners: what ends TLS, and what passes it through to the group that the name chooses.

use std::sync::Arc;

use elbow::target::TargetHealth;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use crate::scene::{
    PROBED, UNPROBED, echo, echoes, expect_reset, expect_turned_away, finish, healthy, open,
};
use crate::support::{Certificates, Client, Elbow, SOON, Target, eventually, targets};

/// Ends TLS with a certificate for these hosts, which is named so.
fn acceptor(name: &str, certificates: &Certificates, hosts: &[&str]) -> TlsAcceptor {
    certificates.make(name, hosts);
    let (certificate, key) = certificates.paths(name);
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A target that ends TLS itself, with a certificate for these hosts; it says its name (one letter)
/// and sends back what it gets.
async fn tls_echo(name: char, certificates: &Certificates, hosts: &[&str]) -> Target {
    let acceptor = acceptor(&name.to_string(), certificates, hosts);
    Target::raw(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let _ = stream.write_all(name.to_string().as_bytes()).await;
            let (mut from, mut to) = tokio::io::split(stream);
            let _ = tokio::io::copy(&mut from, &mut to).await;
        }
    })
    .await
}

fn group(name: &str, target: &Target) -> String {
    let targets = targets(&[target]);
    format!("[[target_group]]\nname = \"{name}\"\nprotocol = \"TCP\"\n{UNPROBED}\n{targets}\n")
}

/// A TLS listener that passes through: `b` gets what asks for `b.test` or a name below `low.test`.
fn passing(a: &Target, b: &Target) -> String {
    format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         tls_handshake_timeout = \"1s\"\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         protocol = \"TLS\"\n\
         tls_mode = \"passthrough\"\n\
         default = {{ forward = \"a\" }}\n\
         [[load_balancer.listener.rule]]\n\
         priority = 1\n\
         host = [\"b.test\", \"*.low.test\"]\n\
         forward = \"b\"\n\
         {}{}",
        group("a", a),
        group("b", b)
    )
}

#[tokio::test]
async fn the_name_that_a_client_asks_for_chooses_the_group_and_tls_is_passed_through() {
    let certificates = Certificates::new();
    let a = tls_echo('a', &certificates, &["a.test", "127.0.0.1"]).await;
    let b = tls_echo('b', &certificates, &["b.test", "x.low.test"]).await;
    let elbow = Elbow::start(&passing(&a, &b)).await;
    let visitor = certificates.visitor().offering(&["mqtt", "other"]);
    for (host, name) in [
        ("a.test", "a"),
        ("b.test", "b"),
        ("x.low.test", "b"),
        ("127.0.0.1", "a"),
    ] {
        let mut client = visitor.visit(elbow.address(), host).await;
        assert_eq!(
            client.wire.take(1).await.unwrap(),
            name.as_bytes(),
            "{host}"
        );
        assert_eq!(client.shown(), certificates.read(name), "{host}");
        assert_eq!(client.session().alpn_protocol(), Some(&b"mqtt"[..]));
        client.send("ping").await;
        assert_eq!(client.wire.take(4).await.unwrap(), b"ping");
    }
    let lines = elbow.log(4).await;
    let asked: Vec<[&str; 4]> = lines
        .iter()
        .map(|line| {
            [
                line.text("type"),
                line.text("domain_name"),
                line.text("target_group_arn"),
                line.text("alpn_client_preference_list"),
            ]
        })
        .collect();
    let offered = "mqtt,other";
    assert_eq!(
        asked,
        [
            ["tls", "a.test", "a", offered],
            ["tls", "b.test", "b", offered],
            ["tls", "x.low.test", "b", offered],
            ["tls", "-", "a", offered],
        ]
    );
    assert_eq!(
        lines[0].text("tls_cipher_suite"),
        "-",
        "nobody looked inside"
    );
}

#[tokio::test]
async fn what_is_no_tls_or_says_nothing_is_reset_and_reaches_no_target() {
    let certificates = Certificates::new();
    let a = tls_echo('a', &certificates, &["a.test"]).await;
    let elbow = Elbow::start(&passing(&a, &a)).await;
    let mut plain = Client::connect(elbow.address()).await;
    plain.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    expect_reset(&mut plain).await;
    let mut silent = Client::connect(elbow.address()).await;
    expect_reset(&mut silent).await;
    let lines = elbow.log(2).await;
    assert_eq!(lines[0].text("error_reason"), "ClientHelloInvalid");
    assert_eq!(lines[1].text("error_reason"), "ClientHelloTimeout");
    assert_eq!(a.connections(), 0);
}

#[tokio::test]
async fn tls_that_ends_here_reaches_the_target_in_plain_and_is_logged() {
    let certificates = Certificates::new();
    let site = certificates.make("site", &["db.test"]);
    let target = echo('a').await;
    let text = format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         protocol = \"TLS\"\n\
         certificates = [{site}]\n\
         default = {{ forward = \"a\" }}\n\
         {}",
        group("a", &target)
    );
    let elbow = Elbow::start(&text).await;
    let visitor = certificates.visitor().offering(&["h2"]);
    let mut client = visitor.visit(elbow.address(), "db.test").await;
    assert_eq!(client.wire.take(1).await.unwrap(), b"a");
    assert_eq!(client.session().alpn_protocol(), None);
    client.send("ping").await;
    assert_eq!(client.wire.take(4).await.unwrap(), b"ping");
    client.wire.stream.shutdown().await.unwrap();
    assert_eq!(client.wire.take(1).await.unwrap(), b".");
    drop(client);
    let line = elbow.log_line().await;
    assert_eq!(line.text("type"), "tls");
    assert_eq!(line.text("domain_name"), "db.test");
    assert_eq!(line.text("cert_arn"), "site");
    assert_eq!(line.text("tls_protocol_version"), "TLSv1.3");
    assert_ne!(line.text("tls_cipher_suite"), "-");
    assert!(line.number("tls_handshake_time_ms").is_some());
    assert_eq!(line.number("received_bytes"), Some(4.0));
    assert_eq!(line.number("sent_bytes"), Some(6.0));
}

/// A target of a TLS group: it says its name and sends back what it gets; and `.` when it has been told that there is
/// no more.
async fn tls_ending(name: char, certificates: &Certificates) -> Target {
    let acceptor = acceptor(&name.to_string(), certificates, &["127.0.0.1"]);
    Target::raw(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            assert_eq!(stream.get_ref().1.alpn_protocol(), None);
            let (mut from, mut to) = tokio::io::split(stream);
            let _ = to.write_all(name.to_string().as_bytes()).await;
            let _ = tokio::io::copy(&mut from, &mut to).await;
            let _ = to.write_all(b".").await;
            let _ = to.shutdown().await;
        }
    })
    .await
}

/// A listener before targets of a group of protocol TLS.
fn begun_anew(listener: &str, targets: &str, group: &str) -> String {
    format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         {listener}\n\
         default = {{ forward = \"group\" }}\n\
         [[target_group]]\n\
         name = \"group\"\n\
         protocol = \"TLS\"\n\
         {targets}\n\
         {group}\n"
    )
}

#[tokio::test]
async fn tls_that_ended_here_begins_anew_to_targets_that_are_believed() {
    let certificates = Certificates::new();
    let site = certificates.make("site", &["db.test"]);
    let target = tls_ending('a', &certificates).await;
    let ca = certificates.paths("a").0;
    let listener = format!("protocol = \"TLS\"\ncertificates = [{site}]");
    let group = format!("{UNPROBED}\ntls = {{ ca = {ca:?} }}");
    let elbow = Elbow::start(&begun_anew(&listener, &targets(&[&target]), &group)).await;
    let mut client = certificates
        .visitor()
        .visit(elbow.address(), "db.test")
        .await;
    assert_eq!(client.wire.take(1).await.unwrap(), b"a");
    client.send("ping").await;
    assert_eq!(client.wire.take(4).await.unwrap(), b"ping");
    client.wire.stream.shutdown().await.unwrap();
    assert_eq!(client.wire.take(1).await.unwrap(), b".");
    drop(client);
    let line = elbow.log_line().await;
    assert_eq!(line.number("received_bytes"), Some(4.0));
    assert_eq!(line.number("sent_bytes"), Some(6.0));
    assert_eq!(line.text("error_reason"), "-");
}

#[tokio::test]
async fn what_came_in_plain_goes_on_in_tls() {
    let certificates = Certificates::new();
    let target = tls_ending('a', &certificates).await;
    let group = format!("{UNPROBED}\ntls = {{ verify = false }}");
    let text = begun_anew("protocol = \"TCP\"", &targets(&[&target]), &group);
    let elbow = Elbow::start(&text).await;
    let (mut client, name) = open(elbow.address()).await;
    assert_eq!(name, 'a');
    echoes(&mut client).await;
    finish(&mut client.wire).await;
    assert_eq!(client.wire.rest().await, (b".".to_vec(), true));
}

#[tokio::test]
async fn a_target_that_is_not_believed_gets_nothing_and_another_is_tried() {
    let certificates = Certificates::new();
    let (a, b) = (
        tls_ending('a', &certificates).await,
        tls_ending('b', &certificates).await,
    );
    let ca = certificates.paths("b").0;
    let tcp = "protocol = \"TCP\"";
    let group = format!("{UNPROBED}\ntls = {{ ca = {ca:?} }}\nretries = 1");
    let elbow = Elbow::start(&begun_anew(tcp, &targets(&[&a, &b]), &group)).await;
    for _ in 0..4 {
        assert_eq!(open(elbow.address()).await.1, 'b');
    }
    let alone = Elbow::start(&begun_anew(tcp, &targets(&[&a]), &group)).await;
    expect_turned_away(alone.address()).await;
    let line = alone.log_line().await;
    assert_eq!(line.text("error_reason"), "TargetTlsNegotiationError");
    alone
        .expect_metric("elbow_target_tls_negotiation_errors_total", 1.0)
        .await;
    assert_eq!(alone.metric("elbow_target_connection_errors_total"), 0.0);
}

#[tokio::test]
async fn a_probe_of_a_tls_group_is_a_handshake_with_a_target_that_is_believed() {
    let certificates = Certificates::new();
    let (a, b) = (
        tls_ending('a', &certificates).await,
        tls_ending('b', &certificates).await,
    );
    let ca = certificates.paths("b").0;
    let group = format!("{PROBED}\ntls = {{ ca = {ca:?} }}");
    let text = begun_anew("protocol = \"TCP\"", &targets(&[&a, &b]), &group);
    let elbow = Elbow::start(&text).await;
    healthy(&elbow, 1).await;
    let unhealthy = || {
        let snapshot = elbow.running().shared.load();
        let mut targets = snapshot.groups["group"].targets().iter();
        targets.any(|target| target.state.health() == TargetHealth::Unhealthy)
    };
    eventually(SOON, "the other is unhealthy", unhealthy).await;
}
