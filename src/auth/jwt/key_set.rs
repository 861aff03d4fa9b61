//! The keys of an issuer, fetched from where it publishes them and kept.
//!
//! The first request that needs them waits for them; after that they are renewed beside the requests, and if that fails
//! the ones that are there stay good for a day. An issuer that cannot be reached is asked again after some seconds, not by
//! every request, and one that signs with a key that nobody has seen yet is asked at most every half minute.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::auth::AuthError;
use crate::auth::outbound::{Endpoint, Outbound, Question};

/// ALB's limits for a key set.
const BYTES: usize = 150 * 1024;
const KEYS: usize = 10;

/// After this time keys are renewed.
const FRESH: Duration = Duration::from_secs(300);

/// So long keys are good that cannot be renewed.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Between two attempts that fail.
const PAUSE: Duration = Duration::from_secs(5);

/// Between two looks for a key that is not there.
const LOOK: Duration = Duration::from_secs(30);

/// An issuer's keys.
#[derive(Debug)]
pub struct KeySet {
    endpoint: Endpoint,
    outbound: Outbound,
    kept: ArcSwapOption<Kept>,
    /// The last attempt; whoever holds it is about another.
    attempt: Mutex<Option<Attempt>>,
}

#[derive(Debug)]
struct Kept {
    keys: HashMap<String, DecodingKey>,
    since: Instant,
}

#[derive(Debug)]
struct Attempt {
    at: Instant,
    failed: Option<String>,
}

/// RFC 7517, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: String,
    r#use: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    pub(super) fn new(endpoint: Endpoint, outbound: Outbound) -> Self {
        Self {
            endpoint,
            outbound,
            kept: ArcSwapOption::empty(),
            attempt: Mutex::default(),
        }
    }

    /// Where the keys are published.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The key of that id; a token without one gets the only key, if there is only one. `None` if the issuer has no such
    /// key.
    pub(super) async fn key(
        self: &Arc<Self>,
        id: Option<&str>,
        now: Instant,
    ) -> Result<Option<DecodingKey>, AuthError> {
        let kept = match self.kept.load_full() {
            Some(kept) if now < kept.since + STALE => kept,
            _ => self.fetch(now, PAUSE).await?,
        };
        if now >= kept.since + FRESH {
            let set = Arc::clone(self);
            tokio::spawn(async move { set.fetch(Instant::now(), PAUSE).await });
        }
        if let Some(key) = kept.key(id) {
            return Ok(Some(key));
        }
        // The issuer may have begun to sign with a new one.
        match self.fetch(now, LOOK).await {
            Ok(kept) => Ok(kept.key(id)),
            Err(_) => Ok(None),
        }
    }

    /// Fetches the keys, unless that was tried within `pause`. Others wait meanwhile, and take what came.
    async fn fetch(&self, now: Instant, pause: Duration) -> Result<Arc<Kept>, AuthError> {
        let mut attempt = self.attempt.lock().await;
        if let Some(last) = attempt.as_ref().filter(|last| now < last.at + pause) {
            return match (&last.failed, self.kept.load_full()) {
                (None, Some(kept)) => Ok(kept),
                (Some(failed), _) => Err(AuthError::Keys(failed.clone())),
                (None, None) => Err(AuthError::Keys("not fetched yet".to_owned())),
            };
        }
        let fetched = self.fetch_now().await;
        let failed = fetched.as_ref().err().cloned();
        if let Some(reason) = &failed {
            let endpoint = self.endpoint.url();
            tracing::warn!(endpoint, reason, "an issuer's keys cannot be fetched");
        }
        let at = Instant::now();
        *attempt = Some(Attempt { at, failed });
        let kept = Arc::new(Kept {
            keys: fetched.map_err(AuthError::Keys)?,
            since: at,
        });
        self.kept.store(Some(Arc::clone(&kept)));
        Ok(kept)
    }

    async fn fetch_now(&self) -> Result<HashMap<String, DecodingKey>, String> {
        let question = Question {
            limit: BYTES,
            ..Question::default()
        };
        let answer = self.outbound.ask(&self.endpoint, question).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status != http::StatusCode::OK {
            return Err(format!("answered with {}", answer.status.as_u16()));
        }
        parse(&answer.body)
    }
}

impl Kept {
    fn key(&self, id: Option<&str>) -> Option<DecodingKey> {
        match id {
            Some(id) => self.keys.get(id).cloned(),
            None if self.keys.len() == 1 => self.keys.values().next().cloned(),
            None => None,
        }
    }
}

/// The RSA keys of a set that may sign with RS256.
fn parse(body: &[u8]) -> Result<HashMap<String, DecodingKey>, String> {
    let document: Document =
        serde_json::from_slice(body).map_err(|error| format!("not a key set: {error}"))?;
    if document.keys.len() > KEYS {
        return Err(format!(
            "{} keys; at most {KEYS} are allowed",
            document.keys.len()
        ));
    }
    let mut keys = HashMap::new();
    for key in document.keys {
        let signs = key.kty == "RSA"
            && key.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
            && key
                .alg
                .as_deref()
                .is_none_or(|algorithm| algorithm == "RS256");
        if let (true, Some(n), Some(e)) = (signs, &key.n, &key.e) {
            let made = DecodingKey::from_rsa_components(n, e);
            keys.insert(
                key.kid,
                made.map_err(|error| format!("a key is none: {error}"))?,
            );
        }
    }
    match keys.is_empty() {
        true => Err("there is no RSA key for RS256 in it".to_owned()),
        false => Ok(keys),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn set(keys: &[&str]) -> Result<Vec<String>, String> {
        let body = format!("{{ \"keys\": [{}] }}", keys.join(","));
        let mut ids: Vec<_> = parse(body.as_bytes())?.into_keys().collect();
        ids.sort();
        Ok(ids)
    }

    const RSA: &str = r#"{ "kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB" }"#;

    #[test]
    fn only_rsa_keys_that_sign_with_rs256_count() {
        let others = [
            RSA,
            r#"{ "kty": "RSA", "kid": "b", "use": "sig", "alg": "RS256", "n": "AQAB", "e": "AQAB" }"#,
            r#"{ "kty": "RSA", "kid": "c", "use": "enc", "n": "AQAB", "e": "AQAB" }"#,
            r#"{ "kty": "RSA", "kid": "d", "alg": "RS512", "n": "AQAB", "e": "AQAB" }"#,
            r#"{ "kty": "EC", "kid": "e", "crv": "P-256", "x": "AQAB", "y": "AQAB" }"#,
        ];
        assert_eq!(set(&others).unwrap(), ["a", "b"]);
        assert!(set(&others[2..]).is_err());
    }

    #[test]
    fn a_key_set_has_at_most_ten_keys() {
        assert!(set(&[RSA; 10]).is_ok());
        assert_eq!(
            set(&[RSA; 11]).unwrap_err(),
            "11 keys; at most 10 are allowed"
        );
        assert!(parse(b"<html>").unwrap_err().starts_with("not a key set"));
    }
}
