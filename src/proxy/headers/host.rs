//! Whom a request is for, and the Host that a target sees.

use std::io::Write;
use std::net::SocketAddr;

pub(in crate::proxy) use crate::http1::Host;
use crate::http1::{FieldName, RequestHead, Version};

impl<'a> Host<'a> {
    /// Reads the host of a request: an absolute-form target's, or else the first Host field's.
    /// `None` when it names none although it must, names several, or what it names is no host (RFC
    /// 9112 section 3.2 wants 400 then). Where the fields are `preserved`, the first of them counts, as
    /// ALB has it, and before an absolute-form target: rules see the host that the target sees.
    pub(in crate::proxy) fn of(head: &'a RequestHead, preserved: bool) -> Option<Self> {
        let mut fields = head.values(FieldName::Host);
        let first = fields.next();
        if !preserved && fields.next().is_some() {
            return None;
        }
        let authority = head.authority().filter(|_| !preserved || first.is_none());
        match (authority, first) {
            (Some(authority), _) => Self::parse(authority),
            (None, Some(value)) => Self::parse(str::from_utf8(value).ok()?),
            (None, None) if head.version() == Version::Http10 => Some(Self {
                name: "",
                port: None,
            }),
            (None, None) => None,
        }
    }

    /// Appends name and port as they are.
    pub(in crate::proxy) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
        if let Some(port) = self.port {
            out.push(b':');
            out.extend_from_slice(port.as_bytes());
        }
    }

    /// Appends the Host field's value as ALB rewrites it: in lower case; on ports 80 and 443
    /// without a port, on others with the listener's if the client gave none.
    pub(in crate::proxy) fn write_rewritten(&self, out: &mut Vec<u8>, local: SocketAddr) {
        if self.name.is_empty() {
            // ALB puts its DNS name here; the node's address is the name that we have.
            let _ = write!(out, "{}", local.ip());
        } else {
            out.extend(self.name.bytes().map(|byte| byte.to_ascii_lowercase()));
        }
        let port = local.port();
        if port == 80 || port == 443 {
            return;
        }
        out.push(b':');
        match self.port {
            Some(given) => out.extend_from_slice(given.as_bytes()),
            None => out.extend_from_slice(itoa::Buffer::new().format(port).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    fn rewritten(host: &str, port: u16) -> String {
        let mut out = Vec::new();
        let local = SocketAddr::from(([127, 0, 0, 1], port));
        Host::parse(host).unwrap().write_rewritten(&mut out, local);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn host_is_rewritten_as_alb_does() {
        for (port, sent, seen) in [
            (80, "Example.com", "example.com"),
            (80, "Example.com:80", "example.com"),
            (443, "example.com:8443", "example.com"),
            (8080, "example.com", "example.com:8080"),
            (8080, "example.com:9000", "example.com:9000"),
            (8080, "[FD00::1]", "[fd00::1]:8080"),
        ] {
            assert_eq!(rewritten(sent, port), seen);
        }
    }

    fn of(head: &str, preserved: bool) -> Option<String> {
        let head = RequestHead::parse(head.into(), head.len()).unwrap();
        Host::of(&head, preserved).map(|host| host.name.to_owned())
    }

    #[test]
    fn a_request_names_exactly_one_host() {
        assert_eq!(of("GET / HTTP/1.1\r\n\r\n", false), None);
        let two = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
        assert_eq!(of(two, false), None);
        assert_eq!(of(two, true).as_deref(), Some("a"));
        let absolute = "GET http://c/ HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(of(absolute, false).as_deref(), Some("c"));
        assert_eq!(of(absolute, true).as_deref(), Some("a"));
        let alone = "GET http://c/ HTTP/1.1\r\n\r\n";
        assert_eq!(of(alone, true).as_deref(), Some("c"));
        assert_eq!(of("GET / HTTP/1.0\r\n\r\n", false).as_deref(), Some(""));
    }
}
