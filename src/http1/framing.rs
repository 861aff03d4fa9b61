//! How a body is delimited (RFC 9112 section 6.3).

use super::field::Names;
use super::{FieldName, Fields, HeadError, Version};

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    Empty,
    /// So many bytes.
    Length(u64),
    /// The chunked coding.
    Chunked,
    /// To the end of the connection (responses only).
    UntilClose,
}

/// How a head is read whose fields contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    /// It is refused.
    Strict,
    /// RFC 9112 section 6.3 says what such a request means, and section 6.1 that its connection
    /// must be closed afterwards: Transfer-Encoding wins over Content-Length, in HTTP/1.0 too.
    Lenient,
}

impl Framing {
    /// Whether the head alone is the message.
    pub fn is_empty(self) -> bool {
        matches!(self, Self::Empty | Self::Length(0))
    }

    /// The framing of a message that may have a body; `unsaid` is what it means when the head says
    /// nothing: no body for a request, to the end of the connection for a response.
    ///
    /// # Errors
    ///
    /// Everything that RFC 9112 calls invalid, and everything that two readers could understand
    /// differently.
    pub(super) fn of(
        fields: &Fields,
        head: &[u8],
        version: Version,
        grammar: Grammar,
        unsaid: Self,
    ) -> Result<Self, HeadError> {
        let named = Names::of([FieldName::ContentLength, FieldName::TransferEncoding]);
        if !fields.present().has_any_of(named) {
            return Ok(unsaid);
        }
        let length = content_length(fields, head)?;
        let chunked = is_chunked(fields, head)?;
        let strict = grammar == Grammar::Strict;
        match (length, chunked) {
            (Some(_), Some(_)) if strict => Err(HeadError::LengthAndEncoding),
            (None, Some(_)) if strict && version == Version::Http10 => {
                Err(HeadError::TransferEncoding)
            }
            (_, Some(true)) => Ok(Self::Chunked),
            (Some(length), None | Some(false)) => Ok(Self::Length(length)),
            (None, Some(false) | None) => Ok(unsaid),
        }
    }
}

/// Several equal values count as one (RFC 9112 section 6.3 permits it); a list in one field does
/// not.
fn content_length(fields: &Fields, head: &[u8]) -> Result<Option<u64>, HeadError> {
    let mut length = None;
    for value in fields.values(head, FieldName::ContentLength) {
        let number = decimal(value).ok_or(HeadError::ContentLength)?;
        if length.is_some_and(|before| before != number) {
            return Err(HeadError::ContentLength);
        }
        length = Some(number);
    }
    Ok(length)
}

/// Digits and nothing else: no sign, no space, no overflow.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// `Some(true)` for chunked, `Some(false)` for identity, which ALB still takes.
fn is_chunked(fields: &Fields, head: &[u8]) -> Result<Option<bool>, HeadError> {
    let mut chunked = None;
    for value in fields.values(head, FieldName::TransferEncoding) {
        for coding in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if chunked.is_some() {
                return Err(HeadError::TransferEncoding);
            }
            chunked = Some(if coding.eq_ignore_ascii_case(b"chunked") {
                true
            } else if coding.eq_ignore_ascii_case(b"identity") {
                false
            } else {
                return Err(HeadError::UnsupportedCoding);
            });
        }
    }
    Ok(chunked)
}
