//! The three words of a request line, wherever they may be told apart.

use super::{is_token, trim};

/// A request line in words. A word that is missing is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http1) struct RequestLine<'a> {
    pub(in crate::http1) method: &'a [u8],
    pub(in crate::http1) target: &'a [u8],
    pub(in crate::http1) version: &'a [u8],
    pub(in crate::http1) has_target: bool,
}

impl<'a> RequestLine<'a> {
    /// The method is the first word, the version the last one, and what lies between them is the
    /// target, spaces and all. A line of two words is an HTTP/0.9 request, unless the second is a
    /// version.
    pub(in crate::http1) fn split(line: &'a [u8]) -> Self {
        let space = |text: &[u8]| memchr::memchr(b' ', text);
        let (method, rest) = match space(line) {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &line[line.len()..]),
        };
        let none = &line[line.len()..];
        // Spaces behind the last word belong to it.
        let last_word = rest.iter().rposition(|byte| is_token(*byte)).unwrap_or(0);
        let before = rest.get(..=last_word).unwrap_or_default();
        let (target, version) = match memchr::memrchr(b' ', before) {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None if rest.starts_with(b"HTTP/1.") => (none, rest),
            None => (rest, none),
        };
        Self {
            method,
            target,
            version,
            has_target: !rest.is_empty() && (version.is_empty() || version.len() < rest.len()),
        }
    }

    /// Whether this is a request of HTTP/0.9: its version is missing, or says so.
    pub(in crate::http1) fn is_http_0_9(&self) -> bool {
        matches!(trim(self.version), b"" | b"HTTP/0.9")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    #[test]
    fn what_lies_between_method_and_version_is_the_target() {
        for (line, method, target, version, has_target) in [
            ("GET / HTTP/1.1", "GET", "/", "HTTP/1.1", true),
            ("GET /a b HTTP/1.1", "GET", "/a b", "HTTP/1.1", true),
            ("GET /a HTTP/1.1 ", "GET", "/a", "HTTP/1.1 ", true),
            ("GET  HTTP/1.1", "GET", "", "HTTP/1.1", true),
            ("GET HTTP/1.1", "GET", "", "HTTP/1.1", false),
            ("GET /", "GET", "/", "", true),
            ("GET /a\tHTTP/1.1", "GET", "/a\tHTTP/1.1", "", true),
            ("GET", "GET", "", "", false),
            ("GET ", "GET", "", "", false),
            ("", "", "", "", false),
        ] {
            let split = RequestLine::split(line.as_bytes());
            let text = |word: &[u8]| String::from_utf8(word.to_vec()).unwrap();
            assert_eq!(text(split.method), method, "{line:?}");
            assert_eq!(text(split.target), target, "{line:?}");
            assert_eq!(text(split.version), version, "{line:?}");
            assert_eq!(split.has_target, has_target, "{line:?}");
        }
    }
}
