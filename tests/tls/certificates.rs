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
