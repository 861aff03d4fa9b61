//! `jwt-validation`: lets a request through whose bearer token an issuer has signed for it.
//!
//! As ALB has it: RS256 only; `iss` and `exp` must be there, `nbf` and `iat` hold if they are; up to ten more claims may
//! be asked for. The token goes on to the target unchanged. Where AWS is silent: clocks may differ by a minute for `nbf`
//! and `iat`, and not at all for `exp`; of a claim with several values the token must hold all that are listed.

mod claim;
mod key_set;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};
use tokio::time::Instant;

pub use claim::{ClaimError, ClaimFormat, RequiredClaim};
pub use key_set::KeySet;

use super::AuthError;
use super::outbound::{Endpoint, Outbound};

/// How far an issuer's clock may be ahead, in seconds.
const AHEAD: u64 = 60;

/// What a token must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// Where the issuer publishes its keys.
    pub jwks_endpoint: Endpoint,
    /// What `iss` must be.
    pub issuer: String,
    /// What other claims must hold.
    pub claims: Vec<RequiredClaim>,
    /// Whose certificates the endpoint's is believed by; none means the system's.
    pub ca_file: Option<std::path::PathBuf>,
}

/// Validates tokens.
#[derive(Debug)]
pub struct JwtValidation {
    settings: JwtSettings,
    keys: Arc<KeySet>,
}

impl JwtValidation {
    /// With the keys that `last` has fetched, if it has fetched them at the same place.
    pub fn new(settings: JwtSettings, last: Option<&Self>) -> Self {
        let same = last.filter(|last| {
            let last = &last.settings;
            (&last.jwks_endpoint, &last.ca_file) == (&settings.jwks_endpoint, &settings.ca_file)
        });
        let keys = match same {
            Some(last) => Arc::clone(&last.keys),
            None => {
                let outbound = Outbound::new(settings.ca_file.clone());
                Arc::new(KeySet::new(settings.jwks_endpoint.clone(), outbound))
            }
        };
        Self { settings, keys }
    }

    /// What it was made from.
    pub fn settings(&self) -> &JwtSettings {
        &self.settings
    }

    /// Lets a request with this Authorization field through, or says why not.
    pub async fn check(
        &self,
        authorization: Option<&[u8]>,
        now: SystemTime,
    ) -> Result<(), AuthError> {
        let token = bearer(authorization).ok_or(AuthError::JwtMissing)?;
        let claims = self.verified(token).await?;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.check_claims(&claims, now)
    }

    async fn verified(&self, token: &str) -> Result<Map<String, Value>, AuthError> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| AuthError::JwtSignature("is not a JSON Web Token"))?;
        if header.alg != Algorithm::RS256 {
            return Err(AuthError::JwtSignature("is not signed with RS256"));
        }
        let key = self.keys.key(header.kid.as_deref(), Instant::now()).await?;
        let key = key.ok_or(AuthError::JwtSignature(
            "is signed with a key that is not the issuer's",
        ))?;
        // Claims are looked at below, each with its own error.
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let decoded = jsonwebtoken::decode(token, &key, &validation);
        let decoded = decoded.map_err(|_| AuthError::JwtSignature("has a wrong signature"))?;
        Ok(decoded.claims)
    }

    fn check_claims(&self, claims: &Map<String, Value>, now: u64) -> Result<(), AuthError> {
        let wrong = |name: &str| AuthError::JwtClaimValue(name.to_owned());
        let issuer = claims.get("iss").ok_or_else(|| missing("iss"))?;
        match issuer.as_str() {
            Some(issuer) if issuer == self.settings.issuer => {}
            Some(_) => return Err(wrong("iss")),
            None => return Err(AuthError::JwtClaimFormat("iss".to_owned())),
        }
        let expires = time(claims, "exp")?.ok_or_else(|| missing("exp"))?;
        if now >= expires {
            return Err(wrong("exp"));
        }
        for name in ["nbf", "iat"] {
            if time(claims, name)?.is_some_and(|time| time > now + AHEAD) {
                return Err(wrong(name));
            }
        }
        self.settings
            .claims
            .iter()
            .try_for_each(|claim| claim.check(claims))
    }
}

fn missing(name: &str) -> AuthError {
    AuthError::JwtClaimNotPresent(name.to_owned())
}

/// Seconds since 1970, perhaps with a fraction (RFC 7519 section 2).
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, AuthError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0);
    let seconds = seconds.ok_or_else(|| AuthError::JwtClaimFormat(name.to_owned()))?;
    Ok(Some(seconds as u64))
}

/// The token of an Authorization field (RFC 6750 section 2.1).
fn bearer(authorization: Option<&[u8]>) -> Option<&str> {
    let text = std::str::from_utf8(authorization?).ok()?.trim();
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use serde_json::json;

    use super::*;

    fn validation(claims: Vec<RequiredClaim>) -> JwtValidation {
        let endpoint = Endpoint::parse("https://idp.test/keys", false).unwrap();
        let settings = JwtSettings {
            jwks_endpoint: endpoint,
            issuer: "https://idp.test".to_owned(),
            claims,
            ca_file: None,
        };
        JwtValidation::new(settings, None)
    }

    fn check(claims: Value) -> Result<(), AuthError> {
        let Value::Object(claims) = claims else {
            unreachable!("claims are an object")
        };
        validation(Vec::new()).check_claims(&claims, 1000)
    }

    #[test]
    fn issuer_and_expiry_must_be_there() {
        assert_eq!(
            check(json!({ "iss": "https://idp.test", "exp": 1001 })),
            Ok(())
        );
        assert_eq!(check(json!({ "exp": 1001 })), Err(missing("iss")));
        assert_eq!(
            check(json!({ "iss": "https://idp.test" })),
            Err(missing("exp"))
        );
        for (claims, name) in [
            (json!({ "iss": "https://other.test", "exp": 1001 }), "iss"),
            (json!({ "iss": "https://idp.test", "exp": 1000 }), "exp"),
            (
                json!({ "iss": "https://idp.test", "exp": 2000, "nbf": 1061 }),
                "nbf",
            ),
            (
                json!({ "iss": "https://idp.test", "exp": 2000, "iat": 1061.5 }),
                "iat",
            ),
        ] {
            assert_eq!(
                check(claims),
                Err(AuthError::JwtClaimValue(name.to_owned()))
            );
        }
        let claims = json!({ "iss": "https://idp.test", "exp": "2000" });
        assert_eq!(
            check(claims),
            Err(AuthError::JwtClaimFormat("exp".to_owned()))
        );
        let claims = json!({ "iss": "https://idp.test", "exp": 2000, "nbf": 1060, "iat": 900 });
        assert_eq!(check(claims), Ok(()));
    }

    #[test]
    fn a_token_stands_behind_the_word_bearer() {
        assert_eq!(bearer(Some(b"Bearer a.b.c")), Some("a.b.c"));
        assert_eq!(bearer(Some(b"bearer  a.b.c ")), Some("a.b.c"));
        for field in [&b"Basic a.b.c"[..], b"Bearer", b"Bearer ", b"", b"a.b.c"] {
            assert_eq!(bearer(Some(field)), None);
        }
    }

    #[test]
    fn keys_are_kept_over_a_reload_unless_their_place_changes() {
        let first = validation(Vec::new());
        let mut settings = first.settings().clone();
        settings.issuer = "https://new.test".to_owned();
        let second = JwtValidation::new(settings.clone(), Some(&first));
        assert!(Arc::ptr_eq(&first.keys, &second.keys));
        settings.jwks_endpoint = Endpoint::parse("https://new.test/keys", false).unwrap();
        let third = JwtValidation::new(settings, Some(&second));
        assert!(!Arc::ptr_eq(&second.keys, &third.keys));
    }
}
