//! Why a header is refused.

/// What is wrong with a PROXY protocol header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Something else came: a client that sends none, perhaps.
    #[error("no PROXY protocol header")]
    Missing,
    /// More than 107 bytes in version 1, more than 8 KiB in version 2.
    #[error("the PROXY protocol header is too long")]
    TooLong,
    /// A version, command, family or transport that does not exist.
    #[error("the PROXY protocol header has a value that is not defined")]
    Undefined,
    /// It breaks the rules of its version.
    #[error("the PROXY protocol header is malformed")]
    Malformed,
    /// The checksum (CRC-32C) is another one.
    #[error("the PROXY protocol header has a wrong checksum")]
    Checksum,
}

impl HeaderError {
    /// A word for metrics and logs.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::Undefined => "undefined",
            Self::Malformed => "malformed",
            Self::Checksum => "checksum",
        }
    }
}
