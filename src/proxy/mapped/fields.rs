//! Header fields: lines to a map, and back.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;

use crate::http1::FieldName;

/// Most heads have no more fields than this. The map's next size up is twice as large.
const USUAL: usize = 12;

/// The status in a response's first line.
pub(in crate::proxy) fn status_of(head: &[u8]) -> Option<StatusCode> {
    let code = head.get(b"HTTP/1.1 ".len()..)?.get(..3)?;
    StatusCode::from_bytes(code).ok()
}

/// The field lines of a head or a trailer section, without those that concern one connection of
/// HTTP/1.1 only (RFC 9113 section 8.2.2). A start line is passed over.
pub(in crate::proxy) fn field_map(text: &[u8]) -> HeaderMap {
    // One piece of memory for all values.
    let text = Bytes::copy_from_slice(text);
    let mut map = HeaderMap::with_capacity(USUAL);
    let mut start = 0;
    while let Some(length) = memchr(b'\n', &text[start..]) {
        let line = start..start + length;
        start = line.end + 1;
        let Some(colon) = memchr(b':', &text[line.clone()]) else {
            continue;
        };
        let name = &text[line.start..line.start + colon];
        if FieldName::of(name).is_hop_by_hop() {
            continue;
        }
        let value = text[line.start + colon + 1..line.end].trim_ascii();
        // A start line has a colon only in its target, and then a blank in what looks like a name.
        let Ok(name) = HeaderName::from_bytes(name) else {
            continue;
        };
        if let Ok(value) = HeaderValue::from_maybe_shared(text.slice_ref(value)) {
            map.append(name, value);
        }
    }
    map
}

/// The same as lines.
pub(in crate::proxy) fn field_lines(map: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in map {
        if FieldName::of(name.as_str().as_bytes()).is_hop_by_hop() {
            continue;
        }
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines
}

/// Crumbs of one Cookie field, which HTTP/2 may split, in one (RFC 9113 section 8.2.3).
pub(super) fn joined_cookies(map: &HeaderMap) -> Option<Bytes> {
    let mut crumbs = map.get_all(http::header::COOKIE).iter();
    let (first, second) = (crumbs.next()?, crumbs.next()?);
    let mut joined = BytesMut::from(first.as_bytes());
    for crumb in [second].into_iter().chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    Some(joined.freeze())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    #[test]
    fn a_head_becomes_a_map_without_what_concerns_the_connection() {
        let head = b"HTTP/1.1 200 OK\r\nServer: a:b\r\nConnection: close\r\nSet-Cookie: a=1\r\n\
                     set-cookie:  b=2 \r\nTransfer-Encoding: chunked\r\nEmpty:\r\n\r\n";
        let map = field_map(head);
        assert_eq!(status_of(head), Some(StatusCode::OK));
        assert_eq!(map["server"], "a:b");
        assert_eq!(map["empty"], "");
        assert_eq!(map.len(), 4);
        let cookies: Vec<_> = map.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        let target = b"GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(field_map(target).len(), 1);
    }

    #[test]
    fn trailers_go_there_and_back() {
        let lines = b"grpc-status: 0\r\ngrpc-message: fine\r\n";
        assert_eq!(field_lines(&field_map(lines)), lines);
    }

    #[test]
    fn cookie_crumbs_are_joined() {
        let mut map = HeaderMap::new();
        assert_eq!(joined_cookies(&map), None);
        map.append("cookie", HeaderValue::from_static("a=1"));
        assert_eq!(joined_cookies(&map), None);
        map.append("cookie", HeaderValue::from_static("b=2"));
        assert_eq!(joined_cookies(&map).unwrap(), "a=1; b=2");
    }
}
