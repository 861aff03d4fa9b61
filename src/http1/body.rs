//! Takes the framing off a body as its bytes come in, and puts the chunked coding on.

use super::{FieldName, Framing};

/// A size line with its extensions may be this long.
const SIZE_LINE: usize = 1024;
/// All trailer fields together may be this large.
const TRAILERS: usize = 16 * 1024;

/// There may be as many trailer fields.
const MOST_TRAILERS: usize = 64;

/// Why a body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A chunk does not follow the grammar (RFC 9112 section 7.1).
    #[error("malformed chunk")]
    Chunk,
    /// The trailer section does not follow the grammar, or is too large.
    #[error("malformed trailer")]
    Trailer,
    /// The connection ended before the body did.
    #[error("body ended early")]
    Truncated,
}

/// What one call of [`BodyDecoder::decode`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// So many bytes of content now stand where the raw bytes began.
    pub content: usize,
    /// So many raw bytes were used up.
    pub consumed: usize,
    /// The body is complete; what follows is another message.
    pub done: bool,
}

/// Takes the framing off one body.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    state: State,
    trailers: Vec<u8>,
}

#[derive(Clone, Debug)]
enum State {
    Length(u64),
    UntilClose,
    Size {
        digits: u8,
        size: u64,
        line: usize,
        extension: bool,
        cr: bool,
    },
    Content(u64),
    ContentEnd {
        cr: bool,
    },
    Trailers,
    Done,
}

const FIRST_SIZE: State = State::Size {
    digits: 0,
    size: 0,
    line: 0,
    extension: false,
    cr: false,
};

impl BodyDecoder {
    /// For a body so framed.
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Empty | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => FIRST_SIZE,
            Framing::UntilClose => State::UntilClose,
        };
        Self {
            state,
            trailers: Vec::new(),
        }
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether only the end of the connection ends the body.
    pub fn lasts_to_close(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    /// The trailer section as it will be sent on: field lines with their line ends, without the
    /// empty line.
    pub fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// Decodes in place: moves the content of `raw` together at its start, and says how much that
    /// is and how much of `raw` was used up.
    ///
    /// # Errors
    ///
    /// The chunked coding is not followed to the letter.
    pub fn decode(&mut self, raw: &mut [u8]) -> Result<Decoded, BodyError> {
        let mut found = Decoded::default();
        while found.consumed < raw.len() {
            match &mut self.state {
                State::Done => break,
                State::UntilClose => {
                    return Ok(Decoded {
                        content: raw.len(),
                        consumed: raw.len(),
                        done: false,
                    });
                }
                State::Length(left) => {
                    *left -= take(raw, &mut found, *left);
                    if *left == 0 {
                        self.state = State::Done;
                    }
                }
                State::Content(left) => {
                    *left -= take(raw, &mut found, *left);
                    if *left == 0 {
                        self.state = State::ContentEnd { cr: false };
                    }
                }
                State::Trailers => self.trailer_line(raw, &mut found)?,
                _ => {
                    let byte = raw[found.consumed];
                    found.consumed += 1;
                    self.step(byte)?;
                }
            }
        }
        found.done = self.is_done();
        Ok(found)
    }

    /// One byte of what surrounds the content of chunks.
    fn step(&mut self, byte: u8) -> Result<(), BodyError> {
        match &mut self.state {
            State::ContentEnd { cr } => match (byte, *cr) {
                (b'\r', false) => *cr = true,
                (b'\n', true) => self.state = FIRST_SIZE,
                _ => return Err(BodyError::Chunk),
            },
            State::Size {
                digits,
                size,
                line,
                extension,
                cr,
            } => {
                *line += 1;
                match byte {
                    _ if *line > SIZE_LINE => return Err(BodyError::Chunk),
                    b'\n' if *cr && *digits > 0 => {
                        self.state = match *size {
                            0 => State::Trailers,
                            size => State::Content(size),
                        };
                    }
                    _ if *cr => return Err(BodyError::Chunk),
                    b'\r' if *digits > 0 => *cr = true,
                    b';' | b' ' | b'\t' if *digits > 0 => *extension = true,
                    b'\t' | 0x20..=0x7e | 0x80.. if *extension => {}
                    _ => {
                        let digit = char::from(byte).to_digit(16).ok_or(BodyError::Chunk)?;
                        *digits += 1;
                        if *digits > 15 {
                            return Err(BodyError::Chunk);
                        }
                        *size = *size << 4 | u64::from(digit);
                    }
                }
            }
            _ => return Err(BodyError::Chunk),
        }
        Ok(())
    }

    /// Collects the trailer section up to its empty line.
    fn trailer_line(&mut self, raw: &[u8], found: &mut Decoded) -> Result<(), BodyError> {
        let rest = &raw[found.consumed..];
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
        self.trailers.extend_from_slice(&rest[..end]);
        found.consumed += end;
        if self.trailers.len() > TRAILERS {
            return Err(BodyError::Trailer);
        }
        if self.trailers == b"\r\n" || self.trailers.ends_with(b"\r\n\r\n") {
            self.trailers = permitted_trailers(&self.trailers)?;
            self.state = State::Done;
        } else if self.trailers.ends_with(b"\n") && !self.trailers.ends_with(b"\r\n") {
            return Err(BodyError::Trailer);
        }
        Ok(())
    }
}

/// Moves up to `most` bytes of content to where the content found so far ends.
fn take(raw: &mut [u8], found: &mut Decoded, most: u64) -> u64 {
    let there = raw.len() - found.consumed;
    let count = usize::try_from(most).map_or(there, |most| most.min(there));
    if found.content != found.consumed {
        raw.copy_within(found.consumed..found.consumed + count, found.content);
    }
    found.content += count;
    found.consumed += count;
    count as u64
}

/// Trailers may not say anything about framing, routing or the connection (RFC 9110 section 6.5.1).
fn permitted_trailers(section: &[u8]) -> Result<Vec<u8>, BodyError> {
    let mut room = [httparse::EMPTY_HEADER; MOST_TRAILERS];
    let parsed = httparse::parse_headers(section, &mut room).map_err(|_| BodyError::Trailer)?;
    let httparse::Status::Complete((_, fields)) = parsed else {
        return Err(BodyError::Trailer);
    };
    let mut permitted = Vec::new();
    for field in fields {
        if FieldName::is_permitted_trailer(field.name) {
            for part in [field.name.as_bytes(), b": ", field.value, b"\r\n"] {
                permitted.extend_from_slice(part);
            }
        }
    }
    Ok(permitted)
}

/// `content` as one chunk, and the end of the body with its trailers if `end` is given: parts to be
/// written in order. `line` is room for the chunk's size.
pub fn chunk<'a>(
    content: &'a [u8],
    end: Option<&'a [u8]>,
    line: &'a mut [u8; 18],
) -> [&'a [u8]; 6] {
    let (size, close): (&[u8], &[u8]) = match content.len() {
        0 => (b"", b""),
        length => (size_line(length, line), b"\r\n"),
    };
    let (last, trailers, empty_line): (&[u8], &[u8], &[u8]) = match end {
        Some(trailers) => (b"0\r\n", trailers, b"\r\n"),
        None => (b"", b"", b""),
    };
    [size, content, close, last, trailers, empty_line]
}

/// The line that begins a chunk of `size` bytes. Sixteen hexadecimal digits and CRLF always fit.
fn size_line(size: usize, line: &mut [u8; 18]) -> &[u8] {
    line[16..].copy_from_slice(b"\r\n");
    let mut start = 16;
    let mut left = size;
    loop {
        start -= 1;
        line[start] = b"0123456789abcdef"[left & 15];
        left >>= 4;
        if left == 0 {
            return &line[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use proptest::prelude::*;

    use super::*;

    fn decode(framing: Framing, raw: &[u8]) -> Result<(Vec<u8>, Decoded), BodyError> {
        let mut raw = raw.to_vec();
        let found = BodyDecoder::new(framing).decode(&mut raw)?;
        Ok((raw[..found.content].to_vec(), found))
    }

    fn chunked(raw: &str) -> Result<Vec<u8>, BodyError> {
        decode(Framing::Chunked, raw.as_bytes()).map(|(content, _)| content)
    }

    #[test]
    fn a_length_ends_where_it_says() {
        let (content, found) = decode(Framing::Length(3), b"abcGET /").unwrap();
        assert_eq!(content, b"abc");
        assert_eq!((found.consumed, found.done), (3, true));
    }

    #[test]
    fn chunks_are_joined_and_their_extensions_dropped() {
        assert_eq!(
            chunked("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").unwrap(),
            b"abcde"
        );
        assert_eq!(
            chunked("00A\r\n0123456789\r\n0\r\n\r\n").unwrap(),
            b"0123456789"
        );
    }

    #[test]
    fn what_is_not_a_chunk_to_the_letter_is_refused() {
        for raw in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            "1\nabc",
            "1\r\nab",
            "1\r\na\n",
            ";a\r\n",
            "1\rx",
            "1;\x00\r\n",
            "1;a\nb\r\n",
            "1000000000000000\r\n",
            " 1\r\n",
        ] {
            assert_eq!(chunked(raw), Err(BodyError::Chunk), "{raw:?}");
        }
    }

    #[test]
    fn trailers_are_kept_but_for_those_that_would_frame_or_route() {
        let mut decoder = BodyDecoder::new(Framing::Chunked);
        let mut raw = *b"0\r\nX-Sum: 1\r\nContent-Length: 9\r\nHost: h\r\n\r\nnext";
        let found = decoder.decode(&mut raw).unwrap();
        assert!(found.done);
        assert_eq!(&raw[found.consumed..], b"next");
        assert_eq!(decoder.trailers(), b"X-Sum: 1\r\n");
    }

    #[test]
    fn a_folded_or_bare_trailer_is_refused() {
        assert_eq!(chunked("0\r\na: b\n\r\n"), Err(BodyError::Trailer));
        assert_eq!(chunked("0\r\na: b\r\n c\r\n\r\n"), Err(BodyError::Trailer));
    }

    #[test]
    fn a_chunk_begins_with_its_size_in_hexadecimal() {
        assert_eq!(
            chunk(b"0123456789a", None, &mut [0; 18]).concat(),
            b"b\r\n0123456789a\r\n"
        );
        assert_eq!(size_line(0x1a2b, &mut [0; 18]), b"1a2b\r\n");
    }

    #[test]
    fn a_body_ends_with_an_empty_chunk_and_its_trailers() {
        assert_eq!(chunk(b"", Some(b""), &mut [0; 18]).concat(), b"0\r\n\r\n");
        let with_trailer = chunk(b"a", Some(b"b: c\r\n"), &mut [0; 18]).concat();
        assert_eq!(with_trailer, b"1\r\na\r\n0\r\nb: c\r\n\r\n");
    }

    proptest! {
        #[test]
        fn a_body_is_the_same_however_its_bytes_are_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            cuts in prop::collection::vec(1usize..9, 1..64),
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend(super::chunk(chunk, None, &mut [0; 18]).concat());
            }
            wire.extend(chunk(b"", Some(b""), &mut [0; 18]).concat());
            let mut decoder = BodyDecoder::new(Framing::Chunked);
            let mut content = Vec::new();
            let mut rest = wire.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                let mut piece = piece.to_vec();
                let found = decoder.decode(&mut piece).unwrap();
                prop_assert_eq!(found.consumed, piece.len());
                content.extend_from_slice(&piece[..found.content]);
                rest = left;
            }
            prop_assert!(decoder.is_done());
            prop_assert_eq!(content, chunks.concat());
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(mut raw in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = BodyDecoder::new(Framing::Chunked).decode(&mut raw);
        }
    }
}
