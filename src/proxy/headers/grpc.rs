//! Which requests are gRPC (gRPC over HTTP/2: "PROTOCOL-HTTP2.md").

use crate::http1::{FieldName, RequestHead};

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
}
