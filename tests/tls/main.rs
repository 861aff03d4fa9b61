//! HTTPS over real sockets: who is shown which certificate, what is negotiated, what is logged, and
//! what becomes of it while certificates and configurations change.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod acme;
mod certificates;
mod handshakes;
mod mutual;
mod requests;
mod resumption;
mod targets;

use support::{Certificates, Elbow, Target};

const TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

/// The configuration of one HTTPS listener with these certificates before one target; `listener` are
/// more keys of the listener.
fn configuration(target: &Target, certificates: &[&str], listener: &str) -> String {
    format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         tls_handshake_timeout = \"1s\"\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         protocol = \"HTTPS\"\n\
         certificates = [{}]\n\
         default = {{ forward = \"group\" }}\n\
         {listener}\n\
         [[target_group]]\n\
         name = \"group\"\n\
         health_check = {{ enabled = false }}\n\
         {}\n",
        certificates.join(", "),
        target.line(),
    )
}

/// A daemon with one certificate, for `site.test`.
async fn https(target: &Target) -> (Elbow, Certificates) {
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let elbow = Elbow::start(&configuration(target, &[&site], "")).await;
    (elbow, certificates)
}
