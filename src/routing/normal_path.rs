//! The path as rules read it: the one of its many spellings that a careful server would settle on.
//!
//! `/%61dmin`, `//admin`, `/x/../admin` and `/./admin` are one page to most servers, so they are one page to a rule: a
//! rule that keeps `/admin*` from the world must meet all of them, and a rule that lets only `/public/*` through must not
//! be met by `/public/../admin`. AWS says that ALB normalises the URI before it evaluates rules, and not how. Done here:
//!
//! * what is percent-encoded without need (RFC 3986, section 2.3: letters, digits, `-._~`) is decoded, and the digits
//!   of what stays encoded are capitals (section 6.2.2);
//! * `.` and `..` segments are resolved (section 5.2.4), and cannot climb above the root;
//! * several slashes in a row are one, as nginx, Apache and most frameworks have it.
//!
//! An encoded slash stays encoded: `/group%2Fproject` is one segment. Only where it, or a backslash, stands beside a dot
//! segment (`/public/..%2fadmin`), which no honest client writes, is it taken for the slash that some servers take it for.
//! A path that is in its normal form already, as nearly all are, is only looked through.

use std::borrow::Cow;

/// Which path the rules of a listener look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathReading {
    /// The normal form.
    #[default]
    Normalized,
    /// The bytes that the client sent.
    AsSent,
}

impl PathReading {
    /// The path as rules see it.
    pub fn of(self, path: &str) -> Cow<'_, str> {
        match self {
            Self::Normalized => normalized(path),
            Self::AsSent => Cow::Borrowed(path),
        }
    }
}

/// The normal form of a path; what does not begin with `/`, such as `*`, has none and is left alone.
pub fn normalized(path: &str) -> Cow<'_, str> {
    if !path.starts_with('/') || is_normal(path.as_bytes()) {
        return Cow::Borrowed(path);
    }
    let decoded = decoded(path);
    let mut segments: Vec<&str> = Vec::new();
    let mut is_folder = false;
    for segment in decoded.split('/').flat_map(parts) {
        is_folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let mut normal = String::with_capacity(decoded.len());
    for segment in &segments {
        normal.push('/');
        normal.push_str(segment);
    }
    if is_folder || segments.is_empty() {
        normal.push('/');
    }
    Cow::Owned(normal)
}

/// Whether nothing in it could have to be changed. May be wrong about a path that is normal, as one with `%2F` is, never
/// about one that is not.
fn is_normal(path: &[u8]) -> bool {
    let mut last = 0;
    for byte in path {
        match (last, byte) {
            (_, b'%' | b'\\') | (b'/', b'/' | b'.') => return false,
            _ => last = *byte,
        }
    }
    true
}

/// Decodes what need not be encoded and writes what must be in capitals. `%` without two digits is left as it is.
fn decoded(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        decoded.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3);
        let byte = code.and_then(|code| {
            let is_hex = code.bytes().all(|digit| digit.is_ascii_hexdigit());
            u8::from_str_radix(code, 16).ok().filter(|_| is_hex)
        });
        let Some((code, byte)) = code.zip(byte) else {
            decoded.push('%');
            rest = &rest[at + 1..];
            continue;
        };
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                decoded.push(char::from(byte));
            }
            _ => {
                decoded.push('%');
                decoded.push_str(&code.to_ascii_uppercase());
            }
        }
        rest = &rest[at + 3..];
    }
    decoded.push_str(rest);
    decoded
}

/// One segment; or its parts, if a dot segment hides in it behind a backslash or an encoded slash.
fn parts(segment: &str) -> impl Iterator<Item = &str> {
    let mut inner = separated(segment);
    let hides = segment.contains(['\\', '%']) && inner.any(|part| matches!(part, "." | ".."));
    let (whole, parts) = match hides {
        true => (None, Some(separated(segment))),
        false => (Some(segment), None),
    };
    whole.into_iter().chain(parts.into_iter().flatten())
}

/// The text between backslashes and encoded slashes; the encoding is in capitals by now.
fn separated(segment: &str) -> impl Iterator<Item = &str> {
    let parts = segment.split('\\').flat_map(|part| part.split("%5C"));
    parts.flat_map(|part| part.split("%2F"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_spellings_of_a_path_are_one() {
        for path in [
            "/%61dmin",
            "/%61%64%6D%69%6e",
            "//admin",
            "/./admin",
            "/x/../admin",
            "/x/%2e%2E/admin",
            "/../../admin",
            "///x//..//admin",
            "/x/..%2fadmin",
            "/x%2F..%2fadmin",
            "/x/..%5cadmin",
            r"/x/..\admin",
            r"/x\..\admin",
        ] {
            assert_eq!(normalized(path), "/admin", "{path}");
        }
    }

    #[test]
    fn what_means_something_else_stays_what_it_is() {
        for path in [
            "/",
            "/admin/",
            "/Admin",
            "/group%2Fproject",
            "/a%20b",
            "/caf%C3%A9",
            "/100%",
            "/100%zz",
            "/a.b/.../..c/d..",
            "/.well-known/acme",
            "/a%00b",
            "*",
            "",
        ] {
            assert_eq!(normalized(path), path, "{path}");
        }
        assert_eq!(normalized("/a%2fb"), "/a%2Fb");
        assert_eq!(normalized(r"/a\b"), r"/a\b");
    }

    #[test]
    fn a_folder_stays_a_folder() {
        assert_eq!(normalized("/a/b/.."), "/a/");
        assert_eq!(normalized("/a/."), "/a/");
        assert_eq!(normalized("/a//"), "/a/");
        assert_eq!(normalized("/.."), "/");
    }

    #[test]
    fn nothing_is_decoded_twice() {
        assert_eq!(normalized("/%2561dmin"), "/%2561dmin");
        assert_eq!(normalized("/%252e%252e/a"), "/%252e%252e/a");
    }

    #[test]
    fn a_path_that_is_normal_is_not_copied() {
        assert!(matches!(
            normalized("/shop/basket-1_2~3.html"),
            Cow::Borrowed(_)
        ));
        assert!(matches!(
            PathReading::AsSent.of("//a"),
            Cow::Borrowed("//a")
        ));
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(path in r"/([a./\\]|%2[eEfF5]|%5[cC]|%61){0,12}") {
            let once = normalized(&path).into_owned();
            prop_assert_eq!(normalized(&once), &*once);
            prop_assert!(once.starts_with('/'));
            let climbs = once.split('/').any(|segment| matches!(segment, "." | ".."));
            prop_assert!(!climbs, "{}", once);
        }
    }
}
