//! What a target gets instead of the host, the path and the query that the client sent.

use super::error::ProxyError;
use super::record::RequestRecord;
use super::request::{HeadFields, Request};
use crate::config::NormalizePath;
use crate::routing::{Transformed, Transforms, normalized};

/// Transforms a request that is about to be forwarded, and notes in its record what has become of it. When a target is
/// to get the path in its normal form, it does so here, if no transform has given it another.
pub(super) fn transform(
    request: &Request<'_>,
    transforms: Option<&Transforms>,
    record: &mut RequestRecord<'_>,
) -> Result<(), ProxyError> {
    let attributes = request.attributes();
    let normalizes = attributes.normalize_path == NormalizePath::ForRulesAndTargets;
    if transforms.is_none() && !normalizes {
        return Ok(());
    }
    let mut transformed = Transformed::default();
    if let Some(transforms) = transforms {
        let fields = HeadFields(request.head);
        let view = request.view(&fields);
        let limit = attributes.limits.request_line;
        let rules = &request.entrance.listener.rules;
        transformed = rules
            .read(&view, |view| transforms.apply(view, limit))
            .inspect_err(|error| record.transform_status = Some(error.as_str()))
            .map_err(ProxyError::Transform)?;
        if transformed != Transformed::default() {
            record.transform_status = Some(Transforms::SUCCESS);
        }
    }
    if normalizes && transformed.uri.is_none() {
        transformed.uri = normal_uri(request);
    }
    record.transformed = (transformed != Transformed::default()).then(|| Box::new(transformed));
    Ok(())
}

/// Path and query with the path in its normal form, if that is another.
fn normal_uri(request: &Request<'_>) -> Option<String> {
    let path = request.head.path();
    let normal = normalized(path);
    if normal == path {
        return None;
    }
    let mut uri = normal.into_owned();
    if let Some(query) = request.head.query() {
        uri.push('?');
        uri.push_str(query);
    }
    Some(uri)
}
