//! `host-header-rewrite`: the target is called by another name.
//!
//! The expression looks at the name without its port, in lower case. A port that the replacement adds counts as if the
//! client had sent it; without one, the client's stays what it was.

use super::replacement::Rewrite;
use super::{RewriteError, TransformError};
use crate::http1::Host;
use crate::routing::Case;

/// A checked rewrite of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostHeaderRewrite(Rewrite);

impl HostHeaderRewrite {
    /// Takes a regular expression and a replacement of at most 1,024 characters each. The replacement holds what a host
    /// and a port can hold.
    pub fn new(regex: &str, replacement: &str) -> Result<Self, RewriteError> {
        let rewrite = Rewrite::new(
            regex,
            Case::Insensitive,
            replacement,
            |character| character.is_ascii_alphanumeric() || "-._:[]".contains(character),
            "a host takes letters, digits and - . _, and a port behind a `:`",
        )?;
        Ok(Self(rewrite))
    }

    /// The expression as it was written.
    pub fn regex(&self) -> String {
        self.0.regex()
    }

    /// The replacement as it was written.
    pub fn replacement(&self) -> &str {
        self.0.replacement()
    }

    pub(super) fn apply(&self, host: &str, limit: usize) -> Result<Option<String>, TransformError> {
        let Some(rewritten) = self.0.apply(&host.to_ascii_lowercase()) else {
            return Ok(None);
        };
        if rewritten.len() > limit {
            return Err(TransformError::TooLong);
        }
        match Host::parse(&rewritten) {
            Some(_) => Ok(Some(rewritten)),
            None => Err(TransformError::InvalidHost),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn apply(regex: &str, replacement: &str, host: &str) -> Result<Option<String>, TransformError> {
        let rewrite = HostHeaderRewrite::new(regex, replacement).unwrap();
        rewrite.apply(host, 64)
    }

    fn changed(regex: &str, replacement: &str, host: &str) -> String {
        apply(regex, replacement, host).unwrap().unwrap()
    }

    #[test]
    fn the_manuals_example() {
        assert_eq!(
            changed(
                "^mywebsite-(.+).com$",
                "internal.dev.$1.myweb.com",
                "mywebsite-example.com"
            ),
            "internal.dev.example.myweb.com"
        );
    }

    #[test]
    fn a_name_has_no_case_and_may_be_replaced_as_a_whole() {
        assert_eq!(changed("^WWW\\.", "", "www.Example.com"), "example.com");
        assert_eq!(changed(".*", "internal", "www.example.com"), "internal");
        assert_eq!(changed(".*", "internal:8443", ""), "internal:8443");
        assert_eq!(apply("^shop", "x", "www.example.com"), Ok(None));
    }

    #[test]
    fn what_is_no_host_fails() {
        assert_eq!(apply(".*", "", "a.test"), Err(TransformError::InvalidHost));
        assert_eq!(
            apply("a", "a:b:c", "a.test"),
            Err(TransformError::InvalidHost)
        );
        let long = "a".repeat(65);
        assert_eq!(apply(".*", &long, "a.test"), Err(TransformError::TooLong));
        for replacement in ["a/b", "a b", "a@b"] {
            assert!(
                HostHeaderRewrite::new("a", replacement).is_err(),
                "{replacement}"
            );
        }
    }
}
