//! What a rule changes of a request before a target gets it.
//!
//! [`Transforms`] are applied when the rule has been chosen and do not change that: no rule is looked at again. A text in
//! which the regular expression is not found stays what it is. They concern the `Host` field and path and query; a
//! protocol or a port they do not change.

mod host_header;
mod replacement;
mod url;

pub use host_header::HostHeaderRewrite;
pub use replacement::RewriteError;
pub use url::UrlRewrite;

use super::RequestView;

/// The transforms of a rule; at most one of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transforms {
    /// `host-header-rewrite`.
    pub host_header: Option<HostHeaderRewrite>,
    /// `url-rewrite`.
    pub url: Option<UrlRewrite>,
}

/// What has become of a request; `None` is what it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transformed {
    /// The new host, perhaps with a port; a valid one.
    pub host: Option<String>,
    /// The new path and query; it begins with `/`.
    pub uri: Option<String>,
}

/// A rewritten text that cannot be sent; the client gets a 500 then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// The new host is none.
    #[error("the rewritten host is not a host")]
    InvalidHost,
    /// The new path does not begin with `/`.
    #[error("the rewritten path does not begin with `/`")]
    InvalidPath,
    /// The new host, or path and query, is longer than a client's may be.
    #[error("the rewritten host or URL is too long")]
    TooLong,
}

impl TransformError {
    /// ALB's word for it, as field `request_transform_status` of the access log has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidHost => "TransformInvalidHost",
            Self::InvalidPath => "TransformInvalidPath",
            Self::TooLong => "TransformBufferTooSmall",
        }
    }
}

impl Transforms {
    /// What the field `request_transform_status` says when all went well.
    pub const SUCCESS: &'static str = "TransformSuccess";

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.host_header.is_none() && self.url.is_none()
    }

    /// What becomes of a request. Its view has the path as rules see it: a rule and its rewrite look at the same bytes.
    /// Nothing may become longer than `limit` bytes.
    pub fn apply(
        &self,
        request: &RequestView<'_>,
        limit: usize,
    ) -> Result<Transformed, TransformError> {
        let host = match &self.host_header {
            Some(rewrite) => rewrite.apply(request.host, limit)?,
            None => None,
        };
        let uri = match &self.url {
            Some(rewrite) => rewrite.apply(request.path, request.query, limit)?,
            None => None,
        };
        Ok(Transformed { host, uri })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::get;

    #[test]
    fn both_are_applied_and_each_may_have_nothing_to_do() {
        let transforms = Transforms {
            host_header: Some(HostHeaderRewrite::new("^www", "internal").unwrap()),
            url: Some(UrlRewrite::new("^/api/", "/").unwrap()),
        };
        let done = |target: &str| transforms.apply(&get(target).view(), 100).unwrap();
        assert_eq!(
            done("/api/a?b"),
            Transformed {
                host: Some("internal.example.com".to_owned()),
                uri: Some("/a?b".to_owned()),
            }
        );
        assert_eq!(done("/a").uri, None);
        assert!(Transforms::default().is_empty());
    }
}
