//! What stands before the action of a rule and may keep a request from it: a login, or a token.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Span;

/// authenticate-oidc: people log in at an OpenID Connect provider, and targets are told who they
/// are. On HTTPS listeners. The provider must know https://HOST/oauth2/idpresponse as a place to send
/// clients back to.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthenticateOidc {
    /// ALB: Issuer. What the provider calls itself in its tokens.
    pub issuer: String,
    /// ALB: AuthorizationEndpoint. Where people log in; https.
    pub authorization_endpoint: String,
    /// ALB: TokenEndpoint. Where codes are turned into tokens; https.
    pub token_endpoint: String,
    /// ALB: UserInfoEndpoint. Where the claims of a user are; https.
    pub user_info_endpoint: String,
    /// ALB: ClientId. The load balancer's name at the provider.
    pub client_id: String,
    /// ALB: ClientSecret. Its secret there. Either this or `client_secret_file`.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// A file with the secret, read whenever it is needed.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// ALB: Scope. What is asked for, separated by spaces; "openid" must be among it. Default: "openid".
    #[serde(default)]
    pub scope: Option<String>,
    /// ALB: SessionCookieName. The name of the session's cookies, to which -0 to -3 is added. Default:
    /// "AWSELBAuthSessionCookie".
    #[serde(default)]
    pub session_cookie_name: Option<String>,
    /// ALB: SessionTimeout, 1s-604800s. How long a session lasts. Default: 604800s.
    #[serde(default)]
    pub session_timeout: Option<Span>,
    /// ALB: OnUnauthenticatedRequest. What happens to a request without a session: "authenticate"
    /// sends the client to log in, "allow" lets it pass without a user, "deny" answers 401. Default:
    /// "authenticate".
    #[serde(default)]
    pub on_unauthenticated_request: Option<OnUnauthenticatedRequest>,
    /// ALB: AuthenticationRequestExtraParams. More parameters of the login, at most 10.
    #[serde(default)]
    pub extra_params: BTreeMap<String, String>,
    /// Certificates of the authorities by which the endpoints are believed, in PEM. Default: the
    /// system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// What happens to a request without a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnauthenticatedRequest {
    /// The client is sent to log in.
    #[default]
    Authenticate,
    /// It passes without a user.
    Allow,
    /// 401.
    Deny,
}

/// jwt-validation: requests must bring a bearer token that the issuer has signed with RS256. On HTTPS
/// listeners.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtValidation {
    /// ALB: JwksEndpoint, at most 256 characters. Where the issuer publishes its keys; https.
    pub jwks_endpoint: String,
    /// ALB: Issuer, at most 256 characters. What "iss" must be.
    pub issuer: String,
    /// ALB: AdditionalClaims, at most 10. What other claims must hold.
    #[serde(default)]
    pub additional_claims: Vec<AdditionalClaim>,
    /// Certificates of the authorities by which the endpoint is believed, in PEM. Default: the
    /// system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// A claim that a token must have.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdditionalClaim {
    /// Its name.
    pub name: String,
    /// Its form: "single-string", "string-array" or "space-separated-values". Default: "single-string".
    #[serde(default)]
    pub format: Option<AdditionalClaimFormat>,
    /// What must be in it: of a single string one, of the others 1 to 10, all of them.
    pub values: Vec<String>,
}

/// The form of a claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AdditionalClaimFormat {
    /// One text.
    #[default]
    SingleString,
    /// A list of texts.
    StringArray,
    /// Words in one text, as scopes are.
    SpaceSeparatedValues,
}
