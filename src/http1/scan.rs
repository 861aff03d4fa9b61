//! Finds the end of a head as its bytes come in, each byte looked at once.

use memchr::memchr;

use super::HeadError;

/// How long the parts of a head may be, in bytes without line ends.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// The start line.
    pub start_line: usize,
    /// One field line.
    pub field: usize,
    /// All field lines, with line ends.
    pub fields: usize,
}

/// Scans one head; keeps its place between reads.
#[derive(Clone, Debug)]
pub struct HeadScanner {
    limits: HeadLimits,
    is_request: bool,
    position: usize,
    line_start: usize,
    fields_start: Option<usize>,
    lone_lf: bool,
    folded: bool,
}

impl HeadScanner {
    /// For a request: what is odd about its lines is left to [`Self::objection`], so that the whole
    /// head can be judged.
    pub fn request(limits: HeadLimits) -> Self {
        Self {
            limits,
            is_request: true,
            position: 0,
            line_start: 0,
            fields_start: None,
            lone_lf: false,
            folded: false,
        }
    }

    /// For a response: a lone LF ends a line too (RFC 9112 section 2.2 allows it), because what
    /// reaches the client is written anew with CRLF; folded fields are refused.
    pub fn response(limits: HeadLimits) -> Self {
        Self {
            is_request: false,
            ..Self::request(limits)
        }
    }

    /// Looks at what has come since the last call; `bytes` is the message from its first byte.
    ///
    /// Returns the length of the head with its last line end, or `None` while it is incomplete.
    ///
    /// # Errors
    ///
    /// A limit is passed, or a field of a response is folded.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        while let Some(offset) = memchr(b'\n', &bytes[self.position..]) {
            let newline = self.position + offset;
            let line = &bytes[self.line_start..newline];
            self.position = newline + 1;
            let line = match line.strip_suffix(b"\r") {
                Some(line) => line,
                None => {
                    self.lone_lf = true;
                    line
                }
            };
            self.check_length(line.len())?;
            if self.fields_start.is_none() {
                self.fields_start = Some(self.position);
            } else if line.is_empty() {
                return Ok(Some(self.position));
            } else if matches!(line[0], b' ' | b'\t') {
                if !self.is_request {
                    return Err(HeadError::ObsFold);
                }
                self.folded = true;
            }
            self.line_start = self.position;
        }
        self.position = bytes.len();
        self.check_length(bytes.len() - self.line_start)?;
        Ok(None)
    }

    /// What a strict reader has against the lines that were found.
    pub fn objection(&self) -> Option<HeadError> {
        match (self.lone_lf, self.folded) {
            (true, _) => Some(HeadError::BareLf),
            (false, true) => Some(HeadError::ObsFold),
            (false, false) => None,
        }
    }

    /// The head that was found, with CRLF at the end of each line.
    pub fn with_crlf(&self, head: &[u8]) -> Option<Vec<u8>> {
        self.lone_lf.then(|| {
            let lines = head.split_inclusive(|byte| *byte == b'\n');
            let text = lines.map(|line| {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                line.strip_suffix(b"\r").unwrap_or(line)
            });
            text.flat_map(|line| [line, b"\r\n"])
                .flatten()
                .copied()
                .collect()
        })
    }

    fn check_length(&self, line: usize) -> Result<(), HeadError> {
        match self.fields_start {
            None if line > self.limits.start_line => Err(HeadError::RequestLineTooLong),
            Some(_) if line > self.limits.field => Err(HeadError::FieldTooLong),
            Some(start) if self.position - start > self.limits.fields => {
                Err(HeadError::FieldsTooLarge)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        start_line: 32,
        field: 16,
        fields: 40,
    };

    fn scan(bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        HeadScanner::request(LIMITS).scan(bytes)
    }

    #[test]
    fn a_head_ends_after_its_empty_line() {
        assert_eq!(scan(b"GET / HTTP/1.1\r\na: b\r\n\r\nbody"), Ok(Some(24)));
        assert_eq!(scan(b"GET / HTTP/1.1\r\na: b\r\n"), Ok(None));
    }

    #[test]
    fn a_head_may_come_byte_by_byte() {
        let head = b"GET / HTTP/1.1\r\na: b\r\n\r\n";
        let mut scanner = HeadScanner::request(LIMITS);
        for end in 0..head.len() {
            assert_eq!(scanner.scan(&head[..end]), Ok(None));
        }
        assert_eq!(scanner.scan(head), Ok(Some(head.len())));
    }

    fn objection(bytes: &[u8]) -> Option<HeadError> {
        let mut scanner = HeadScanner::request(LIMITS);
        assert_eq!(scanner.scan(bytes), Ok(Some(bytes.len())));
        scanner.objection()
    }

    #[test]
    fn a_lone_lf_is_noted_in_a_request_and_mended_in_a_response() {
        assert_eq!(objection(b"GET / HTTP/1.1\r\na: b\r\n\r\n"), None);
        for head in [
            "GET / HTTP/1.1\n\r\n",
            "GET / HTTP/1.1\r\na: b\n\r\n",
            "GET / HTTP/1.1\r\na: b\r\n\n",
        ] {
            assert_eq!(
                objection(head.as_bytes()),
                Some(HeadError::BareLf),
                "{head:?}"
            );
        }
        let mut response = HeadScanner::response(LIMITS);
        let head = b"HTTP/1.1 200 OK\na: b\n\n";
        assert_eq!(response.scan(head), Ok(Some(22)));
        let rewritten = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n";
        let odd = b"a: b \n\x0c\r\n\n";
        let rewritten_odd = b"a: b \r\n\x0c\r\n\r\n";
        assert_eq!(
            response.with_crlf(odd).as_deref(),
            Some(rewritten_odd.as_slice()),
            "no line may become an empty one"
        );
        assert_eq!(
            response.with_crlf(head).as_deref(),
            Some(rewritten.as_slice())
        );
    }

    #[test]
    fn a_folded_field_is_noted_in_a_request_and_refused_in_a_response() {
        let folded = b"GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n";
        assert_eq!(objection(folded), Some(HeadError::ObsFold));
        let folded = b"HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n";
        let scanned = HeadScanner::response(LIMITS).scan(folded);
        assert_eq!(scanned, Err(HeadError::ObsFold));
    }

    #[test]
    fn each_limit_has_its_own_error_and_needs_no_line_end() {
        assert_eq!(scan(&[b'a'; 33]), Err(HeadError::RequestLineTooLong));
        let field = [b"GET / HTTP/1.1\r\n".as_slice(), &[b'a'; 17]].concat();
        assert_eq!(scan(&field), Err(HeadError::FieldTooLong));
        let fields = [
            b"GET / HTTP/1.1\r\n".as_slice(),
            &b"a: 456789\r\n".repeat(4),
        ]
        .concat();
        assert_eq!(scan(&fields), Err(HeadError::FieldsTooLarge));
    }
}
