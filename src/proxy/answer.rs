//! Answers that the balancer makes itself: errors, redirects, fixed responses.

use std::pin::pin;

use super::client::Client;
use super::date;
use super::error::ProxyError;
use super::headers::{BodyCoding, grpc_status, push_alt_svc, push_field, push_number};
use super::record::RequestRecord;
use crate::config::ResponseChanges;
use crate::http1::{RequestHead, Version};
use crate::net::buffers;

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) content_type: &'a str,
    pub(super) body: &'a str,
    pub(super) location: Option<&'a str>,
    /// Set-Cookie values.
    pub(super) cookies: &'a [String],
    /// Whether the client's connection stays open.
    pub(super) keep_alive: bool,
}

impl Client {
    /// Sends an answer. A client that is gone does not get it, and nothing else depends on it.
    pub(super) async fn answer(&mut self, answer: &Answer<'_>, record: &mut RequestRecord<'_>) {
        record.answered_by_balancer(answer.status);
        let mut out = buffers::take();
        push_answer(&mut out, answer, record);
        record.sent_heads += out.len() as u64;
        let body = match record.head {
            Some(head) if head.has_method("HEAD") => "",
            _ => answer.body,
        };
        let (_, mut writer) = self.wire.split();
        let (body, end) = (body.as_bytes(), Some(&b""[..]));
        let sending = writer.start(&mut out, BodyCoding::Plain, body, end, &record.sent);
        let _ = self.vigil.wait(SENDING, pin!(sending)).await;
        buffers::give(out);
    }

    /// Ends a gRPC call with the status that stands for the error. gRPC's own answers have the HTTP
    /// status 200 whatever happened, and no body (gRPC: "Trailers-Only"); log and metrics show the
    /// HTTP status that ALB has for the error.
    pub(super) async fn answer_call(&mut self, error: &ProxyError, record: &mut RequestRecord<'_>) {
        record.answered_by_balancer(error.status());
        let mut out = buffers::take();
        out.extend_from_slice(b"HTTP/1.1 200 \r\n");
        push_common(&mut out, record.response_changes());
        push_field(&mut out, b"Content-Type", b"application/grpc");
        push_number(&mut out, b"grpc-status", grpc_status(error));
        push_field(&mut out, b"grpc-message", error.reason().as_bytes());
        out.extend_from_slice(b"\r\n");
        let (_, mut writer) = self.wire.split();
        let end = Some(&b""[..]);
        let sending = writer.start(&mut out, BodyCoding::Plain, b"", end, &record.sent);
        let _ = self.vigil.wait(SENDING, pin!(sending)).await;
        buffers::give(out);
    }
}

/// An answer is small: a client that does not take it within this time is not there any more.
const SENDING: std::time::Duration = std::time::Duration::from_secs(10);

/// The head of an answer.
fn push_answer(out: &mut Vec<u8>, answer: &Answer<'_>, record: &RequestRecord<'_>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(answer.status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason(answer.status).as_bytes());
    out.extend_from_slice(b"\r\n");
    push_common(out, record.response_changes());
    if let Some(location) = answer.location {
        push_field(out, b"Location", location.as_bytes());
    }
    for cookie in answer.cookies {
        push_field(out, b"Set-Cookie", cookie.as_bytes());
    }
    if !answer.body.is_empty() {
        push_field(out, b"Content-Type", answer.content_type.as_bytes());
    }
    if answer.status != 204 {
        push_number(out, b"Content-Length", answer.body.len());
    }
    if let Some(port) = record.http3_port() {
        push_alt_svc(out, port);
    }
    match (answer.keep_alive, record.head.map(RequestHead::version)) {
        (false, _) => push_field(out, b"Connection", b"close"),
        (true, Some(Version::Http10)) => push_field(out, b"Connection", b"keep-alive"),
        (true, _) => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// What all answers of the balancer's own have.
fn push_common(out: &mut Vec<u8>, changes: Option<&ResponseChanges>) {
    if !changes.is_some_and(ResponseChanges::hides_server) {
        push_field(out, b"Server", b"elbow");
    }
    push_field(out, b"Date", &date::now());
    if let Some(changes) = changes {
        out.extend_from_slice(changes.lines());
    }
}

/// The page that goes with an error, in the form of ALB's.
pub(super) fn error_page(status: u16) -> String {
    let reason = reason(status);
    format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n\
         <center><h1>{status} {reason}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
}

/// The reason phrase; 460, 463 and 464 are ALB's own.
fn reason(status: u16) -> &'static str {
    match status {
        460 => "Client Closed Request",
        464 => "Incompatible Protocol Versions",
        463 => "Too Many Forwarded Addresses",
        _ => http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or(""),
    }
}
