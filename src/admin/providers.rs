//! `/providers`: where targets come from besides the file, and how each source is.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::config::Contributed;
use crate::discovery::{ProviderReport, Remark};

use super::Context;
use super::status::time;

#[derive(Debug, Serialize)]
pub(super) struct Providers {
    providers: Vec<Provider>,
}

#[derive(Debug, Serialize)]
pub(super) struct Provider {
    name: String,
    kind: &'static str,
    /// Whom it asks, or for what.
    asks: String,
    /// `starting`, `working` or `failing`.
    state: &'static str,
    last_success: Option<String>,
    /// It may have recovered since.
    last_error: Option<LastError>,
    failures: u64,
    targets: Vec<Found>,
    /// What it has found that cannot be used as it is.
    remarks: Vec<RemarkDocument>,
}

#[derive(Debug, Serialize)]
struct LastError {
    time: String,
    error: String,
}

#[derive(Debug, Serialize)]
struct Found {
    target_group: String,
    origin: String,
    id: Option<String>,
    address: String,
    availability_zone: Option<String>,
    weight: u32,
}

#[derive(Debug, Serialize)]
struct RemarkDocument {
    about: String,
    message: String,
}

pub(super) async fn list(State(context): State<Context>) -> Json<Providers> {
    let reports = context.discovery.reports();
    Json(Providers {
        providers: reports.into_iter().map(document).collect(),
    })
}

fn document(report: ProviderReport) -> Provider {
    let remarks = report.remarks.into_iter().chain(report.rejected);
    Provider {
        name: report.name.to_string(),
        kind: report.kind,
        asks: report.asks,
        state: report.state.as_str(),
        last_success: report.last_success.map(time),
        last_error: report.last_error.map(last_error),
        failures: report.failures,
        targets: report.targets.iter().map(found).collect(),
        remarks: remarks.map(remark).collect(),
    }
}

fn last_error((at, error): (SystemTime, String)) -> LastError {
    LastError {
        time: time(at),
        error,
    }
}

fn found(found: &Contributed) -> Found {
    Found {
        target_group: found.group.to_string(),
        origin: found.origin.clone(),
        id: found.target.id.clone(),
        address: found.target.address.clone(),
        availability_zone: found.target.zone.clone(),
        weight: found.target.weight,
    }
}

fn remark(remark: Remark) -> RemarkDocument {
    RemarkDocument {
        about: remark.about,
        message: remark.message,
    }
}
