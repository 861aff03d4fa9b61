//! ALB's format: fields 1-29, separated by spaces, texts in quotes.

use std::net::SocketAddr;
use std::time::Duration;

use super::text::{self, Clock};
use super::{Entry, RequestLine};

/// Appends one line.
pub(super) fn line(out: &mut Vec<u8>, entry: &Entry<'_>, clock: &mut Clock) {
    plain(out, entry.kind.as_str());
    clock.time(out, entry.time);
    out.push(b' ');
    plain(out, entry.elb);
    address(out, Some(entry.client));
    address(out, entry.target);
    seconds(out, entry.request_processing_time);
    seconds(out, entry.target_processing_time);
    seconds(out, entry.response_processing_time);
    status(out, Some(entry.elb_status_code));
    status(out, entry.target_status_code);
    text::number(out, entry.received_bytes);
    out.push(b' ');
    text::number(out, entry.sent_bytes);
    out.push(b' ');
    request(out, &entry.request);
    quoted(out, entry.user_agent());
    plain(out, entry.ssl_cipher.unwrap_or_default());
    plain(out, entry.ssl_protocol.unwrap_or_default());
    plain(out, entry.target_group.unwrap_or_default());
    quoted(out, entry.trace_id);
    quoted_str(out, entry.domain_name);
    quoted_str(out, entry.chosen_certificate);
    match entry.matched_rule_priority {
        Some(priority) => text::number(out, priority),
        None => out.push(b'-'),
    }
    out.push(b' ');
    clock.time(out, entry.request_creation_time);
    out.push(b' ');
    quoted(out, entry.actions_executed.as_bytes());
    quoted(out, entry.redirect_url.unwrap_or_default());
    quoted_str(out, entry.error_reason);
    list(out, entry.targets, |out, target| {
        text::socket_address(out, *target);
    });
    list(out, entry.target_status_codes, |out, code| match code {
        Some(code) => text::number(out, *code),
        None => out.push(b'-'),
    });
    quoted_str(out, entry.classification);
    quoted_str(out, entry.classification_reason);
    if let Some(last) = out.last_mut() {
        *last = b'\n';
    }
}

/// A word without quotes. Names in the configuration have no spaces.
fn plain(out: &mut Vec<u8>, word: &str) {
    let word = if word.is_empty() { "-" } else { word };
    out.extend_from_slice(word.as_bytes());
    out.push(b' ');
}

fn address(out: &mut Vec<u8>, address: Option<SocketAddr>) {
    match address {
        Some(address) => text::socket_address(out, address),
        None => out.push(b'-'),
    }
    out.push(b' ');
}

fn seconds(out: &mut Vec<u8>, time: Option<Duration>) {
    match time {
        Some(time) => text::seconds(out, time),
        None => out.extend_from_slice(b"-1"),
    }
    out.push(b' ');
}

fn status(out: &mut Vec<u8>, status: Option<u16>) {
    match status {
        Some(status) => text::number(out, status),
        None => out.push(b'-'),
    }
    out.push(b' ');
}

fn request(out: &mut Vec<u8>, request: &RequestLine<'_>) {
    out.push(b'"');
    or_dash(out, request.method);
    out.push(b' ');
    out.extend_from_slice(request.scheme.as_bytes());
    out.extend_from_slice(b"://");
    text::escaped(out, request.host);
    out.push(b':');
    text::number(out, request.port);
    or_dash(out, request.uri);
    out.push(b' ');
    or_dash(out, request.version.as_bytes());
    out.extend_from_slice(b"\" ");
}

fn or_dash(out: &mut Vec<u8>, text: &[u8]) {
    text::escaped(out, if text.is_empty() { b"-" } else { text });
}

fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    or_dash(out, text);
    out.extend_from_slice(b"\" ");
}

fn quoted_str(out: &mut Vec<u8>, text: Option<&str>) {
    quoted(out, text.unwrap_or_default().as_bytes());
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'"');
    if items.is_empty() {
        out.push(b'-');
    }
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        write(out, item);
    }
    out.extend_from_slice(b"\" ");
}
