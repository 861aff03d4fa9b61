//! The health of targets.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::targets::TargetDescription;
use crate::aws::catalogue::Catalogue;
use crate::aws::{ApiError, Call};
use crate::config::document::TargetGroup;
use crate::snapshot::Group;
use crate::target::{HealthReason, Target, TargetHealth};
use crate::target_group::{AdministrativeOverride, Anomaly};

/// `DescribeTargetHealth`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeTargetHealth {
    target_group_arn: String,
    #[serde(default)]
    targets: Vec<TargetDescription>,
    #[serde(default)]
    include: Vec<Include>,
}

/// AWS: DescribeTargetHealthInputIncludeEnum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Include {
    AnomalyDetection,
    All,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetHealths {
    target_health_descriptions: Vec<TargetHealthDescription>,
}

/// AWS: TargetHealthDescription.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetHealthDescription {
    target: TargetDescription,
    health_check_port: Option<String>,
    target_health: HealthDescription,
    /// If it is asked for, of a target that is compared with the others.
    anomaly_detection: Option<AnomalyDescription>,
    administrative_override: Option<OverrideDescription>,
}

/// AWS: AnomalyDetection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AnomalyDescription {
    result: &'static str,
    mitigation_in_effect: &'static str,
}

/// AWS: AdministrativeOverride.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct OverrideDescription {
    state: &'static str,
    reason: &'static str,
    description: &'static str,
}

/// AWS: TargetHealth.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HealthDescription {
    state: &'static str,
    reason: Option<&'static str>,
    description: Option<String>,
}

pub(super) fn describe(
    call: &Call,
    wanted: DescribeTargetHealth,
) -> Result<TargetHealths, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let entry = catalogue.target_group(&wanted.target_group_arn)?;
    let snapshot = call.api.shared.load();
    let now = Instant::now();
    let mut descriptions = Vec::new();
    if let Some(group) = snapshot.groups.get(entry.document.name.as_str()) {
        let shift = group.zonal_shift(now);
        let detects = !wanted.include.is_empty() && group.detects_anomalies();
        let registered = group.targets().iter();
        for target in registered.chain(group.departing(now)) {
            let mut description = described(group, target, now);
            let anomaly = detects.then(|| Anomaly::of(target)).flatten();
            description.anomaly_detection = anomaly.map(|anomaly| AnomalyDescription {
                result: anomaly.result(),
                mitigation_in_effect: anomaly.mitigation_in_effect(),
            });
            let state = AdministrativeOverride::of(target, shift.as_ref());
            description.administrative_override = Some(OverrideDescription {
                state: state.as_str(),
                reason: state.reason(),
                description: state.description(),
            });
            if registered_in_all_zones(entry.document, &description.target) {
                description.target.availability_zone = Some("all".to_owned());
            }
            descriptions.push(description);
        }
    }
    if wanted.targets.is_empty() {
        return Ok(TargetHealths {
            target_health_descriptions: descriptions,
        });
    }
    // AWS says of whoever is asked for and not there that it is not. Without a port the group's is meant.
    let port = catalogue.port(&entry);
    let answers = wanted.targets.into_iter().map(|mut asked| {
        let with_port = TargetDescription {
            port: asked.port.or(Some(port)),
            ..asked.clone()
        };
        let mut found = descriptions.iter();
        let exact = found.position(|it| with_port.names(&it.target));
        let any = || descriptions.iter().position(|it| asked.names(&it.target));
        match exact.or_else(any) {
            Some(at) => descriptions.swap_remove(at),
            None => {
                asked.port = with_port.port;
                not_registered(asked)
            }
        }
    });
    Ok(TargetHealths {
        target_health_descriptions: answers.collect(),
    })
}

/// As it was registered: for all that runs, the zone "all" is none.
fn registered_in_all_zones(group: &TargetGroup, described: &TargetDescription) -> bool {
    let mut targets = group.targets.iter();
    described.availability_zone.is_none()
        && targets.any(|it| it.zone.as_deref() == Some("all") && described.is(it, 0))
}

fn not_registered(target: TargetDescription) -> TargetHealthDescription {
    let reason = HealthReason::NotRegistered;
    TargetHealthDescription {
        target,
        health_check_port: None,
        target_health: HealthDescription {
            state: TargetHealth::Unused.as_str(),
            reason: Some(reason.code()),
            description: Some(reason.to_string()),
        },
        anomaly_detection: None,
        administrative_override: None,
    }
}

fn described(group: &Group, target: &Target, now: Instant) -> TargetHealthDescription {
    let health = target.state.describe(now);
    let is_healthy = health.state == TargetHealth::Healthy;
    let port = group.health_check.port.unwrap_or(target.address.port());
    let reason = health.reason.as_ref().filter(|_| !is_healthy);
    TargetHealthDescription {
        target: TargetDescription {
            id: target.key.id.to_string(),
            port: Some(target.key.port),
            availability_zone: target.zone.as_ref().map(ToString::to_string),
        },
        health_check_port: Some(port.to_string()),
        target_health: HealthDescription {
            state: health.state.as_str(),
            reason: reason.map(HealthReason::code),
            description: reason.map(ToString::to_string),
        },
        anomaly_detection: None,
        administrative_override: None,
    }
}
