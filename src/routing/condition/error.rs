//! What can be wrong with the values of a condition, said so that the reader knows what to write instead.

use std::fmt;

use crate::routing::ExpressionError;

/// The six kinds of condition. Displays as ALB's name of the kind, such as `host-header`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConditionKind {
    /// The `Host` field.
    HostHeader,
    /// The path.
    PathPattern,
    /// The method.
    HttpRequestMethod,
    /// The address of the TCP peer.
    SourceIp,
    /// Any other header field.
    HttpHeader,
    /// Keys and values of the query.
    QueryString,
}

impl ConditionKind {
    /// ALB's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HostHeader => "host-header",
            Self::PathPattern => "path-pattern",
            Self::HttpRequestMethod => "http-request-method",
            Self::SourceIp => "source-ip",
            Self::HttpHeader => "http-header",
            Self::QueryString => "query-string",
        }
    }

    /// Whether a rule may have several conditions of this kind, which then must all hold.
    pub fn is_repeatable(self) -> bool {
        matches!(self, Self::HttpHeader | Self::QueryString)
    }
}

impl fmt::Display for ConditionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A value that a condition cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// The list of values is empty: the condition could never hold.
    #[error("{kind} needs at least one value")]
    NoValues {
        /// The kind of condition.
        kind: ConditionKind,
    },
    /// A value is the empty string.
    #[error("a value of {kind} is empty: write what to compare with, or `*` for anything")]
    Empty {
        /// The kind of condition.
        kind: ConditionKind,
    },
    /// A value has too many characters.
    #[error("`{value}` has {length} characters: {kind} takes at most {limit}")]
    TooLong {
        /// The kind of condition.
        kind: ConditionKind,
        /// The value.
        value: String,
        /// How many characters it has.
        length: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A value holds a character that ALB does not accept there.
    #[error("`{value}` holds {character:?}: {kind} takes {rule}")]
    Character {
        /// The kind of condition.
        kind: ConditionKind,
        /// The value.
        value: String,
        /// The first such character.
        character: char,
        /// What is accepted, in words.
        rule: &'static str,
    },
    /// A host without a dot.
    #[error(
        "`{value}` has no dot: host-header takes names like `www.example.com` or `*.example.com`; \
             to meet every host, leave the condition out"
    )]
    HostWithoutDot {
        /// The value.
        value: String,
    },
    /// A host that ends in something else than letters.
    #[error(
        "`{value}` must end in letters, as in `.com`: after the last dot host-header takes only A-Z and a-z, \
             no wildcard, no port"
    )]
    HostEnding {
        /// The value.
        value: String,
    },
    /// A path pattern that no path fits.
    #[error("`{value}` fits no path, for every path begins with `/`: write `/{value}`")]
    PathWithoutSlash {
        /// The value.
        value: String,
    },
    /// A regular expression that cannot be one.
    #[error("{error}")]
    Expression {
        /// The kind of condition.
        kind: ConditionKind,
        /// The value.
        value: String,
        /// What is wrong with it.
        error: ExpressionError,
    },
    /// Not an address block.
    #[error("`{value}` is not an address block: source-ip takes CIDR such as {example}")]
    AddressBlock {
        /// The value.
        value: String,
        /// What may have been meant.
        example: String,
    },
    /// The broadcast address, which no client has.
    #[error("source-ip does not take 255.255.255.255/32: no client has that address")]
    Broadcast,
    /// A field name that cannot be one.
    #[error(
        "`{name}` is not the name of a header field: http-header takes 1 to {limit} letters, digits and \
             !#$%&'+-.^_`|~, and no wildcard"
    )]
    FieldName {
        /// The name.
        name: String,
        /// How many characters it may have.
        limit: usize,
    },
    /// `Host` has a condition of its own.
    #[error(
        "http-header does not look at `Host`: use host-header, which knows about ports and case"
    )]
    HostField,
}

impl ConditionError {
    /// The value that is wrong, as it was given, if it is one: the caller can look up where it came from.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::TooLong { value, .. }
            | Self::Character { value, .. }
            | Self::HostWithoutDot { value }
            | Self::HostEnding { value }
            | Self::PathWithoutSlash { value }
            | Self::Expression { value, .. }
            | Self::AddressBlock { value, .. } => Some(value),
            Self::FieldName { name, .. } => Some(name),
            Self::Empty { .. } => Some(""),
            Self::Broadcast => Some("255.255.255.255/32"),
            Self::HostField => Some("Host"),
            Self::NoValues { .. } => None,
        }
    }
}
