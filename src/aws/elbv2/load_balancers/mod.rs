//! Load balancers: made, described, deleted.
//!
//! A subnet's id is the name of a `[[subnet]]`, a security group's that of a `[[security_group]]`. Without subnets a
//! load balancer has one node on all IPv4 addresses. `IpAddressType` is kept and shown: which family a node has,
//! the addresses of its subnet say.

mod description;
mod network;

use serde::Deserialize;

use super::Done;
use super::page::Page;
use super::tags::{self, Tag};
use crate::aws::catalogue::{Catalogue, not_found};
use crate::aws::{ApiError, Arn, Call, now};
use crate::config::Inventory;
use crate::config::document::{LoadBalancer, Scheme};
use crate::config::inventory::{Id, Made, Notes};

pub(super) use description::LoadBalancers;
pub(in crate::aws) use description::dns_name;
use network::Places;
pub(super) use network::{set, set_ip_address_type, set_security_groups, set_subnets};

/// The attribute that keeps a load balancer from being deleted.
pub(super) const DELETION_PROTECTION: &str = "deletion_protection.enabled";

/// `CreateLoadBalancer`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateLoadBalancer {
    name: String,
    #[serde(default)]
    subnets: Vec<String>,
    #[serde(default)]
    subnet_mappings: Vec<network::SubnetMapping>,
    #[serde(default)]
    security_groups: Vec<String>,
    scheme: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    ip_address_type: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// `DescribeLoadBalancers`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeLoadBalancers {
    load_balancer_arns: Vec<String>,
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<u32>,
}

/// `DeleteLoadBalancer`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteLoadBalancer {
    load_balancer_arn: String,
}

pub(super) async fn create(
    call: &Call,
    wanted: CreateLoadBalancer,
) -> Result<LoadBalancers, ApiError> {
    let name = wanted.name.clone();
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let made = wanted.made(&Places::of(catalogue))?;
        let tags = tags::checked(wanted.tags.clone())?;
        let all = &catalogue.standing.config.load_balancer;
        if let Some(other) = all.iter().find(|other| other.name == name) {
            let before = inventory.load_balancers.iter();
            let mut before = before.filter(|it| it.document.name == name);
            return match before.any(|it| is_the_same(other, &it.notes, &made)) {
                true => Ok(()),
                false => Err(ApiError::Duplicate {
                    code: "DuplicateLoadBalancerName",
                    message: format!(
                        "A load balancer with the same name '{name}' exists, but with different settings"
                    ),
                }),
            };
        }
        tags::put(inventory, &made.id, tags)?;
        inventory.load_balancers.push(made);
        Ok(())
    };
    let ((), standing) = call.change(edit).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    let made = catalogue
        .load_balancers()
        .filter(|it| it.document.name == wanted.name);
    Ok(description::described(call, &catalogue, made.collect()))
}

pub(super) fn describe(
    call: &Call,
    wanted: DescribeLoadBalancers,
) -> Result<LoadBalancers, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let mut all: Vec<_> = catalogue.load_balancers().collect();
    let mut arns = Vec::new();
    for arn in &wanted.load_balancer_arns {
        arns.push(catalogue.load_balancer(arn)?.arn);
    }
    for name in &wanted.names {
        if !all.iter().any(|it| it.document.name == *name) {
            return Err(not_found("LoadBalancerNotFound", "Load balancer", name));
        }
    }
    if !arns.is_empty() || !wanted.names.is_empty() {
        all.retain(|it| arns.contains(&it.arn) || wanted.names.contains(&it.document.name));
    }
    let (page, next) = Page::of(wanted.page_size, wanted.marker).cut(all)?;
    let described = description::described(call, &catalogue, page);
    Ok(described.and_next(next))
}

pub(super) async fn delete(call: &Call, wanted: DeleteLoadBalancer) -> Result<Done, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let arn: Arn = wanted.load_balancer_arn.parse()?;
        let Some(entry) = catalogue.load_balancers().find(|it| it.arn == arn) else {
            return Ok(()); // AWS: deleting what is not there is no mistake.
        };
        let name = &entry.document.name;
        entry.must_be_made(format_args!("load balancer '{name}'"))?;
        let attributes = entry.notes.map(|notes| &notes.attributes);
        let protected = attributes.and_then(|it| it.get(DELETION_PROTECTION));
        if protected.is_some_and(|value| value == "true") {
            return Err(ApiError::OperationNotPermitted(format!(
                "Load balancer '{name}' cannot be deleted because deletion protection is enabled"
            )));
        }
        inventory.forget(&entry.arn.id());
        for listener in catalogue.listeners(&entry) {
            forget_listener(inventory, &listener.arn.id());
        }
        inventory
            .load_balancers
            .retain(|it| it.document.name != *name);
        Ok(())
    };
    call.change(edit).await.map(|_| Done {})
}

/// Takes a listener out, with its rules and all tags.
pub(super) fn forget_listener(inventory: &mut Inventory, id: &Id) {
    let (gone, rules) = std::mem::take(&mut inventory.rules)
        .into_iter()
        .partition(|it| it.listener == *id);
    inventory.rules = rules;
    for rule in gone {
        inventory.forget(&rule.rule.id);
    }
    inventory.listeners.retain(|it| it.listener.id != *id);
    inventory.forget(id);
}

impl CreateLoadBalancer {
    fn made(&self, places: &Places<'_>) -> Result<Made<LoadBalancer>, ApiError> {
        match self.kind.as_deref() {
            None | Some("application") => {}
            Some(other @ ("network" | "gateway")) => {
                return Err(ApiError::InvalidConfigurationRequest(format!(
                    "Elbow has load balancers of type 'application', not '{other}': to forward connections \
                     whole, make a listener of protocol TCP or TLS on one of these"
                )));
            }
            Some(other) => {
                return Err(ApiError::Validation(format!(
                    "Type '{other}' must be one of 'application'"
                )));
            }
        }
        let scheme = match self.scheme.as_deref() {
            None | Some("internet-facing") => Scheme::InternetFacing,
            Some("internal") => Scheme::Internal,
            Some(other) => {
                return Err(ApiError::Validation(format!(
                    "Scheme '{other}' must be one of 'internet-facing', 'internal'"
                )));
            }
        };
        let mut document = LoadBalancer::named(&self.name);
        document.scheme = scheme;
        document.nodes = places.nodes(&self.subnets, &self.subnet_mappings)?;
        document.security_groups = places.security_groups(&self.security_groups)?;
        let mut notes = Notes {
            created: now(),
            ..Notes::default()
        };
        if let Some(kind) = &self.ip_address_type {
            network::note_ip_address_type(&mut notes, kind)?;
        }
        Ok(Made {
            id: Id::random(),
            notes,
            document,
        })
    }
}

/// Whether what is wanted is there: attributes may have been changed since.
fn is_the_same(document: &LoadBalancer, notes: &Notes, wanted: &Made<LoadBalancer>) -> bool {
    let nodes = |it: &LoadBalancer| {
        let parts = it.nodes.iter();
        parts
            .map(|node| (node.subnet.clone(), node.zone.clone(), node.address))
            .collect::<Vec<_>>()
    };
    document.scheme == wanted.document.scheme
        && document.security_groups == wanted.document.security_groups
        && nodes(document) == nodes(&wanted.document)
        && network::ip_address_type(document, Some(notes))
            == network::ip_address_type(&wanted.document, Some(&wanted.notes))
}
