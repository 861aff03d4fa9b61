//! The head of a request.

use super::desync::{RequestLine, classify};
use super::field::{Names, Span, is_whole, with_room};
use super::framing::Grammar;
use super::request_target::RequestTarget;
use super::rewrite::rewrite;
use super::{
    ConnectionOptions, Field, FieldName, Fields, Framing, HeadError, Reason, TargetForm, Version,
};

/// A request's head, with the bytes that it indexes and whatever came after them.
#[derive(Debug)]
pub struct RequestHead {
    pub(super) bytes: Vec<u8>,
    pub(super) end: usize,
    pub(super) version: Version,
    pub(super) method: Span,
    pub(super) target: RequestTarget,
    pub(super) fields: Fields,
    pub(super) framing: Framing,
    pub(super) options: ConnectionOptions,
    /// How long it was as it came.
    pub(super) came: usize,
    pub(super) reason: Reason,
    pub(super) objection: Option<HeadError>,
    pub(super) reuse: Reuse,
}

/// Which connections may go on after a request, as far as it is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// The client's.
    pub client: bool,
    /// The target's.
    pub target: bool,
}

impl Default for Reuse {
    fn default() -> Self {
        Self {
            client: true,
            target: true,
        }
    }
}

/// A head that cannot be served.
#[derive(Debug)]
pub struct Refusal {
    /// What a strict reader has against it.
    pub error: HeadError,
    /// What AWS calls that.
    pub reason: Reason,
    /// The head as it came, and whatever came after it.
    pub bytes: Vec<u8>,
}

impl RequestHead {
    /// Indexes the head that fills `bytes[..end]`, as the scanner found it; `objection` is the
    /// scanner's.
    ///
    /// A head that a strict reader refuses is said anew, if there is a form of it that leaves no
    /// doubt. [`Self::reason`] and [`Self::objection`] tell of it, and whether it is served is for
    /// the caller to decide.
    ///
    /// # Errors
    ///
    /// There is no such form.
    pub fn read(
        bytes: Vec<u8>,
        end: usize,
        objection: Option<HeadError>,
    ) -> Result<Self, Box<Refusal>> {
        match objection {
            None => Self::parse(bytes, end).or_else(|(error, bytes)| mended(bytes, end, error)),
            Some(error) => mended(bytes, end, error),
        }
    }

    /// Indexes the head that fills `bytes[..end]`, to the letter.
    ///
    /// # Errors
    ///
    /// What RFC 9112 calls invalid or two readers could understand differently. The bytes are
    /// returned with the error, so that the refusal can be logged.
    pub fn parse(bytes: Vec<u8>, end: usize) -> Result<Self, (HeadError, Vec<u8>)> {
        match Index::of(&bytes[..end], Grammar::Strict) {
            Ok(index) => {
                let reason = match index.stands_out(&bytes) {
                    false => Reason::Compliant,
                    true => classify(&bytes[..end]),
                };
                Ok(Self::indexed(bytes, end, index, reason))
            }
            Err(error) => Err((error, bytes)),
        }
    }

    fn indexed(bytes: Vec<u8>, end: usize, index: Index, reason: Reason) -> Self {
        Self {
            end,
            came: end,
            reason,
            objection: None,
            reuse: Reuse::default(),
            version: index.version,
            method: index.method,
            target: index.target,
            fields: index.fields,
            framing: index.framing,
            options: index.options,
            bytes,
        }
    }

    /// The length of a request of HTTP/0.9 at the start of `bytes`: one line, `GET` and a target.
    /// For bytes in which no whole head has been found; such a client sends no more.
    pub fn simple(bytes: &[u8]) -> Option<usize> {
        let end = memchr::memchr(b'\n', bytes)?;
        let line = &bytes[..end];
        let line = RequestLine::split(line.strip_suffix(b"\r").unwrap_or(line));
        let is_simple = line.method == b"GET" && line.target.starts_with(b"/");
        (is_simple && line.is_http_0_9()).then_some(end + 1)
    }

    /// What AWS calls the way in which the head, as it came, departs from the grammar.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What a strict reader has against the head as it came. Readers before the balancer may have
    /// seen another end of it, or of its body: its connection must not serve another request.
    pub fn objection(&self) -> Option<HeadError> {
        self.objection
    }

    /// The method as sent, case-sensitive.
    pub fn method(&self) -> &str {
        self.text(self.method)
    }

    /// Whether this is the method. Cheaper than comparing the text.
    pub fn has_method(&self, method: &str) -> bool {
        self.method.get(&self.bytes) == method.as_bytes()
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The request target as sent: visible ASCII.
    pub fn target(&self) -> &str {
        self.text(self.target.whole)
    }

    /// The form of the target.
    pub fn form(&self) -> TargetForm {
        self.target.form
    }

    /// Host and port of an absolute-form target; it wins over the Host field (RFC 9112 section
    /// 3.2.2).
    pub fn authority(&self) -> Option<&str> {
        self.target.authority.map(|span| self.text(span))
    }

    /// The path, the very bytes that are forwarded; empty for an absolute-form target without one.
    pub fn path(&self) -> &str {
        self.text(self.target.path)
    }

    /// The query without `?`.
    pub fn query(&self) -> Option<&str> {
        self.target.query.map(|span| self.text(span))
    }

    /// The fields in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter(&self.bytes)
    }

    /// The values of one field, in order.
    pub fn values(&self, name: FieldName) -> impl Iterator<Item = &[u8]> {
        self.fields.values(&self.bytes, name)
    }

    /// The first value of one field.
    pub fn value(&self, name: FieldName) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// How the body is delimited.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// What Connection says.
    pub fn options(&self) -> &ConnectionOptions {
        &self.options
    }

    /// Whether connections are kept after this request, besides what it says itself.
    pub fn set_reuse(&mut self, reuse: Reuse) {
        self.reuse = reuse;
    }

    /// Whether the target's connection may serve another request after this one.
    pub fn spares_target(&self) -> bool {
        self.reuse.target
    }

    /// Whether the client's connection stays open after this request: the client wants it (RFC 9112
    /// section 9.3), and nothing speaks against it.
    pub fn keeps_alive(&self) -> bool {
        self.reuse.client
            && match self.version {
                Version::Http11 => !self.options.close,
                Version::Http10 => self.options.keep_alive && !self.options.close,
                Version::Http2 | Version::Http3 => true,
            }
    }

    /// Whether the client asks for another protocol on this connection, and which. Only GET without
    /// a body may, and never for h2c: a target that agreed to it would speak a protocol in which
    /// no rule is looked at (RFC 9113 dropped that upgrade). An extended CONNECT is assembled as
    /// such a GET.
    pub fn upgrade(&self) -> Option<&[u8]> {
        let asks = self.options.upgrade
            && self.version != Version::Http10
            && self.has_method("GET")
            && self.framing.is_empty();
        let is_http_2 = |protocol: &[u8]| {
            let name = protocol.trim_ascii().to_ascii_lowercase();
            name.starts_with(b"h2")
        };
        self.value(FieldName::Upgrade)
            .filter(|list| asks && !list.split(|byte| *byte == b',').any(is_http_2))
    }

    /// Whether the client waits for 100 (Continue) before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.version != Version::Http10
            && self
                .value(FieldName::Expect)
                .is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
    }

    /// The head that the fields index: as it came, or as it was said anew.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// Whether ALB calls the names of all fields valid: letters, digits and hyphens.
    pub fn has_valid_names(&self) -> bool {
        self.fields().all(|field| field.has_valid_name())
    }

    /// How many bytes long the head was as it came.
    pub fn received(&self) -> usize {
        self.came
    }

    /// What came with the head in the same read: body, or the next request.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.end..]
    }

    /// Gives the bytes back for another use.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The parser has seen to it that these spans are ASCII.
    fn text(&self, span: Span) -> &str {
        str::from_utf8(span.get(&self.bytes)).unwrap_or_default()
    }
}

/// Tries once more what a strict reader has refused.
#[cold]
fn mended(bytes: Vec<u8>, end: usize, error: HeadError) -> Result<RequestHead, Box<Refusal>> {
    let reason = classify(&bytes[..end]);
    let anew = rewrite(&bytes[..end])
        .and_then(|head| Some((Index::of(&head, Grammar::Lenient).ok()?, head)));
    let Some((index, mut head)) = anew else {
        return Err(Box::new(Refusal {
            error,
            reason,
            bytes,
        }));
    };
    let length = head.len();
    head.extend_from_slice(&bytes[end..]);
    let mut head = RequestHead::indexed(head, length, index, reason);
    head.came = end;
    head.objection = Some(error);
    Ok(head)
}

/// All positions, found before the bytes move into the head.
struct Index {
    version: Version,
    method: Span,
    target: RequestTarget,
    fields: Fields,
    framing: Framing,
    options: ConnectionOptions,
}

impl Index {
    fn of(head: &[u8], grammar: Grammar) -> Result<Self, HeadError> {
        let (version, method, target, fields) = with_room(|room| {
            let mut request = httparse::Request::new(&mut []);
            let parsed = request.parse_with_uninit_headers(head, room)?;
            is_whole(parsed, head)?;
            let line = request.version.zip(request.method).zip(request.path);
            let ((minor, method), target) = line.ok_or(httparse::Error::Token)?;
            Ok((
                Version::from_minor(minor),
                Span::of(method.as_bytes(), head),
                target,
                Fields::index(request.headers, head),
            ))
        })
        .map_err(|error| tell_version(error, head))?;
        let target = RequestTarget::of(target.as_bytes(), head)?;
        let framing = Framing::of(&fields, head, version, grammar, Framing::Empty)?;
        let options = ConnectionOptions::read(fields.values(head, FieldName::Connection));
        Ok(Self {
            version,
            method,
            target,
            fields,
            framing,
            options,
        })
    }

    /// Whether a head that a strict reader takes may depart from the grammar all the same. The
    /// answer is no for nearly all, and found without looking at a byte of them.
    fn stands_out(&self, head: &[u8]) -> bool {
        const LENGTH: FieldName = FieldName::ContentLength;
        const ENCODING: FieldName = FieldName::TransferEncoding;
        let present = self.fields.present();
        if !present.has_any_of(Names::of([LENGTH, ENCODING, FieldName::Disguised])) {
            return false;
        }
        present.has(FieldName::Disguised)
            || self.fields.repeated().has(LENGTH)
            || present.has(ENCODING) && (present.has(LENGTH) || self.version == Version::Http10)
            || matches!(self.method.get(head), b"GET" | b"HEAD")
    }
}

/// A version that is HTTP but not ours is 505; any other text in its place is malformed. It is
/// other text, too, when the version at the line's end is ours: the target has a space in it.
fn tell_version(error: HeadError, head: &[u8]) -> HeadError {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let word = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let is_other_http = matches!(word, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit() && !matches!((major, minor), (b'1', b'0' | b'1')));
    match error {
        HeadError::Version if !is_other_http => HeadError::Malformed,
        error => error,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    fn parse(head: &str) -> Result<RequestHead, HeadError> {
        RequestHead::parse(head.into(), head.len()).map_err(|(error, _)| error)
    }

    fn refused(fields: &str) -> HeadError {
        parse(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n")).unwrap_err()
    }

    #[test]
    fn the_target_is_split_without_a_byte_changed() {
        let head = parse("GET /a/../%2e%2E//b?x=%20&y HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(head.path(), "/a/../%2e%2E//b");
        assert_eq!(head.query(), Some("x=%20&y"));
        assert_eq!(head.target(), "/a/../%2e%2E//b?x=%20&y");
    }

    #[test]
    fn an_absolute_target_names_its_host() {
        let head = parse("GET http://Example.com:81/a?b HTTP/1.1\r\nHost: other\r\n\r\n").unwrap();
        assert_eq!(head.authority(), Some("Example.com:81"));
        assert_eq!((head.path(), head.query()), ("/a", Some("b")));
        assert_eq!(head.form(), TargetForm::Absolute);
    }

    #[test]
    fn targets_of_no_known_form_are_refused() {
        for target in [
            "a",
            "a:80",
            "ftp://a/",
            "/a#b",
            "http:///a",
            "http://u@h/",
            "**",
        ] {
            let error = parse(&format!("GET {target} HTTP/1.1\r\n\r\n")).unwrap_err();
            assert_eq!(error, HeadError::Target, "{target}");
        }
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        use HeadError as E;
        for (fields, error) in [
            (
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                E::LengthAndEncoding,
            ),
            ("Content-Length: 5\r\nContent-Length: 6", E::ContentLength),
            ("Content-Length: 5, 5", E::ContentLength),
            ("Content-Length: +5", E::ContentLength),
            ("Content-Length: 0x5", E::ContentLength),
            ("Content-Length:", E::ContentLength),
            ("Content-Length: 99999999999999999999", E::ContentLength),
            ("Transfer-Encoding: chunked, chunked", E::TransferEncoding),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
                E::TransferEncoding,
            ),
            ("Transfer-Encoding: gzip, chunked", E::UnsupportedCoding),
            ("Transfer-Encoding: xchunked", E::UnsupportedCoding),
            ("Transfer-Encoding: \"chunked\"", E::UnsupportedCoding),
            ("Transfer-Encoding : chunked", E::Malformed),
            ("Transfer-Encoding: \x0bchunked", E::Malformed),
            ("a: b\0c", E::Malformed),
            ("a: b\rc", E::Malformed),
            ("a b: c", E::Malformed),
            (": c", E::Malformed),
            ("no colon", E::Malformed),
        ] {
            assert_eq!(refused(fields), error, "{fields:?}");
        }
    }

    #[test]
    fn equal_lengths_count_as_one() {
        let head = "POST / HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n";
        assert_eq!(parse(head).unwrap().framing(), Framing::Length(5));
    }

    #[test]
    fn transfer_encoding_has_no_place_in_http_1_0() {
        let error = parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap_err();
        assert_eq!(error, HeadError::TransferEncoding);
    }

    #[test]
    fn only_a_version_that_is_http_is_an_unsupported_version() {
        for (version, error) in [
            ("HTTP/2.0", HeadError::Version),
            ("HTTP/1.2", HeadError::Version),
            ("HTTP/1", HeadError::Malformed),
            ("http/1.1", HeadError::Malformed),
            ("HTTPS/1.1", HeadError::Malformed),
            ("b HTTP/1.1", HeadError::Malformed),
        ] {
            assert_eq!(
                parse(&format!("GET / {version}\r\n\r\n")).unwrap_err(),
                error,
                "{version}"
            );
        }
    }

    #[test]
    fn connection_cannot_remove_what_the_balancer_sets() {
        let head = parse(
            "GET / HTTP/1.1\r\nConnection: close, X-Mine, x-forwarded-for, host\r\n\
             X-Mine: 1\r\nX-Forwarded-For: 1.2.3.4\r\nHost: a\r\n\r\n",
        )
        .unwrap();
        let named: Vec<_> = head
            .fields()
            .filter(|field| head.options().names(field))
            .map(|field| field.name.to_owned())
            .collect();
        assert_eq!(named, [b"X-Mine"]);
        assert!(!head.keeps_alive());
    }

    #[test]
    fn five_hundred_fields_are_taken_and_more_are_refused() {
        let with = |count: usize| {
            parse(&format!(
                "GET / HTTP/1.1\r\n{}\r\n",
                "a: b\r\n".repeat(count)
            ))
        };
        assert_eq!(with(500).unwrap().fields().count(), 500);
        assert_eq!(with(600).unwrap_err(), HeadError::FieldsTooLarge);
    }

    #[test]
    fn only_a_get_without_a_body_may_ask_for_an_upgrade_and_never_for_h2c() {
        let asks = |method: &str, protocol: &str, more: &str| {
            parse(&format!(
                "{method} / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n{more}\r\n"
            ))
            .unwrap()
            .upgrade()
            .is_some()
        };
        assert!(asks("GET", "websocket", ""));
        assert!(!asks("POST", "websocket", ""));
        assert!(!asks("GET", "websocket", "Content-Length: 3\r\n"));
        assert!(!asks("GET", "H2C", ""));
        assert!(!asks("GET", "websocket, h2c", ""));
    }
}
