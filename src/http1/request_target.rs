//! The request target: its form and its parts, as they came (RFC 9112 section 3.2).

use super::HeadError;
use super::field::Span;

/// The form of a request target (RFC 9112 section 3.2). Authority-form serves CONNECT only and is
/// refused with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `*`
    Asterisk,
}

/// A request target by position in its head.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestTarget {
    pub(super) whole: Span,
    pub(super) form: TargetForm,
    pub(super) authority: Option<Span>,
    pub(super) path: Span,
    pub(super) query: Option<Span>,
}

impl RequestTarget {
    /// Splits without decoding or normalising: the path that a rule sees and the path that is
    /// forwarded are the same bytes. A fragment has no place in a request (RFC 9112 section 3.2),
    /// and targets disagree about it, so it is refused.
    pub(super) fn of(target: &[u8], head: &[u8]) -> Result<Self, HeadError> {
        let visible = |byte: &u8| matches!(byte, 0x21..=0x7e) && *byte != b'#';
        if !target.iter().all(visible) {
            return Err(HeadError::Target);
        }
        let (form, authority, rest) = match target {
            [b'/', ..] => (TargetForm::Origin, None, target),
            b"*" => (TargetForm::Asterisk, None, target),
            _ => {
                let after = after_scheme(target).ok_or(HeadError::Target)?;
                let end = memchr::memchr2(b'/', b'?', after).unwrap_or(after.len());
                let (authority, rest) = after.split_at(end);
                if authority.is_empty() || authority.contains(&b'@') {
                    return Err(HeadError::Target);
                }
                (TargetForm::Absolute, Some(Span::of(authority, head)), rest)
            }
        };
        let (path, query) = match memchr::memchr(b'?', rest) {
            Some(mark) => (&rest[..mark], Some(&rest[mark + 1..])),
            None => (rest, None),
        };
        Ok(Self {
            whole: Span::of(target, head),
            form,
            authority,
            path: Span::of(path, head),
            query: query.map(|query| Span::of(query, head)),
        })
    }
}

fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    let scheme = |scheme: &[u8]| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    scheme(b"http://").or_else(|| scheme(b"https://"))
}
