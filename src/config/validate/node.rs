//! The nodes of a load balancer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::name;
use super::report::Report;
use super::zone_policy::ALL;
use crate::config::document::{LoadBalancer, Node};
use crate::config::path::Path;
use crate::config::valid::ValidNode;
use crate::target::Zone;

/// The address of the one node of a load balancer that names none.
pub(super) const ALL_ADDRESSES: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Checks the nodes: a zone has one, and no two have the same address.
pub(super) fn validate(
    load_balancer: &LoadBalancer,
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
        overlap(node.address, &nodes[..index], &path, report);
    }
    zones(nodes, &path, report);
    match nodes.is_empty() {
        true => vec![ValidNode {
            zone: None,
            address: ALL_ADDRESSES,
        }],
        false => nodes.iter().map(valid).collect(),
    }
}

fn valid(node: &Node) -> ValidNode {
    ValidNode {
        zone: node.zone.as_deref().map(Zone::from),
        address: node.address,
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
    let collides = |node: &Node| overlaps(node.address, address);
    if let Some(taken) = before.iter().position(collides) {
        let other = before[taken].address;
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
