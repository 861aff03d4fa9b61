//! The demo's targets on the admin address.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

use super::DemoError;
use super::fleet::{Fleet, Target};

#[derive(Debug, Serialize)]
struct Targets {
    targets: Vec<TargetDocument>,
}

#[derive(Debug, Serialize)]
struct TargetDocument {
    id: &'static str,
    zone: &'static str,
    address: String,
    running: bool,
}

#[derive(Debug, Serialize)]
struct Refused {
    error: String,
}

pub(super) fn routes(fleet: Arc<Fleet>) -> Router {
    Router::new()
        .route("/demo/targets", get(list))
        .route("/demo/targets/{id}/stop", post(stop))
        .route("/demo/targets/{id}/start", post(start))
        .with_state(fleet)
}

async fn list(State(fleet): State<Arc<Fleet>>) -> Json<Targets> {
    Json(document(&fleet))
}

async fn stop(State(fleet): State<Arc<Fleet>>, Path(id): Path<String>) -> Response {
    answer(&fleet, fleet.stop_one(&id))
}

async fn start(State(fleet): State<Arc<Fleet>>, Path(id): Path<String>) -> Response {
    answer(&fleet, fleet.start_one(&id))
}

fn answer(fleet: &Fleet, done: Result<(), DemoError>) -> Response {
    let Err(error) = done else {
        return Json(document(fleet)).into_response();
    };
    let status = match error {
        DemoError::Unknown(_) => StatusCode::NOT_FOUND,
        DemoError::Listen { .. } => StatusCode::CONFLICT,
    };
    let document = Refused {
        error: error.to_string(),
    };
    (status, Json(document)).into_response()
}

fn document(fleet: &Fleet) -> Targets {
    let describe = |target: &Target| TargetDocument {
        id: target.id,
        zone: target.zone,
        address: target.address.to_string(),
        running: target.is_running(),
    };
    Targets {
        targets: fleet.targets().iter().map(describe).collect(),
    }
}
