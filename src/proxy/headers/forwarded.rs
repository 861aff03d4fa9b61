//! The Forwarded field (RFC 7239): what this hop adds to it, and what the last elements say.
//!
//! Elements are read from the end: what a trusted proxy has appended stands there, and nothing that a
//! client wrote before it, such as a quote that it never closed, can change how it reads.

use std::io::Write;
use std::net::SocketAddr;

use super::origin::node;
use super::{Host, push_field};
use crate::config::{By, ForwardedFor, ValidForwarded};
use crate::http1::{FieldName, RequestHead};
use crate::proxy::ends::Ends;
use crate::routing::Scheme;

const NAME: &[u8] = b"Forwarded";

/// What this hop knows of the request.
#[derive(Debug)]
pub(super) struct Hop<'a> {
    pub(super) ends: &'a Ends,
    pub(super) host: Host<'a>,
    pub(super) scheme: Scheme,
    /// Whether the client's port is told.
    pub(super) with_port: bool,
}

/// Appends the field that the target sees, unless it is to go on as it came.
pub(super) fn push_forwarded(
    out: &mut Vec<u8>,
    head: &RequestHead,
    settings: &ValidForwarded,
    hop: &Hop<'_>,
) {
    if settings.mode != ForwardedFor::Append {
        return;
    }
    let mut value = Vec::new();
    for before in head.values(FieldName::Forwarded) {
        if !before.is_empty() {
            value.extend_from_slice(before);
            value.extend_from_slice(b", ");
        }
    }
    push_node(&mut value, b"for=", hop.ends.client, hop.with_port);
    match &settings.by {
        None => {}
        Some(By::Address) => push_node(&mut value, b";by=", hop.ends.node, true),
        Some(By::Name(name)) => push_value(&mut value, b";by=", name.as_bytes()),
    }
    if !hop.host.name.is_empty() {
        let mut host = Vec::new();
        hop.host.write(&mut host);
        push_value(&mut value, b";host=", &host);
    }
    push_value(&mut value, b";proto=", hop.scheme.as_str().as_bytes());
    push_field(out, NAME, &value);
}

/// An address; IPv6 in brackets (section 6).
fn push_node(out: &mut Vec<u8>, name: &[u8], end: SocketAddr, with_port: bool) {
    let mut node = Vec::new();
    // Writing to a vector cannot fail.
    let _ = match (end, with_port) {
        (SocketAddr::V6(end), false) => write!(node, "[{}]", end.ip()),
        (SocketAddr::V4(end), false) => write!(node, "{}", end.ip()),
        (end, true) => write!(node, "{end}"),
    };
    push_value(out, name, &node);
}

/// A value as it is if it is a token, or else quoted.
fn push_value(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    if !value.is_empty() && value.iter().all(|byte| is_token_byte(*byte)) {
        out.extend_from_slice(value);
        return;
    }
    out.push(b'"');
    for byte in value {
        if b"\"\\".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What one element says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Whom it names in `for`, unless that is hidden or unknown. Port 0 if it names none.
    pub(super) client: Option<SocketAddr>,
    pub(super) scheme: Option<Scheme>,
    /// The port of the host that was asked for.
    pub(super) port: Option<u16>,
}

/// The elements of one field line, the last one first. One that cannot be read says nothing, and is
/// the last.
#[derive(Debug)]
pub(super) struct FromTheEnd<'a>(pub(super) &'a [u8]);

impl Iterator for FromTheEnd<'_> {
    type Item = Element;

    fn next(&mut self) -> Option<Element> {
        loop {
            let (before, element) = split_last(self.0);
            self.0 = before;
            match element.trim_ascii() {
                // Between two commas there may be nothing (RFC 9110 section 5.6.1).
                b"" if before.is_empty() => return None,
                b"" => {}
                element => {
                    let parsed = parse(element);
                    if parsed.is_none() {
                        self.0 = b"";
                    }
                    return Some(parsed.unwrap_or_default());
                }
            }
        }
    }
}

/// What stands behind the last comma that is not quoted, and what before it. Of a quote that is not
/// opened nothing can be told: all of it is one element then.
fn split_last(list: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    for (at, byte) in list.iter().enumerate().rev() {
        match byte {
            b'"' if !quoted => quoted = true,
            b'"' => quoted = is_escaped(&list[..at]),
            b',' if !quoted => return (&list[..at], &list[at + 1..]),
            _ => {}
        }
    }
    (b"", list)
}

/// Whether what follows `before` is escaped: an odd number of backslashes.
fn is_escaped(before: &[u8]) -> bool {
    let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\');
    backslashes.count() % 2 == 1
}

/// Reads `for=192.0.2.7;proto=https`, in any order, with whatever else there is.
fn parse(element: &[u8]) -> Option<Element> {
    let mut found = Element::default();
    let mut seen = [false; 3];
    let mut rest = element;
    loop {
        let (name, after) = rest.split_at(rest.iter().position(|byte| *byte == b'=')?);
        let (value, after) = value(&after[1..])?;
        let name = name.trim_ascii();
        if name.is_empty() || !name.iter().all(|byte| is_token_byte(*byte)) {
            return None;
        }
        let known = [b"for".as_slice(), b"proto", b"host"];
        let known = known
            .iter()
            .position(|known| name.eq_ignore_ascii_case(known));
        if let Some(known) = known {
            // Named twice: nobody knows which one is meant (section 4).
            if std::mem::replace(&mut seen[known], true) {
                return None;
            }
            match known {
                0 => found.client = node(&value),
                1 => found.scheme = super::origin::scheme(value.as_bytes()),
                _ => {
                    found.port = value
                        .rsplit_once(':')
                        .and_then(|(_, port)| port.parse().ok())
                }
            }
        }
        rest = match after.trim_ascii() {
            b"" => return Some(found),
            after => after.strip_prefix(b";")?,
        };
    }
}

/// A token or a quoted string, unquoted, and what follows it.
fn value(text: &[u8]) -> Option<(String, &[u8])> {
    let mut value = Vec::new();
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| !is_token_byte(*byte));
        let (token, after) = text.split_at(end.unwrap_or(text.len()));
        let token = str::from_utf8(token)
            .ok()
            .filter(|token| !token.is_empty())?;
        return Some((token.to_owned(), after));
    };
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((String::from_utf8(value).ok()?, &quoted[at + 1..])),
            b'\\' => value.push(*bytes.next()?.1),
            byte => value.push(*byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use proptest::prelude::*;

    use super::*;

    fn pushed(sent: &str, by: Option<By>, client: &str, with_port: bool) -> String {
        let head = format!("GET / HTTP/1.1\r\n{sent}\r\n");
        let head = RequestHead::parse(head.clone().into(), head.len()).unwrap();
        let ends = Ends::new(client.parse().unwrap(), "[fd00::1]:8443".parse().unwrap());
        let mut out = Vec::new();
        let settings = ValidForwarded {
            mode: ForwardedFor::Append,
            by,
        };
        let hop = Hop {
            ends: &ends,
            host: Host {
                name: "Shop.test",
                port: Some("8443"),
            },
            scheme: Scheme::Https,
            with_port,
        };
        push_forwarded(&mut out, &head, &settings, &hop);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn this_hop_is_appended_to_what_came() {
        let rest = ";host=\"Shop.test:8443\";proto=https\r\n";
        for (sent, by, client, with_port, seen) in [
            ("", None, "192.0.2.7:4711", false, "for=192.0.2.7"),
            ("", None, "192.0.2.7:4711", true, "for=\"192.0.2.7:4711\""),
            (
                "",
                None,
                "[2001:db8::7]:4711",
                false,
                "for=\"[2001:db8::7]\"",
            ),
            (
                "",
                None,
                "[2001:db8::7]:4711",
                true,
                "for=\"[2001:db8::7]:4711\"",
            ),
            (
                "Forwarded: for=_a\r\nX: y\r\nforwarded: for=_b;by=_c\r\n",
                Some(By::Name("_shop".into())),
                "192.0.2.7:4711",
                false,
                "for=_a, for=_b;by=_c, for=192.0.2.7;by=_shop",
            ),
            (
                "",
                Some(By::Address),
                "192.0.2.7:4711",
                false,
                "for=192.0.2.7;by=\"[fd00::1]:8443\"",
            ),
        ] {
            let expected = format!("Forwarded: {seen}{rest}");
            assert_eq!(pushed(sent, by, client, with_port), expected);
        }
    }

    fn elements(list: &str) -> Vec<(String, Option<&'static str>)> {
        let element = |element: Element| {
            let client = element
                .client
                .map_or("-".to_owned(), |client| client.to_string());
            (client, element.scheme.map(Scheme::as_str))
        };
        FromTheEnd(list.as_bytes()).map(element).collect()
    }

    #[test]
    fn elements_are_read_from_the_end() {
        let list = "for=192.0.2.43;proto=http, For=\"[2001:db8:cafe::17]:4711\";PROTO=HTTPS;x=y ,, for=\"_gazonk\" , for=unknown";
        let expected = [
            ("-".to_owned(), None),
            ("-".to_owned(), None),
            ("[2001:db8:cafe::17]:4711".to_owned(), Some("https")),
            ("192.0.2.43:0".to_owned(), Some("http")),
        ];
        assert_eq!(elements(list), expected);
        assert_eq!(elements(""), []);
        assert_eq!(elements(" , "), []);
    }

    #[test]
    fn nothing_that_a_client_wrote_before_changes_how_the_last_element_reads() {
        for before in [
            "for=\"",
            "for=\"a\\",
            "\"\"\"",
            "=;=",
            "for=1.1.1.1;for=2.2.2.2",
            "\\\"",
        ] {
            let list = format!("{before}, for=\"192.0.2.7:80\";host=\"a\\\",b\";proto=https");
            let last = ("192.0.2.7:80".to_owned(), Some("https"));
            assert_eq!(elements(&list)[0], last, "{list}");
        }
    }

    #[test]
    fn what_is_no_element_ends_the_list() {
        for list in [
            "for",
            "for=",
            "=a",
            "for=a b",
            "for=\"a",
            "for=a\"b\"",
            "for=[::1]",
            "for=a;",
            "f r=a",
            "for=a;for=b",
            "for=\"a\"b",
        ] {
            let nothing = [("-".to_owned(), None)];
            assert_eq!(
                elements(&format!("for=10.0.0.1, {list}")),
                nothing,
                "{list}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_list_makes_the_reader_panic_or_hides_what_was_appended(list in "[ -~]{0,60}") {
            let _ = elements(&list);
            let appended = format!("{list}, for=192.0.2.7;proto=http");
            prop_assert_eq!(&elements(&appended)[0].0, "192.0.2.7:0");
        }

        #[test]
        fn what_is_quoted_reads_back(text in "[ -~]{1,30}") {
            let mut out = Vec::new();
            push_value(&mut out, b"", text.as_bytes());
            prop_assert_eq!(value(&out), Some((text, b"".as_slice())));
        }
    }
}
