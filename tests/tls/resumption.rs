//! Sessions that are resumed: across connections, workers and reloads.

use crate::support::{Certificates, Elbow, Target};
use crate::{TLS12, TLS13, configuration, https};

/// Whether the last of `lines` lines of the log says so.
async fn is_resumed(elbow: &Elbow, lines: usize) -> bool {
    let line = elbow.log(lines).await.pop().unwrap();
    line.text("chosen_cert_arn") == "session-reused"
}

#[tokio::test]
async fn a_resumed_session_is_logged_as_session_reused() {
    let target = Target::saying("hello").await;
    let (elbow, certificates) = https(&target).await;
    let mut lines = 0;
    for version in [TLS13, TLS12] {
        let visitor = certificates.visitor_of(version).resuming();
        for resumed in [false, true, true] {
            let mut client = visitor.visit(elbow.address(), "site.test").await;
            client.get("/").await;
            lines += 1;
            assert_eq!(
                is_resumed(&elbow, lines).await,
                resumed,
                "{version:?}, line {lines}"
            );
        }
    }
    elbow
        .expect_metric("elbow_tls_handshakes_total{kind=\"resumed\"}", 4.0)
        .await;
    elbow
        .expect_metric("elbow_tls_handshakes_total{kind=\"full\"}", 2.0)
        .await;
}

#[tokio::test]
async fn all_workers_resume_what_one_has_opened() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let text = configuration(&target, &[&site], "");
    let elbow = Elbow::start(&format!("workers = 3\n{text}")).await;
    let visitor = certificates.visitor().resuming();
    for round in 0..20 {
        let mut client = visitor.visit(elbow.address(), "site.test").await;
        client.get("/").await;
        assert_eq!(is_resumed(&elbow, round + 1).await, round > 0);
    }
}

#[tokio::test]
async fn sessions_are_resumed_over_a_reload_but_not_for_another_host() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test", "other.test"]);
    let text = configuration(&target, &[&site], "");
    let elbow = Elbow::start_from_file(&text).await;
    let visitor = certificates.visitor().resuming();
    let mut client = visitor.visit(elbow.address(), "site.test").await;
    client.get("/").await;
    let policy = "ssl_policy = \"ELBSecurityPolicy-TLS13-1-3-2021-06\"";
    elbow
        .apply(&configuration(&target, &[&site], policy))
        .await
        .unwrap();
    let mut client = visitor.visit(elbow.address(), "site.test").await;
    client.get("/").await;
    assert!(is_resumed(&elbow, 2).await);
    let mut client = visitor.visit(elbow.address(), "other.test").await;
    client.get("/").await;
    assert!(!is_resumed(&elbow, 3).await);
}
