//! Subnets, and the nodes that stand in them: who gives a node its zone, and its address if it has none of its own.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::blocks;
use super::name::{self, Names};
use super::report::Report;
use crate::config::document::{Config, Node, Subnet};
use crate::config::path::Path;

/// How many addresses at the start of a block AWS keeps for itself.
const KEPT: usize = 4;

/// The subnets of the document, as far as they are right.
pub(super) struct Subnets<'a> {
    names: Names<'a>,
    places: Vec<Place<'a>>,
}

/// One subnet.
pub(super) struct Place<'a> {
    subnet: &'a Subnet,
    blocks: Vec<IpNet>,
    pool: Vec<IpAddr>,
}

impl<'a> Subnets<'a> {
    /// Checks all of them.
    pub(super) fn new(config: &'a Config, report: &mut Report<'_>) -> Self {
        let path = Path::Root.key("subnet");
        let mut names = Names::of("subnet", "subnets");
        let mut places: Vec<Place<'a>> = Vec::with_capacity(config.subnet.len());
        for (index, subnet) in config.subnet.iter().enumerate() {
            let path = path.index(index);
            names.add(&subnet.name, &path, report);
            name::zone(report, &path.key("zone"), Some(&subnet.zone));
            let blocks = own_blocks(subnet, &places, &path, report);
            let pool = pool(subnet, &blocks, &path, report);
            places.push(Place {
                subnet,
                blocks,
                pool,
            });
        }
        Self { names, places }
    }

    /// The name of the subnet that an address lies in, and that of its network ACL.
    pub(super) fn around(&self, address: IpAddr) -> Option<(&'a str, Option<&'a str>)> {
        let place = self.place_of(address)?;
        Some((&place.subnet.name, place.subnet.network_acl.as_deref()))
    }

    /// The document with the zones and the addresses that nodes have by their subnets.
    pub(super) fn settle(&self, config: &'a Config, report: &mut Report<'_>) -> Cow<'a, Config> {
        let mut settled = Cow::Borrowed(config);
        let nodes = config.load_balancer.iter().flat_map(|owner| &owner.nodes);
        let mut taken: BTreeSet<IpAddr> = nodes.filter_map(|node| node.address).collect();
        let path = Path::Root.key("load_balancer");
        for (place, load_balancer) in config.load_balancer.iter().enumerate() {
            let path = path.index(place);
            let path = path.key("nodes");
            for (index, node) in load_balancer.nodes.iter().enumerate() {
                let own = self.settle_node(node, &mut taken, &path.index(index), report);
                if own.address != node.address || own.zone != node.zone {
                    settled.to_mut().load_balancer[place].nodes[index] = own;
                }
            }
        }
        settled
    }

    fn settle_node(
        &self,
        node: &Node,
        taken: &mut BTreeSet<IpAddr>,
        path: &Path<'_>,
        report: &mut Report<'_>,
    ) -> Node {
        let named = node.subnet.as_deref();
        let named = named.and_then(|name| self.named(name, &path.key("subnet"), report));
        let address = match (node.address, named) {
            (Some(address), Some(place)) if !place.has(address) => {
                let message = format!("{address} is not in subnet `{}`", place.subnet.name);
                let help = format!(
                    "the subnet has {}: write an address of it, or leave `address` out for the next \
                     one that is free",
                    place.subnet.cidr_blocks.join(" and ")
                );
                report.refuse(path.key("address"), message, help);
                return node.clone();
            }
            (Some(address), _) => Some(address),
            (None, Some(place)) => place.next(taken, &path.key("subnet"), report),
            (None, None) => {
                if node.subnet.is_none() && report.is_untouched(path) {
                    let help = "write `address`, or `subnet` for an address out of that";
                    report.refuse(path, "the node has no address", help);
                }
                None
            }
        };
        let place = named.or_else(|| self.place_of(address?));
        let mut settled = Node {
            address,
            ..node.clone()
        };
        if let Some(subnet) = place.map(|place| place.subnet) {
            match &node.zone {
                None => settled.zone = Some(subnet.zone.clone()),
                Some(zone) if *zone != subnet.zone => {
                    let (name, own) = (&subnet.name, &subnet.zone);
                    let message =
                        format!("the node is in subnet `{name}`, which is in zone `{own}`");
                    let help = format!("write zone = \"{own}\", or leave it out");
                    report.refuse(path.key("zone"), message, help);
                }
                Some(_) => {}
            }
        }
        settled
    }

    fn place_of(&self, address: IpAddr) -> Option<&Place<'a>> {
        self.places.iter().find(|place| place.has(address))
    }

    fn named(&self, name: &str, path: &Path<'_>, report: &mut Report<'_>) -> Option<&Place<'a>> {
        let found = self.places.iter().find(|place| place.subnet.name == name);
        if found.is_none() && report.is_untouched("subnet") {
            let message = format!("there is no subnet `{name}`");
            report.refuse(path, message, self.names.remedy(name));
        }
        found
    }
}

impl Place<'_> {
    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.blocks.iter().any(|block| block.contains(&address))
    }

    /// The next address for a node.
    fn next(
        &self,
        taken: &mut BTreeSet<IpAddr>,
        path: &Path<'_>,
        report: &mut Report<'_>,
    ) -> Option<IpAddr> {
        let of_block = self.blocks.first().into_iter();
        let of_block =
            of_block.flat_map(|block| block.hosts().filter(|&host| !is_kept(block, host)));
        let free = match self.pool.is_empty() {
            true => of_block
                .into_iter()
                .find(|address| !taken.contains(address)),
            false => self
                .pool
                .iter()
                .copied()
                .find(|address| !taken.contains(address)),
        };
        match free {
            Some(address) => _ = taken.insert(address),
            None if !self.blocks.is_empty() => {
                let message = format!("no address of subnet `{}` is free", self.subnet.name);
                let help = "give the subnet more `addresses`, or the node an `address`";
                report.refuse(path, message, help);
            }
            None => {} // Then the subnet is wrong, and that is told.
        }
        free
    }
}

fn is_kept(block: &IpNet, host: IpAddr) -> bool {
    match (block, host) {
        (IpNet::V4(block), IpAddr::V4(host)) => {
            host.to_bits() - block.network().to_bits() < KEPT as u32
        }
        (IpNet::V6(block), IpAddr::V6(host)) => {
            host.to_bits() - block.network().to_bits() < KEPT as u128
        }
        _ => false,
    }
}

fn own_blocks(
    subnet: &Subnet,
    before: &[Place<'_>],
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Vec<IpNet> {
    let path = path.key("cidr_blocks");
    if subnet.cidr_blocks.is_empty() && report.is_untouched(path) {
        let help = "write its addresses, such as [\"10.0.0.0/24\"]";
        report.refuse(path, "the subnet has no addresses", help);
    }
    let mut own: Vec<IpNet> = Vec::with_capacity(subnet.cidr_blocks.len());
    for (index, text) in subnet.cidr_blocks.iter().enumerate() {
        let path = path.index(index);
        let Some(block) = blocks::cidr(text, &path, report) else {
            continue;
        };
        let overlaps = |other: &&IpNet| other.contains(&block) || block.contains(*other);
        let others = before
            .iter()
            .map(|place| (&place.subnet.name, &place.blocks));
        let taken = others
            .chain([(&subnet.name, &own)])
            .find_map(|(name, blocks)| Some((name, blocks.iter().find(overlaps)?)));
        if let Some((name, other)) = taken {
            let message = format!("`{text}` overlaps with {other} of subnet `{name}`");
            report.refuse(path, message, "an address belongs to one subnet");
        }
        own.push(block);
    }
    own
}

fn pool(
    subnet: &Subnet,
    blocks: &[IpNet],
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Vec<IpAddr> {
    let path = path.key("addresses");
    let mut pool = Vec::with_capacity(subnet.addresses.len());
    for (index, text) in subnet.addresses.iter().enumerate() {
        let path = path.index(index);
        match text.parse::<IpAddr>() {
            Err(_) => {
                let message = format!("`{text}` is not an IP address");
                report.refuse(path, message, "write one, such as \"10.0.0.10\"");
            }
            Ok(address) if !blocks.iter().any(|block| block.contains(&address)) => {
                let message = format!("{address} is not in the subnet's `cidr_blocks`");
                report.refuse(path, message, "write an address of the subnet");
            }
            Ok(address) => pool.push(address),
        }
    }
    pool
}
