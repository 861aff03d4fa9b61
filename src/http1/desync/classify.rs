//! The classification of one head, as it came.

use super::{
    CONTENT_LENGTH, Reason, RequestLine, TRANSFER_ENCODING, is_blank, is_token, resembles, trim,
};

/// Classifies a head, from its request line to its empty line. It need not be one that can be
/// served.
pub fn classify(head: &[u8]) -> Reason {
    let mut finding = Finding::default();
    let mut lines = Lines { rest: Some(head) };
    let line = lines.next().unwrap_or_default();
    let line = RequestLine::split(finding.without_cr(line));
    if !line.has_target {
        finding.note(Reason::MissingUri);
    }
    let mut framing = Framing::default();
    // HTTP/0.9 ends here, without an empty line.
    let is_simple = line.is_http_0_9() && lines.rest.is_some_and(<[u8]>::is_empty);
    if !is_simple {
        for (name, value) in fields(lines, &mut finding) {
            framing.field(name, value, &mut finding);
        }
    }
    framing.check(&line, &mut finding);
    if !line.method.iter().all(|byte| is_token(*byte)) {
        finding.note(Reason::BadMethod);
    }
    check_version(&line, &mut finding);
    for byte in line.target {
        match byte {
            b'\0' | b'\r' | b'\n' => finding.note(Reason::BadUri),
            b' ' => finding.note(Reason::SpaceInUri),
            0x01..0x20 | 0x7f => finding.note(Reason::AmbiguousUri),
            _ => {}
        }
    }
    finding.0
}

/// The worst so far; among equals the first.
struct Finding(Reason);

impl Default for Finding {
    fn default() -> Self {
        Self(Reason::Compliant)
    }
}

impl Finding {
    fn note(&mut self, reason: Reason) {
        if reason.class() > self.0.class() {
            self.0 = reason;
        }
    }

    fn without_cr<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        line.strip_suffix(b"\r").unwrap_or_else(|| {
            self.note(Reason::NonCrLfLineTermination);
            line
        })
    }
}

/// Lines by LF; `rest` is none once a line has not ended.
struct Lines<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        match memchr::memchr(b'\n', rest) {
            Some(end) => {
                self.rest = Some(&rest[end + 1..]);
                Some(&rest[..end])
            }
            None => self.rest.take(),
        }
    }
}

/// The fields of a header section by name and value, as far as its lines are fields.
fn fields<'a>(mut lines: Lines<'a>, finding: &mut Finding) -> Vec<(&'a [u8], &'a [u8])> {
    let mut fields = Vec::new();
    let mut last_name = None;
    let mut in_content_type = false;
    while let Some(line) = lines.next() {
        let line = finding.without_cr(line);
        let Some(first) = line.first() else {
            break;
        };
        let folded = is_blank(*first);
        let colon = memchr::memchr(b':', line);
        let (name, value) = match (colon, last_name) {
            // Only Content-Type may go on with a colon in it; elsewhere that looks too much like a
            // field of its own.
            (Some(colon), Some(name)) if folded && in_content_type => (name, &line[..colon]),
            (None, Some(name)) if folded => (name, line),
            (Some(colon), _) => (&line[..colon], &line[colon + 1..]),
            (None, _) => (line, &line[line.len()..]),
        };
        if !folded && colon.is_some() {
            last_name = Some(name);
            in_content_type = name.eq_ignore_ascii_case(b"content-type");
        }
        if !folded && colon.is_none() {
            finding.note(Reason::MissingHeaderColon);
        }
        if folded && !in_content_type {
            finding.note(Reason::MultilineHeader);
        }
        fields.push((name, value));
        match lines.rest {
            None => finding.note(Reason::PartialHeaderLine),
            Some([]) => {
                finding.note(Reason::MissingLastEmptyLine);
                break;
            }
            Some(_) => {}
        }
    }
    fields
}

/// What the header section says about the body, under names that are right or nearly so.
#[derive(Default)]
struct Framing<'a> {
    codings: Vec<&'a [u8]>,
    lengths: Vec<&'a [u8]>,
}

impl<'a> Framing<'a> {
    fn field(&mut self, name: &'a [u8], value: &'a [u8], finding: &mut Finding) {
        let is_bad = |byte: &u8| matches!(byte, b'\0' | b'\r' | b'\n');
        let is_control = |byte: &u8| matches!(byte, 0x00..=0x08 | 0x0a..=0x1f | 0x7f);
        let bad = name.iter().chain(value).any(is_bad);
        if bad {
            finding.note(Reason::BadHeader);
        } else if !name.iter().all(|byte| is_token(*byte)) || value.iter().any(is_control) {
            finding.note(Reason::NonCompliantHeader);
        }
        if trim(name).is_empty() {
            finding.note(Reason::EmptyHeader);
        } else if name.eq_ignore_ascii_case(TRANSFER_ENCODING) {
            self.codings.push(value);
        } else if name.eq_ignore_ascii_case(CONTENT_LENGTH) {
            self.lengths.push(value);
        } else if !bad && resembles(name, TRANSFER_ENCODING) {
            self.codings.push(value);
            finding.note(Reason::SuspiciousHeader);
        } else if !bad && resembles(name, CONTENT_LENGTH) {
            self.lengths.push(value);
            finding.note(Reason::SuspiciousHeader);
        }
    }

    fn check(&self, line: &RequestLine<'_>, finding: &mut Finding) {
        let is_coded = !self.codings.is_empty();
        let version = trim(line.version);
        let is_old = line.is_http_0_9();
        if is_coded && (is_old || version == b"HTTP/1.0") {
            return finding.note(Reason::UndefinedTransferEncodingSemantics);
        }
        if is_old && !self.lengths.is_empty() {
            return finding.note(Reason::UndefinedContentLengthSemantics);
        }
        self.check_codings(finding);
        let length = self.check_lengths(finding);
        if matches!(line.method, b"GET" | b"HEAD") {
            if is_coded {
                finding.note(Reason::UndefinedTransferEncodingSemantics);
            }
            match length {
                Some(0) => finding.note(Reason::GetHeadZeroContentLength),
                Some(_) => finding.note(Reason::UndefinedContentLengthSemantics),
                None => {}
            }
        }
        if is_coded && length.is_some() {
            finding.note(Reason::BothTeClPresent);
        }
    }

    fn check_codings(&self, finding: &mut Finding) {
        let mut chunked = false;
        for coding in self
            .codings
            .iter()
            .flat_map(|value| value.split(|byte| *byte == b','))
        {
            let name = coding
                .split(|byte| *byte == b';')
                .next()
                .unwrap_or_default();
            let name = trim(name);
            let is = |known: &&[u8]| name.eq_ignore_ascii_case(known);
            let known: [&[u8]; 4] = [b"compress", b"deflate", b"gzip", b"identity"];
            if is(&b"chunked".as_slice()) {
                if chunked {
                    finding.note(Reason::MultipleTransferEncodingChunked);
                }
                chunked = true;
            } else if !known.iter().any(is) {
                finding.note(Reason::BadTransferEncoding);
            }
        }
    }

    fn check_lengths(&self, finding: &mut Finding) -> Option<u64> {
        let mut length = None;
        for value in &self.lengths {
            match (decimal(trim(value)), length) {
                (None, _) => finding.note(Reason::BadContentLength),
                (Some(number), Some(before)) if number == before => {
                    finding.note(Reason::DuplicateContentLength);
                }
                (Some(_), Some(_)) => finding.note(Reason::MultipleContentLength),
                (Some(number), None) => length = Some(number),
            }
        }
        length
    }
}

/// Digits; none of them are 0, as AWS has it.
fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

fn check_version(line: &RequestLine<'_>, finding: &mut Finding) {
    let version = trim(line.version);
    match version {
        _ if line.is_http_0_9() => finding.note(Reason::NonCompliantVersion),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => {
            if *minor > b'1' || version.len() != line.version.len() {
                finding.note(Reason::NonCompliantVersion);
            }
        }
        _ => finding.note(Reason::BadVersion),
    }
}
