//! Why a request is not let through: with the status and the word of the access log that ALB has for it.

use thiserror::Error;

/// Why a request is not let through.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// No session, and the rule denies what has none.
    #[error("the client is not authenticated")]
    NotAuthenticated,
    /// Nobody knows where the client would have to come back to (HTTP/1.0).
    #[error("a login needs a Host field")]
    MissingHost,
    /// The client came back without what it was sent away with.
    #[error("the state parameter is missing")]
    MissingState,
    /// What it came back with is not what it was sent away with, or another browser's.
    #[error("the state parameter is none of ours, or of another browser")]
    InvalidState,
    /// It came back later than 15 minutes after it was sent away.
    #[error("the login took longer than 15 minutes")]
    LoginTooSlow,
    /// It came back without a code.
    #[error("the code parameter is missing")]
    MissingCode,
    /// The provider does not take the code, or the client's id and secret.
    #[error("the identity provider refuses the code: {0}")]
    InvalidGrant(String),
    /// The provider's ID token is missing, or not for this login.
    #[error("the ID token {0}")]
    InvalidIdToken(&'static str),
    /// The provider sent the client back with an error.
    #[error("the identity provider answers with an error: {0}")]
    Provider(String),
    /// The token endpoint cannot be reached.
    #[error("the token endpoint: {0}")]
    TokenEndpoint(String),
    /// The token endpoint took too long.
    #[error("the token endpoint did not answer within 5 seconds")]
    TokenEndpointTimeout,
    /// The token endpoint answers with something else than tokens.
    #[error("the token endpoint's answer {0}")]
    InvalidTokenResponse(&'static str),
    /// The user info endpoint cannot be reached.
    #[error("the user info endpoint: {0}")]
    UserInfoEndpoint(String),
    /// The user info endpoint took too long.
    #[error("the user info endpoint did not answer within 5 seconds")]
    UserInfoEndpointTimeout,
    /// The user info endpoint answers with something else than claims.
    #[error("the user info endpoint's answer {0}")]
    InvalidUserInfo(&'static str),
    /// More claims, or larger tokens, than a session can hold.
    #[error("the claims and tokens are larger than a session can hold")]
    TooLarge,
    /// No key to seal or sign with.
    #[error("there is no key for cookies")]
    NoKey,
    /// There is no bearer token.
    #[error("the request has no bearer token")]
    JwtMissing,
    /// A bearer token that none of the issuer's keys has signed.
    #[error("the token {0}")]
    JwtSignature(&'static str),
    /// A claim that must be there is not.
    #[error("the token has no claim `{0}`")]
    JwtClaimNotPresent(String),
    /// A claim is of another kind than it should be.
    #[error("the token's claim `{0}` is not of the kind that it should be")]
    JwtClaimFormat(String),
    /// A claim has another value than it should have.
    #[error("the token's claim `{0}` does not hold what it should")]
    JwtClaimValue(String),
    /// The issuer's keys are not to be had.
    #[error("the issuer's keys: {0}")]
    Keys(String),
}

impl AuthError {
    /// The status that the client gets.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotAuthenticated
            | Self::MissingHost
            | Self::MissingState
            | Self::InvalidState
            | Self::LoginTooSlow
            | Self::MissingCode
            | Self::InvalidGrant(_)
            | Self::InvalidIdToken(_)
            | Self::JwtMissing
            | Self::JwtSignature(_)
            | Self::JwtClaimNotPresent(_)
            | Self::JwtClaimFormat(_)
            | Self::JwtClaimValue(_) => 401,
            Self::TokenEndpoint(_)
            | Self::TokenEndpointTimeout
            | Self::InvalidTokenResponse(_)
            | Self::UserInfoEndpoint(_)
            | Self::UserInfoEndpointTimeout
            | Self::InvalidUserInfo(_)
            | Self::TooLarge
            | Self::NoKey => 500,
            Self::Provider(_) => 561,
            Self::Keys(_) => 562,
        }
    }

    /// A word for metrics and logs: ALB's, where it has one.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAuthenticated => "AuthNotAuthenticated",
            Self::MissingHost => "AuthMissingHostHeader",
            Self::MissingState => "AuthMissingStateParam",
            Self::InvalidState => "AuthInvalidStateParam",
            Self::LoginTooSlow => "AuthLoginTimeout",
            Self::MissingCode => "AuthMissingCodeParam",
            Self::InvalidGrant(_) => "AuthInvalidGrantError",
            Self::InvalidIdToken(_) => "AuthInvalidIdToken",
            Self::Provider(_) => "AuthProviderError",
            Self::TokenEndpoint(_) => "AuthTokenEpRequestFailed",
            Self::TokenEndpointTimeout => "AuthTokenEpRequestTimeout",
            Self::InvalidTokenResponse(_) => "AuthInvalidTokenResponse",
            Self::UserInfoEndpoint(_) => "AuthUserinfoEpRequestFailed",
            Self::UserInfoEndpointTimeout => "AuthUserinfoEpRequestTimeout",
            Self::InvalidUserInfo(_) => "AuthInvalidUserinfoResponse",
            Self::TooLarge => "AuthUserinfoResponseSizeExceeded",
            Self::NoKey => "AuthUnhandledException",
            Self::JwtMissing => "JWTHeaderNotPresent",
            Self::JwtSignature(_) => "JWTSignatureValidationError",
            Self::JwtClaimNotPresent(_) => "JWTClaimNotPresent",
            Self::JwtClaimFormat(_) => "JWTClaimFormatInvalid",
            Self::JwtClaimValue(_) => "JWTClaimValueInvalid",
            Self::Keys(_) => "JWKSRequestFailed",
        }
    }
}
