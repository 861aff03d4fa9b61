//! `/target-health` and `/target-groups/{group}/health`: what ALB's `DescribeTargetHealth` says of
//! every target, with the probes that it rests on.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use tokio::time::Instant;

use crate::snapshot::{Group, Snapshot};
use crate::target::{HealthReason, InstanceState, Outcome, ProbeRecord, Target};
use crate::target_group::{AdministrativeOverride, Anomaly};

use super::Context;
use super::answer::{Refusal, listed};
use super::target_groups::{WaitingDocument, waiting};

#[derive(Debug, Serialize)]
pub(super) struct TargetGroups {
    target_groups: Vec<GroupHealth>,
}

#[derive(Debug, Serialize)]
struct GroupHealth {
    target_group: String,
    load_balancer: Option<String>,
    /// The nodes at which requests have waited because all targets were full.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    surge_queue: Vec<WaitingDocument>,
    targets: Vec<TargetDescription>,
}

#[derive(Debug, Serialize)]
struct TargetDescription {
    target: TargetIdentity,
    weight: u32,
    /// In an active/standby group.
    #[serde(skip_serializing_if = "Option::is_none")]
    standby: Option<StandbyDocument>,
    health_check_port: u16,
    target_health: TargetHealthDocument,
    /// The same in the words of a Classic load balancer, for its targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_health: Option<InstanceHealthDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_start: Option<SlowStartDocument>,
    /// None while too few targets are healthy to compare them.
    #[serde(skip_serializing_if = "Option::is_none")]
    anomaly_detection: Option<AnomalyDocument>,
    administrative_override: OverrideDocument,
    in_flight: u32,
    /// For which it was chosen since it was registered.
    requests: u64,
    /// Not in the configuration any more; listed until its deregistration delay has elapsed.
    departing: bool,
    /// The newest last.
    probes: Vec<Probe>,
}

#[derive(Debug, Serialize)]
struct StandbyDocument {
    priority: u32,
    /// Whether it takes the group's traffic, with the others of its priority.
    active: bool,
}

#[derive(Debug, Serialize)]
struct TargetIdentity {
    id: String,
    port: u16,
    address: String,
    /// What the address, a host name, was last found to stand for.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_address: Option<String>,
    availability_zone: Option<String>,
}

#[derive(Debug, Serialize)]
struct TargetHealthDocument {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// What `DescribeInstanceHealth` says.
#[derive(Debug, Serialize)]
struct InstanceHealthDocument {
    state: &'static str,
    reason_code: &'static str,
    description: &'static str,
}

/// The target takes a part of its share.
#[derive(Debug, Serialize)]
struct SlowStartDocument {
    percent: u32,
    ends_in_seconds: f64,
}

/// How the target does beside the others.
#[derive(Debug, Serialize)]
struct AnomalyDocument {
    result: &'static str,
    mitigation_in_effect: &'static str,
    /// In standard deviations.
    score: f64,
    /// The part of its requests of late that it failed, 0-1.
    failure_rate: f64,
    /// What it takes of its weight.
    percent: u32,
}

#[derive(Debug, Serialize)]
struct OverrideDocument {
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct Probe {
    time: String,
    outcome: &'static str,
    status: Option<u16>,
    latency_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

pub(super) async fn list(State(context): State<Context>) -> Json<TargetGroups> {
    let snapshot = context.snapshot();
    let now = Instant::now();
    Json(TargetGroups {
        target_groups: snapshot
            .all_groups()
            .map(|group| describe(group, now))
            .collect(),
    })
}

pub(super) async fn of_group(
    State(context): State<Context>,
    Path(name): Path<String>,
) -> Result<Json<TargetGroups>, Refusal> {
    let snapshot = context.snapshot();
    let group = find_group(&snapshot, &name)?;
    Ok(Json(TargetGroups {
        target_groups: vec![describe(group, Instant::now())],
    }))
}

/// The group of that name, also one that is deleted and drains; else which there are.
pub(super) fn find_group<'a>(snapshot: &'a Snapshot, name: &str) -> Result<&'a Group, Refusal> {
    let mut groups = snapshot.all_groups();
    let group = groups.find(|group| *group.settings().name == *name);
    group.map(|group| &**group).ok_or_else(|| {
        let names = snapshot.all_groups().map(|group| &group.settings().name);
        Refusal::not_found(
            format!("there is no target group {name:?}"),
            format!("target groups: {}", listed(names)),
        )
    })
}

fn describe(group: &Group, now: Instant) -> GroupHealth {
    let registered = group.targets().iter().map(|target| (target, false));
    let departing = group.departing(now).map(|target| (target, true));
    let shift = group.zonal_shift(now);
    let detects = group.detects_anomalies();
    GroupHealth {
        target_group: group.settings().name.to_string(),
        load_balancer: group.load_balancer.as_ref().map(ToString::to_string),
        surge_queue: waiting(group, now),
        targets: registered
            .chain(departing)
            .map(|(target, departing)| TargetDescription {
                target: identity(target),
                weight: target.weight,
                standby: standby(group, target),
                health_check_port: group.health_check.port.unwrap_or(target.address.port()),
                target_health: health(target, now),
                instance_health: (group.settings().classic).then(|| instance_health(target, now)),
                slow_start: slow_start(group, target, now),
                anomaly_detection: detects
                    .then(|| Anomaly::of(target))
                    .flatten()
                    .as_ref()
                    .map(anomaly),
                administrative_override: OverrideDocument {
                    state: AdministrativeOverride::of(target, shift.as_ref()).as_str(),
                },
                in_flight: target.state.in_flight(),
                requests: target.state.requests(),
                departing,
                probes: target.state.probes().into_iter().map(probe).collect(),
            })
            .collect(),
    }
}

fn standby(group: &Group, target: &Target) -> Option<StandbyDocument> {
    group.settings().active_standby?;
    let priority = target.priority;
    Some(StandbyDocument {
        priority,
        active: group.active_priority() == Some(priority),
    })
}

fn identity(target: &Target) -> TargetIdentity {
    TargetIdentity {
        id: target.key.id.to_string(),
        port: target.key.port,
        address: target.address.to_string(),
        resolved_address: target.state.resolved().map(|address| address.to_string()),
        availability_zone: target.zone.as_ref().map(ToString::to_string),
    }
}

fn health(target: &Target, now: Instant) -> TargetHealthDocument {
    let health = target.state.describe(now);
    TargetHealthDocument {
        state: health.state.as_str(),
        reason: health.reason.as_ref().map(HealthReason::code),
        description: health.reason.as_ref().map(ToString::to_string),
    }
}

fn instance_health(target: &Target, now: Instant) -> InstanceHealthDocument {
    let InstanceState {
        state,
        reason_code,
        description,
    } = InstanceState::at(target, now);
    InstanceHealthDocument {
        state,
        reason_code,
        description,
    }
}

fn slow_start(group: &Group, target: &Target, now: Instant) -> Option<SlowStartDocument> {
    let slow_start = group.slow_start(target, now)?;
    let left = slow_start.ends.saturating_duration_since(now);
    Some(SlowStartDocument {
        percent: slow_start.percent,
        ends_in_seconds: (left.as_secs_f64() * 10.0).round() / 10.0,
    })
}

fn anomaly(found: &Anomaly) -> AnomalyDocument {
    let rounded = |number: f64, digits: f64| (number * digits).round() / digits;
    AnomalyDocument {
        result: found.result(),
        mitigation_in_effect: found.mitigation_in_effect(),
        score: rounded(found.conduct.score, 10.0),
        failure_rate: rounded(found.conduct.failure_rate(), 1000.0),
        percent: found.part,
    }
}

fn probe(record: ProbeRecord) -> Probe {
    let (outcome, reason) = match &record.outcome {
        Outcome::Pass => ("pass", None),
        Outcome::Fail(reason) => ("fail", Some(reason.code())),
        Outcome::Maintenance => ("maintenance", None),
    };
    Probe {
        time: humantime::format_rfc3339_millis(record.at).to_string(),
        outcome,
        status: record.status,
        latency_ms: (record.latency.as_secs_f64() * 1e6).round() / 1e3,
        reason,
        detail: record.detail,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admin::sample::Sample;

    #[tokio::test]
    async fn every_target_has_its_state_reason_and_description() {
        let sample = Sample::start().await;
        sample.probe_all();
        let answer = sample.get("/target-groups/wordpress/health").await.json();
        let group = &answer["target_groups"][0];
        assert_eq!(group["load_balancer"], "wp-elb");
        let healthy = json!({
            "target": { "id": "wp-a", "port": 80, "address": "10.0.0.6:80", "availability_zone": "a" },
            "weight": 1,
            "health_check_port": 80,
            "target_health": { "state": "healthy" },
            "administrative_override": { "state": "no_override" },
            "in_flight": 0,
            "requests": 0,
            "departing": false,
            "probes": [{
                "time": "2018-07-02T22:23:00.000Z", "outcome": "pass", "status": null,
                "latency_ms": 1.5,
            }],
        });
        assert_eq!(group["targets"][0], healthy);
        let unhealthy = json!({
            "state": "unhealthy",
            "reason": "Target.ResponseCodeMismatch",
            "description": "Health checks failed with these codes: [301]",
        });
        assert_eq!(group["targets"][1]["target_health"], unhealthy);
        let probe = json!({
            "time": "2018-07-02T22:23:00.000Z", "outcome": "fail", "status": 301,
            "latency_ms": 1.5, "reason": "Target.ResponseCodeMismatch", "detail": "<moved>",
        });
        assert_eq!(group["targets"][1]["probes"], json!([probe, probe]));
        let state = &group["targets"][2]["target_health"]["state"];
        assert_eq!(state, "initial");
    }

    #[tokio::test]
    async fn a_group_in_no_rule_is_listed_with_unused_targets() {
        let sample = Sample::start().await;
        let answer = sample.get("/target-health").await.json();
        let groups = answer["target_groups"].as_array().map(Vec::len);
        assert_eq!(groups, Some(2));
        let spare = &answer["target_groups"][0];
        assert_eq!(spare["target_group"], "spare");
        assert_eq!(spare["load_balancer"], json!(null));
        let health = json!({
            "state": "unused",
            "reason": "Target.NotInUse",
            "description":
                "Target group is not configured to receive traffic from the load balancer",
        });
        assert_eq!(spare["targets"][0]["target_health"], health);
    }

    #[tokio::test]
    async fn an_unknown_group_is_answered_with_those_that_exist() {
        let sample = Sample::start().await;
        let answer = sample.get("/target-groups/wordpres/health").await;
        assert_eq!(answer.status, 404);
        let document = json!({
            "error": "there is no target group \"wordpres\"",
            "help": "target groups: spare, wordpress",
        });
        assert_eq!(answer.json(), document);
    }
}
