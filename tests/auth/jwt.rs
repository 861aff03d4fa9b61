//! jwt-validation: which tokens let a request through.

use serde_json::{Value, json};

use crate::provider::Provider;
use crate::support::{Elbow, Message, Target, TlsClient};
use crate::{now, start, visit};

fn before(provider: &Provider) -> String {
    format!(
        "jwt_validation = {{ jwks_endpoint = \"{}\", issuer = \"https://idp.test\", \
         additional_claims = [{{ name = \"scope\", format = \"space-separated-values\", values = [\"read\"] }}] }}",
        provider.url("/keys")
    )
}

async fn ask(client: &mut TlsClient, token: &str) -> Message {
    let request = format!(
        "GET /private/a HTTP/1.1\r\nHost: site.test\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    client.ask(request).await
}

fn good() -> Value {
    json!({ "iss": "https://idp.test", "exp": now() + 60, "scope": "write read" })
}

fn header() -> Value {
    json!({ "alg": "RS256", "kid": "k1" })
}

async fn reason(elbow: &Elbow, line: usize) -> String {
    elbow.log(line + 1).await[line]
        .text("error_reason")
        .to_owned()
}

#[tokio::test]
async fn a_token_of_the_issuer_lets_a_request_through_unchanged() {
    let (target, provider) = (Target::saying("hello").await, Provider::start().await);
    let (elbow, certificates) = start(&target, &before(&provider)).await;
    let mut client = visit(&elbow, &certificates).await;
    let token = provider.token(&header(), &good());
    for _ in 0..3 {
        assert_eq!(ask(&mut client, &token).await.text(), "hello");
    }
    let authorization = format!("Bearer {token}");
    assert_eq!(
        target.requests()[0].value("Authorization"),
        Some(authorization.as_str())
    );
    assert_eq!(provider.requests().len(), 1, "the keys are kept");
    let line = elbow.log(3).await.remove(0);
    assert_eq!(line.text("actions_executed"), "jwt-validation,forward");
    assert_eq!(
        elbow.metric("elbow_jwt_validations_total{outcome=\"success\"}"),
        3.0
    );
}

#[tokio::test]
async fn a_token_that_is_missing_forged_expired_or_lacks_a_claim_is_answered_with_401() {
    let (target, provider) = (Target::saying("hello").await, Provider::start().await);
    let other = Provider::start().await;
    let (elbow, certificates) = start(&target, &before(&provider)).await;
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        provider.token(&header(), &claims)
    };
    let signed = provider.token(&header(), &good());
    let (head, _) = signed.rsplit_once('.').unwrap();
    let mut without = good();
    without.as_object_mut().unwrap().remove("scope");
    let cases = [
        (String::new(), "JWTHeaderNotPresent"),
        ("a.b.c".to_owned(), "JWTSignatureValidationError"),
        (format!("{head}."), "JWTSignatureValidationError"),
        (
            other.token(&header(), &good()),
            "JWTSignatureValidationError",
        ),
        (
            provider.token(&json!({ "alg": "none" }), &good()),
            "JWTSignatureValidationError",
        ),
        (
            provider.token(&json!({ "alg": "HS256", "kid": "k1" }), &good()),
            "JWTSignatureValidationError",
        ),
        (
            provider.token(&json!({ "alg": "RS256", "kid": "k2" }), &good()),
            "JWTSignatureValidationError",
        ),
        (with("exp", json!(now() - 1)), "JWTClaimValueInvalid"),
        (
            with("iss", json!("https://other.test")),
            "JWTClaimValueInvalid",
        ),
        (with("scope", json!("write")), "JWTClaimValueInvalid"),
        (with("scope", json!(["read"])), "JWTClaimFormatInvalid"),
        (provider.token(&header(), &without), "JWTClaimNotPresent"),
    ];
    for (line, (token, expected)) in cases.iter().enumerate() {
        let mut client = visit(&elbow, &certificates).await;
        assert_eq!(
            ask(&mut client, token).await.status(),
            401,
            "{expected} {token}"
        );
        assert_eq!(reason(&elbow, line).await, *expected, "{token}");
    }
    assert_eq!(target.connections(), 0);
    let failures = "elbow_jwt_validations_total{outcome=\"failure\"}";
    assert_eq!(elbow.metric(failures), cases.len() as f64);
}

#[tokio::test]
async fn keys_that_are_not_to_be_had_are_answered_with_562_and_soon_by_all() {
    let (target, provider) = (Target::saying("hello").await, Provider::start().await);
    provider.hang("/keys");
    let (elbow, certificates) = start(&target, &before(&provider)).await;
    let token = provider.token(&header(), &good());
    let mut client = visit(&elbow, &certificates).await;
    let mut other = visit(&elbow, &certificates).await;
    // While one waits for the keys, requests that need none go on.
    let waiting = tokio::spawn(async move { ask(&mut client, &token).await.status() });
    let request = "GET / HTTP/1.1\r\nHost: site.test\r\n\r\n";
    assert_eq!(other.ask(request).await.text(), "hello");
    assert!(!waiting.is_finished(), "the keys do not come at once");
    assert_eq!(waiting.await.unwrap(), 562);
    let again = provider.token(&header(), &good());
    let began = std::time::Instant::now();
    assert_eq!(ask(&mut other, &again).await.status(), 562);
    assert!(
        began.elapsed().as_secs() < 4,
        "nobody waits for what has just failed"
    );
    let log = elbow.log(3).await;
    assert_eq!(log[2].text("error_reason"), "JWKSRequestFailed");
}

#[tokio::test]
async fn plain_http_is_no_place_for_tokens() {
    let text = "[[load_balancer]]\nname = \"lb\"\n[[load_balancer.listener]]\nport = 0\n\
        default = { fixed_response = { status = 200 }, jwt_validation = { issuer = \"a\", jwks_endpoint = \"https://a/\" } }\n";
    let refused = Elbow::try_start(text).await.err().unwrap().to_string();
    assert!(
        refused.contains("`jwt_validation` is for HTTPS listeners"),
        "{refused}"
    );
}
