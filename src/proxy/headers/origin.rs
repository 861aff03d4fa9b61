//! Whom a request comes from: the client of its connection, or whoever proxies before the balancer
//! say, as far as they are trusted.
//!
//! The access log shows [`Origin::client`], and source-ip conditions look at it if the load balancer
//! wants that. X-Forwarded-For always gets the connection's client appended, for that is what this
//! hop knows; scheme and port of a trusted proxy go on in its other two fields.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use smallvec::SmallVec;

use super::forwarded::FromTheEnd;
use crate::config::{OriginField, ValidTrustedProxies};
use crate::http1::{FieldName, RequestHead};
use crate::proxy::ends::Ends;
use crate::routing::Scheme;

/// Whom a request comes from, and how it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Origin {
    /// Port 0 if a proxy does not say which.
    pub(in crate::proxy) client: SocketAddr,
    /// The scheme and port of the client's own request, if a trusted proxy tells: the port is the
    /// scheme's own if it tells no other.
    pub(in crate::proxy) scheme: Option<Scheme>,
    pub(in crate::proxy) port: Option<u16>,
    /// Whether the connection's client is a trusted proxy.
    pub(in crate::proxy) is_trusted: bool,
}

impl Origin {
    pub(in crate::proxy) fn of(
        head: &RequestHead,
        ends: &Ends,
        trusted: Option<&ValidTrustedProxies>,
    ) -> Self {
        let mut origin = Self {
            client: ends.client,
            scheme: None,
            port: None,
            is_trusted: false,
        };
        let trusted = trusted.filter(|trusted| trusted.from.contains(ends.client.ip()));
        origin.is_trusted = trusted.is_some();
        match trusted.map(|trusted| (trusted, trusted.field)) {
            None => {}
            Some((trusted, OriginField::XForwardedFor)) => origin.by_x_forwarded(head, trusted),
            Some((trusted, OriginField::Forwarded)) => origin.by_forwarded(head, trusted),
        }
        origin
    }

    fn by_x_forwarded(&mut self, head: &RequestHead, trusted: &ValidTrustedProxies) {
        let lines: SmallVec<[&[u8]; 4]> = head.values(FieldName::XForwardedFor).collect();
        let lines = lines.iter().rev();
        let named = lines
            .flat_map(|line| line.rsplit(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|name| !name.is_empty());
        for name in named {
            let Some(client) = str::from_utf8(name).ok().and_then(node) else {
                break;
            };
            self.client = client;
            if !trusted.from.contains(client.ip()) {
                break;
            }
        }
        self.scheme = only(head, FieldName::XForwardedProto).and_then(scheme);
        let port = only(head, FieldName::XForwardedPort).and_then(|port| str::from_utf8(port).ok());
        self.port = port
            .and_then(|port| port.parse().ok())
            .or_else(|| self.scheme.map(own_port));
    }

    fn by_forwarded(&mut self, head: &RequestHead, trusted: &ValidTrustedProxies) {
        let lines: SmallVec<[&[u8]; 4]> = head.values(FieldName::Forwarded).collect();
        for line in lines.iter().rev() {
            for element in FromTheEnd(line) {
                if element.scheme.is_some() {
                    self.scheme = element.scheme;
                    self.port = element.port.or_else(|| element.scheme.map(own_port));
                }
                let Some(client) = element.client else {
                    return;
                };
                self.client = client;
                if !trusted.from.contains(client.ip()) {
                    return;
                }
            }
        }
    }
}

/// The value of a field that is there once.
fn only(head: &RequestHead, name: FieldName) -> Option<&[u8]> {
    let mut values = head.values(name);
    let value = values.next();
    value.filter(|_| values.next().is_none())
}

/// A scheme by its name; that of a WebSocket is the one that it began with.
pub(super) fn scheme(name: &[u8]) -> Option<Scheme> {
    let is = |scheme: &[u8]| name.eq_ignore_ascii_case(scheme);
    if is(b"https") || is(b"wss") {
        Some(Scheme::Https)
    } else if is(b"http") || is(b"ws") {
        Some(Scheme::Http)
    } else {
        None
    }
}

fn own_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets. Port 0 if
/// there is none, or one that is hidden (RFC 7239 section 6).
pub(super) fn node(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address.to_canonical(), 0));
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            (address.parse::<Ipv6Addr>().ok()?.into(), after)
        }
        None => {
            let (address, _) = text.split_once(':')?;
            (address.parse::<IpAddr>().ok()?, &text[address.len()..])
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => 0,
        None => return None,
        Some(hidden) if hidden.starts_with('_') => 0,
        Some(port) => port.parse().ok()?,
    };
    Some(SocketAddr::new(address.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;
    use crate::net::AddressBlocks;

    fn origin(peer: &str, field: OriginField, fields: &str) -> Origin {
        let head = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        let head = RequestHead::parse(head.clone().into(), head.len()).unwrap();
        let ends = Ends::new(peer.parse().unwrap(), "10.0.0.1:80".parse().unwrap());
        let blocks = ["10.0.0.0/8", "fd00::/8"].map(|block| AddressBlocks::parse(block).unwrap());
        let trusted = ValidTrustedProxies {
            from: blocks.into_iter().collect(),
            field,
            source_ip: false,
        };
        Origin::of(&head, &ends, Some(&trusted))
    }

    fn client(peer: &str, field: OriginField, fields: &str) -> String {
        origin(peer, field, fields).client.to_string()
    }

    const PROXY: &str = "10.0.0.9:5";

    #[test]
    fn the_list_is_walked_from_its_end_over_those_who_are_trusted() {
        for (fields, expected) in [
            ("", PROXY),
            ("X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7:0"),
            ("X-Forwarded-For: 1.1.1.1, 192.0.2.7\r\n", "192.0.2.7:0"),
            ("X-Forwarded-For: 192.0.2.7, 10.0.0.8\r\n", "192.0.2.7:0"),
            ("X-Forwarded-For: 192.0.2.7,, fd00::8 ,\r\n", "192.0.2.7:0"),
            ("X-Forwarded-For: 192.0.2.7:4711\r\n", "192.0.2.7:4711"),
            (
                "X-Forwarded-For: [2001:db8::7]:4711\r\n",
                "[2001:db8::7]:4711",
            ),
            ("X-Forwarded-For: ::ffff:192.0.2.7\r\n", "192.0.2.7:0"),
            // All are trusted: the first one it is.
            ("X-Forwarded-For: 10.1.1.1, 10.0.0.8\r\n", "10.1.1.1:0"),
            // Behind what cannot be read nobody is known.
            (
                "X-Forwarded-For: 192.0.2.7, what, 10.0.0.8\r\n",
                "10.0.0.8:0",
            ),
            ("X-Forwarded-For: unknown\r\n", PROXY),
            (
                "X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 192.0.2.7\r\n",
                "192.0.2.7:0",
            ),
            ("Forwarded: for=192.0.2.7\r\n", PROXY),
        ] {
            assert_eq!(
                client(PROXY, OriginField::XForwardedFor, fields),
                expected,
                "{fields}"
            );
        }
    }

    #[test]
    fn whoever_is_not_trusted_is_the_client_itself() {
        let fields = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
        let origin = origin("198.51.100.7:5", OriginField::XForwardedFor, fields);
        assert_eq!(origin.client.to_string(), "198.51.100.7:5");
        assert_eq!((origin.scheme, origin.port), (None, None));
    }

    #[test]
    fn forwarded_is_walked_the_same_way() {
        for (fields, expected) in [
            ("Forwarded: for=192.0.2.7\r\n", "192.0.2.7:0"),
            (
                "Forwarded: for=1.1.1.1, for=192.0.2.7, for=10.0.0.8\r\n",
                "192.0.2.7:0",
            ),
            (
                "Forwarded: for=192.0.2.7\r\nForwarded: for=\"[fd00::8]\"\r\n",
                "192.0.2.7:0",
            ),
            (
                "Forwarded: for=192.0.2.7, for=_hidden, for=10.0.0.8\r\n",
                "10.0.0.8:0",
            ),
            ("Forwarded: for=192.0.2.7\r\nForwarded: for=\"\r\n", PROXY),
            ("Forwarded: for=\"192.0.2.7:_p\"\r\n", "192.0.2.7:0"),
            ("X-Forwarded-For: 192.0.2.7\r\n", PROXY),
        ] {
            assert_eq!(
                client(PROXY, OriginField::Forwarded, fields),
                expected,
                "{fields}"
            );
        }
    }

    #[test]
    fn scheme_and_port_are_those_of_the_clients_own_request() {
        use Scheme::{Http, Https};
        for (field, fields, scheme, port) in [
            (
                OriginField::XForwardedFor,
                "X-Forwarded-Proto: HTTPS\r\n",
                Some(Https),
                Some(443),
            ),
            (
                OriginField::XForwardedFor,
                "X-Forwarded-Proto: http\r\nX-Forwarded-Port: 8080\r\n",
                Some(Http),
                Some(8080),
            ),
            (
                OriginField::XForwardedFor,
                "X-Forwarded-Proto: https, http\r\n",
                None,
                None,
            ),
            (
                OriginField::XForwardedFor,
                "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n",
                None,
                None,
            ),
            (
                OriginField::XForwardedFor,
                "X-Forwarded-Port: 99999\r\n",
                None,
                None,
            ),
            (
                OriginField::Forwarded,
                "Forwarded: for=192.0.2.7;proto=https, for=10.0.0.8;proto=http\r\n",
                Some(Https),
                Some(443),
            ),
            (
                OriginField::Forwarded,
                "Forwarded: for=192.0.2.7;proto=https;host=\"a:8443\"\r\n",
                Some(Https),
                Some(8443),
            ),
            (
                OriginField::Forwarded,
                "X-Forwarded-Proto: https\r\n",
                None,
                None,
            ),
        ] {
            let origin = origin(PROXY, field, fields);
            assert_eq!((origin.scheme, origin.port), (scheme, port), "{fields}");
        }
    }

    #[test]
    fn what_names_nobody_is_no_node() {
        for text in [
            "",
            "unknown",
            "_x",
            "[::1",
            "::1]",
            "[1.2.3.4]",
            "1.2.3.4:",
            "1.2.3.4:x",
            "1.2.3",
            "[::1]x",
            "a:80",
        ] {
            assert_eq!(node(text), None, "{text:?}");
        }
    }
}
