//! The names that AWS gives to departures from the grammar.

/// How dangerous a request is. The order is that of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It follows RFC 9110 and 9112.
    Compliant,
    /// It does not, and no harm can come of it.
    Acceptable,
    /// Two readers could take it for different requests.
    Ambiguous,
    /// It is malformed, or made to be misread.
    Severe,
}

impl Class {
    /// As the access log and the metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "Compliant",
            Self::Acceptable => "Acceptable",
            Self::Ambiguous => "Ambiguous",
            Self::Severe => "Severe",
        }
    }
}

/// Why a request is in its class: the worst that was found, and of that the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing was found.
    Compliant,
    /// Content-Length: 0 on GET or HEAD.
    GetHeadZeroContentLength,
    /// A character in a header field that has no place there.
    NonCompliantHeader,
    /// A line ends in LF without CR.
    NonCrLfLineTermination,
    /// HTTP/0.9, HTTP/1.2 to HTTP/1.9, or white space around the version.
    NonCompliantVersion,
    /// A space in the request target.
    SpaceInUri,
    /// A control character in the request target.
    AmbiguousUri,
    /// Transfer-Encoding and Content-Length together.
    BothTeClPresent,
    /// Several equal Content-Length fields.
    DuplicateContentLength,
    /// A header field without a name.
    EmptyHeader,
    /// A line of the header section without a colon.
    MissingHeaderColon,
    /// The header section does not end in an empty line.
    MissingLastEmptyLine,
    /// No request target.
    MissingUri,
    /// A field that goes on in the next line.
    MultilineHeader,
    /// The last line of the header section does not end.
    PartialHeaderLine,
    /// A field name that reads as Transfer-Encoding or Content-Length once it is tidied up.
    SuspiciousHeader,
    /// Content-Length on GET, HEAD or HTTP/0.9.
    UndefinedContentLengthSemantics,
    /// Transfer-Encoding on GET, HEAD or before HTTP/1.1.
    UndefinedTransferEncodingSemantics,
    /// Content-Length is not a number.
    BadContentLength,
    /// NUL or CR in a header field.
    BadHeader,
    /// The method is no token.
    BadMethod,
    /// Transfer-Encoding names an unknown coding.
    BadTransferEncoding,
    /// NUL or CR in the request target.
    BadUri,
    /// The version is malformed.
    BadVersion,
    /// Several different Content-Length fields.
    MultipleContentLength,
    /// The chunked coding, twice.
    MultipleTransferEncodingChunked,
}

impl Reason {
    /// The class that a request with this, and nothing worse, is in.
    pub const fn class(self) -> Class {
        match self {
            Self::Compliant => Class::Compliant,
            Self::GetHeadZeroContentLength
            | Self::NonCompliantHeader
            | Self::NonCrLfLineTermination
            | Self::NonCompliantVersion
            | Self::SpaceInUri => Class::Acceptable,
            Self::AmbiguousUri
            | Self::BothTeClPresent
            | Self::DuplicateContentLength
            | Self::EmptyHeader
            | Self::MissingHeaderColon
            | Self::MissingLastEmptyLine
            | Self::MissingUri
            | Self::MultilineHeader
            | Self::PartialHeaderLine
            | Self::SuspiciousHeader
            | Self::UndefinedContentLengthSemantics
            | Self::UndefinedTransferEncodingSemantics => Class::Ambiguous,
            Self::BadContentLength
            | Self::BadHeader
            | Self::BadMethod
            | Self::BadTransferEncoding
            | Self::BadUri
            | Self::BadVersion
            | Self::MultipleContentLength
            | Self::MultipleTransferEncodingChunked => Class::Severe,
        }
    }

    /// As the access log and the metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "Compliant",
            Self::GetHeadZeroContentLength => "GetHeadZeroContentLength",
            Self::NonCompliantHeader => "NonCompliantHeader",
            Self::NonCrLfLineTermination => "NonCrLfLineTermination",
            Self::NonCompliantVersion => "NonCompliantVersion",
            Self::SpaceInUri => "SpaceInUri",
            Self::AmbiguousUri => "AmbiguousUri",
            Self::BothTeClPresent => "BothTeClPresent",
            Self::DuplicateContentLength => "DuplicateContentLength",
            Self::EmptyHeader => "EmptyHeader",
            Self::MissingHeaderColon => "MissingHeaderColon",
            Self::MissingLastEmptyLine => "MissingLastEmptyLine",
            Self::MissingUri => "MissingUri",
            Self::MultilineHeader => "MultilineHeader",
            Self::PartialHeaderLine => "PartialHeaderLine",
            Self::SuspiciousHeader => "SuspiciousHeader",
            Self::UndefinedContentLengthSemantics => "UndefinedContentLengthSemantics",
            Self::UndefinedTransferEncodingSemantics => "UndefinedTransferEncodingSemantics",
            Self::BadContentLength => "BadContentLength",
            Self::BadHeader => "BadHeader",
            Self::BadMethod => "BadMethod",
            Self::BadTransferEncoding => "BadTransferEncoding",
            Self::BadUri => "BadUri",
            Self::BadVersion => "BadVersion",
            Self::MultipleContentLength => "MultipleContentLength",
            Self::MultipleTransferEncodingChunked => "MultipleTransferEncodingChunked",
        }
    }
}
