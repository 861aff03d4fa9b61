//! `POST /reload`: takes the configuration over as it is now, or says why not.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::causes::in_full;
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
        error: in_full(error),
        help: "nothing has changed: the configuration before stays in force; put right what is \
               named here and ask again",
        problems: match error {
            ReloadError::Invalid(problems) => problems.problems.clone(),
            _ => Vec::new(),
        },
    };
    (status, Json(document)).into_response()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::*;
    use crate::admin::sample::Sample;
    use crate::config;

    async fn document(answer: Response<Body>) -> Value {
        let body = answer.into_body().collect().await.unwrap();
        serde_json::from_slice(&body.to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_refused_configuration_is_answered_with_every_problem_and_its_place() {
        let text = "[[load_balancer]]\nname = \"web\"\nlistner = 1\n";
        let problems = config::check_text(text, "elbow.toml")
            .into_result()
            .unwrap_err();
        let answer = refused(&ReloadError::Invalid(problems));
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let document = document(answer).await;
        let problem = &document["problems"][0];
        assert_eq!(problem["location"]["line"], 3, "{document}");
        assert!(problem["message"].as_str().unwrap().contains("listner"));
        assert!(document["error"].as_str().unwrap().contains("elbow.toml"));
    }

    #[tokio::test]
    async fn a_reload_answers_with_its_generation_and_what_changed() {
        let difference = Difference {
            listeners: Changes {
                added: vec!["web:81".to_owned()],
                ..Changes::default()
            },
            ..Difference::default()
        };
        let taken = taken(Reloaded {
            generation: 7,
            difference,
            warnings: Vec::new(),
        });
        let document = serde_json::to_value(taken).unwrap();
        assert_eq!(document["generation"], 7);
        assert_eq!(document["summary"], "listeners +web:81");
        let listeners = json!({ "added": ["web:81"], "removed": [], "changed": [] });
        assert_eq!(document["changed"]["listeners"], listeners);
    }

    #[tokio::test]
    async fn a_daemon_that_shuts_down_does_not_reload() {
        let sample = Sample::start().await;
        let answer = sample.post("/reload").await;
        assert_eq!(answer.status, 503);
        assert!(
            answer.json()["error"]
                .as_str()
                .unwrap()
                .contains("shutting down")
        );
    }
}
