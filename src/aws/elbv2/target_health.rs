//! The health of targets.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::targets::TargetDescription;
use crate::aws::catalogue::Catalogue;
use crate::aws::{ApiError, Call};
use crate::target::{Target, TargetHealth};

/// `DescribeTargetHealth`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeTargetHealth {
    target_group_arn: String,
    #[serde(default)]
    targets: Vec<TargetDescription>,
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
        let registered = group.targets().iter();
        for target in registered.chain(group.departing(now)) {
            let port = group.health_check.port.unwrap_or(target.address.port());
            descriptions.push(described(target, port, now));
        }
    }
    if wanted.targets.is_empty() {
        return Ok(TargetHealths {
            target_health_descriptions: descriptions,
        });
    }
    // AWS says of whoever is asked for and not there that it is not.
    let answers = wanted.targets.into_iter().map(|asked| {
        let found = descriptions.iter().position(|it| asked.names(&it.target));
        match found {
            Some(at) => descriptions.swap_remove(at),
            None => TargetHealthDescription {
                target: asked,
                health_check_port: None,
                target_health: HealthDescription {
                    state: "unused",
                    reason: Some("Target.NotRegistered"),
                    description: Some("Target is not registered to the target group".to_owned()),
                },
            },
        }
    });
    Ok(TargetHealths {
        target_health_descriptions: answers.collect(),
    })
}

fn described(target: &Target, health_check_port: u16, now: Instant) -> TargetHealthDescription {
    let health = target.state.describe(now);
    let is_healthy = health.state == TargetHealth::Healthy;
    TargetHealthDescription {
        target: TargetDescription {
            id: target.key.id.to_string(),
            port: Some(target.key.port),
            availability_zone: target.zone.as_ref().map(ToString::to_string),
        },
        health_check_port: Some(health_check_port.to_string()),
        target_health: HealthDescription {
            state: health.state.as_str(),
            reason: health
                .reason
                .as_ref()
                .filter(|_| !is_healthy)
                .map(|it| it.code()),
            description: health
                .reason
                .as_ref()
                .filter(|_| !is_healthy)
                .map(ToString::to_string),
        },
    }
}
