//! Hosts that certificates are made out to, and which of them a client may mean.

/// A host's name in lower case; `*.` at its begin stands for one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(Box<str>);

impl Name {
    /// `None` for what can be no host's name, such as a common name with blanks.
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('.').to_ascii_lowercase();
        let host = text.strip_prefix("*.").unwrap_or(&text);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_name = !host.is_empty() && host.bytes().all(fits);
        is_name.then(|| Self(text.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// For `*.example.com` what follows the wildcard, `example.com`.
    pub(super) fn wildcard(&self) -> Option<&str> {
        self.0.strip_prefix("*.")
    }
}

/// What the wildcards stand for that may cover a host: `a.example.com` is covered by
/// `*.example.com` and by nothing wider (RFC 6125 section 6.4.3).
pub(super) fn parent(host: &str) -> Option<&str> {
    let (label, parent) = host.split_once('.')?;
    (!label.is_empty() && !parent.is_empty()).then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_in_lower_case_and_without_a_final_dot() {
        assert_eq!(Name::new("WWW.Example.com."), Name::new("www.example.com"));
        assert_eq!(Name::new("Example Site"), None);
        assert_eq!(Name::new("*."), None);
        assert_eq!(Name::new("a.*.com"), None);
    }

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        assert_eq!(parent("a.example.com"), Some("example.com"));
        assert_eq!(parent("a.b.example.com"), Some("b.example.com"));
        assert_eq!(parent("localhost"), None);
        assert_eq!(parent(".com"), None);
    }
}
