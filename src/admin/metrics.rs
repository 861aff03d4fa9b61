//! `/metrics`, for Prometheus.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::metrics::{MetricsError, StateMetrics, TargetSample};
use crate::snapshot::Group;
use crate::target::{Target, TargetHealth, Zone};

use super::Context;
use super::answer::Refusal;

/// Prometheus' text format.
const TEXT: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];

/// All figures: those that are counted, and those that the snapshot shows at this moment.
pub(super) async fn scrape(State(context): State<Context>) -> Response {
    match text(&context) {
        Ok(text) => (TEXT, text).into_response(),
        Err(error) => Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            error.to_string(),
            "this is a fault of Elbow's; please report it",
        )
        .into_response(),
    }
}

fn text(context: &Context) -> Result<String, MetricsError> {
    let state = StateMetrics::new()?;
    let now = Instant::now();
    for group in context.snapshot().all_groups() {
        hosts(&state, group);
        for target in group.targets().iter().chain(group.departing(now)) {
            sample(&state, group, target, now);
        }
    }
    let log = &context.access_log;
    state.access_log(log.written(), log.dropped());
    context.metrics.encode(&state)
}

fn hosts(state: &StateMetrics, group: &Group) {
    let mut zones: BTreeMap<Option<&Zone>, [usize; 2]> = BTreeMap::new();
    for (zone, health) in group.health() {
        let [healthy, unhealthy] = zones.entry(zone).or_default();
        *healthy += usize::from(health == TargetHealth::Healthy);
        *unhealthy += usize::from(health == TargetHealth::Unhealthy);
    }
    for (zone, [healthy, unhealthy]) in zones {
        let zone = zone.map_or("", Zone::as_str);
        let labels = [load_balancer(group), &group.settings().name, zone];
        state.hosts(labels, healthy, unhealthy);
    }
}

fn sample(state: &StateMetrics, group: &Group, target: &Target, now: Instant) {
    let sample = TargetSample {
        load_balancer: load_balancer(group),
        target_group: &group.settings().name,
        target: &target.key.to_string(),
        zone: target.zone.as_ref().map_or("", Zone::as_str),
        state: target.state.describe(now).state.as_str(),
        in_flight: target.state.in_flight(),
        requests: target.state.requests(),
        weight: target.weight,
    };
    state.target(sample, &TargetHealth::ALL.map(TargetHealth::as_str));
}

fn load_balancer(group: &Group) -> &str {
    group.load_balancer.as_deref().unwrap_or_default()
}
