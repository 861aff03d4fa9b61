//! Proxies in front of a load balancer: whom they say a request comes from, and what is said of it
//! to the next one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ForwardedFor;

/// Proxies that are believed about whom a request comes from, because they write that into a header
/// field: a CDN, another load balancer. The list in the field is walked from its end for as long as
/// it names proxies out of `from`; who comes next is the client. The access log shows that client;
/// X-Forwarded-Proto and X-Forwarded-Port of a trusted proxy go on to the targets as they came.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustedProxies {
    /// The addresses of the proxies, as CIDR blocks.
    pub from: Vec<String>,
    /// The field that they write: "x_forwarded_for", or "forwarded" (RFC 7239). The other one is
    /// never looked at, for a client may have written it.
    #[serde(default)]
    pub field: OriginField,
    /// Whether source-ip conditions look at that client, too. By default they look at the peer of
    /// the connection, as ALB's do.
    #[serde(default)]
    pub source_ip: bool,
}

/// The field in which trusted proxies say whom a request comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OriginField {
    /// X-Forwarded-For, and with it X-Forwarded-Proto and X-Forwarded-Port.
    #[default]
    XForwardedFor,
    /// Forwarded, with its `for` and `proto`.
    Forwarded,
}

/// What happens to the Forwarded field (RFC 7239), which ALB does not know.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Forwarded {
    /// "append" adds what this hop knows: `for`, `host`, `proto`, and `by` if it is set. "preserve"
    /// passes the field on as it came, "remove" takes it away.
    pub mode: ForwardedFor,
    /// What this load balancer calls itself: "address" for the node's address and port, or a name
    /// that begins with "_" and hides it, such as "_shop". Default: nothing.
    pub by: Option<String>,
}

impl Default for Forwarded {
    fn default() -> Self {
        Self {
            mode: ForwardedFor::Preserve,
            by: None,
        }
    }
}
