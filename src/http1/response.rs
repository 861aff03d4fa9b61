//! The head of a response.

use super::field::{Span, is_whole, with_room};
use super::framing::Grammar;
use super::{ConnectionOptions, Field, FieldName, Fields, Framing, HeadError, Version};

/// The positions of a response's head in the buffer that it was read into.
#[derive(Debug)]
pub struct ResponseHead {
    end: usize,
    version: Version,
    status: u16,
    reason: Span,
    fields: Fields,
    options: ConnectionOptions,
}

impl ResponseHead {
    /// Indexes the head `bytes[..end]`, as the scanner found it.
    ///
    /// # Errors
    ///
    /// The head does not follow the grammar.
    pub fn parse(bytes: &[u8], end: usize) -> Result<Self, HeadError> {
        let head = &bytes[..end];
        let (version, status, reason, fields) = with_room(|room| {
            let mut response = httparse::Response::new(&mut []);
            let parser = httparse::ParserConfig::default();
            let parsed = parser.parse_response_with_uninit_headers(&mut response, head, room)?;
            is_whole(parsed, head)?;
            let line = response.version.zip(response.code);
            let (minor, status) = line.ok_or(httparse::Error::Status)?;
            // httparse gives an empty string of its own for a reason that is not ASCII.
            let reason = match response.reason {
                Some(reason) if !reason.is_empty() => Span::of(reason.as_bytes(), head),
                _ => Span::default(),
            };
            let fields = Fields::index(response.headers, head);
            Ok((Version::from_minor(minor), status, reason, fields))
        })?;
        if !(100..=999).contains(&status) {
            return Err(HeadError::Malformed);
        }
        Ok(Self {
            end,
            version,
            status,
            reason,
            options: ConnectionOptions::read(fields.values(head, FieldName::Connection)),
            fields,
        })
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase; may be empty.
    pub fn reason<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        self.reason.get(bytes)
    }

    /// The fields in order.
    pub fn fields<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = Field<'a>> {
        self.fields.iter(bytes)
    }

    /// The first value of one field.
    pub fn value<'a>(&'a self, bytes: &'a [u8], name: FieldName) -> Option<&'a [u8]> {
        self.fields.values(bytes, name).next()
    }

    /// What Connection says.
    pub fn options(&self) -> &ConnectionOptions {
        &self.options
    }

    /// The length of the head in bytes.
    pub fn len(&self) -> usize {
        self.end
    }

    /// Never: a head has at least a status line.
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// How the body is delimited, given whether HEAD was asked (RFC 9112 section 6.3).
    ///
    /// # Errors
    ///
    /// The fields contradict each other.
    pub fn framing(&self, bytes: &[u8], to_head: bool) -> Result<Framing, HeadError> {
        let framing = Framing::of(
            &self.fields,
            &bytes[..self.end],
            self.version,
            Grammar::Strict,
            Framing::UntilClose,
        )?;
        let bodiless = to_head || matches!(self.status, 100..=199 | 204 | 304);
        Ok(if bodiless { Framing::Empty } else { framing })
    }

    /// Whether the target keeps its connection open after this response (RFC 9112 section 9.3).
    pub fn keeps_alive(&self) -> bool {
        match self.version {
            Version::Http11 | Version::Http2 | Version::Http3 => !self.options.close,
            Version::Http10 => self.options.keep_alive && !self.options.close,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    fn framing(head: &str, method: &str) -> Result<Framing, HeadError> {
        ResponseHead::parse(head.as_bytes(), head.len())?.framing(head.as_bytes(), method == "HEAD")
    }

    #[test]
    fn head_no_content_and_not_modified_have_no_body_whatever_they_say() {
        let length = "Content-Length: 5\r\n\r\n";
        for (line, method) in [
            ("HTTP/1.1 200 OK", "HEAD"),
            ("HTTP/1.1 204 No Content", "GET"),
            ("HTTP/1.1 304 Not Modified", "GET"),
            ("HTTP/1.1 103 Early Hints", "GET"),
        ] {
            let head = format!("{line}\r\n{length}");
            assert_eq!(framing(&head, method), Ok(Framing::Empty), "{line}");
        }
    }

    #[test]
    fn a_response_without_length_lasts_to_the_close() {
        assert_eq!(
            framing("HTTP/1.1 200 OK\r\n\r\n", "GET"),
            Ok(Framing::UntilClose)
        );
    }

    #[test]
    fn a_response_with_length_and_encoding_is_refused() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(framing(head, "GET"), Err(HeadError::LengthAndEncoding));
    }

    #[test]
    fn an_http_1_0_target_closes_unless_it_says_otherwise() {
        let keeps = |head: &str| {
            ResponseHead::parse(head.as_bytes(), head.len())
                .unwrap()
                .keeps_alive()
        };
        assert!(!keeps("HTTP/1.0 200 OK\r\n\r\n"));
        assert!(keeps("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"));
        assert!(keeps("HTTP/1.1 200\r\n\r\n"));
    }
}
