//! Which rule a request meets.
//!
//! A listener has a [`RuleTable`]: rules in order of priority, each with [`Condition`]s and one action, and a default
//! action behind them. [`RuleTable::find`] looks at a [`RequestView`] and names the first rule whose conditions all
//! hold. The action is a type parameter: matching does not know what is chosen. The two actions that need no target,
//! [`Redirect`] and [`FixedResponse`], are here too.
//!
//! Everything here is a pure function of plain values: no I/O, no clock, no targets, and no serde (configuration has
//! types of its own and calls the constructors). The authenticate actions would be a new
//! file in `action/`.

use std::net::IpAddr;

mod action;
mod condition;
mod expression;
mod normal_path;
mod rule;
#[cfg(test)]
mod sample;
mod table;
mod transform;

pub use action::{
    ContentType, FixedResponse, FixedResponseError, Keyword, LocationTooLong, Redirect,
    RedirectError, RedirectPart, RedirectSettings, RedirectStatus,
};
pub use condition::{
    Case, Condition, ConditionError, ConditionKind, Escapes, HostHeader, HttpHeader,
    HttpRequestMethod, PathPattern, QueryString, SourceIp, Wildcard,
};
pub use expression::{Expression, ExpressionError};
pub use normal_path::{PathReading, normalized};
pub use rule::{Rule, RuleError, RuleLimits};
pub use table::{Check, Matched, RuleTable, Trial};
pub use transform::{
    HostHeaderRewrite, RewriteError, TransformError, Transformed, Transforms, UrlRewrite,
};

/// What a rule can see of a request.
///
/// Path and query are what the client sent. They are `&str` because the proxy refuses a request target that holds
/// anything but visible ASCII (RFC 9112, section 3.2, allows nothing else). Conditions and transforms look at the path in
/// its normal form: [`RuleTable::read`] sees to that; a redirect repeats the client's.
#[derive(Clone, Copy)]
pub struct RequestView<'a> {
    /// The method as sent; methods are case-sensitive (RFC 9110, section 9.1).
    pub method: &'a str,
    /// The listener's protocol.
    pub scheme: Scheme,
    /// The host of an absolute request target, or else of the first `Host` field, without the port; in any case.
    /// An IPv6 address keeps its brackets.
    pub host: &'a str,
    /// The listener's port, whatever `Host` says: this is ALB's `#{port}`.
    pub port: u16,
    /// The path, from its first `/` to before the first `?`.
    pub path: &'a str,
    /// What follows the first `?`; `None` if there was none.
    pub query: Option<&'a str>,
    /// The peer of the TCP connection, never an address out of `X-Forwarded-For`.
    pub source: IpAddr,
    /// The header fields.
    pub fields: &'a dyn Fields,
}

/// The header fields of a request, however the caller keeps them.
pub trait Fields {
    /// Calls `test` with each value of the field `name` (in any case) in the order sent, until it returns true.
    /// Returns whether it did.
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}

/// What a client speaks to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// As it stands in a URI: `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
