//! The head that a client sees of a target's response.

use super::{push_field, push_lines, push_number};
use crate::config::ResponseChanges;
use crate::http1::{FieldName, Framing, RequestHead, ResponseHead, Version};
use crate::proxy::date;

/// How a body goes to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum BodyCoding {
    /// As it is: the head says how long, or that there is none.
    Plain,
    /// In chunks.
    Chunked,
    /// As it is, up to the close.
    UntilClose,
}

impl BodyCoding {
    /// For a body that came framed like this; HTTP/1.0 knows no chunks.
    pub(in crate::proxy) fn of(framing: Framing, client: Version) -> Self {
        match (framing, client) {
            (Framing::Empty | Framing::Length(_), _) => Self::Plain,
            // A stream needs no framing within.
            (_, Version::Http2 | Version::Http3) => Self::Plain,
            (Framing::Chunked | Framing::UntilClose, Version::Http11) => Self::Chunked,
            (Framing::Chunked | Framing::UntilClose, Version::Http10) => Self::UntilClose,
        }
    }
}

/// What the balancer decided about the response.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct ToClient {
    pub(in crate::proxy) framing: Framing,
    pub(in crate::proxy) coding: BodyCoding,
    /// Whether the client's connection stays open afterwards.
    pub(in crate::proxy) keep_alive: bool,
    /// The port on which the client may go on in HTTP/3.
    pub(in crate::proxy) http3: Option<u16>,
}

/// The balancer's own cookies.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::proxy) struct Cookies<'c> {
    /// Of stickiness: lines of `Set-Cookie`, each with its end.
    pub(in crate::proxy) stay: &'c [u8],
    /// Of logins: values of `Set-Cookie`.
    pub(in crate::proxy) passport: &'c [String],
}

/// Appends the head that the client sees: what the target sent without what concerns only its
/// connection, the balancer's own cookies, one unambiguous framing, and what becomes of the
/// client's connection.
pub(in crate::proxy) fn to_client(
    out: &mut Vec<u8>,
    request: &RequestHead,
    head: &ResponseHead,
    bytes: &[u8],
    (decided, cookies): (ToClient, Cookies<'_>),
    changes: Option<&ResponseChanges>,
) {
    push_status_line(out, head, bytes);
    let status = head.status();
    let changes = changes.filter(|_| status >= 200);
    let mut dated = false;
    push_lines(out, bytes, head.fields(bytes), |field| {
        let passes = match field.known {
            // Kept where there is no body for it to frame (RFC 9110 section 8.6).
            FieldName::ContentLength => {
                decided.framing == Framing::Empty && status >= 200 && status != 204
            }
            FieldName::Upgrade => status == 101 || status == 426,
            known if known.is_hop_by_hop() => false,
            _ if changes.is_some_and(|changes| changes.removes(field.name)) => false,
            _ => !head.options().names(field),
        };
        dated |= passes && field.known == FieldName::Date;
        passes
    });
    if !dated && status >= 200 {
        // RFC 9110 section 6.6.1: whoever forwards a response without Date adds one.
        push_field(out, b"Date", &date::now());
    }
    out.extend_from_slice(cookies.stay);
    for cookie in cookies.passport {
        push_field(out, b"Set-Cookie", cookie.as_bytes());
    }
    if let Framing::Length(length) = decided.framing {
        push_number(out, b"Content-Length", length);
    }
    if decided.coding == BodyCoding::Chunked {
        push_field(out, b"Transfer-Encoding", b"chunked");
    }
    if let Some(changes) = changes {
        out.extend_from_slice(changes.lines());
    }
    if let Some(port) = decided.http3 {
        push_alt_svc(out, port);
    }
    push_connection(out, status, request.version(), decided.keep_alive);
    out.extend_from_slice(b"\r\n");
}

/// Tells where the same is to be had in HTTP/3 (RFC 7838), and for how long that may be believed.
pub(in crate::proxy) fn push_alt_svc(out: &mut Vec<u8>, port: u16) {
    out.extend_from_slice(b"Alt-Svc: h3=\":");
    out.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());
    out.extend_from_slice(b"\"; ma=86400\r\n");
}

fn push_status_line(out: &mut Vec<u8>, head: &ResponseHead, bytes: &[u8]) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(head.status()).as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.reason(bytes));
    out.extend_from_slice(b"\r\n");
}

/// Says only what differs from what the client's version implies (RFC 9112 section 9.3).
fn push_connection(out: &mut Vec<u8>, status: u16, client: Version, keep_alive: bool) {
    match (status, client, keep_alive) {
        (_, Version::Http2 | Version::Http3, _) => {}
        (101, ..) => push_field(out, b"Connection", b"upgrade"),
        (100..200, ..) | (_, Version::Http11, true) | (_, Version::Http10, false) => {}
        (_, Version::Http11, false) => push_field(out, b"Connection", b"close"),
        (_, Version::Http10, true) => push_field(out, b"Connection", b"keep-alive"),
    }
}
