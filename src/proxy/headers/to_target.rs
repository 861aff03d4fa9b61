//! The head that a target sees.

use std::sync::Arc;

use super::forwarded::{Hop, push_forwarded};
use super::forwarded_for::push_forwarded_for;
use super::{Host, Origin, TraceId, push_field, push_lines, push_number};
use crate::auth::{Oidc, User, is_shard};
use crate::config::{Attributes, ForwardedFor, RequestHeaderNames, ValidForwarded};
use crate::http1::{Field, FieldName, Framing, RequestHead, TargetForm};
use crate::proxy::ends::Ends;
use crate::routing::{Scheme, Transformed};

/// What the balancer knows beside the client's head.
#[derive(Debug)]
pub(in crate::proxy) struct ToTarget<'a> {
    pub(in crate::proxy) attributes: &'a Attributes,
    pub(in crate::proxy) host: Host<'a>,
    pub(in crate::proxy) transformed: Option<&'a Transformed>,
    /// Who the request is of.
    pub(in crate::proxy) user: Option<&'a User>,
    /// Whose session cookies are kept from the target.
    pub(in crate::proxy) providers: &'a [Arc<Oidc>],
    pub(in crate::proxy) scheme: Scheme,
    pub(in crate::proxy) ends: &'a Ends,
    pub(in crate::proxy) origin: &'a Origin,
    pub(in crate::proxy) forwarded: &'a ValidForwarded,
    pub(in crate::proxy) trace_id: &'a TraceId,
    pub(in crate::proxy) names: &'a RequestHeaderNames,
}

/// Appends the head that the target sees: request line, Host, what the client sent without what
/// concerns only its connection, one unambiguous framing, and the balancer's own fields.
pub(in crate::proxy) fn to_target(out: &mut Vec<u8>, head: &RequestHead, facts: &ToTarget<'_>) {
    let transformed = facts.transformed;
    push_request_line(out, head, transformed.and_then(|it| it.uri.as_deref()));
    match transformed.and_then(|it| it.host.as_deref()) {
        Some(host) => push_transformed_host(out, host, facts),
        None => push_host(out, head, facts),
    }
    push_lines(out, head.bytes(), head.fields(), |field| {
        passes(field, head, facts)
    });
    if !facts.providers.is_empty() {
        push_cookies(out, head, facts.providers);
    }
    if let Some(user) = facts.user {
        push_field(
            out,
            b"x-amzn-oidc-accesstoken",
            user.access_token.as_bytes(),
        );
        push_field(out, b"x-amzn-oidc-identity", user.identity.as_bytes());
        push_field(out, b"x-amzn-oidc-data", user.data.as_bytes());
    }
    match head.framing() {
        Framing::Length(length) => push_number(out, b"Content-Length", length),
        Framing::Chunked => push_field(out, b"Transfer-Encoding", b"chunked"),
        Framing::Empty | Framing::UntilClose => {}
    }
    if let Some(protocol) = head.upgrade() {
        push_field(out, b"Connection", b"upgrade");
        push_field(out, b"Upgrade", protocol);
    }
    let attributes = facts.attributes;
    push_forwarded_for(
        out,
        head,
        attributes.forwarded_for,
        facts.ends,
        attributes.client_port,
    );
    let (scheme, port) = match facts.ends.over_tls {
        true => (Scheme::Https, facts.ends.destination.port()),
        false => (facts.scheme, facts.ends.node.port()),
    };
    let hop = Hop {
        ends: facts.ends,
        host: facts.host,
        scheme,
        with_port: attributes.client_port,
    };
    push_forwarded(out, head, facts.forwarded, &hop);
    let scheme = facts.origin.scheme.unwrap_or(scheme);
    push_field(out, b"X-Forwarded-Proto", scheme.as_str().as_bytes());
    push_number(out, b"X-Forwarded-Port", facts.origin.port.unwrap_or(port));
    push_field(out, b"X-Amzn-Trace-Id", facts.trace_id.as_bytes());
    if let (true, Some(tls)) = (attributes.tls_headers, &facts.ends.tls) {
        let names = facts.names;
        push_field(out, names.tls_version.as_bytes(), tls.version.as_bytes());
        push_field(
            out,
            names.tls_cipher_suite.as_bytes(),
            tls.cipher.as_bytes(),
        );
    }
    for (field, value) in facts.ends.client_fields().unwrap_or_default() {
        let name = facts.names.of_certificate(*field);
        push_field(out, name.as_bytes(), value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Targets get the origin form; the path and query are the client's bytes, unless they were
/// transformed.
fn push_request_line(out: &mut Vec<u8>, head: &RequestHead, uri: Option<&str>) {
    out.extend_from_slice(head.method().as_bytes());
    out.push(b' ');
    match (uri, head.form()) {
        (Some(uri), _) => out.extend_from_slice(uri.as_bytes()),
        (None, TargetForm::Origin | TargetForm::Asterisk) => {
            out.extend_from_slice(head.target().as_bytes());
        }
        (None, TargetForm::Absolute) => {
            let path = head.path();
            out.extend_from_slice(if path.is_empty() {
                b"/"
            } else {
                path.as_bytes()
            });
            if let Some(query) = head.query() {
                out.push(b'?');
                out.extend_from_slice(query.as_bytes());
            }
        }
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

fn push_host(out: &mut Vec<u8>, head: &RequestHead, facts: &ToTarget<'_>) {
    if facts.attributes.preserve_host && head.value(FieldName::Host).is_some() {
        for value in head.values(FieldName::Host) {
            push_field(out, b"Host", value);
        }
    } else {
        out.extend_from_slice(b"Host: ");
        facts.host.write_rewritten(out, facts.ends.node);
        out.extend_from_slice(b"\r\n");
    }
}

/// A transformed host without a port keeps the client's, and the rest goes as with any host.
fn push_transformed_host(out: &mut Vec<u8>, host: &str, facts: &ToTarget<'_>) {
    let Some(host) = Host::parse(host) else {
        return;
    };
    let host = Host {
        port: host.port.or(facts.host.port),
        ..host
    };
    out.extend_from_slice(b"Host: ");
    match facts.attributes.preserve_host {
        true => host.write(out),
        false => host.write_rewritten(out, facts.ends.node),
    }
    out.extend_from_slice(b"\r\n");
}

/// The client's cookies without the shards of a session, which are the balancer's and may be larger than a target's
/// limit for a field.
fn push_cookies(out: &mut Vec<u8>, head: &RequestHead, providers: &[Arc<Oidc>]) {
    let is_session = |pair: &[u8]| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        let name = str::from_utf8(name.trim_ascii()).unwrap_or_default();
        let mut names = providers
            .iter()
            .map(|oidc| &oidc.settings().session_cookie_name);
        names.any(|session| is_shard(name, session))
    };
    for line in head.values(FieldName::Cookie) {
        let pairs = line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let kept: Vec<&[u8]> = pairs.filter(|pair| !is_session(pair)).collect();
        if !kept.is_empty() {
            push_field(out, b"Cookie", &kept.join(&b"; "[..]));
        }
    }
}

/// Whether a field of the client's goes on as it came.
fn passes(field: &Field<'_>, head: &RequestHead, facts: &ToTarget<'_>) -> bool {
    match field.known {
        FieldName::Host
        | FieldName::ContentLength
        | FieldName::Disguised
        | FieldName::XForwardedFor
        | FieldName::XForwardedProto
        | FieldName::XForwardedPort
        | FieldName::XAmznOidc
        | FieldName::XAmznTraceId => false,
        FieldName::XAmznTls => !facts.attributes.tls_headers,
        FieldName::Cookie if !facts.providers.is_empty() => false,
        // Nobody but a proxy that verified a certificate may say whose it was.
        FieldName::XAmznMtlsClientcert
            if !facts.origin.is_trusted || facts.ends.client_fields().is_some() =>
        {
            false
        }
        FieldName::Forwarded => facts.forwarded.mode == ForwardedFor::Preserve,
        FieldName::Expect => !head.expects_continue(),
        known if known.is_hop_by_hop() => false,
        _ if facts.ends.client_fields().is_some() && facts.names.is_of_certificate(field.name) => {
            false
        }
        _ if facts.attributes.tls_headers && facts.names.is_of_tls(field.name) => false,
        _ if facts.attributes.drop_invalid_header_fields && !field.has_valid_name() => false,
        _ => !head.options().names(field),
    }
}
