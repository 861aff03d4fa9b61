//! What happens to a request: forward, redirect, fixed response.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AuthenticateOidc, GroupStickiness, JwtValidation};

/// Exactly one of the actions.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Action {
    /// Before the action: authenticate-oidc, people log in.
    pub authenticate_oidc: Option<AuthenticateOidc>,
    /// Before the action: jwt-validation, requests bring a token.
    pub jwt_validation: Option<JwtValidation>,
    /// Forward to one target group, or to several by weight.
    pub forward: Option<Forward>,
    /// Redirect the client.
    pub redirect: Option<Redirect>,
    /// Answer without a target.
    pub fixed_response: Option<FixedResponse>,
}

/// Where to forward: `"group"`, or up to five `{ group, weight }`, or these as `groups` with `stickiness`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Forward {
    /// All to one group.
    Group(String),
    /// A share to each.
    Weighted(Vec<WeightedGroup>),
    /// The same, with more to say.
    Config(ForwardConfig),
}

/// Several groups to forward to, and whether clients stay with theirs (ALB: ForwardConfig).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardConfig {
    /// The groups, each with its share.
    pub groups: Vec<WeightedGroup>,
    /// Whether a client stays with its group.
    #[serde(default)]
    pub stickiness: GroupStickiness,
}

impl Forward {
    /// The names of all groups.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let alone = match self {
            Self::Group(group) => Some(group),
            Self::Weighted(_) | Self::Config(_) => None,
        };
        alone
            .into_iter()
            .chain(self.shares().iter().map(|share| &share.group))
    }

    /// The groups of several; none where one is named alone.
    pub fn shares(&self) -> &[WeightedGroup] {
        match self {
            Self::Group(_) => &[],
            Self::Weighted(groups) => groups,
            Self::Config(config) => &config.groups,
        }
    }
}

/// One of several groups to forward to.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedGroup {
    /// The group's name.
    pub group: String,
    /// Its share, 0-999.
    #[schemars(range(max = 999))]
    #[serde(default = "default::weight")]
    pub weight: u32,
}

/// A redirect. What is not given stays as the request has it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// "HTTP", "HTTPS" or "#{protocol}".
    #[serde(default)]
    pub protocol: Option<String>,
    /// The host, with placeholders.
    #[serde(default)]
    pub host: Option<String>,
    /// The port, or "#{port}".
    #[serde(default)]
    pub port: Option<String>,
    /// The path, with placeholders, starting with "/".
    #[serde(default)]
    pub path: Option<String>,
    /// The query, with placeholders, without "?".
    #[serde(default)]
    pub query: Option<String>,
    /// 301 (permanent) or 302 (for now).
    pub status: u16,
}

/// An answer without a target.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedResponse {
    /// 2xx, 4xx or 5xx.
    pub status: u16,
    /// text/plain, text/css, text/html, application/javascript or application/json.
    #[serde(default = "default::content_type")]
    pub content_type: String,
    /// At most 1024 characters.
    #[serde(default)]
    pub body: String,
}

mod default {
    pub(super) fn weight() -> u32 {
        1
    }

    pub(super) fn content_type() -> String {
        "text/plain".to_owned()
    }
}
