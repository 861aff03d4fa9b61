//! A host and a port, as the Host field and an absolute request target name them.

/// Whom a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// Without port; an IPv6 address in brackets. Empty when an HTTP/1.0 request names none.
    pub name: &'a str,
    /// The port, if it is given.
    pub port: Option<&'a str>,
}

impl<'a> Host<'a> {
    /// Reads `name`, `name:port`, `[v6]` or `[v6]:port` (RFC 3986 section 3.2.2).
    pub fn parse(text: &'a str) -> Option<Self> {
        let (name, port) = match text.rfind(':') {
            Some(colon) if !text.ends_with(']') => (&text[..colon], Some(&text[colon + 1..])),
            _ => (text, None),
        };
        let port_fits = port
            .is_none_or(|port| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()));
        let name_fits = match name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
        {
            Some(inside) => inside
                .bytes()
                .all(|b| b.is_ascii_hexdigit() || b":.".contains(&b)),
            None => !name.is_empty() && name.bytes().all(is_name_byte),
        };
        (name_fits && port_fits).then_some(Self {
            name,
            port: port.filter(|port| !port.is_empty()),
        })
    }
}

/// The characters of a registered name (RFC 3986 section 3.2.2), and `_`, which real names have.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "", "a b", "a/b", "a@b", "a:b", "a:80:90", "[::1", "::1", "a\"", "[x]", "a:123456",
        ] {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
    }
}
