//! What is told of a load balancer.

use std::net::IpAddr;

use serde::Serialize;

use super::network::ip_address_type;
use crate::aws::catalogue::{Catalogue, Entry};
use crate::aws::place::VPC;
use crate::aws::{Call, timestamp};
use crate::config::document::LoadBalancer;

/// There is no Route 53 here; tools ask for its ids all the same.
const HOSTED_ZONE: &str = "Z0000000000000";

/// The answer to what makes load balancers or describes them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct LoadBalancers {
    load_balancers: Vec<LoadBalancerDescription>,
    next_marker: Option<String>,
}

impl LoadBalancers {
    /// Another page follows.
    pub(super) fn and_next(self, next_marker: Option<String>) -> Self {
        Self {
            next_marker,
            ..self
        }
    }
}

/// AWS: LoadBalancer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoadBalancerDescription {
    load_balancer_arn: String,
    #[serde(rename = "DNSName")]
    dns_name: String,
    canonical_hosted_zone_id: &'static str,
    created_time: String,
    load_balancer_name: String,
    scheme: &'static str,
    vpc_id: &'static str,
    state: State,
    #[serde(rename = "Type")]
    kind: &'static str,
    availability_zones: Vec<AvailabilityZone>,
    security_groups: Vec<String>,
    ip_address_type: String,
}

/// AWS: LoadBalancerState.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    code: &'static str,
}

/// AWS: AvailabilityZone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AvailabilityZone {
    zone_name: Option<String>,
    subnet_id: Option<String>,
    load_balancer_addresses: Vec<LoadBalancerAddress>,
}

/// AWS: LoadBalancerAddress. The private one only where it was asked for: Terraform takes it for a wish.
#[derive(Debug, Serialize)]
struct LoadBalancerAddress {
    #[serde(rename = "IpAddress")]
    ip_address: Option<String>,
    #[serde(rename = "PrivateIPv4Address")]
    private_ipv4_address: Option<String>,
    #[serde(rename = "IPv6Address")]
    ipv6_address: Option<String>,
}

pub(super) fn described(
    call: &Call,
    catalogue: &Catalogue<'_>,
    entries: Vec<Entry<'_, LoadBalancer>>,
) -> LoadBalancers {
    let describe = |entry: &Entry<'_, LoadBalancer>| {
        let document = entry.document;
        LoadBalancerDescription {
            load_balancer_arn: entry.arn(catalogue.place),
            dns_name: dns_name(call, document),
            canonical_hosted_zone_id: HOSTED_ZONE,
            // The file does not say since when: it is 1970 then, in every process.
            created_time: timestamp(entry.notes.map_or(0, |notes| notes.created)),
            load_balancer_name: document.name.clone(),
            scheme: document.scheme.as_str(),
            vpc_id: VPC,
            state: State { code: "active" },
            kind: "application",
            availability_zones: zones(call, document),
            security_groups: document.security_groups.clone(),
            ip_address_type: ip_address_type(document, entry.notes),
        }
    };
    LoadBalancers {
        load_balancers: entries.iter().map(describe).collect(),
        next_marker: None,
    }
}

/// Its nodes as they are in force: with zone and address, where the document leaves these to a subnet.
fn nodes(call: &Call, name: &str) -> Vec<(Option<String>, Option<String>, IpAddr)> {
    let snapshot = call.api.shared.load();
    let mut all = snapshot.load_balancers.iter();
    let nodes = all.find(|it| *it.name == *name).map(|it| &it.nodes);
    let text = |it: &str| it.to_owned();
    let nodes = nodes.into_iter().flatten();
    nodes
        .map(|node| {
            let zone = node.zone.as_ref().map(ToString::to_string);
            (zone, node.subnet.as_deref().map(text), node.address)
        })
        .collect()
}

/// The first address that is one; else the name of this host for itself.
pub(in crate::aws) fn dns_name(call: &Call, document: &LoadBalancer) -> String {
    let nodes = nodes(call, &document.name);
    let mut addresses = nodes.iter().map(|(_, _, address)| address);
    let own = addresses.find(|address| !address.is_unspecified());
    own.map_or_else(|| "localhost".to_owned(), ToString::to_string)
}

/// The zones that it is in. One node on all addresses is in none.
pub(super) fn zones(call: &Call, document: &LoadBalancer) -> Vec<AvailabilityZone> {
    let asked = |address: IpAddr| {
        let mut nodes = document.nodes.iter();
        nodes.any(|node| node.address == Some(address))
    };
    let nodes = nodes(call, &document.name).into_iter();
    let nodes = nodes.filter(|(zone, subnet, address)| {
        zone.is_some() || subnet.is_some() || !address.is_unspecified()
    });
    nodes
        .map(|(zone_name, subnet_id, address)| {
            let text = Some(address.to_string());
            AvailabilityZone {
                zone_name,
                subnet_id,
                load_balancer_addresses: vec![LoadBalancerAddress {
                    private_ipv4_address: text
                        .clone()
                        .filter(|_| address.is_ipv4() && asked(address)),
                    ip_address: text.clone().filter(|_| address.is_ipv4()),
                    ipv6_address: text.filter(|_| address.is_ipv6()),
                }],
            }
        })
        .collect()
}
