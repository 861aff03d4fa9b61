//! Logins and tokens over real sockets: an HTTPS listener, a scripted identity provider, and the target behind them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod jwt;
mod oidc;
mod provider;

use std::time::{SystemTime, UNIX_EPOCH};

use support::{Certificates, Elbow, Target, TlsClient};

/// A daemon with an HTTPS listener for `site.test`, whose rule for /private/* has `before`.
async fn start(target: &Target, before: &str) -> (Elbow, Certificates) {
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let text = format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         protocol = \"HTTPS\"\n\
         certificates = [{site}]\n\
         default = {{ forward = \"group\" }}\n\
         [[load_balancer.listener.rule]]\n\
         priority = 1\n\
         path = [\"/private/*\"]\n\
         forward = \"group\"\n\
         {before}\n\
         [[target_group]]\n\
         name = \"group\"\n\
         health_check = {{ enabled = false }}\n\
         {}\n",
        target.line(),
    );
    (Elbow::start(&text).await, certificates)
}

async fn visit(elbow: &Elbow, certificates: &Certificates) -> TlsClient {
    certificates
        .visitor()
        .visit(elbow.address(), "site.test")
        .await
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}
