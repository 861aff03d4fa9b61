//! What stands before an action: `authenticate_oidc` or `jwt_validation`, on HTTPS listeners.

use super::range;
use super::report::Report;
use crate::auth::{
    ClaimFormat, ClientSecret, Endpoint, JwtSettings, OidcSettings, OnUnauthenticated,
    RequiredClaim,
};
use crate::config::document::{
    AdditionalClaim, AdditionalClaimFormat, AuthenticateOidc, JwtValidation, Listener,
    ListenerProtocol, OnUnauthenticatedRequest,
};
use crate::config::path::Path;
use crate::config::valid::ValidAuthenticator;
use crate::config::value::Span;

/// ALB's limits.
const EXTRA_PARAMS: usize = 10;
const CLAIMS: usize = 10;
const JWT_TEXT: usize = 256;

/// ALB's defaults.
const SESSION_COOKIE: &str = "AWSELBAuthSessionCookie";
const SESSION_TIMEOUT: Span = Span::from_secs(604_800);

/// As a rule or a default action writes them.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) oidc: Option<&'a AuthenticateOidc>,
    pub(super) jwt: Option<&'a JwtValidation>,
}

/// Checks what is written. The outer option is empty if something is wrong, the inner one if there is nothing.
pub(super) fn validate(
    written: Written<'_>,
    listener: &Listener,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Option<ValidAuthenticator>> {
    let key = match (written.oidc, written.jwt) {
        (None, None) => return Some(None),
        (Some(_), None) => "authenticate_oidc",
        (None, Some(_)) => "jwt_validation",
        (Some(_), Some(_)) => {
            let message = "`authenticate_oidc` and `jwt_validation` are both there";
            report.refuse(
                path.key("jwt_validation"),
                message,
                "a rule has one of them",
            );
            return None;
        }
    };
    if listener.protocol != ListenerProtocol::Https {
        let message = format!("`{key}` is for HTTPS listeners");
        let help =
            "over plain HTTP anyone could read sessions and tokens: write protocol = \"HTTPS\"";
        report.refuse(path.key(key), message, help);
        return None;
    }
    let oidc = written
        .oidc
        .map(|oidc| self::oidc(oidc, &path.key(key), report));
    let jwt = written
        .jwt
        .map(|jwt| self::jwt(jwt, &path.key(key), report));
    Some(Some(match (oidc, jwt) {
        (Some(oidc), _) => ValidAuthenticator::Oidc(Box::new(oidc?)),
        (None, jwt) => ValidAuthenticator::Jwt(Box::new(jwt??)),
    }))
}

fn endpoint(url: &str, path: Path<'_>, report: &mut Report<'_>) -> Option<Endpoint> {
    let plain = !report.is_strict();
    report.accept(path, Endpoint::parse(url, plain))
}

fn oidc(oidc: &AuthenticateOidc, path: &Path<'_>, report: &mut Report<'_>) -> Option<OidcSettings> {
    for (key, text) in [("issuer", &oidc.issuer), ("client_id", &oidc.client_id)] {
        if text.is_empty() {
            report.error(path.key(key), format!("`{key}` is empty"));
        }
    }
    let authorization = endpoint(
        &oidc.authorization_endpoint,
        path.key("authorization_endpoint"),
        report,
    );
    let token = endpoint(&oidc.token_endpoint, path.key("token_endpoint"), report);
    let user_info = endpoint(
        &oidc.user_info_endpoint,
        path.key("user_info_endpoint"),
        report,
    );
    let scope = oidc.scope.as_deref().unwrap_or("openid");
    if !scope.split(' ').any(|word| word == "openid") {
        let message = format!("the scope `{scope}` does not hold `openid`");
        report.refuse(
            path.key("scope"),
            message,
            "without it a provider gives no ID token",
        );
    }
    let cookie = oidc
        .session_cookie_name
        .as_deref()
        .unwrap_or(SESSION_COOKIE);
    check_cookie_name(cookie, &path.key("session_cookie_name"), report);
    let timeout = oidc.session_timeout.unwrap_or(SESSION_TIMEOUT);
    let key = path.key("session_timeout");
    range::duration(report, &key, timeout, &range::SESSION_TIMEOUT);
    if oidc.extra_params.len() > EXTRA_PARAMS {
        let message = format!(
            "{} extra parameters; at most {EXTRA_PARAMS} may be",
            oidc.extra_params.len()
        );
        report.error(path.key("extra_params"), message);
    }
    let secret = secret(oidc, path, report);
    Some(OidcSettings {
        issuer: oidc.issuer.clone(),
        authorization_endpoint: authorization?,
        token_endpoint: token?,
        user_info_endpoint: user_info?,
        client_id: oidc.client_id.clone(),
        client_secret: secret?,
        scope: scope.to_owned(),
        session_cookie_name: cookie.to_owned(),
        session_timeout: timeout.0,
        on_unauthenticated_request: match oidc.on_unauthenticated_request.unwrap_or_default() {
            OnUnauthenticatedRequest::Authenticate => OnUnauthenticated::Authenticate,
            OnUnauthenticatedRequest::Allow => OnUnauthenticated::Allow,
            OnUnauthenticatedRequest::Deny => OnUnauthenticated::Deny,
        },
        extra_params: oidc.extra_params.clone().into_iter().collect(),
        ca_file: oidc.ca_file.clone(),
    })
}

fn secret(
    oidc: &AuthenticateOidc,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ClientSecret> {
    match (&oidc.client_secret, &oidc.client_secret_file) {
        (Some(secret), None) => Some(ClientSecret::new(secret)),
        (None, Some(file)) => Some(ClientSecret::in_file(file)),
        (None, None) => {
            let help = "write `client_secret`, or `client_secret_file` to keep it out of this file";
            report.refuse(path, "there is no client secret", help);
            None
        }
        (Some(_), Some(_)) => {
            let message = "`client_secret` and `client_secret_file` are both there";
            report.refuse(path.key("client_secret"), message, "keep one of them");
            None
        }
    }
}

/// RFC 6265 section 4.1.1.
fn check_cookie_name(name: &str, path: &Path<'_>, report: &mut Report<'_>) {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_token) {
        let message = format!("`{name}` is not the name of a cookie");
        let help = "a name has 1 to 64 letters, digits and characters out of !#$%&'*+-.^_`|~";
        report.refuse(path, message, help);
    }
}

fn jwt(jwt: &JwtValidation, path: &Path<'_>, report: &mut Report<'_>) -> Option<JwtSettings> {
    for (key, text) in [
        ("jwks_endpoint", &jwt.jwks_endpoint),
        ("issuer", &jwt.issuer),
    ] {
        let length = text.chars().count();
        if !(1..=JWT_TEXT).contains(&length) {
            let message = format!("`{key}` has {length} characters: it takes 1 to {JWT_TEXT}");
            report.error(path.key(key), message);
        }
    }
    let jwks_endpoint = endpoint(&jwt.jwks_endpoint, path.key("jwks_endpoint"), report);
    let key = path.key("additional_claims");
    if jwt.additional_claims.len() > CLAIMS {
        let message = format!(
            "{} additional claims; at most {CLAIMS} may be",
            jwt.additional_claims.len()
        );
        report.error(key, message);
    }
    let claims = jwt.additional_claims.iter().enumerate();
    let claims: Vec<_> = claims
        .map(|(index, document)| report.accept(key.index(index), claim(document)))
        .collect();
    Some(JwtSettings {
        jwks_endpoint: jwks_endpoint?,
        issuer: jwt.issuer.clone(),
        claims: claims.into_iter().collect::<Option<_>>()?,
        ca_file: jwt.ca_file.clone(),
    })
}

fn claim(claim: &AdditionalClaim) -> Result<RequiredClaim, crate::auth::ClaimError> {
    let format = match claim.format.unwrap_or_default() {
        AdditionalClaimFormat::SingleString => ClaimFormat::SingleString,
        AdditionalClaimFormat::StringArray => ClaimFormat::StringArray,
        AdditionalClaimFormat::SpaceSeparatedValues => ClaimFormat::SpaceSeparatedValues,
    };
    RequiredClaim::new(&claim.name, format, &claim.values)
}
