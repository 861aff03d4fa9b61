//! Certificates: which of them a client is shown, and what happens when they change.

use crate::configuration;
use crate::support::{Certificates, Elbow, Target};

#[tokio::test]
async fn each_name_has_its_certificate_and_all_others_the_default() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let entries = [
        certificates.make("default", &["site.test"]),
        certificates.make("shop", &["shop.test"]),
        certificates.make("wildcard", &["*.shop.test"]),
    ];
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    let elbow = Elbow::start(&configuration(&target, &entries, "")).await;
    let visitor = certificates.visitor();
    for (host, name) in [
        ("site.test", "default"),
        ("shop.test", "shop"),
        ("a.shop.test", "wildcard"),
    ] {
        let client = visitor.visit(elbow.address(), host).await;
        assert_eq!(client.shown(), certificates.read(name), "{host}");
    }
    // The default one is not made out to this name: the client will not have it.
    assert!(
        visitor
            .try_visit(elbow.address(), "other.test")
            .await
            .is_none()
    );
}

#[tokio::test]
async fn what_a_reload_brings_is_shown_to_new_connections_and_old_ones_go_on() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let first = certificates.make("first", &["site.test"]);
    let second = certificates.make("second", &["site.test"]);
    let elbow = Elbow::start_from_file(&configuration(&target, &[&first], "")).await;
    let visitor = certificates.visitor();
    let mut old = visitor.visit(elbow.address(), "site.test").await;
    assert_eq!(old.get("/").await.status(), 200);
    let next = configuration(&target, &[&second], "");
    elbow.apply(&next).await.unwrap();
    let new = visitor.visit(elbow.address(), "site.test").await;
    assert_eq!(new.shown(), certificates.read("second"));
    assert_eq!(old.get("/").await.status(), 200);
    assert_eq!(target.requests().len(), 2);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_refuses_the_reload_at_its_place() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let other = certificates.make("other", &["site.test"]);
    let text = configuration(&target, &[&site], "");
    let elbow = Elbow::start_from_file(&text).await;
    let swapped = other.replace("other.key", "site.key");
    let refused = elbow.apply(&configuration(&target, &[&swapped], "")).await;
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains("site.key: the private key does not belong"),
        "{error}"
    );
    let line = ":12:";
    assert!(error.contains(line) && error.contains("^^^"), "{error}");
    let visitor = certificates.visitor();
    let client = visitor.visit(elbow.address(), "site.test").await;
    assert_eq!(client.shown(), certificates.read("site"));
}

/// What the admin side says of the first certificate of the first listener.
async fn shown_by_admin(elbow: &Elbow) -> serde_json::Value {
    let mut admin = crate::support::Client::connect(elbow.admin()).await;
    let answer = admin.get("/load-balancers").await;
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    answer["load_balancers"][0]["listeners"][0]["certificates"][0].clone()
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_reload_and_a_broken_one_is_not() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let elbow = Elbow::start_from_file(&configuration(&target, &[&site], "")).await;
    let first = certificates.read("site");
    let mut old = certificates
        .visitor()
        .visit(elbow.address(), "site.test")
        .await;
    assert_eq!(old.shown(), first);

    certificates.make("site", &["site.test", "new.test"]);
    let second = certificates.read("site");
    let visitor = certificates.visitor();
    let end = tokio::time::Instant::now() + crate::support::SOON;
    loop {
        // The other one is not trusted any more: such a handshake fails.
        let new = visitor.try_visit(elbow.address(), "new.test").await;
        if new.is_some_and(|new| new.shown() == second) {
            break;
        }
        assert!(tokio::time::Instant::now() < end, "never replaced");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(elbow.generation(), 1);
    assert_eq!(old.get("/").await.status(), 200);
    let shown = shown_by_admin(&elbow).await;
    assert_eq!(shown["hosts"], serde_json::json!(["site.test", "new.test"]));
    assert_eq!(shown["last_failure"], serde_json::Value::Null);

    std::fs::write(certificates.paths("site").0, "no certificate").unwrap();
    let end = tokio::time::Instant::now() + crate::support::SOON;
    let failure = loop {
        let failure = shown_by_admin(&elbow).await["last_failure"].clone();
        if !failure.is_null() {
            break failure["reason"].as_str().unwrap().to_owned();
        }
        assert!(tokio::time::Instant::now() < end, "never told");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(
        failure.contains("there is no certificate in it"),
        "{failure}"
    );
    let client = visitor.visit(elbow.address(), "new.test").await;
    assert_eq!(client.shown(), second);
    let mut admin = crate::support::Client::connect(elbow.admin()).await;
    let metrics = admin.get("/metrics").await.text().to_owned();
    let labels = "{certificate=\"site\",listener=\"0\",load_balancer=\"lb\"}";
    let failed = format!("elbow_certificate_replacement_failed{labels} 1");
    assert!(metrics.contains(&failed), "{metrics}");
    assert!(metrics.contains(&format!(
        "elbow_certificate_expiry_timestamp_seconds{labels} "
    )));
}

#[tokio::test]
async fn an_ocsp_response_is_stapled() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let staple = [0x30, 0x82, 0x01, 0x00, 0x0a, 0x01, 0x00, 0xa0];
    let path = certificates.path("site.ocsp");
    std::fs::write(&path, staple).unwrap();
    let stapled = site.replace(" }", &format!(", ocsp_response = {path:?} }}"));
    let elbow = Elbow::start(&configuration(&target, &[&stapled], "")).await;
    let visitor = certificates.visitor();
    visitor.visit(elbow.address(), "site.test").await;
    assert_eq!(visitor.stapled(), staple);
}

#[tokio::test]
async fn a_key_log_has_the_secrets_of_every_session() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let path = certificates.path("keys");
    let text = configuration(&target, &[&site], "");
    let elbow = Elbow::start(&format!("tls = {{ key_log = {path:?} }}\n{text}")).await;
    let mut client = certificates
        .visitor()
        .visit(elbow.address(), "site.test")
        .await;
    client.get("/").await;
    let log = std::fs::read_to_string(&path).unwrap();
    for label in [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
        "SERVER_TRAFFIC_SECRET_0 ",
    ] {
        assert!(log.lines().any(|line| line.starts_with(label)), "{log}");
    }
}
