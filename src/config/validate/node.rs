//! The nodes of a load balancer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::name;
use super::report::Report;
use super::subnet::Subnets;
use super::zone_policy::ALL;
use crate::config::document::{LoadBalancer, Node, Scheme};
use crate::config::path::Path;
use crate::config::valid::ValidNode;
use crate::inbound::{NetworkAcl, is_private};
use crate::target::Zone;

/// The address of the one node of a load balancer that names none.
pub(super) const ALL_ADDRESSES: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Where nodes may stand: the subnets, and the network ACLs that these name.
pub(super) type Places<'a> = (&'a Subnets<'a>, &'a [Arc<NetworkAcl>]);

/// Checks the nodes: a zone has one, and no two have the same address.
pub(super) fn validate(
    load_balancer: &LoadBalancer,
    places: Places<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Vec<ValidNode> {
    let path = path.key("nodes");
    let nodes = &load_balancer.nodes;
    for (index, node) in nodes.iter().enumerate() {
        let path = path.index(index);
        name::zone(report, &path.key("zone"), node.zone.as_deref());
        if node.zone.as_deref() == Some(ALL) {
            let message = "a node stands in one zone; `all` is for targets";
            let help = "leave `zone` out for a node that serves all zones alike";
            report.refuse(path.key("zone"), message, help);
        }
        if let Some(address) = node.address {
            overlap(address, &nodes[..index], &path, report);
        }
    }
    zones(nodes, &path, report);
    if load_balancer.scheme == Scheme::Internal {
        internal(load_balancer, &path, report);
    }
    match nodes.is_empty() {
        true => vec![valid(None, ALL_ADDRESSES, places)],
        false => nodes
            .iter()
            .filter_map(|node| Some(valid(node.zone.as_deref(), node.address?, places)))
            .collect(),
    }
}

fn valid(zone: Option<&str>, address: IpAddr, (subnets, acls): Places<'_>) -> ValidNode {
    let around = subnets.around(address);
    let acl = around.and_then(|(_, acl)| acl);
    let acl = acl.and_then(|name| acls.iter().find(|acl| *acl.name == *name));
    ValidNode {
        zone: zone.map(Zone::from),
        address,
        subnet: around.map(|(name, _)| name.into()),
        network_acl: acl.cloned(),
    }
}

/// Who is internal answers on private addresses only.
fn internal(load_balancer: &LoadBalancer, path: &Path<'_>, report: &mut Report<'_>) {
    let help =
        "write private addresses, such as 10.0.0.10 or fd00::10, or scheme = \"internet-facing\"";
    if load_balancer.nodes.is_empty() && report.is_untouched(path) {
        let message = "an internal load balancer does not listen on all addresses, which it does \
                       without `nodes`";
        report.refuse(path, message, help);
    }
    for (index, node) in load_balancer.nodes.iter().enumerate() {
        let path = path.index(index);
        let Some(address) = node.address.filter(|address| !is_private(*address)) else {
            continue;
        };
        let message = match address.is_unspecified() {
            true => format!("{address} is all addresses, and the load balancer is internal"),
            false => format!("{address} is a public address, and the load balancer is internal"),
        };
        report.refuse(path.key("address"), message, help);
    }
}

fn zones(nodes: &[Node], path: &Path<'_>, report: &mut Report<'_>) {
    let mut first = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        if let Some(&taken) = first.get(&node.zone)
            && report.is_untouched(path)
        {
            let message = match &node.zone {
                Some(zone) => format!("zone `{zone}` has a node already, nodes[{taken}]"),
                None => format!("a node without a zone is there already, nodes[{taken}]"),
            };
            let path = path.index(index);
            report.refuse(path.key("zone"), message, "a zone has one node");
        } else {
            first.insert(node.zone.clone(), index);
        }
    }
}

fn overlap(address: IpAddr, before: &[Node], path: &Path<'_>, report: &mut Report<'_>) {
    let mut before = before.iter().enumerate();
    let collision = before.find_map(|(taken, node)| {
        let other = node.address.filter(|other| overlaps(*other, address))?;
        Some((taken, other))
    });
    if let Some((taken, other)) = collision {
        let message = match other == address {
            true => format!("nodes[{taken}] has the address {address}, too"),
            false => format!(
                "nodes[{taken}] has the address {other}: one of the two means all addresses"
            ),
        };
        let help = "each node has an address of its own, such as 127.0.0.11 and 127.0.0.12";
        report.refuse(path.key("address"), message, help);
    }
}

/// Whether the same port cannot be bound on both.
pub(super) fn overlaps(one: IpAddr, other: IpAddr) -> bool {
    let all = one.is_unspecified() || other.is_unspecified();
    one == other || (all && one.is_ipv4() == other.is_ipv4())
}
