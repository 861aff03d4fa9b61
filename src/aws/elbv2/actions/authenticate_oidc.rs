//! `authenticate-oidc`. The secret is never told; who changes an action may go on with the one that is there.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::aws::ApiError;
use crate::config::Span;
use crate::config::document::{AuthenticateOidc, OnUnauthenticatedRequest};

/// AWS: AuthenticateOidcActionConfig.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Config {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    user_info_endpoint: String,
    client_id: String,
    client_secret: Option<String>,
    session_cookie_name: Option<String>,
    scope: Option<String>,
    session_timeout: Option<u64>,
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    authentication_request_extra_params: Entries,
    on_unauthenticated_request: Option<String>,
    use_existing_client_secret: Option<bool>,
}

/// A map of the Query protocol: `entry.1.key`, `entry.1.value`, ...
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entries(BTreeMap<String, String>);

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Entry {
    key: String,
    value: String,
}

impl Entries {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Numbered {
            entry: BTreeMap<String, Entry>,
        }
        let numbered = Numbered::deserialize(deserializer)?.entry;
        let pairs = numbered.into_values().map(|it| (it.key, it.value));
        Ok(Self(pairs.collect()))
    }
}

impl Serialize for Entries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.0.iter().map(|(key, value)| Entry {
            key: key.clone(),
            value: value.clone(),
        });
        let entries: Vec<_> = entries.collect();
        BTreeMap::from([("entry", entries)]).serialize(serializer)
    }
}

/// `before` is what the action was.
pub(super) fn read(
    config: &Config,
    before: Option<&AuthenticateOidc>,
) -> Result<AuthenticateOidc, ApiError> {
    let existing = config.use_existing_client_secret == Some(true);
    let kept = before.filter(|_| existing && config.client_secret.is_none());
    if config.client_secret.is_none() && kept.is_none() {
        return Err(ApiError::Validation(
            "authenticate-oidc needs ClientSecret, or UseExistingClientSecret where there is one already"
                .to_owned(),
        ));
    }
    let on_unauthenticated_request = match config.on_unauthenticated_request.as_deref() {
        None => None,
        Some("authenticate") => Some(OnUnauthenticatedRequest::Authenticate),
        Some("allow") => Some(OnUnauthenticatedRequest::Allow),
        Some("deny") => Some(OnUnauthenticatedRequest::Deny),
        Some(other) => {
            return Err(ApiError::Validation(format!(
                "OnUnauthenticatedRequest '{other}' must be one of 'deny', 'allow', 'authenticate'"
            )));
        }
    };
    let secret = kept.and_then(|kept| kept.client_secret.clone());
    Ok(AuthenticateOidc {
        issuer: config.issuer.clone(),
        authorization_endpoint: config.authorization_endpoint.clone(),
        token_endpoint: config.token_endpoint.clone(),
        user_info_endpoint: config.user_info_endpoint.clone(),
        client_id: config.client_id.clone(),
        client_secret: config.client_secret.clone().or(secret),
        client_secret_file: kept.and_then(|kept| kept.client_secret_file.clone()),
        scope: config.scope.clone(),
        session_cookie_name: config.session_cookie_name.clone(),
        session_timeout: config.session_timeout.map(Span::from_secs),
        on_unauthenticated_request,
        extra_params: config.authentication_request_extra_params.0.clone(),
        ca_file: before.and_then(|before| before.ca_file.clone()),
    })
}

pub(super) fn told(action: &AuthenticateOidc) -> Config {
    let text = |given: &Option<String>, default: &str| {
        Some(given.clone().unwrap_or_else(|| default.to_owned()))
    };
    let timeout = action.session_timeout.map_or(604_800, |it| it.0.as_secs());
    let unauthenticated = match action.on_unauthenticated_request.unwrap_or_default() {
        OnUnauthenticatedRequest::Authenticate => "authenticate",
        OnUnauthenticatedRequest::Allow => "allow",
        OnUnauthenticatedRequest::Deny => "deny",
    };
    Config {
        issuer: action.issuer.clone(),
        authorization_endpoint: action.authorization_endpoint.clone(),
        token_endpoint: action.token_endpoint.clone(),
        user_info_endpoint: action.user_info_endpoint.clone(),
        client_id: action.client_id.clone(),
        client_secret: None,
        session_cookie_name: text(&action.session_cookie_name, "AWSELBAuthSessionCookie"),
        scope: text(&action.scope, "openid"),
        session_timeout: Some(timeout),
        authentication_request_extra_params: Entries(action.extra_params.clone()),
        on_unauthenticated_request: Some(unauthenticated.to_owned()),
        use_existing_client_secret: None,
    }
}

#[cfg(test)]
impl Config {
    /// As a tool sends back what it has read.
    pub(super) fn use_existing(&mut self) {
        self.use_existing_client_secret = Some(true);
    }
}
