//! What the balancer asks an identity provider: tokens for a code or a refresh token, and the claims of a user (OpenID
//! Connect Core 1.0, sections 3.1.3, 5.3 and 12).
//!
//! The ID token comes straight from the token endpoint over TLS, which stands for its signature (section 3.1.3.7, point
//! 6): ALB has no setting for the provider's keys. Issuer, audience, expiry and nonce are checked.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use form_urlencoded::{Serializer, byte_serialize};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::OidcSettings;
use super::session::seconds;
use crate::auth::AuthError;
use crate::auth::outbound::{Outbound, OutboundError, Question};

/// More than this is no answer of a token endpoint.
const TOKENS: usize = 64 * 1024;

/// ALB's limit for the claims of a user.
const CLAIMS: usize = 11 * 1024;

/// How far a provider's clock may differ, in seconds.
const SKEW: u64 = 60;

/// What the token endpoint gives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
    pub(super) id_token: Option<String>,
    pub(super) expires_in: Option<u64>,
}

/// RFC 6749 section 5.2.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Tokens for the code that a client came back with.
pub(super) async fn exchange(
    settings: &OidcSettings,
    outbound: &Outbound,
    code: &str,
    redirect_uri: &str,
    verifier: &str,
) -> Result<Tokens, AuthError> {
    let form = form(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ]);
    tokens(settings, outbound, form).await
}

/// Tokens for a refresh token.
pub(super) async fn refresh(
    settings: &OidcSettings,
    outbound: &Outbound,
    refresh_token: &str,
) -> Result<Tokens, AuthError> {
    let form = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ]);
    tokens(settings, outbound, form).await
}

fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = Serializer::new(String::new());
    form.extend_pairs(pairs).finish()
}

async fn tokens(
    settings: &OidcSettings,
    outbound: &Outbound,
    form: String,
) -> Result<Tokens, AuthError> {
    let secret = settings.client_secret.reveal().await;
    let secret =
        secret.map_err(|error| AuthError::TokenEndpoint(format!("the client secret: {error}")))?;
    let question = Question {
        authorization: Some(basic(&settings.client_id, &secret)),
        form: Some(form),
        limit: TOKENS,
    };
    let answer = outbound.ask(&settings.token_endpoint, question).await;
    let answer = answer.map_err(|error| match error {
        OutboundError::Timeout => AuthError::TokenEndpointTimeout,
        OutboundError::TooLarge(_) => AuthError::InvalidTokenResponse("is too large"),
        OutboundError::Failed(reason) => AuthError::TokenEndpoint(reason),
    })?;
    match answer.status.as_u16() {
        200 => {}
        // What is wrong is the code, or the client's id and secret.
        400 | 401 => {
            let refusal = serde_json::from_slice::<Refusal>(&answer.body);
            let reason = refusal.map_or_else(
                |_| format!("status {}", answer.status.as_u16()),
                |refusal| format!("{} {}", refusal.error, refusal.error_description),
            );
            return Err(AuthError::InvalidGrant(printable(&reason)));
        }
        status => return Err(AuthError::TokenEndpoint(format!("answered with {status}"))),
    }
    let tokens: Tokens = serde_json::from_slice(&answer.body)
        .map_err(|_| AuthError::InvalidTokenResponse("holds no tokens"))?;
    let is_token = |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    match is_token(&tokens.access_token) {
        true => Ok(tokens),
        false => Err(AuthError::InvalidTokenResponse(
            "holds no usable access token",
        )),
    }
}

/// What a provider says, as far as it can stand in a log.
pub(super) fn printable(text: &str) -> String {
    let shown = text.trim().chars().take(200);
    shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// RFC 6749 section 2.3.1: both are encoded as in a form.
fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(id), encode(secret)))
    )
}

/// The claims of the user that an access token is for.
pub(super) async fn user_info(
    settings: &OidcSettings,
    outbound: &Outbound,
    access_token: &str,
) -> Result<Map<String, Value>, AuthError> {
    let question = Question {
        authorization: Some(format!("Bearer {access_token}")),
        form: None,
        limit: CLAIMS,
    };
    let answer = outbound.ask(&settings.user_info_endpoint, question).await;
    let answer = answer.map_err(|error| match error {
        OutboundError::Timeout => AuthError::UserInfoEndpointTimeout,
        OutboundError::TooLarge(_) => AuthError::TooLarge,
        OutboundError::Failed(reason) => AuthError::UserInfoEndpoint(reason),
    })?;
    if answer.status != http::StatusCode::OK {
        let reason = format!("answered with {}", answer.status.as_u16());
        return Err(AuthError::UserInfoEndpoint(reason));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|_| AuthError::InvalidUserInfo("is no JSON object"))
}

/// The user whom claims are about, if the name can stand in a header field.
pub(super) fn subject(claims: &Map<String, Value>) -> Result<String, AuthError> {
    let subject = claims.get("sub").and_then(Value::as_str);
    let subject = subject.filter(|sub| !sub.is_empty() && !sub.chars().any(char::is_control));
    let subject = subject.ok_or(AuthError::InvalidUserInfo("names no user"))?;
    Ok(subject.to_owned())
}

/// The user whom an ID token is about, if it is for this login.
pub(super) fn id_token_subject(
    settings: &OidcSettings,
    token: Option<&str>,
    nonce: &str,
    now: SystemTime,
) -> Result<String, AuthError> {
    let token = token.ok_or(AuthError::InvalidIdToken(
        "is missing: the scope must hold `openid`",
    ))?;
    let claims = payload(token).ok_or(AuthError::InvalidIdToken("is not a JSON Web Token"))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(&settings.issuer) {
        return Err(AuthError::InvalidIdToken("is of another issuer"));
    }
    let client = settings.client_id.as_str();
    let for_us = match claims.get("aud") {
        Some(Value::String(audience)) => audience == client,
        Some(Value::Array(all)) => {
            let is_among = all.iter().any(|audience| audience == client);
            // Of a token for several, the one that asked for it is the authorized party.
            is_among && (all.len() == 1 || text("azp").is_none_or(|party| party == client))
        }
        _ => false,
    };
    if !for_us {
        return Err(AuthError::InvalidIdToken("is for another client"));
    }
    let expires = claims.get("exp").and_then(Value::as_f64).unwrap_or(0.0);
    if seconds(now) as f64 >= expires + SKEW as f64 {
        return Err(AuthError::InvalidIdToken("has expired"));
    }
    if text("nonce") != Some(nonce) {
        return Err(AuthError::InvalidIdToken("is of another login"));
    }
    let subject = text("sub").filter(|subject| !subject.is_empty());
    Ok(subject
        .ok_or(AuthError::InvalidIdToken("names no user"))?
        .to_owned())
}

fn payload(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::oidc::tests::settings;

    fn checked(claims: Value) -> Result<String, AuthError> {
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        id_token_subject(&settings(), Some(&token), "n", now)
    }

    #[test]
    fn an_id_token_is_for_this_issuer_client_and_login() {
        let good = json!({ "iss": "https://idp.test", "aud": "me", "exp": 1001, "nonce": "n", "sub": "u" });
        assert_eq!(checked(good.clone()).unwrap(), "u");
        for (claim, value, reason) in [
            ("iss", json!("https://other.test"), "is of another issuer"),
            ("aud", json!("you"), "is for another client"),
            ("aud", json!(["you", "they"]), "is for another client"),
            ("exp", json!(940), "has expired"),
            ("nonce", json!("m"), "is of another login"),
            ("sub", json!(""), "names no user"),
        ] {
            let mut claims = good.clone();
            claims[claim] = value;
            assert_eq!(checked(claims), Err(AuthError::InvalidIdToken(reason)));
        }
        let mut several = good.clone();
        several["aud"] = json!(["you", "me"]);
        assert!(checked(several.clone()).is_ok());
        several["azp"] = json!("you");
        assert!(checked(several).is_err());
        let missing = id_token_subject(&settings(), None, "n", SystemTime::now());
        assert!(matches!(missing, Err(AuthError::InvalidIdToken(_))));
    }

    #[test]
    fn a_client_names_itself_as_rfc_6749_has_it() {
        assert_eq!(
            basic("a b", "c:d"),
            format!("Basic {}", STANDARD.encode("a+b:c%3Ad"))
        );
    }
}
