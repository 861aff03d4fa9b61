//! The head of a client's request, from a map.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{COOKIE, HOST};
use http::{HeaderValue, Method, Request};

use super::fields::joined_cookies;
use crate::config::Limits;
use crate::http1::{HeadError, RequestHead, StartLine, Version};
use crate::net::buffers;

/// RFC 8470 section 5.1.
const EARLY_DATA: &str = "early-data";

/// What the stream says of a request beside its head.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Spoken<'a> {
    pub(in crate::proxy) version: Version,
    /// `:protocol`, which makes a CONNECT an extended one (RFC 8441, RFC 9220).
    pub(in crate::proxy) protocol: Option<&'a str>,
    /// Nothing follows the head.
    pub(in crate::proxy) ended: bool,
    /// It goes on before the client's handshake is complete, which its target is told (RFC 8470 section
    /// 5.1), unless the client has said so itself.
    pub(in crate::proxy) early: bool,
}

/// Reads a head.
///
/// A WebSocket handshake (an extended CONNECT) becomes the GET that it is in HTTP/1.1, with a key
/// of the balancer's own: these versions have none, and the target's answer to it is not passed on.
///
/// # Errors
///
/// A limit is exceeded, `:authority` and Host contradict each other (RFC 9113 section 8.3.1), or
/// [`RequestHead::assemble`] refuses. With the error comes how many bytes were read, about.
pub(in crate::proxy) fn request_head<B>(
    request: &Request<B>,
    spoken: Spoken<'_>,
    limits: &Limits,
) -> Result<RequestHead, (HeadError, usize)> {
    let websocket = spoken.protocol == Some("websocket");
    let target = request_target(request);
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let size = check(request, target, authority, limits)?;
    if spoken.protocol.is_some() && !websocket {
        return Err((HeadError::Malformed, size));
    }
    let cookies = joined_cookies(request.headers());
    let sent = request
        .headers()
        .iter()
        .filter(|(name, _)| !(*name == HOST && authority.is_some()))
        .filter(|(name, _)| !(*name == COOKIE && cookies.is_some()))
        .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    let host = authority.map(|authority| (&b"host"[..], authority.as_bytes()));
    let joined = cookies.iter().map(|joined| (&b"cookie"[..], &joined[..]));
    let key = websocket.then(websocket_key);
    let upgrade = key.iter().flat_map(|key| {
        [
            (&b"connection"[..], &b"upgrade"[..]),
            (b"upgrade", b"websocket"),
            (b"sec-websocket-key", key.as_bytes()),
        ]
    });
    let early = spoken.early && !request.headers().contains_key(EARLY_DATA);
    let early = early.then_some((EARLY_DATA.as_bytes(), &b"1"[..]));
    let start = StartLine {
        version: spoken.version,
        method: if websocket {
            "GET"
        } else {
            request.method().as_str()
        },
        target,
        ended: spoken.ended || websocket,
    };
    let fields = host.into_iter().chain(sent).chain(joined);
    let fields = fields.chain(upgrade).chain(early);
    RequestHead::assemble(buffers::take(), start, fields).map_err(|(error, bytes)| {
        buffers::give(bytes);
        (error, size)
    })
}

fn request_target<B>(request: &Request<B>) -> &str {
    match request.uri().path_and_query().map(|target| target.as_str()) {
        None | Some("") if *request.method() == Method::OPTIONS => "*",
        None | Some("") => "/",
        Some(target) => target,
    }
}

/// Holds a head to the limits. Returns its size as text, about.
fn check<B>(
    request: &Request<B>,
    target: &str,
    authority: Option<&str>,
    limits: &Limits,
) -> Result<usize, (HeadError, usize)> {
    let fields = request.headers();
    let (mut all, mut longest) = (0, 0);
    for (name, value) in fields {
        let line = name.as_str().len() + value.len() + b": \r\n".len();
        all += line;
        longest = line.max(longest);
    }
    let size = request.method().as_str().len() + target.len() + all;
    let contradicts = |host: &HeaderValue| {
        authority
            .is_some_and(|authority| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()))
    };
    let error = if target.len() > limits.request_line {
        HeadError::RequestLineTooLong
    } else if longest > limits.header {
        HeadError::FieldTooLong
    } else if all > limits.headers {
        HeadError::FieldsTooLarge
    } else if fields.get_all(HOST).iter().any(contradicts) {
        HeadError::Malformed
    } else {
        return Ok(size);
    };
    Err((error, size))
}

/// Sixteen random bytes in base64 (RFC 6455 section 4.1).
fn websocket_key() -> String {
    BASE64_STANDARD.encode(fastrand::u128(..).to_ne_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;
    use crate::http1::{FieldName, Framing};

    const LIMITS: Limits = Limits {
        request_line: 100,
        header: 100,
        headers: 300,
        response_headers: 300,
    };

    fn read(
        request: http::request::Builder,
        protocol: Option<&str>,
        ended: bool,
    ) -> Result<RequestHead, HeadError> {
        let spoken = Spoken {
            version: Version::Http2,
            protocol,
            ended,
            early: false,
        };
        request_head(&request.body(()).unwrap(), spoken, &LIMITS).map_err(|(error, _)| error)
    }

    #[test]
    fn authority_becomes_host_and_crumbs_become_one_cookie() {
        let request = Request::get("https://a.example:81/x?y")
            .header("cookie", "a=1")
            .header("accept", "*/*")
            .header("cookie", "b=2");
        let head = read(request, None, true).unwrap();
        assert_eq!(head.version(), Version::Http2);
        assert_eq!(head.authority(), None);
        assert_eq!(
            String::from_utf8_lossy(head.bytes()),
            "GET /x?y HTTP/1.1\r\nhost: a.example:81\r\naccept: */*\r\ncookie: a=1; b=2\r\n\r\n"
        );
        assert_eq!(head.framing(), Framing::Empty);
    }

    #[test]
    fn a_target_is_told_of_early_data_once() {
        let spoken = Spoken {
            version: Version::Http3,
            protocol: None,
            ended: true,
            early: true,
        };
        let told = |request: http::request::Builder| {
            let request = request.uri("https://a/").body(()).unwrap();
            let head = request_head(&request, spoken, &LIMITS).unwrap();
            let told = head.fields().filter(|field| field.name == b"early-data");
            told.map(|field| field.value.to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(told(Request::builder()), [b"1"]);
        assert_eq!(told(Request::builder().header("early-data", "1")), [b"1"]);
    }

    #[test]
    fn a_host_that_contradicts_the_authority_is_refused() {
        let with = |host: &str| {
            let request = Request::get("https://a.example/").header("host", host);
            read(request, None, true)
        };
        assert_eq!(with("b.example").unwrap_err(), HeadError::Malformed);
        assert_eq!(
            with("A.example").unwrap().values(FieldName::Host).count(),
            1
        );
    }

    #[test]
    fn the_limits_of_http_1_1_hold() {
        let long = "x".repeat(101);
        let uri = format!("https://a/{long}");
        assert_eq!(
            read(Request::get(uri), None, true).unwrap_err(),
            HeadError::RequestLineTooLong
        );
        let request = || Request::get("https://a/");
        assert_eq!(
            read(request().header("a", &long), None, true).unwrap_err(),
            HeadError::FieldTooLong
        );
        let many = (0..10).fold(request(), |request, _| request.header("a", "x".repeat(40)));
        assert_eq!(
            read(many, None, true).unwrap_err(),
            HeadError::FieldsTooLarge
        );
    }

    #[test]
    fn an_extended_connect_is_a_websocket_handshake() {
        let request = || Request::connect("https://a/chat").header("sec-websocket-version", "13");
        let head = read(request(), Some("websocket"), false).unwrap();
        assert_eq!((head.method(), head.path()), ("GET", "/chat"));
        assert_eq!(head.upgrade(), Some(&b"websocket"[..]));
        let mut fields = head.fields();
        let key = fields
            .find(|field| field.name == b"sec-websocket-key")
            .unwrap();
        assert_eq!((key.value.len(), &key.value[22..]), (24, &b"=="[..]));
        assert_eq!(
            read(request(), Some("connect-udp"), false).unwrap_err(),
            HeadError::Malformed
        );
    }
}
