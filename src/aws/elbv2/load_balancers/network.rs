//! Where a load balancer stands and who may connect to it: subnets, security groups, address families.

use serde::{Deserialize, Serialize};

use super::description::{self, AvailabilityZone};
use crate::aws::catalogue::Catalogue;
use crate::aws::{ApiError, Call};
use crate::config::Inventory;
use crate::config::document::{Config, LoadBalancer, Node};
use crate::config::inventory::{Made, Notes};

/// What it is noted as.
const IP_ADDRESS_TYPE: &str = "IpAddressType";

/// AWS: SubnetMapping.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct SubnetMapping {
    #[serde(rename = "SubnetId")]
    subnet_id: String,
    #[serde(rename = "PrivateIPv4Address")]
    private_ipv4_address: Option<String>,
    #[serde(rename = "IPv6Address")]
    ipv6_address: Option<String>,
    #[serde(rename = "AllocationId")]
    allocation_id: Option<String>,
}

/// `SetSubnets`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct SetSubnets {
    load_balancer_arn: String,
    #[serde(default)]
    subnets: Vec<String>,
    #[serde(default)]
    subnet_mappings: Vec<SubnetMapping>,
    ip_address_type: Option<String>,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct SubnetsAnswer {
    availability_zones: Vec<AvailabilityZone>,
    ip_address_type: String,
}

/// `SetSecurityGroups`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct SetSecurityGroups {
    load_balancer_arn: String,
    security_groups: Vec<String>,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct SecurityGroupsAnswer {
    security_group_ids: Vec<String>,
}

/// `SetIpAddressType`, and its answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct SetIpAddressType {
    load_balancer_arn: String,
    ip_address_type: String,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct IpAddressTypeAnswer {
    ip_address_type: String,
}

/// What the file says that a load balancer can stand in and have.
pub(super) struct Places<'a>(&'a Config);

impl<'a> Places<'a> {
    pub(super) fn of(catalogue: &Catalogue<'a>) -> Self {
        Self(&catalogue.standing.config)
    }

    /// A node in each subnet.
    pub(super) fn nodes(
        &self,
        subnets: &[String],
        mappings: &[SubnetMapping],
    ) -> Result<Vec<Node>, ApiError> {
        if !subnets.is_empty() && !mappings.is_empty() {
            let message = "Subnets and SubnetMappings cannot both be given";
            return Err(ApiError::Validation(message.to_owned()));
        }
        let plain = subnets.iter().map(|id| self.node(id, None));
        let mapped = mappings.iter().map(|mapping| {
            if mapping.allocation_id.is_some() {
                return Err(ApiError::Other {
                    code: "AllocationIdNotFound",
                    message: "there are no Elastic IP addresses here: a node has an address of its subnet \
                              (PrivateIPv4Address)"
                        .to_owned(),
                });
            }
            let address = mapping.private_ipv4_address.as_ref();
            self.node(
                &mapping.subnet_id,
                address.or(mapping.ipv6_address.as_ref()),
            )
        });
        plain.chain(mapped).collect()
    }

    fn node(&self, id: &str, address: Option<&String>) -> Result<Node, ApiError> {
        let names = self.0.subnet.iter().map(|it| it.name.as_str());
        known(id, names, "SubnetNotFound", "subnet")?;
        let address = address.map(|text| {
            let wrong = |_| ApiError::Validation(format!("'{text}' is not an IP address"));
            text.parse().map_err(wrong)
        });
        Ok(Node {
            subnet: Some(id.to_owned()),
            zone: None,
            address: address.transpose()?,
        })
    }

    /// The names of security groups, if there are such.
    pub(super) fn security_groups(&self, ids: &[String]) -> Result<Vec<String>, ApiError> {
        for id in ids {
            let names = self.0.security_group.iter().map(|it| it.name.as_str());
            known(id, names, "InvalidSecurityGroup", "security group")?;
        }
        Ok(ids.to_vec())
    }
}

/// Refuses a name that the file does not have, and says which it has.
fn known<'a>(
    id: &str,
    names: impl Iterator<Item = &'a str>,
    code: &'static str,
    what: &str,
) -> Result<(), ApiError> {
    let names: Vec<_> = names.collect();
    if names.contains(&id) {
        return Ok(());
    }
    let table = what.replace(' ', "_");
    let there = match names.is_empty() {
        true => format!("none: write a [[{table}]] there"),
        false => names.join(", "),
    };
    Err(ApiError::Other {
        code,
        message: format!(
            "The {what} '{id}' does not exist; Elbow's configuration file has {there}"
        ),
    })
}

/// Notes it, if it is one.
pub(super) fn note_ip_address_type(notes: &mut Notes, kind: &str) -> Result<(), ApiError> {
    let known = ["ipv4", "dualstack", "dualstack-without-public-ipv4"];
    if !known.contains(&kind) {
        return Err(ApiError::Validation(format!(
            "IpAddressType '{kind}' must be one of '{}'",
            known.join("', '")
        )));
    }
    notes
        .parameters
        .insert(IP_ADDRESS_TYPE.to_owned(), kind.to_owned());
    Ok(())
}

/// What is noted; else what the addresses say.
pub(super) fn ip_address_type(document: &LoadBalancer, notes: Option<&Notes>) -> String {
    let noted = notes.and_then(|notes| notes.parameters.get(IP_ADDRESS_TYPE));
    let six = |node: &Node| node.address.is_some_and(|address| address.is_ipv6());
    let shown = match document.nodes.iter().any(six) {
        true => "dualstack",
        false => "ipv4",
    };
    noted.cloned().unwrap_or_else(|| shown.to_owned())
}

pub(in super::super) async fn set_subnets(
    call: &Call,
    wanted: SetSubnets,
) -> Result<SubnetsAnswer, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, made: &mut Made<LoadBalancer>| {
        if let Some(kind) = &wanted.ip_address_type {
            note_ip_address_type(&mut made.notes, kind)?;
        }
        let nodes = Places::of(catalogue).nodes(&wanted.subnets, &wanted.subnet_mappings)?;
        if nodes.is_empty() {
            let message = "the request must contain the parameter Subnets or SubnetMappings";
            return Err(ApiError::Validation(message.to_owned()));
        }
        made.document.nodes = nodes;
        Ok(())
    };
    let made = set(call, &wanted.load_balancer_arn, edit).await?;
    Ok(SubnetsAnswer {
        availability_zones: description::zones(call, &made.document),
        ip_address_type: ip_address_type(&made.document, Some(&made.notes)),
    })
}

pub(in super::super) async fn set_security_groups(
    call: &Call,
    wanted: SetSecurityGroups,
) -> Result<SecurityGroupsAnswer, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, made: &mut Made<LoadBalancer>| {
        let groups = Places::of(catalogue).security_groups(&wanted.security_groups)?;
        made.document.security_groups = groups;
        Ok(())
    };
    let made = set(call, &wanted.load_balancer_arn, edit).await?;
    Ok(SecurityGroupsAnswer {
        security_group_ids: made.document.security_groups,
    })
}

pub(in super::super) async fn set_ip_address_type(
    call: &Call,
    wanted: SetIpAddressType,
) -> Result<IpAddressTypeAnswer, ApiError> {
    let edit = |_: &Catalogue<'_>, made: &mut Made<LoadBalancer>| {
        note_ip_address_type(&mut made.notes, &wanted.ip_address_type)
    };
    let made = set(call, &wanted.load_balancer_arn, edit).await?;
    Ok(IpAddressTypeAnswer {
        ip_address_type: ip_address_type(&made.document, Some(&made.notes)),
    })
}

/// Changes a load balancer that was made, and returns it as it is then.
pub(in super::super) async fn set(
    call: &Call,
    arn: &str,
    edit: impl FnOnce(&Catalogue<'_>, &mut Made<LoadBalancer>) -> Result<(), ApiError>,
) -> Result<Made<LoadBalancer>, ApiError> {
    let change = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let entry = catalogue.load_balancer(arn)?;
        let name = &entry.document.name;
        entry.must_be_made(format_args!("load balancer '{name}'"))?;
        let mut made = inventory.load_balancers.iter_mut();
        let made = made.find(|made| made.document.name == *name);
        let made = made.ok_or(ApiError::Unavailable)?;
        edit(catalogue, made)?;
        Ok(made.clone())
    };
    call.change(change).await.map(|(made, _)| made)
}
