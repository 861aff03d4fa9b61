//! Whether two parts of the document want the same address and port.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::node::{ALL_ADDRESSES, overlaps};
use super::report::Report;
use crate::config::document::Config;
use crate::config::path::Path;

/// Who has a port on an address.
struct Holder {
    address: IpAddr,
    owner: Owner,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Admin,
    LoadBalancer(usize),
}

/// Checks that no listener wants what the admin side or another load balancer has. Within one load
/// balancer, ports are unique anyway.
pub(super) fn validate(config: &Config, report: &mut Report<'_>) {
    let admin = config.admin.address;
    let mut holders: BTreeMap<u16, Vec<Holder>> = BTreeMap::new();
    holders.entry(admin.port()).or_default().push(Holder {
        address: admin.ip(),
        owner: Owner::Admin,
    });
    let balancers = Path::Root.key("load_balancer");
    for (place, load_balancer) in config.load_balancer.iter().enumerate() {
        let balancer = balancers.index(place);
        let listeners = balancer.key("listener");
        let nodes = load_balancer.nodes.iter().filter_map(|node| node.address);
        let mut addresses: Vec<IpAddr> = nodes.collect();
        if load_balancer.nodes.is_empty() {
            addresses.push(ALL_ADDRESSES);
        }
        for (index, listener) in load_balancer.listener.iter().enumerate() {
            // Port 0 is another port each time.
            if listener.port == 0 {
                continue;
            }
            let owner = Owner::LoadBalancer(place);
            let taken = holders.entry(listener.port).or_default();
            let collision = addresses.iter().find_map(|&address| {
                let collides =
                    |holder: &&Holder| holder.owner != owner && overlaps(holder.address, address);
                taken.iter().find(collides).map(|holder| holder.owner)
            });
            if let Some(other) = collision
                && report.is_untouched(balancers)
            {
                let other = describe(config, other);
                let message = format!("port {} is already taken by {other}", listener.port);
                let help = "choose another port, or give each its own addresses in `nodes`";
                report.refuse(listeners.index(index).key("port"), message, help);
            }
            taken.extend(addresses.iter().map(|&address| Holder { address, owner }));
        }
    }
}

fn describe(config: &Config, owner: Owner) -> String {
    match owner {
        Owner::Admin => format!("the admin address {}", config.admin.address),
        Owner::LoadBalancer(place) => {
            let name = config.load_balancer.get(place).map(|owner| &owner.name);
            format!("load balancer `{}`", name.map_or("", String::as_str))
        }
    }
}
