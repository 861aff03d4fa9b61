//! `POST /upgrade`: a new process takes over.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Context;
use crate::succession::SuccessionError;

#[derive(Debug, Serialize)]
struct Upgraded {
    pid: u32,
    version: String,
    predecessor: u32,
}

#[derive(Debug, Serialize)]
struct Failed {
    error: String,
    bad_configuration: bool,
    help: &'static str,
}

pub(super) async fn upgrade(State(context): State<Context>) -> Response {
    match context.upgrade.upgrade().await {
        Ok(upgraded) => Json(Upgraded {
            pid: upgraded.pid,
            version: upgraded.version,
            predecessor: std::process::id(),
        })
        .into_response(),
        Err(error) => {
            let bad_configuration = matches!(
                *error,
                SuccessionError::Failed {
                    bad_configuration: true,
                    ..
                }
            );
            let failed = Failed {
                error: error.to_string(),
                bad_configuration,
                help: "this process goes on as before",
            };
            (StatusCode::CONFLICT, Json(failed)).into_response()
        }
    }
}
