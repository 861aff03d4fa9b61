//! `/acme`: the certificates that are ordered, and having one ordered anew.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;

use crate::acme::{Attempt, Status};

use super::Context;
use super::answer::{Refusal, listed};
use super::status::time;

#[derive(Debug, Serialize)]
pub(super) struct Certificates {
    certificates: Vec<CertificateDocument>,
}

#[derive(Debug, Serialize)]
struct CertificateDocument {
    name: String,
    names: Vec<String>,
    acme: String,
    directory: String,
    /// None while clients are shown a placeholder.
    certificate: Option<ShownDocument>,
    /// Whether it is being ordered now.
    ordering: bool,
    next_order: Option<String>,
    /// The attempts that have failed in a row.
    failures: u32,
    last_attempt: Option<AttemptDocument>,
}

#[derive(Debug, Serialize)]
struct ShownDocument {
    serial: String,
    not_before: String,
    not_after: String,
}

#[derive(Debug, Serialize)]
struct AttemptDocument {
    time: String,
    /// `success`, or why it failed.
    result: &'static str,
    detail: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Ordered {
    certificate: String,
    description: &'static str,
}

pub(super) async fn list(State(context): State<Context>) -> Json<Certificates> {
    let certificates = context.certificates.all();
    Json(Certificates {
        certificates: certificates.iter().map(document).collect(),
    })
}

/// Orders a certificate that is not due, or will not be tried again before long.
pub(super) async fn renew(
    State(context): State<Context>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Ordered>), Refusal> {
    if context.certificates.renew(&name) == 0 {
        let all = context.certificates.all();
        let known = listed(all.iter().map(|status| &status.name));
        return Err(Refusal::not_found(
            format!("no certificate {name:?} is ordered"),
            format!("those that are ordered: {known}"),
        ));
    }
    tracing::info!(certificate = name, "ordered by the admin API");
    let ordered = Ordered {
        certificate: name,
        description: "it is being ordered; GET /acme says what became of it",
    };
    Ok((StatusCode::ACCEPTED, Json(ordered)))
}

fn document(status: &Status) -> CertificateDocument {
    CertificateDocument {
        name: status.name.to_string(),
        names: status.names.clone(),
        acme: status.authority.to_string(),
        directory: status.directory.to_string(),
        certificate: status.shown.as_ref().map(|shown| ShownDocument {
            serial: shown.serial.clone(),
            not_before: time(shown.not_before),
            not_after: time(shown.not_after),
        }),
        ordering: status.ordering,
        next_order: status.next_order.map(time),
        failures: status.failures,
        last_attempt: status.last.as_ref().map(|attempt| AttemptDocument {
            time: time(attempt.at),
            result: result(attempt),
            detail: attempt
                .failure
                .as_ref()
                .map(|failure| failure.detail.clone()),
        }),
    }
}

/// `success`, or why it failed.
pub(super) fn result(attempt: &Attempt) -> &'static str {
    let failure = attempt.failure.as_ref();
    failure.map_or("success", |failure| failure.reason.as_str())
}
