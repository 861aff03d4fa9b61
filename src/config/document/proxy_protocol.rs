//! The PROXY protocol: whom a listener believes, and what targets are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Span;

/// Whose connections to a listener begin with a PROXY protocol header, version 1 or 2. The client
/// that it names is the client for everything: rules, logs, X-Forwarded-For.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyProtocol {
    /// The addresses of the proxies, as CIDR blocks. A connection from there that does not begin
    /// with a header is closed; health checks of theirs say LOCAL (version 2) or UNKNOWN.
    pub from: Vec<String>,
    /// What becomes of connections from elsewhere: "serve" takes them for clients, whose header is
    /// no request (400); "refuse" closes them.
    #[serde(default)]
    pub others: Others,
    /// How long the header may take, 100ms-60s.
    #[serde(default = "default::timeout")]
    pub timeout: Span,
}

/// What becomes of connections from addresses that are not a proxy's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// They are served; a header of theirs is not believed.
    #[default]
    Serve,
    /// They are closed.
    Refuse,
}

/// The version of the header that targets get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyProtocolVersion {
    /// A line of text, as Classic sends it.
    V1,
    /// Binary, as NLB sends it.
    V2,
}

mod default {
    use super::Span;

    pub(super) fn timeout() -> Span {
        Span::from_secs(5)
    }
}
