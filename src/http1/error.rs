//! Why a head was refused.

/// Why a head was refused. The proxy maps each to a status: for a request the client's fault, for
/// a response the target's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The request line is longer than its limit.
    #[error("request line too long")]
    RequestLineTooLong,
    /// One field line is longer than its limit.
    #[error("header field too long")]
    FieldTooLong,
    /// All field lines together are longer than their limit, or there are too many.
    #[error("header fields too large")]
    FieldsTooLarge,
    /// A line ends in LF without CR (RFC 9112 section 2.2).
    #[error("line ends without CR")]
    BareLf,
    /// A field is folded over several lines (RFC 9112 section 5.2).
    #[error("folded header field")]
    ObsFold,
    /// The start line or a field line does not follow the grammar.
    #[error("malformed head")]
    Malformed,
    /// The version is HTTP, and neither 1.0 nor 1.1.
    #[error("HTTP version not supported")]
    Version,
    /// The request target holds something other than visible ASCII, or is of no known form.
    #[error("malformed request target")]
    Target,
    /// Content-Length is not a number, or several differ (RFC 9112 section 6.3).
    #[error("malformed Content-Length")]
    ContentLength,
    /// Content-Length and Transfer-Encoding together (RFC 9112 section 6.1).
    #[error("Content-Length together with Transfer-Encoding")]
    LengthAndEncoding,
    /// Transfer-Encoding where none may be: in HTTP/1.0, twice, or chunked not last.
    #[error("malformed Transfer-Encoding")]
    TransferEncoding,
    /// Nothing that keeps it from being served, only from being compliant.
    #[error("not compliant")]
    NonCompliant,
    /// A transfer coding other than chunked.
    #[error("transfer coding not supported")]
    UnsupportedCoding,
}
