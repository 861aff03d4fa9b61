//! How far a request departs from the grammar, in AWS's words: the classes and reasons of desync
//! mitigation (AWS: "Desync mitigation mode" and "Classification reasons" of the access log).
//!
//! [`classify`] reads a head as it came and gives a [`Reason`], which belongs to a [`Class`]. It is
//! for heads that are not plain: a head that the strict parser takes, and in which nothing stands
//! out, is compliant, and costs nothing here. What a mode makes of a class is the proxy's business.
//!
//! AWS publishes its classifier (`http_desync_guardian`). This one is written anew, because that
//! one keeps global counters, writes a message for each finding, and looks at every request;
//! `tests/desync` holds the two against each other.

mod classify;
mod reason;
mod request_line;
mod resemblance;

pub use classify::classify;
pub use reason::{Class, Reason};
pub(super) use request_line::RequestLine;
pub(super) use resemblance::{CONTENT_LENGTH, TRANSFER_ENCODING, may_frame, resembles};

/// `tchar` of RFC 9110 section 5.6.2: what names and methods are made of.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `OWS` of RFC 9110 section 5.6.3.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Without the white space around it.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}
