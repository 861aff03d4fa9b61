//! `/live` and `/ready`: is the process there, and does it want traffic.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::Context;

#[derive(Debug, Serialize)]
pub(super) struct Live {
    live: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Ready {
    ready: bool,
}

/// 200 as long as the process can answer at all.
pub(super) async fn live() -> Json<Live> {
    Json(Live { live: true })
}

/// 200 when the daemon wants traffic, else 503.
pub(super) async fn ready(State(context): State<Context>) -> (StatusCode, Json<Ready>) {
    let ready = context.readiness.is_ready();
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(Ready { ready }))
}
