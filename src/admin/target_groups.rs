//! `/target-groups`: settings, health check, and what goes through each zone.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::time::Instant;

use crate::snapshot::{Group, Snapshot};
use crate::target::Zone;
use crate::target_group::{HealthCheck, ZonePolicy, ZoneWeights};

use super::Context;
use super::load_balancers::span;

#[derive(Debug, Serialize)]
pub(super) struct TargetGroups {
    target_groups: Vec<TargetGroupDocument>,
}

#[derive(Debug, Serialize)]
struct TargetGroupDocument {
    name: String,
    /// None when no rule forwards to it.
    load_balancer: Option<String>,
    /// Not in the configuration any more; listed while its targets drain.
    deleted: bool,
    protocol: &'static str,
    algorithm: &'static str,
    zones: Zones,
    anomaly_mitigation: bool,
    fail_open: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_standby: Option<ActiveStandbyDocument>,
    /// Whether it has enough healthy targets, for each node of its load balancer.
    nodes: Vec<StandingDocument>,
    deregistration_delay: String,
    /// None when it is off.
    slow_start: Option<String>,
    /// How clients stay with their target; none is not at all.
    stickiness: Option<String>,
    /// How many requests a target takes at a time; none is any number.
    max_concurrency: Option<u32>,
    /// Who waits while all targets are full, for each node.
    #[serde(skip_serializing_if = "Option::is_none")]
    surge_queue: Option<SurgeQueueDocument>,
    connect_timeout: String,
    response_timeout: Option<String>,
    retries: u32,
    health_check: HealthCheckDocument,
    targets: usize,
    traffic: Vec<Traffic>,
}

/// Who takes the traffic of a group whose other targets stand by.
#[derive(Debug, Serialize)]
struct ActiveStandbyDocument {
    fail_back: &'static str,
    on_failover: &'static str,
    /// None before a target was healthy.
    active_priority: Option<u32>,
    /// How often that has changed since the daemon started, by kind.
    changes: BTreeMap<&'static str, u64>,
}

/// Who waits while all targets are full.
#[derive(Debug, Serialize)]
struct SurgeQueueDocument {
    most: u32,
    timeout: String,
    /// Those at which somebody has waited.
    nodes: Vec<WaitingDocument>,
}

/// Who waits at the node of a zone.
#[derive(Debug, Serialize)]
pub(super) struct WaitingDocument {
    zone: Option<String>,
    length: usize,
    /// The most that have waited within this minute and the last.
    peak: usize,
    spillovers: u64,
}

/// Whether the node of a zone has enough healthy targets of the group.
#[derive(Debug, Serialize)]
struct StandingDocument {
    zone: Option<String>,
    healthy: usize,
    registered: usize,
    dns: &'static str,
    routing: &'static str,
}

/// How traffic is spread over zones.
#[derive(Debug, Serialize)]
#[serde(tag = "policy", rename_all = "snake_case")]
enum Zones {
    CrossZone,
    OwnZone,
    PreferLocal,
    Weighted {
        /// By entry zone; `*` stands for every one.
        weights: BTreeMap<String, BTreeMap<String, u32>>,
    },
}

#[derive(Debug, Serialize)]
struct HealthCheckDocument {
    enabled: bool,
    protocol: &'static str,
    /// A number, or `traffic-port`, as ALB has it.
    port: String,
    path: String,
    host: Option<String>,
    interval: String,
    timeout: String,
    healthy_threshold: u32,
    unhealthy_threshold: u32,
    matcher: String,
}

/// What went to the targets of one zone since the daemon started.
#[derive(Debug, Serialize)]
struct Traffic {
    zone: Option<String>,
    healthy: usize,
    unhealthy: usize,
    requests: u64,
    connection_errors: u64,
    unhealthy_routing_requests: u64,
    connections: i64,
    idle_connections: i64,
}

pub(super) async fn list(State(context): State<Context>) -> Json<TargetGroups> {
    let snapshot = context.snapshot();
    let in_force = snapshot.groups.values();
    let in_force = in_force.map(|group| document(group, &snapshot, false));
    let deleted = snapshot.deleted.iter();
    let deleted = deleted.map(|group| document(group, &snapshot, true));
    Json(TargetGroups {
        target_groups: in_force.chain(deleted).collect(),
    })
}

fn document(group: &Group, snapshot: &Snapshot, deleted: bool) -> TargetGroupDocument {
    let settings = group.settings();
    TargetGroupDocument {
        name: settings.name.to_string(),
        load_balancer: group.load_balancer.as_ref().map(ToString::to_string),
        deleted,
        protocol: settings.protocol.as_str(),
        algorithm: settings.algorithm.as_str(),
        zones: zones(&settings.zones),
        anomaly_mitigation: settings.anomaly_mitigation,
        fail_open: settings.fail_open,
        active_standby: active_standby(group),
        nodes: standings(group, snapshot),
        deregistration_delay: span(settings.deregistration_delay),
        slow_start: settings.slow_start.map(span),
        stickiness: settings.stickiness.as_ref().map(ToString::to_string),
        max_concurrency: settings.max_concurrency,
        surge_queue: surge_queue(group),
        connect_timeout: span(settings.connect_timeout),
        response_timeout: settings.response_timeout.map(span),
        retries: settings.retries,
        health_check: health_check(&group.health_check),
        targets: group.targets().len(),
        traffic: traffic(group),
    }
}

fn active_standby(group: &Group) -> Option<ActiveStandbyDocument> {
    let settings = group.settings().active_standby?;
    let counts = group.failovers().into_iter();
    Some(ActiveStandbyDocument {
        fail_back: settings.fail_back.as_str(),
        on_failover: if settings.cut { "cut" } else { "keep" },
        active_priority: group.active_priority(),
        changes: counts.map(|(kind, count)| (kind.as_str(), count)).collect(),
    })
}

fn surge_queue(group: &Group) -> Option<SurgeQueueDocument> {
    group.settings().max_concurrency?;
    let limits = group.settings().surge_queue;
    Some(SurgeQueueDocument {
        most: limits.length,
        timeout: span(limits.timeout),
        nodes: waiting(group, Instant::now()),
    })
}

/// The nodes at which somebody has waited because all targets were full.
pub(super) fn waiting(group: &Group, now: Instant) -> Vec<WaitingDocument> {
    let queues = group.surge_queues(now).into_iter();
    let nodes = queues.map(|queue| WaitingDocument {
        zone: queue.zone.map(|zone| zone.to_string()),
        length: queue.length,
        peak: queue.peak,
        spillovers: queue.spillovers,
    });
    nodes.collect()
}

fn standings(group: &Group, snapshot: &Snapshot) -> Vec<StandingDocument> {
    let state = |healthy: bool| if healthy { "healthy" } else { "unhealthy" };
    let user = group.load_balancer.as_deref();
    let user = user.and_then(|name| snapshot.load_balancer(name));
    let nodes = user.iter().flat_map(|user| &user.nodes);
    let standings = nodes.map(|node| {
        let standing = group.standing_for(node.zone.as_ref(), Instant::now());
        StandingDocument {
            zone: node.zone.as_ref().map(ToString::to_string),
            healthy: standing.healthy,
            registered: standing.registered,
            dns: state(standing.healthy_dns),
            routing: state(standing.healthy_routing),
        }
    });
    standings.collect()
}

fn zones(policy: &ZonePolicy) -> Zones {
    match policy {
        ZonePolicy::CrossZone => Zones::CrossZone,
        ZonePolicy::OwnZone => Zones::OwnZone,
        ZonePolicy::PreferLocal => Zones::PreferLocal,
        ZonePolicy::Weighted(weights) => Zones::Weighted {
            weights: weight_tables(weights),
        },
    }
}

fn weight_tables(weights: &ZoneWeights) -> BTreeMap<String, BTreeMap<String, u32>> {
    let entries: Vec<&Zone> = weights.entries().collect();
    let entries: Vec<(String, Option<&Zone>)> = match entries.is_empty() {
        true => vec![("*".to_owned(), None)],
        false => entries
            .into_iter()
            .map(|zone| (zone.to_string(), Some(zone)))
            .collect(),
    };
    let tables = entries.into_iter().filter_map(|(name, entry)| {
        let table = weights.table(entry)?.iter();
        let table = table.map(|(zone, weight)| (zone.to_string(), *weight));
        Some((name, table.collect()))
    });
    tables.collect()
}

fn health_check(check: &HealthCheck) -> HealthCheckDocument {
    HealthCheckDocument {
        enabled: check.enabled,
        protocol: check.protocol.as_str(),
        port: match check.port {
            Some(port) => port.to_string(),
            None => "traffic-port".to_owned(),
        },
        path: check.path.clone(),
        host: check.host.clone(),
        interval: span(check.interval),
        timeout: span(check.timeout),
        healthy_threshold: check.thresholds.healthy,
        unhealthy_threshold: check.thresholds.unhealthy,
        matcher: check.matcher.to_string(),
    }
}

fn traffic(group: &Group) -> Vec<Traffic> {
    let targets = group.targets().iter();
    let zones: BTreeSet<Option<&Zone>> = targets.map(|target| target.zone.as_ref()).collect();
    let traffic = zones.into_iter().map(|zone| {
        let metrics = group.metrics.zone(zone.map(Zone::as_str));
        Traffic {
            zone: zone.map(ToString::to_string),
            healthy: group.healthy_count(zone),
            unhealthy: group.unhealthy_count(zone),
            requests: metrics.requests.get(),
            connection_errors: metrics.connection_errors.get(),
            unhealthy_routing_requests: metrics.unhealthy_routing_requests.get(),
            connections: metrics.connections.get(),
            idle_connections: metrics.idle_connections.get(),
        }
    });
    traffic.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admin::sample::Sample;

    #[tokio::test]
    async fn a_target_group_is_listed_with_albs_defaults_and_its_zones() {
        let sample = Sample::start().await;
        sample.probe_all();
        let answer = sample.get("/target-groups").await.json();
        let group = &answer["target_groups"][1];
        assert_eq!(group["name"], "wordpress");
        assert_eq!(group["algorithm"], "round_robin");
        assert_eq!(group["zones"], json!({ "policy": "cross_zone" }));
        assert_eq!(group["deregistration_delay"], "5m");
        let check = &group["health_check"];
        assert_eq!(check["port"], "traffic-port");
        assert_eq!(check["matcher"], "200");
        assert_eq!(
            (&check["interval"], &check["timeout"]),
            (&json!("30s"), &json!("5s"))
        );
        let zones: Vec<_> = [0, 1]
            .map(|zone| &group["traffic"][zone])
            .map(|zone| {
                (
                    zone["zone"].clone(),
                    zone["healthy"].clone(),
                    zone["unhealthy"].clone(),
                )
            })
            .into();
        let expected = [
            (json!("a"), json!(1), json!(0)),
            (json!("c"), json!(0), json!(1)),
        ];
        assert_eq!(zones, expected);
    }
}
