//! Answers that are errors: one JSON document with what is wrong and what would be right.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An answer that is an error.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    document: Document,
}

#[derive(Debug, Serialize)]
struct Document {
    error: String,
    help: String,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        error: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (error, help) = (error.into(), help.into());
        Self {
            status,
            document: Document { error, help },
        }
    }

    pub(super) fn not_found(error: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error, help)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.document)).into_response()
    }
}

/// Names for a help text: `a, b, c`, or that there are none.
pub(super) fn listed<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}

pub(super) async fn not_found(uri: Uri) -> Refusal {
    Refusal::not_found(
        format!("there is nothing at {}", uri.path()),
        "GET / /metrics /live /ready /status /load-balancers /rules /explain /public-keys/{id} \
         /target-groups /target-health /target-groups/{group}/health /nodes/{zone}/health /providers /acme /nft, \
         POST /reload /upgrade /acme/{certificate}/renew \
         /target-groups/{group}/targets/{id}/drain, /undrain and /activate, \
         /target-groups/{group}/fail-back, \
         POST and DELETE /load-balancers/{name}/zonal-shift",
    )
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Refusal {
    let other = match method {
        Method::POST => "GET",
        _ => "POST",
    };
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not take {method}", uri.path()),
        format!("use {other}"),
    )
}
