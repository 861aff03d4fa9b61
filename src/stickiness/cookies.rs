//! Cookies on the wire: finding one among those that a client brings, and setting one (RFC 6265).

use std::time::SystemTime;

use memchr::memchr_iter;

/// What gives a cookie to other sites' pages, too; browsers take it over HTTPS only.
pub(super) const CROSS_SITE: &str = "; SameSite=None; Secure";

/// What ALB writes where a cookie of before is not needed any more.
pub(super) const REMOVED: &[u8] = b"_remove_";

/// The cookies of a request's `Cookie` fields, in their order: each once through, nothing copied.
pub(super) fn pairs<'c>(
    fields: impl Iterator<Item = &'c [u8]>,
) -> impl Iterator<Item = (&'c [u8], &'c [u8])> {
    fields.flat_map(|field| {
        let mut start = 0;
        let ends = memchr_iter(b';', field).chain([field.len()]);
        ends.filter_map(move |end| {
            let pair = field[start..end].trim_ascii();
            start = end + 1;
            split(pair)
        })
    })
}

/// Whether the client brings a cookie of this name, whatever its value.
pub(super) fn has<'c>(fields: impl Iterator<Item = &'c [u8]>, name: &str) -> bool {
    pairs(fields).any(|(other, _)| other == name.as_bytes())
}

/// The value of the first cookie `preferred`, else of the first one `other`.
pub(super) fn either<'c>(
    fields: impl Iterator<Item = &'c [u8]>,
    preferred: &str,
    other: &str,
) -> Option<&'c [u8]> {
    let mut second = None;
    for (name, value) in pairs(fields) {
        if name == preferred.as_bytes() {
            return Some(value);
        }
        if second.is_none() && name == other.as_bytes() {
            second = Some(value);
        }
    }
    second
}

/// Whether the value of a `Set-Cookie` field sets the cookie of this name, whatever its value and
/// attributes: ALB looks at nothing else.
pub fn sets(field: &[u8], name: &str) -> bool {
    let pair = field.split(|byte| *byte == b';').next();
    let pair = pair.and_then(|pair| split(pair.trim_ascii()));
    pair.is_some_and(|(set, _)| set == name.as_bytes())
}

/// Appends a `Set-Cookie` field as ALB writes it, with `more` attributes.
pub(super) fn set(out: &mut Vec<u8>, name: &str, value: &[u8], expires: SystemTime, more: &str) {
    out.extend_from_slice(b"Set-Cookie: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend_from_slice(value);
    let expires = httpdate::fmt_http_date(expires);
    let rest = format!("; Expires={expires}; Path=/{more}\r\n");
    out.extend_from_slice(rest.as_bytes());
}

fn split(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let place = memchr::memchr(b'=', pair)?;
    Some((
        pair[..place].trim_ascii_end(),
        pair[place + 1..].trim_ascii_start(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name_in_any_field() {
        let fields = [
            b"a=1; session =x=y".as_slice(),
            b"asession=2;b;c=3".as_slice(),
        ];
        let found = |name| has(fields.into_iter(), name);
        assert_eq!(["a", "session", "c"].map(found), [true; 3]);
        assert_eq!(["b", "sess", "Session", ""].map(found), [false; 4]);
        let value = either(fields.into_iter(), "c", "a");
        assert_eq!(value, Some(b"3".as_slice()));
        assert_eq!(either(fields.into_iter(), "d", "a"), Some(b"1".as_slice()));
    }

    #[test]
    fn a_response_sets_a_cookie_whatever_its_value_and_attributes() {
        for field in [
            "session=1",
            "session=; Max-Age=0",
            " session = a=b ; Path=/",
        ] {
            assert!(sets(field.as_bytes(), "session"), "{field}");
        }
        for field in ["sessions=1", "Session=1", "session", "x=1; session=2", ""] {
            assert!(!sets(field.as_bytes(), "session"), "{field}");
        }
    }
}
