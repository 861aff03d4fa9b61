//! How instances do: `InService`, `OutOfService` or `Unknown`, whose fault it is, and a sentence.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::instances::Instance;
use super::{groups, load_balancer};
use crate::aws::catalogue::Catalogue;
use crate::aws::{ApiError, Call};
use crate::target::{InstanceState, TargetHealth};

/// `DescribeInstanceHealth`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeInstanceHealth {
    load_balancer_name: String,
    #[serde(default)]
    instances: Vec<Instance>,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InstanceStates {
    instance_states: Vec<InstanceStateDescription>,
}

/// AWS: InstanceState.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceStateDescription {
    instance_id: String,
    state: &'static str,
    reason_code: &'static str,
    description: &'static str,
}

/// `DescribeInstanceHealth`. An instance behind several listeners is in service if it is behind all of them.
pub(super) fn describe(
    call: &Call,
    wanted: DescribeInstanceHealth,
) -> Result<InstanceStates, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let load_balancer = load_balancer(&catalogue, &wanted.load_balancer_name)?;
    let snapshot = call.api.shared.load();
    let now = Instant::now();
    let mut states: Vec<InstanceStateDescription> = Vec::new();
    for group in groups(&catalogue, load_balancer) {
        let Some(group) = snapshot.groups.get(group.document.name.as_str()) else {
            continue;
        };
        let registered = group.targets().iter();
        for target in registered.chain(group.departing(now)) {
            let state = described(&target.key.id, InstanceState::at(target, now));
            let there = states
                .iter_mut()
                .find(|it| it.instance_id == state.instance_id);
            match there {
                Some(there) if there.state == IN_SERVICE => *there = state,
                Some(_) => {}
                None => states.push(state),
            }
        }
    }
    if wanted.instances.is_empty() {
        return Ok(InstanceStates {
            instance_states: states,
        });
    }
    let asked = wanted
        .instances
        .into_iter()
        .map(|Instance { instance_id }| {
            let found = states.iter().find(|it| it.instance_id == instance_id);
            let unregistered = || InstanceState::of(TargetHealth::Unused, None, false);
            found
                .cloned()
                .unwrap_or_else(|| described(&instance_id, unregistered()))
        });
    Ok(InstanceStates {
        instance_states: asked.collect(),
    })
}

const IN_SERVICE: &str = "InService";

fn described(id: &str, state: InstanceState) -> InstanceStateDescription {
    let InstanceState {
        state,
        reason_code,
        description,
    } = state;
    InstanceStateDescription {
        instance_id: id.to_owned(),
        state,
        reason_code,
        description,
    }
}
