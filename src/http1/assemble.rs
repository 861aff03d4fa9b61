//! A request's head put together from parts, for versions whose wire has another form of head.

use super::field::Span;
use super::framing::Grammar;
use super::request_target::RequestTarget;
use super::{
    ConnectionOptions, FieldName, Fields, Framing, HeadError, Reason, RequestHead, Reuse, Version,
};

/// What a request of HTTP/2 or HTTP/3 says outside of its fields.
#[derive(Clone, Copy, Debug)]
pub struct StartLine<'a> {
    /// The version that it came in.
    pub version: Version,
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Whether the head is the whole request (END_STREAM).
    pub ended: bool,
}

impl RequestHead {
    /// Puts a head together in `bytes`, an empty buffer. Fields with the same meaning for the
    /// balancer as in HTTP/1.1 are held to the same rules; a body of unknown length counts as
    /// chunked, which is how it goes on to a target that speaks HTTP/1.1.
    ///
    /// # Errors
    ///
    /// The target is of no known form, the lengths contradict each other, or there are too many
    /// fields. The bytes are returned, so that the refusal can be logged.
    pub fn assemble<'f>(
        mut bytes: Vec<u8>,
        start: StartLine<'_>,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    ) -> Result<Self, (HeadError, Vec<u8>)> {
        bytes.extend_from_slice(start.method.as_bytes());
        let method = Span::range(0..bytes.len());
        bytes.push(b' ');
        let begin = bytes.len();
        bytes.extend_from_slice(start.target.as_bytes());
        let target = begin..bytes.len();
        bytes.extend_from_slice(b" HTTP/1.1\r\n");
        let mut index = Fields::empty();
        for (name, value) in fields {
            if !index.push(&mut bytes, name, value) {
                return Err((HeadError::FieldsTooLarge, bytes));
            }
        }
        bytes.extend_from_slice(b"\r\n");
        let parts = RequestTarget::of(&bytes[target], &bytes).and_then(|target| {
            let unsaid = Framing::Chunked;
            let framing = Framing::of(&index, &bytes, start.version, Grammar::Strict, unsaid)?;
            Ok((target, framing))
        });
        let (target, framing) = match parts {
            Ok(parts) => parts,
            Err(error) => return Err((error, bytes)),
        };
        Ok(Self {
            end: bytes.len(),
            came: bytes.len(),
            // The classes are about the text of HTTP/1.1.
            reason: Reason::Compliant,
            objection: None,
            reuse: Reuse::default(),
            version: start.version,
            method,
            target,
            framing: if start.ended { Framing::Empty } else { framing },
            options: ConnectionOptions::read(index.values(&bytes, FieldName::Connection)),
            fields: index,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    fn assemble(
        target: &str,
        ended: bool,
        fields: &[(&str, &str)],
    ) -> Result<RequestHead, HeadError> {
        let start = StartLine {
            version: Version::Http2,
            method: "POST",
            target,
            ended,
        };
        let fields = fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        RequestHead::assemble(Vec::new(), start, fields).map_err(|(error, _)| error)
    }

    #[test]
    fn an_assembled_head_reads_as_one_that_came_as_text() {
        let head = assemble("/a?b", false, &[("host", "x"), ("content-length", "3")]).unwrap();
        assert_eq!(
            head.bytes(),
            b"POST /a?b HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n"
        );
        assert_eq!((head.method(), head.path()), ("POST", "/a"));
        assert_eq!(head.query(), Some("b"));
        assert_eq!(head.value(FieldName::Host), Some(&b"x"[..]));
        assert_eq!(head.framing(), Framing::Length(3));
        let lines: Vec<_> = head.fields().map(|field| field.line).collect();
        assert_eq!(&head.bytes()[lines[0].clone()], b"host: x\r\n");
        assert_eq!(&head.bytes()[lines[1].clone()], b"content-length: 3\r\n");
    }

    #[test]
    fn a_body_of_unknown_length_is_chunked_and_one_that_has_ended_is_none() {
        let open = assemble("/", false, &[]).unwrap();
        assert_eq!(open.framing(), Framing::Chunked);
        assert_eq!(assemble("/", true, &[]).unwrap().framing(), Framing::Empty);
    }

    #[test]
    fn the_rules_of_http_1_1_hold() {
        let two = [("content-length", "1"), ("content-length", "2")];
        assert_eq!(
            assemble("/", false, &two).unwrap_err(),
            HeadError::ContentLength
        );
        assert_eq!(assemble("a", true, &[]).unwrap_err(), HeadError::Target);
        assert_eq!(assemble("/a b", true, &[]).unwrap_err(), HeadError::Target);
        let many = vec![("a", "b"); 600];
        assert_eq!(
            assemble("/", true, &many).unwrap_err(),
            HeadError::FieldsTooLarge
        );
    }
}
