//! The head of a request to a target, as a map.

use h2::ext::Protocol;
use http::header::{HOST, HeaderValue, SEC_WEBSOCKET_KEY, TE};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, Uri};

use super::fields::field_map;

/// What a client says if it wants trailers; gRPC targets insist on it.
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// Makes the request from its head in the form of HTTP/1.1: the Host becomes `:authority`, and a
/// WebSocket handshake (`switches`) the extended CONNECT that it is in HTTP/2 (RFC 8441). `None` when it has no
/// such form. The caller sees to the scheme: http unless the target's connection is encrypted.
pub(in crate::proxy) fn outgoing_request(head: &[u8], switches: bool) -> Option<Request<()>> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = line.split(|byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let target = PathAndQuery::try_from(words.next()?).ok()?;
    let mut fields = field_map(head);
    let host = fields.remove(HOST)?;
    fields.append(TE, TRAILERS);
    let uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(host.as_bytes())
        .path_and_query(target)
        .build()
        .ok()?;
    let mut request = Request::new(());
    if switches {
        fields.remove(SEC_WEBSOCKET_KEY);
        *request.method_mut() = Method::CONNECT;
        let protocol = Protocol::from_static("websocket");
        request.extensions_mut().insert(protocol);
    } else {
        *request.method_mut() = method;
    }
    *request.uri_mut() = uri;
    *request.headers_mut() = fields;
    Some(request)
}
