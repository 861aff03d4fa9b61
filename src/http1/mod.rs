//! One HTTP/1.1 message on the wire: where its head ends, what its fields are, how its body is
//! framed (RFC 9112).
//!
//! Heads of other versions take this form, too, when they are let in: [`RequestHead::assemble`]
//! puts one together. So rules, header fields and logs have one form of head to deal with.
//!
//! [`HeadScanner`] finds the end of a head and refuses what is not one; [`RequestHead`] and
//! [`ResponseHead`] index it without copying; [`Framing`] decides how a body is delimited;
//! [`BodyDecoder`] takes the framing off, [`chunk`] puts it on.
//!
//! Strict on requests: what one reader could take for another message than its neighbour never
//! reaches a target. [`RequestHead::read`] refuses it, or, where AWS's load balancers let it
//! through, says it anew in a form that leaves no doubt; and names it with a [`Reason`] of AWS's.
//! Nothing in this room does I/O.

mod assemble;
mod body;
mod desync;
mod error;
mod field;
mod framing;
mod host;
mod request;
mod request_target;
mod response;
mod rewrite;
mod scan;

pub use assemble::StartLine;
pub use body::{BodyDecoder, BodyError, Decoded, chunk};
pub use desync::{Class, Reason, classify};
pub use error::HeadError;
pub use field::{ConnectionOptions, Field, FieldName, Fields};
pub use framing::Framing;
pub use host::Host;
pub use request::{Refusal, RequestHead, Reuse};
pub use request_target::TargetForm;
pub use response::ResponseHead;
pub use scan::{HeadLimits, HeadScanner};

/// The version of a message. On a connection that speaks HTTP/1, others than the first two are
/// refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
    /// HTTP/3
    Http3,
}

impl Version {
    /// As on the wire; for the versions whose wire does not carry it, as ALB logs it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
            Self::Http3 => "HTTP/3.0",
        }
    }

    /// Whether many requests share a connection, each on a stream of its own.
    pub const fn has_streams(self) -> bool {
        matches!(self, Self::Http2 | Self::Http3)
    }

    fn from_minor(minor: u8) -> Self {
        if minor == 0 {
            Self::Http10
        } else {
            Self::Http11
        }
    }
}
