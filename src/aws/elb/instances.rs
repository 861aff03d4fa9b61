//! Registering and deregistering instances.

use serde::{Deserialize, Serialize};

use super::{groups, load_balancer};
use crate::aws::catalogue::Catalogue;
use crate::aws::elbv2::targets::{self, TargetDescription};
use crate::aws::{ApiError, Call};
use crate::config::document::{Target, TargetGroup};

/// AWS: Instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Instance {
    pub(super) instance_id: String,
}

/// `RegisterInstancesWithLoadBalancer`, `DeregisterInstancesFromLoadBalancer`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InstancesOf {
    load_balancer_name: String,
    instances: Vec<Instance>,
}

/// The answer to both: all that are registered now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Instances {
    instances: Vec<Instance>,
}

/// `RegisterInstancesWithLoadBalancer`.
pub(super) async fn register(call: &Call, wanted: InstancesOf) -> Result<Instances, ApiError> {
    change(call, wanted, targets::put).await
}

/// `DeregisterInstancesFromLoadBalancer`. Those that are not registered are no mistake.
pub(super) async fn deregister(call: &Call, wanted: InstancesOf) -> Result<Instances, ApiError> {
    change(call, wanted, targets::take).await
}

async fn change(
    call: &Call,
    wanted: InstancesOf,
    edit: targets::Edit,
) -> Result<Instances, ApiError> {
    let name = &wanted.load_balancer_name;
    let described = |instance: &Instance| TargetDescription {
        id: instance.instance_id.clone(),
        port: None,
        availability_zone: None,
    };
    let targets: Vec<_> = wanted.instances.iter().map(described).collect();
    let in_every_group = |catalogue: &Catalogue<'_>, inventory: &mut crate::config::Inventory| {
        let load_balancer = load_balancer(catalogue, name)?;
        for group in groups(catalogue, load_balancer) {
            edit(catalogue, inventory, &group, &targets).map_err(in_words_of_2012)?;
        }
        Ok(())
    };
    let ((), standing) = call.change(in_every_group).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    let groups = groups(&catalogue, load_balancer(&catalogue, name)?);
    Ok(Instances {
        instances: listed(groups.iter().map(|group| group.document)),
    })
}

/// The instances in these groups, each once.
pub(super) fn listed<'a>(groups: impl Iterator<Item = &'a TargetGroup>) -> Vec<Instance> {
    let mut instances: Vec<Instance> = Vec::new();
    for target in groups.flat_map(|group| &group.targets) {
        let instance = Instance {
            instance_id: id(target),
        };
        if !instances.contains(&instance) {
            instances.push(instance);
        }
    }
    instances
}

fn id(target: &Target) -> String {
    let host = target.address.rsplit_once(':').map(|(host, _)| host);
    let host = host.unwrap_or(&target.address).trim_matches(['[', ']']);
    target.id.clone().unwrap_or_else(|| host.to_owned())
}

/// The API of 2012 has another code for an id that nothing can have.
fn in_words_of_2012(error: ApiError) -> ApiError {
    match error {
        ApiError::Other {
            code: "InvalidTarget",
            message,
        } => ApiError::Other {
            code: "InvalidInstance",
            message,
        },
        other => other,
    }
}
