//! Mutual TLS: trust stores, who names them, and their files.

use std::fs;

use super::{RIGHT, told};
use crate::config::{check, check_text, load_trust_stores};
use crate::tls::sample;

/// A listener that asks for certificates like this, and a trust store named `clients`.
fn with(settings: &str) -> String {
    let listener = "protocol = \"HTTPS\"\ncertificates = [{ certificate = \"site.pem\" }]\n";
    let port = format!("port = 8080\n{listener}mutual_authentication = {{ {settings} }}");
    let store = "[[trust_store]]\nname = \"clients\"\nca_certificates = \"ca.pem\"\n";
    RIGHT.replace("port = 8080", &port) + store
}

#[test]
fn what_is_asked_of_clients_fits_together() {
    assert_eq!(
        told(&with("mode = \"verify\", trust_store = \"clients\"")),
        [""; 0]
    );
    assert_eq!(told(&with("mode = \"passthrough\"")), [""; 0]);
    assert_eq!(
        told(&with("mode = \"verify\"")),
        ["11:34 no trust store is named"]
    );
    assert_eq!(
        told(&with("mode = \"verify\", trust_store = \"client\"")),
        ["11:58 there is no trust store `client`"]
    );
    assert_eq!(
        told(&with("mode = \"passthrough\", trust_store = \"clients\"")),
        ["11:63 `trust_store` is for listeners that verify certificates"]
    );
    let plain = RIGHT.replace(
        "port = 8080",
        "port = 8080\nmutual_authentication = { mode = \"passthrough\" }",
    );
    assert_eq!(
        told(&plain),
        ["9:34 only HTTPS listeners ask for certificates"]
    );
}

#[test]
fn trust_stores_are_distinct_and_have_albs_quotas() {
    let twice =
        with("mode = \"off\"") + "[[trust_store]]\nname = \"clients\"\nca_certificates = \"\"\n";
    let found = told(&twice);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].ends_with("trust_store[0] is named `clients`, too")
            || found[1].ends_with("trust_store[0] is named `clients`, too"),
        "{found:?}"
    );
    let lists = format!("revocation_lists = {:?}\n", ["a.crl"; 31]);
    let many = with("mode = \"off\"") + &lists;
    assert!(told(&many)[0].ends_with("there are more than 30 revocation lists"));
    assert_eq!(told(&format!("ranges = \"relaxed\"\n{many}")), [""; 0]);
}

#[test]
fn a_trust_store_that_cannot_be_read_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let site = sample::ecdsa(&["site.test"]);
    fs::write(at("site.pem"), site.certificate.clone() + &site.key).unwrap();
    let text = with("mode = \"verify\", trust_store = \"clients\"")
        .replace("site.pem", at("site.pem").to_str().unwrap())
        .replace("ca.pem", at("ca.pem").to_str().unwrap());
    let valid = check_text(&text, "elbow.toml").config.unwrap();
    let problems = load_trust_stores(&valid, &text, "elbow.toml").unwrap_err();
    assert_eq!(problems.problems[0].path, "trust_store[0].ca_certificates");
    let line = text
        .lines()
        .position(|line| line.starts_with("ca_certificates"));
    let location = problems.problems[0].location.as_ref().unwrap();
    assert_eq!(Some(location.line), line.map(|line| line + 1));
    // A site's certificate is not an authority's.
    fs::write(at("ca.pem"), site.certificate).unwrap();
    fs::write(at("elbow.toml"), &text).unwrap();
    let report = check(&at("elbow.toml"));
    assert!(report.config.is_none());
    let told = report.problems.to_string();
    assert!(told.contains("is not a certificate authority's"), "{told}");
}
