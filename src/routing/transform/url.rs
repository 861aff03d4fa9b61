//! `url-rewrite`: the target is asked for another path, with another query.
//!
//! The expression looks at path and query as they stand in a request, `/a/b?c=d`: to leave the query out, match up to it
//! with `[^?]*`. What it does not match stays, so with `^/api/` and `/` the query does, too.

use super::replacement::Rewrite;
use super::{RewriteError, TransformError};
use crate::routing::Case;

/// A checked rewrite of path and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlRewrite(Rewrite);

impl UrlRewrite {
    /// Takes a regular expression and a replacement of at most 1,024 characters each. The replacement holds visible
    /// ASCII characters but `#`; of a path that it begins, it begins with `/`.
    pub fn new(regex: &str, replacement: &str) -> Result<Self, RewriteError> {
        let rewrite = Rewrite::new(
            regex,
            Case::Sensitive,
            replacement,
            |character| character.is_ascii_graphic() && character != '#',
            "path and query take visible ASCII characters without #; write others percent-encoded",
        )?;
        if rewrite.is_tied_to_the_start() && !replacement.starts_with(['/', '$']) {
            return Err(RewriteError::PathWithoutSlash {
                replacement: replacement.to_owned(),
            });
        }
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

    pub(super) fn apply(
        &self,
        path: &str,
        query: Option<&str>,
        limit: usize,
    ) -> Result<Option<String>, TransformError> {
        let rewritten = match query {
            Some(query) => self.0.apply(&format!("{path}?{query}")),
            None => self.0.apply(path),
        };
        match rewritten {
            Some(uri) if !uri.starts_with('/') => Err(TransformError::InvalidPath),
            Some(uri) if uri.len() > limit => Err(TransformError::TooLong),
            rewritten => Ok(rewritten),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn apply(regex: &str, replacement: &str, uri: &str) -> Result<Option<String>, TransformError> {
        let rewrite = UrlRewrite::new(regex, replacement).unwrap();
        let (path, query) = match uri.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (uri, None),
        };
        rewrite.apply(path, query, 32)
    }

    fn changed(regex: &str, replacement: &str, uri: &str) -> String {
        apply(regex, replacement, uri).unwrap().unwrap()
    }

    #[test]
    fn the_manuals_example() {
        assert_eq!(
            changed(
                "^/dp/([A-Za-z0-9]+)/?$",
                "/product.php?id=$1",
                "/dp/B09G3HRMW"
            ),
            "/product.php?id=B09G3HRMW"
        );
        assert_eq!(
            apply("^/dp/([A-Za-z0-9]+)/?$", "/p?id=$1", "/dp/B09?x"),
            Ok(None)
        );
    }

    #[test]
    fn a_prefix_is_taken_away_and_the_query_stays() {
        assert_eq!(changed("^/api/", "/", "/api/users?all"), "/users?all");
        assert_eq!(changed("^([^?]*)", "/all", "/api/users?all"), "/all?all");
        assert_eq!(changed(r"\?.*", "", "/api?all"), "/api");
        assert_eq!(apply("^/api/", "/", "/img"), Ok(None));
        assert_eq!(apply("^/API/", "/", "/api/"), Ok(None));
    }

    #[test]
    fn what_is_no_path_fails() {
        assert_eq!(apply("/", "x", "/a"), Err(TransformError::InvalidPath));
        assert_eq!(
            apply("^/a(.*)", "$1", "/a"),
            Err(TransformError::InvalidPath)
        );
        assert_eq!(
            apply("a", "aaaaaaaa", &"/a".repeat(16)),
            Err(TransformError::TooLong)
        );
    }

    #[test]
    fn what_can_never_be_a_path_is_refused_before() {
        let refused = UrlRewrite::new("^/dp/(.+)$", "product.php?id=$1").unwrap_err();
        assert!(
            refused.to_string().ends_with("write `/product.php?id=$1`"),
            "{refused}"
        );
        for replacement in ["/a b", "/a#b", "/caf\u{e9}"] {
            assert!(UrlRewrite::new("a", replacement).is_err(), "{replacement}");
        }
    }
}
