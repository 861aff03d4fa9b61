//! Registering and deregistering targets.
//!
//! A target of type `ip` is called by its address, one of type `instance` by a host name, which is looked up again
//! and again. In a group of the file, targets can be registered too; those that the file registers stay.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Done;
use crate::aws::catalogue::Catalogue;
use crate::aws::{ApiError, Call};
use crate::config::document::Target;
use crate::config::inventory::MadeTarget;

/// AWS: TargetDescription.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetDescription {
    pub(super) id: String,
    pub(super) port: Option<u16>,
    pub(super) availability_zone: Option<String>,
}

/// `RegisterTargets`, `DeregisterTargets`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Targets {
    target_group_arn: String,
    targets: Vec<TargetDescription>,
}

impl TargetDescription {
    /// Whether it means `other`, which has a port.
    pub(super) fn names(&self, other: &Self) -> bool {
        self.id == other.id && self.port.is_none_or(|port| other.port == Some(port))
    }

    /// What the document says of such a target.
    fn document(&self, default_port: u16) -> Target {
        let port = self.port.unwrap_or(default_port);
        let address = match self.id.parse() {
            Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
            _ => format!("{}:{port}", self.id),
        };
        Target {
            id: Some(self.id.clone()),
            address,
            zone: self.availability_zone.clone(),
            weight: 1,
            invalid_state: None,
            priority: None,
        }
    }

    fn is(&self, target: &Target, default_port: u16) -> bool {
        let (host, port) = target
            .address
            .rsplit_once(':')
            .unwrap_or((&target.address, ""));
        let id = target
            .id
            .as_deref()
            .unwrap_or(host.trim_matches(['[', ']']));
        id == self.id && port == self.port.unwrap_or(default_port).to_string()
    }
}

pub(super) async fn register(call: &Call, wanted: Targets) -> Result<Done, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut crate::config::Inventory| {
        let group = catalogue.target_group(&wanted.target_group_arn)?;
        let name = &group.document.name;
        let default_port = catalogue.port(&group);
        // Registering again is no mistake, and may name another zone.
        let mut made = inventory.target_groups.iter_mut();
        let made = made.find(|made| made.document.name == *name);
        let new = |wanted: &TargetDescription| wanted.document(default_port);
        if let Some(made) = made {
            for wanted in &wanted.targets {
                made.document
                    .targets
                    .retain(|it| !wanted.is(it, default_port));
                made.document.targets.push(new(wanted));
            }
            return Ok(());
        }
        for wanted in &wanted.targets {
            let is =
                |it: &MadeTarget| it.target_group == *name && wanted.is(&it.target, default_port);
            inventory.targets.retain(|it| !is(it));
            let of_file = |it: &Target| wanted.is(it, default_port);
            if group.document.targets.iter().any(of_file)
                && !catalogue.standing.inventory.targets.iter().any(is)
            {
                continue; // The file has registered it.
            }
            inventory.targets.push(MadeTarget {
                target_group: name.clone(),
                target: new(wanted),
            });
        }
        Ok(())
    };
    call.change(edit).await.map(|_| Done {})
}

pub(super) async fn deregister(call: &Call, wanted: Targets) -> Result<Done, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut crate::config::Inventory| {
        let group = catalogue.target_group(&wanted.target_group_arn)?;
        let name = &group.document.name;
        let default_port = catalogue.port(&group);
        let is = |it: &Target| {
            let mut wanted = wanted.targets.iter();
            wanted.any(|wanted| match wanted.port {
                Some(_) => wanted.is(it, default_port),
                // AWS: without a port, all registrations of the id.
                None => it
                    .address
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| wanted.is(it, port.parse().unwrap_or(default_port))),
            })
        };
        let made = inventory.target_groups.iter_mut();
        for made in made.filter(|made| made.document.name == *name) {
            made.document.targets.retain(|it| !is(it));
        }
        inventory
            .targets
            .retain(|it| it.target_group != *name || !is(&it.target));
        let made = catalogue.standing.inventory.targets.iter();
        let made: Vec<_> = made
            .filter(|it| it.target_group == *name)
            .map(|it| &it.target)
            .collect();
        let of_file = |it: &&Target| group.notes.is_none() && is(it) && !made.contains(it);
        match group.document.targets.iter().find(of_file) {
            Some(target) => Err(ApiError::OperationNotPermitted(format!(
                "target {} of target group {name} stands in Elbow's configuration file: take it out there, or \
                 drain it (elbow drain)",
                target.address
            ))),
            None => Ok(()),
        }
    };
    call.change(edit).await.map(|_| Done {})
}
