//! Transforms: through the constructors of `routing`, each error at the expression or the replacement.

use super::report::Report;
use crate::config::document::{Rewrite, Rule};
use crate::config::path::Path;
use crate::routing::{HostHeaderRewrite, RewriteError, Transforms, UrlRewrite};

/// Checks the transforms of one rule; none if one is wrong.
pub(super) fn validate(
    rule: &Rule,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Transforms> {
    let host_header = rule.host_header_rewrite.as_ref().map(|rewrite| {
        let path = path.key("host_header_rewrite");
        made(HostHeaderRewrite::new, rewrite, &path, report)
    });
    let url = rule.url_rewrite.as_ref().map(|rewrite| {
        let path = path.key("url_rewrite");
        made(UrlRewrite::new, rewrite, &path, report)
    });
    if (host_header.is_some() || url.is_some()) && rule.forward.is_none() {
        report.warn(
            path,
            format!("the transforms of rule {} have no effect", rule.priority),
            "a transform changes what a target gets, and this rule does not forward to one",
        );
    }
    Some(Transforms {
        host_header: host_header.map_or(Some(None), |made| made.map(Some))?,
        url: url.map_or(Some(None), |made| made.map(Some))?,
    })
}

fn made<T>(
    make: impl FnOnce(&str, &str) -> Result<T, RewriteError>,
    rewrite: &Rewrite,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<T> {
    let made = make(&rewrite.regex, &rewrite.replace);
    made.map_err(|error| {
        let key = if error.is_of_regex() {
            "regex"
        } else {
            "replace"
        };
        report.error(path.key(key), error.to_string());
    })
    .ok()
}
