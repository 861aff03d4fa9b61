//! `POST /reload`: takes the configuration over as it is now, or says why not.

use std::error::Error;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::config::Problem;
use crate::reload::{Cause, Changes, Difference, ReloadError, Reloaded};

use super::Context;

#[derive(Debug, Serialize)]
struct Taken {
    generation: u64,
    summary: String,
    changed: DifferenceDocument,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct DifferenceDocument {
    load_balancers: ChangesDocument,
    listeners: ChangesDocument,
    target_groups: ChangesDocument,
    targets: ChangesDocument,
    settings: ChangesDocument,
}

#[derive(Debug, Serialize)]
struct ChangesDocument {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Refused {
    error: String,
    help: &'static str,
    problems: Vec<Problem>,
}

pub(super) async fn reload(State(context): State<Context>) -> Response {
    match context.reload.reload(Cause::Api).await {
        Ok(reloaded) => Json(taken(reloaded)).into_response(),
        Err(error) => refused(&error),
    }
}

fn taken(reloaded: Reloaded) -> Taken {
    Taken {
        generation: reloaded.generation,
        summary: reloaded.difference.to_string(),
        changed: difference(reloaded.difference),
        warnings: reloaded.warnings,
    }
}

fn difference(difference: Difference) -> DifferenceDocument {
    let changes = |changes: Changes| ChangesDocument {
        added: changes.added,
        removed: changes.removed,
        changed: changes.changed,
    };
    DifferenceDocument {
        load_balancers: changes(difference.load_balancers),
        listeners: changes(difference.listeners),
        target_groups: changes(difference.target_groups),
        targets: changes(difference.targets),
        settings: changes(difference.settings),
    }
}

fn refused(error: &ReloadError) -> Response {
    let status = match error {
        ReloadError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let document = Refused {
        error: with_sources(error),
        help: "nothing has changed: the configuration before stays in force; put right what is \
               named here and ask again",
        problems: match error {
            ReloadError::Invalid(problems) => problems.problems.clone(),
            _ => Vec::new(),
        },
    };
    (status, Json(document)).into_response()
}

/// An error with all that caused it.
pub(super) fn with_sources(error: &ReloadError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
