//! What a rule can ask of a request.
//!
//! A [`Condition`] holds if any one of its values fits the request; a rule is met if all its conditions hold. Each
//! kind has a file with its type, what it accepts as a value, and how it compares. How many values a rule may have is
//! [`RuleLimits`](super::RuleLimits)' business, not theirs.

mod error;
mod host_header;
mod http_header;
mod http_request_method;
mod path_pattern;
mod pattern;
mod query_string;
mod source_ip;
mod wildcard;

pub use error::{ConditionError, ConditionKind};
pub use host_header::HostHeader;
pub use http_header::HttpHeader;
pub use http_request_method::HttpRequestMethod;
pub use path_pattern::PathPattern;
pub use query_string::QueryString;
pub use source_ip::SourceIp;
pub use wildcard::{Case, Escapes, Wildcard};

use pattern::Pattern;

use super::RequestView;

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `host-header`.
    HostHeader(HostHeader),
    /// `path-pattern`.
    PathPattern(PathPattern),
    /// `http-request-method`.
    HttpRequestMethod(HttpRequestMethod),
    /// `source-ip`.
    SourceIp(SourceIp),
    /// `http-header`.
    HttpHeader(HttpHeader),
    /// `query-string`.
    QueryString(QueryString),
}

impl Condition {
    /// Which of the six it is.
    pub fn kind(&self) -> ConditionKind {
        match self {
            Self::HostHeader(_) => ConditionKind::HostHeader,
            Self::PathPattern(_) => ConditionKind::PathPattern,
            Self::HttpRequestMethod(_) => ConditionKind::HttpRequestMethod,
            Self::SourceIp(_) => ConditionKind::SourceIp,
            Self::HttpHeader(_) => ConditionKind::HttpHeader,
            Self::QueryString(_) => ConditionKind::QueryString,
        }
    }

    /// How many values it compares with: ALB's "match evaluations". A key of a query string and its value are one.
    pub fn values(&self) -> usize {
        match self {
            Self::HostHeader(condition) => condition.values().len(),
            Self::PathPattern(condition) => condition.values().len(),
            Self::HttpRequestMethod(condition) => condition.values().len(),
            Self::SourceIp(condition) => condition.values().len(),
            Self::HttpHeader(condition) => condition.values().len(),
            Self::QueryString(condition) => condition.values().len(),
        }
    }

    /// Its values as text; one of a query string is `key=value`, or `value` for any key.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::HostHeader(condition) => texts(condition.values()),
            Self::PathPattern(condition) => texts(condition.values()),
            Self::HttpRequestMethod(condition) => texts(condition.values()),
            Self::SourceIp(condition) => texts(condition.values()),
            Self::HttpHeader(condition) => texts(condition.values()),
            Self::QueryString(condition) => {
                let pairs = condition.values().iter();
                pairs
                    .map(|(key, value)| match key {
                        Some(key) => format!("{key}={value}"),
                        None => value.to_string(),
                    })
                    .collect()
            }
        }
    }

    /// How many `*` and `?` its values hold.
    pub fn wildcards(&self) -> usize {
        match self {
            Self::HostHeader(condition) => wildcards(condition.values()),
            Self::PathPattern(condition) => wildcards(condition.values()),
            Self::HttpHeader(condition) => wildcards(condition.values()),
            Self::QueryString(condition) => {
                let pairs = condition.values().iter();
                let wildcards = pairs.flat_map(|(key, value)| key.iter().chain([value]));
                wildcards.map(Wildcard::wildcards).sum()
            }
            Self::HttpRequestMethod(_) | Self::SourceIp(_) => 0,
        }
    }

    /// Whether its values are regular expressions; they are either all or none.
    pub fn is_regex(&self) -> bool {
        let values = match self {
            Self::HostHeader(condition) => condition.values(),
            Self::PathPattern(condition) => condition.values(),
            Self::HttpHeader(condition) => condition.values(),
            Self::HttpRequestMethod(_) | Self::SourceIp(_) | Self::QueryString(_) => &[],
        };
        values.iter().any(Pattern::is_regex)
    }

    /// The place of the first value that fits the request; if there is one, the condition holds. The view's host must
    /// be in lower case and its path normalised: the rule table sees to that once a request.
    pub(super) fn fit(&self, request: &RequestView<'_>) -> Option<usize> {
        match self {
            Self::HostHeader(condition) => condition.fit(request),
            Self::PathPattern(condition) => condition.fit(request),
            Self::HttpRequestMethod(condition) => condition.fit(request),
            Self::SourceIp(condition) => condition.fit(request),
            Self::HttpHeader(condition) => condition.fit(request),
            Self::QueryString(condition) => condition.fit(request),
        }
    }

    /// What it looks at in a request, for people: the host, the path, each value of the field, each part of the query.
    pub(super) fn seen(&self, request: &RequestView<'_>) -> Vec<String> {
        match self {
            Self::HostHeader(_) => vec![request.host.to_owned()],
            Self::PathPattern(_) => vec![request.path.to_owned()],
            Self::HttpRequestMethod(_) => vec![request.method.to_owned()],
            Self::SourceIp(_) => vec![request.source.to_canonical().to_string()],
            Self::HttpHeader(condition) => condition.sent(request),
            Self::QueryString(_) => query_string::parts(request).map(str::to_owned).collect(),
        }
    }
}

fn texts(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn wildcards(values: &[Pattern]) -> usize {
    values.iter().map(Pattern::wildcards).sum()
}

fn fit(values: &[Pattern], text: &[u8]) -> Option<usize> {
    values.iter().position(|value| value.matches(text))
}

/// ALB's limit for a value, and for the key of a query string, in characters.
const VALUE_CHARACTERS: usize = 128;

/// Checks what holds for the values of every kind: there is one at least, none is empty, none is longer than `limit`
/// characters, and all their characters are allowed. `rule` says which are, in words.
fn check_values<'a>(
    kind: ConditionKind,
    values: impl IntoIterator<Item = &'a str>,
    limit: usize,
    allowed: impl Fn(char) -> bool,
    rule: &'static str,
) -> Result<(), ConditionError> {
    let mut some = false;
    for value in values {
        some = true;
        check_value(kind, value, limit, &allowed, rule)?;
    }
    if some {
        Ok(())
    } else {
        Err(ConditionError::NoValues { kind })
    }
}

fn check_value(
    kind: ConditionKind,
    value: &str,
    limit: usize,
    allowed: impl Fn(char) -> bool,
    rule: &'static str,
) -> Result<(), ConditionError> {
    if value.is_empty() {
        return Err(ConditionError::Empty { kind });
    }
    let length = value.chars().count();
    if length > limit {
        return Err(ConditionError::TooLong {
            kind,
            value: value.to_owned(),
            length,
            limit,
        });
    }
    match value.chars().find(|character| !allowed(*character)) {
        Some(character) => Err(ConditionError::Character {
            kind,
            value: value.to_owned(),
            character,
            rule,
        }),
        None => Ok(()),
    }
}
