//! The PROXY protocol, versions 1 and 2: a header before a connection's first byte that says whose
//! connection it really is (HAProxy's specification, "The PROXY protocol, versions 1 & 2").
//!
//! [`find_end`] and [`parse`] read one, [`Version::write`] writes one, all three without I/O;
//! [`receive`] takes one from a socket and leaves there what comes after it, which may be TLS.
//!
//! Written here and not taken from a library: a balancer needs to know byte by byte whether a header
//! has ended (libraries want all of it at once, and then some), refuses what is ambiguous, and
//! checks the checksum. Whom to believe is not decided here.

mod checksum;
mod error;
mod receive;
mod tlv;
mod v1;
mod v2;

use std::net::SocketAddr;

pub use error::HeaderError;
pub use receive::{ReceiveError, receive};
pub use tlv::{Ssl, Tlvs};

/// The two forms of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// A line of text; Classic's `ProxyProtocolPolicyType`.
    V1,
    /// Binary, with room for more than addresses; NLB's `proxy_protocol_v2`.
    V2,
}

impl Version {
    /// Appends a header. No ends: the connection is the sender's own, as a probe's is (LOCAL, or
    /// UNKNOWN in version 1).
    pub fn write(self, out: &mut Vec<u8>, ends: Option<&Ends>) {
        match self {
            Self::V1 => v1::write(out, ends),
            Self::V2 => v2::write(out, ends),
        }
    }
}

/// What a header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The ends of the client's connection. None where the peer speaks for itself (LOCAL, UNKNOWN)
    /// or names no pair of TCP addresses (a UNIX socket): what the socket says holds then.
    pub ends: Option<Ends>,
    /// What version 2 may add.
    pub tlvs: Tlvs,
}

/// The two ends of a client's connection, as a header names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// Where the client connected to.
    pub destination: SocketAddr,
}

/// Where the header ends with which `bytes` begin; none while more is needed, and then all of
/// `bytes` belongs to it. What follows is not looked at.
///
/// # Errors
///
/// `bytes` begin no header, or one that is too long. Whether it is right is [`parse`]'s question.
pub fn find_end(bytes: &[u8]) -> Result<Option<usize>, HeaderError> {
    match bytes.first() {
        None => Ok(None),
        Some(b'P') => v1::find_end(bytes),
        Some(_) => v2::find_end(bytes),
    }
}

/// Reads a whole header, which `bytes` are to their end.
///
/// # Errors
///
/// It does not follow the specification.
pub fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
    match bytes.first() {
        Some(b'P') => v1::parse(bytes),
        _ => v2::parse(bytes),
    }
}

/// Whether the bytes that are there agree with how something must begin.
fn agrees(bytes: &[u8], beginning: &[u8]) -> bool {
    bytes.iter().zip(beginning).all(|(is, should)| is == should)
}

#[cfg(test)]
mod tests;
