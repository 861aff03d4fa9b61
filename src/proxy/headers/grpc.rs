//! Which requests are gRPC (gRPC over HTTP/2: "PROTOCOL-HTTP2.md").

use std::time::Duration;

use crate::http1::{FieldName, RequestHead};
use crate::proxy::ProxyError;

/// Whether the request says that it is gRPC: `Content-Type: application/grpc`, or the same with a
/// `+proto` or `;parameter` behind it. gRPC-Web is ordinary HTTP.
pub(in crate::proxy) fn is_grpc(head: &RequestHead) -> bool {
    let value = head.value(FieldName::ContentType).unwrap_or_default();
    let (start, rest) = match value.split_at_checked(b"application/grpc".len()) {
        Some(parts) => parts,
        None => return false,
    };
    start.eq_ignore_ascii_case(b"application/grpc")
        && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// How long the call may take, by `grpc-timeout`: at most eight digits and a unit.
pub(in crate::proxy) fn grpc_timeout(head: &RequestHead) -> Option<Duration> {
    let mut fields = head.fields();
    let field = fields.find(|field| field.name.eq_ignore_ascii_case(b"grpc-timeout"))?;
    let (unit, digits) = field.value.split_last()?;
    if digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// The gRPC status that stands for an HTTP status which the balancer gives (gRPC: "HTTP to gRPC Status
/// Code Mapping"); a deadline that has passed is known to be one.
pub(in crate::proxy) fn grpc_status(error: &ProxyError) -> u8 {
    const DEADLINE_EXCEEDED: u8 = 4;
    const PERMISSION_DENIED: u8 = 7;
    const RESOURCE_EXHAUSTED: u8 = 8;
    const UNIMPLEMENTED: u8 = 12;
    const INTERNAL: u8 = 13;
    const UNAVAILABLE: u8 = 14;
    const UNAUTHENTICATED: u8 = 16;
    match (error, error.status()) {
        (ProxyError::DeadlineExceeded, _) => DEADLINE_EXCEEDED,
        (_, 401) => UNAUTHENTICATED,
        (_, 403) => PERMISSION_DENIED,
        (_, 413 | 414) => RESOURCE_EXHAUSTED,
        (_, 464) => UNIMPLEMENTED,
        (_, 408 | 502 | 503 | 504) => UNAVAILABLE,
        _ => INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    #[test]
    fn grpc_is_told_by_its_content_type() {
        for (value, grpc) in [
            ("application/grpc", true),
            ("Application/grpc+proto", true),
            ("application/grpc; charset=x", true),
            ("application/grpc-web", false),
            ("application/json", false),
            ("application/gr", false),
        ] {
            let head = format!("POST / HTTP/1.1\r\nContent-Type: {value}\r\n\r\n");
            let head = RequestHead::parse(head.clone().into(), head.len()).unwrap();
            assert_eq!(is_grpc(&head), grpc, "{value}");
        }
    }

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        for (value, timeout) in [
            ("5S", Some(Duration::from_secs(5))),
            ("100m", Some(Duration::from_millis(100))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("999999999S", None),
            ("5", None),
            ("S", None),
            ("-1S", None),
        ] {
            let head = format!("POST / HTTP/1.1\r\ngrpc-timeout: {value}\r\n\r\n");
            let head = RequestHead::parse(head.clone().into(), head.len()).unwrap();
            assert_eq!(grpc_timeout(&head), timeout, "{value}");
        }
    }
}
