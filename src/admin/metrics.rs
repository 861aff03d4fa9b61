//! `/metrics`, for Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::acme::Status;
use crate::discovery::ProviderState;
use crate::metrics::{CertificateSample, MetricsError, ProviderSample, StateMetrics, TargetSample};
use crate::snapshot::{Group, LoadBalancer, Snapshot};
use crate::target::{Target, TargetHealth, Zone};
use crate::target_group::AdministrativeOverride;

use super::answer::Refusal;
use super::{Context, acme};

/// Prometheus' text format.
const TEXT: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];

/// All figures: those that are counted, and those that the snapshot shows at this moment. With
/// thousands of targets the text takes a while: no probe shall wait for it.
pub(super) async fn scrape(State(context): State<Context>) -> Response {
    let error = match tokio::task::spawn_blocking(move || text(&context)).await {
        Ok(Ok(text)) => return (TEXT, text).into_response(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    let help = "this is a fault of Elbow's; please report it";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error, help).into_response()
}

fn text(context: &Context) -> Result<String, MetricsError> {
    let state = StateMetrics::new()?;
    let now = Instant::now();
    let snapshot = context.snapshot();
    for group in snapshot.all_groups() {
        hosts(&state, group);
        failovers(&state, group);
        condition(&state, &snapshot, group, now);
        classic(&state, &snapshot, group, now);
        for target in group.targets().iter().chain(group.departing(now)) {
            sample(&state, group, target, now);
        }
    }
    for load_balancer in &context.snapshot().load_balancers {
        certificates(&state, load_balancer);
    }
    for report in context.discovery.reports() {
        let last = report.last_success;
        let since = last.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        state.provider(ProviderSample {
            provider: &report.name,
            up: report.state == ProviderState::Working,
            targets: report.targets.len(),
            remarks: report.remarks.len() + report.rejected.len(),
            last_success: since.map(|since| since.as_secs()),
            failures: report.failures,
        });
    }
    for status in context.certificates.all() {
        ordered(&state, &status);
    }
    let log = &context.access_log;
    state.access_log(log.written(), log.dropped());
    let log = &context.connection_log;
    state.connection_log(log.written(), log.dropped());
    context.metrics.encode(&state)
}

fn certificates(state: &StateMetrics, load_balancer: &LoadBalancer) {
    for listener in &load_balancer.listeners {
        let port = listener.port.to_string();
        for slot in listener.certificates() {
            let expiry = slot.certificate().and_then(|certificate| {
                let expiry = certificate.not_after().duration_since(UNIX_EPOCH);
                expiry.ok().map(|expiry| expiry.as_secs())
            });
            let labels = [&*load_balancer.name, &*port, slot.name()];
            state.certificate(labels, expiry, slot.failure().is_some());
        }
    }
}

fn ordered(state: &StateMetrics, status: &Status) {
    state.ordered(CertificateSample {
        certificate: &status.name,
        not_after: status.shown.as_ref().map(|shown| shown.not_after),
        next_order: status.next_order,
        failures: status.failures,
        last_result: status.last.as_ref().map(acme::result),
    });
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

fn failovers(state: &StateMetrics, group: &Group) {
    if group.settings().active_standby.is_some() {
        let labels = [load_balancer(group), &group.settings().name];
        let counts = group.failovers().into_iter();
        let counts = counts.map(|(kind, count)| (kind.as_str(), count));
        state.failovers(labels, group.active_priority(), counts);
    }
}

/// Failover by the zones of the nodes, the rest by those of the targets.
fn condition(state: &StateMetrics, snapshot: &Snapshot, group: &Group, now: Instant) {
    let labels = |zone: Option<&Zone>| {
        let zone = zone.map(ToString::to_string).unwrap_or_default();
        (load_balancer(group), &*group.settings().name, zone)
    };
    let user = group.load_balancer.as_deref();
    let user = user.and_then(|name| snapshot.load_balancer(name));
    for node in user.iter().flat_map(|user| &user.nodes) {
        let standing = group.standing_for(node.zone.as_ref(), now);
        let (user, name, zone) = labels(node.zone.as_ref());
        state.condition.standing(
            [user, name, &zone],
            standing.healthy_dns,
            standing.healthy_routing,
        );
    }
    let shifted = group
        .zonal_shift(now)
        .filter(|(_, state)| *state == AdministrativeOverride::ZonalShiftActive);
    let mut counts: BTreeMap<Option<&Zone>, [usize; 3]> = BTreeMap::new();
    for target in group.targets() {
        let [in_shift, anomalous, mitigated] = counts.entry(target.zone.as_ref()).or_default();
        let is_shifted = |(away_from, _): &(Zone, _)| target.zone.as_ref() == Some(away_from);
        *in_shift += usize::from(shifted.as_ref().is_some_and(is_shifted));
        *anomalous += usize::from(target.state.conduct().anomalous);
        *mitigated += usize::from(target.state.part() < 100);
    }
    for (zone, [in_shift, anomalous, mitigated]) in counts {
        let (user, name, zone) = labels(zone);
        let labels = [user, name, &*zone];
        state
            .condition
            .hosts(labels, in_shift, anomalous, mitigated);
    }
}

/// The queues of the nodes where targets can be full, and the errors of Classic's targets.
fn classic(state: &StateMetrics, snapshot: &Snapshot, group: &Group, now: Instant) {
    let settings = group.settings();
    let (user, name) = (load_balancer(group), &*settings.name);
    if settings.max_concurrency.is_some() || settings.classic {
        let queues = group.surge_queues(now);
        let nodes = snapshot.load_balancer(user).map(|user| &user.nodes);
        for node in nodes.into_iter().flatten() {
            let queue = queues.iter().find(|queue| queue.zone == node.zone);
            let queue = queue.map_or((0, 0, 0), |it| (it.length, it.peak, it.spillovers));
            let labels = [user, name, node.zone.as_ref().map_or("", Zone::as_str)];
            let (length, peak, spillovers) = queue;
            state.classic.surge_queue(labels, length, peak, spillovers);
        }
    }
    if settings.classic {
        let zones: BTreeSet<_> = group.health().map(|(zone, _)| zone).collect();
        let errors = zones.into_iter().map(|zone| {
            let metrics = group.metrics.zone(zone.map(Zone::as_str));
            metrics.connection_errors.get() + metrics.tls_negotiation_errors.get()
        });
        let errors = errors.sum::<u64>() + group.metrics.probes().failed();
        state
            .classic
            .backend_connection_errors([user, name], errors);
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
    let labels = [
        sample.load_balancer,
        sample.target_group,
        sample.target,
        sample.zone,
    ];
    let score = target.state.conduct().score;
    state
        .condition
        .target(labels, group.share_percent(target, now), score);
    state.target(sample, &TargetHealth::ALL.map(TargetHealth::as_str));
}

fn load_balancer(group: &Group) -> &str {
    group.load_balancer.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::admin::sample::Sample;
    use crate::target::Lease;

    #[tokio::test]
    async fn a_scrape_shows_hosts_states_and_requests_in_flight() {
        let sample = Sample::start().await;
        sample.probe_all();
        let lease = Lease::new(sample.target("wordpress", "wp-a", 80), false);
        let answer = sample.get("/metrics").await;
        assert!(
            answer
                .head
                .contains("content-type: text/plain; version=0.0.4")
        );
        let group = r#"load_balancer="wp-elb",target_group="wordpress""#;
        let target = r#"target="wp-a:80",target_group="wordpress",zone="a""#;
        for row in [
            format!(r#"elbow_healthy_hosts{{{group},zone="a"}} 1"#),
            format!(r#"elbow_unhealthy_hosts{{{group},zone="c"}} 1"#),
            format!(r#"elbow_target_health{{load_balancer="wp-elb",state="healthy",{target}}} 1"#),
            format!(
                r#"elbow_target_health{{load_balancer="wp-elb",state="unhealthy",{target}}} 0"#
            ),
            format!(r#"elbow_target_requests_in_flight{{load_balancer="wp-elb",{target}}} 1"#),
            format!(r#"elbow_target_requests_total{{load_balancer="wp-elb",{target}}} 1"#),
            "elbow_access_log_lines_dropped_total 0".to_owned(),
        ] {
            assert!(answer.body.contains(&row), "no row {row}\n{}", answer.body);
        }
        drop(lease);
    }
}
