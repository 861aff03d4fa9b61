//! How long targets may take to answer.

use std::sync::Arc;

use super::range;
use super::report::Report;
use crate::config::document::TargetGroup;
use crate::config::path::Path;
use crate::routing::PathPattern;
use crate::target_group::ResponseTimeout;

/// Checks the response timeouts of the group at `path`, that for all and those for some paths.
pub(super) fn validate(
    group: &TargetGroup,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Arc<[ResponseTimeout]> {
    if let Some(timeout) = group.response_timeout {
        let path = path.key("response_timeout");
        range::duration(report, &path, timeout, &range::RESPONSE_TIMEOUT);
    }
    let path = path.key("response_timeouts");
    let mut valid = Vec::new();
    for (index, document) in group.response_timeouts.iter().enumerate() {
        let path = path.index(index);
        let timeout = path.key("timeout");
        range::duration(report, &timeout, document.timeout, &range::RESPONSE_TIMEOUT);
        let paths = report.accept(path.key("path"), PathPattern::new(&document.path));
        valid.extend(paths.map(|paths| ResponseTimeout {
            paths,
            timeout: document.timeout.0,
        }));
    }
    valid.into()
}
