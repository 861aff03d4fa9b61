//! What a target gets instead of the host, the path and the query that the client sent.

use super::error::ProxyError;
use super::record::RequestRecord;
use super::request::{HeadFields, Request};
use crate::config::NormalizePath;
use crate::routing::{TransformError, Transformed, Transforms, normalized};

/// Transforms a request that is about to be forwarded, and notes in its record what has become of it.
pub(super) fn transform(
    request: &Request<'_>,
    transforms: Option<&Transforms>,
    record: &mut RequestRecord<'_>,
) -> Result<(), ProxyError> {
    let transformed = transformed(request, transforms)
        .inspect_err(|error| record.transform_status = Some(error.as_str()))
        .map_err(ProxyError::Transform)?;
    if transformed != Transformed::default() {
        record.transform_status = transforms.map(|_| Transforms::SUCCESS);
        record.transformed = Some(Box::new(transformed));
    }
    Ok(())
}

/// What a request becomes. When a target is to get the path in its normal form, it does so here, if no transform gives it
/// another.
pub(super) fn transformed(
    request: &Request<'_>,
    transforms: Option<&Transforms>,
) -> Result<Transformed, TransformError> {
    let attributes = request.attributes();
    let mut transformed = match transforms {
        None => Transformed::default(),
        Some(transforms) => {
            let fields = HeadFields(request.head);
            let limit = attributes.limits.request_line;
            let rules = &request.entrance.listener.rules;
            rules.read(&request.view(&fields), |view| transforms.apply(view, limit))?
        }
    };
    let normalizes = attributes.normalize_path == NormalizePath::ForRulesAndTargets;
    if normalizes && transformed.uri.is_none() {
        transformed.uri = normal_uri(request);
    }
    Ok(transformed)
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
