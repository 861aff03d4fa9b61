//! From answers to targets. Pure.
//!
//! **Identity** of an address is the address; of an SRV record, its host's name: a host that gets
//! another address stays the same target.
//!
//! **SRV** (RFC 2782). In an active/standby group the hosts with the lowest priority number are active
//! and all others stand by, in their order; in any other group only the lowest number counts.
//! Weights above 999 are scaled down together; a weight of 0 means little, not nothing, where others
//! have more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::lookup::ServiceHost;
use crate::config::document::Target;
use crate::config::{Contributed, DnsSource};

/// ALB's highest weight.
const HEAVIEST: u32 = 999;
/// The highest priority number of an active/standby group.
const LAST_PLACE: u32 = 999;

/// The targets that addresses are.
pub(super) fn of_addresses(addresses: &[IpAddr], source: &DnsSource) -> Vec<Contributed> {
    let targets = addresses.iter().map(|address| {
        let at = SocketAddr::new(*address, source.port);
        contributed(source, address.to_string(), at, source.weight)
    });
    targets.collect()
}

/// The targets that the hosts of a service are, as far as their addresses are known.
pub(super) fn of_services(
    hosts: &[ServiceHost],
    addresses: &BTreeMap<String, IpAddr>,
    source: &DnsSource,
) -> Vec<Contributed> {
    let priorities: BTreeSet<u16> = hosts.iter().map(|host| host.priority).collect();
    let places = match source.has_standby {
        true => priorities.len(),
        false => 1,
    };
    let places: Vec<u16> = priorities.into_iter().take(places).collect();
    let place = |host: &ServiceHost| places.iter().position(|other| *other == host.priority);
    let mut best: Vec<(usize, &ServiceHost)> = hosts
        .iter()
        .filter_map(|host| Some((place(host)?, host)))
        .collect();
    // Of a host that is there twice, its better place counts.
    best.sort_by_key(|(place, host)| (&host.host, host.port, *place));
    best.dedup_by_key(|(_, host)| (&host.host, host.port));
    let most = best.iter().map(|(_, host)| host.weight).max();
    let most = most.unwrap_or_default();
    let targets = best.into_iter().filter_map(|(place, host)| {
        let at = SocketAddr::new(*addresses.get(&host.host)?, host.port);
        let weight = weight(host.weight, most);
        let mut found = contributed(source, host.host.clone(), at, weight);
        // Beyond that many places none differs from another.
        let place = u32::try_from(place + 1).unwrap_or(LAST_PLACE);
        found.target.priority = source.has_standby.then_some(place.min(LAST_PLACE));
        Some(found)
    });
    targets.collect()
}

/// The address to use for a host: the one it has, if it still has it.
pub(super) fn choose(present: Option<IpAddr>, addresses: &[IpAddr]) -> Option<IpAddr> {
    let still = present.filter(|present| addresses.contains(present));
    still.or_else(|| addresses.first().copied())
}

fn weight(weight: u16, most: u16) -> u32 {
    let (weight, most) = (u32::from(weight), u32::from(most));
    match most {
        most if most > HEAVIEST => (weight * HEAVIEST / most).max(1),
        _ => weight.max(1),
    }
}

fn contributed(source: &DnsSource, id: String, at: SocketAddr, weight: u32) -> Contributed {
    Contributed {
        group: Arc::clone(&source.target_group),
        origin: format!("{id} of {}", source.name),
        target: Target {
            id: Some(id),
            address: at.to_string(),
            zone: source.zones.zone(Some(at.ip())).map(str::to_owned),
            weight,
            invalid_state: None,
            priority: None,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::ZoneMap;
    use crate::config::document::Records;

    fn source() -> DnsSource {
        let networks = vec![("10.0.2.0/24".parse().unwrap(), "c".to_owned())];
        DnsSource {
            target_group: "web".into(),
            name: "web.internal".to_owned(),
            records: Records::Address,
            port: 8080,
            weight: 3,
            has_standby: false,
            zones: ZoneMap::new(None, networks),
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(60),
            servers: Vec::new(),
        }
    }

    fn lines(targets: &[Contributed]) -> Vec<String> {
        let targets = targets.iter().map(|found| {
            let Target {
                id,
                address,
                zone,
                weight,
                ..
            } = &found.target;
            let zone = zone.as_deref().unwrap_or("-");
            format!("{} {address} {zone} {weight}", id.as_deref().unwrap())
        });
        targets.collect()
    }

    fn host(host: &str, priority: u16, weight: u16) -> ServiceHost {
        ServiceHost {
            host: host.to_owned(),
            port: 81,
            priority,
            weight,
        }
    }

    #[test]
    fn in_an_active_standby_group_worse_priorities_stand_by() {
        let hosts = [host("a", 20, 1), host("b", 10, 1), host("c", 30, 1)];
        let known = ["a", "b", "c"].map(|host| (host.to_owned(), "10.0.0.1".parse().unwrap()));
        let source = DnsSource {
            has_standby: true,
            ..source()
        };
        let found = of_services(&hosts, &known.into(), &source);
        let places: Vec<_> = found.iter().map(|found| found.target.priority).collect();
        assert_eq!(places, [Some(2), Some(1), Some(3)]);
    }

    fn services(hosts: &[ServiceHost]) -> Vec<String> {
        let known = [("a", "10.0.0.1"), ("b", "10.0.2.1"), ("c", "fd00::1")];
        let known = known.map(|(host, address)| (host.to_owned(), address.parse().unwrap()));
        lines(&of_services(hosts, &known.into(), &source()))
    }

    #[test]
    fn an_address_is_its_own_identity_and_stands_in_the_zone_of_its_network() {
        let addresses = ["10.0.0.6", "10.0.2.9", "fd00::6"].map(|a| a.parse().unwrap());
        assert_eq!(
            lines(&of_addresses(&addresses, &source())),
            [
                "10.0.0.6 10.0.0.6:8080 - 3",
                "10.0.2.9 10.0.2.9:8080 c 3",
                "fd00::6 [fd00::6]:8080 - 3",
            ]
        );
    }

    #[test]
    fn a_service_brings_names_ports_and_weights() {
        let hosts = [host("a", 10, 60), host("b", 10, 20)];
        assert_eq!(
            services(&hosts),
            ["a 10.0.0.1:81 - 60", "b 10.0.2.1:81 c 20"]
        );
    }

    #[test]
    fn only_the_best_priority_counts() {
        let hosts = [host("a", 20, 1), host("b", 10, 1), host("c", 10, 1)];
        assert_eq!(
            services(&hosts),
            ["b 10.0.2.1:81 c 1", "c [fd00::1]:81 - 1"]
        );
    }

    #[test]
    fn weights_keep_their_proportions_within_albs_range() {
        let hosts = [host("a", 1, 65535), host("b", 1, 32768), host("c", 1, 0)];
        let heavy = services(&hosts);
        assert_eq!(
            heavy,
            [
                "a 10.0.0.1:81 - 999",
                "b 10.0.2.1:81 c 499",
                "c [fd00::1]:81 - 1"
            ]
        );
        let hosts = [host("a", 1, 0), host("b", 1, 0)];
        assert_eq!(services(&hosts), ["a 10.0.0.1:81 - 1", "b 10.0.2.1:81 c 1"]);
    }

    #[test]
    fn a_host_whose_address_is_not_known_waits() {
        assert_eq!(
            services(&[host("a", 1, 1), host("z", 1, 1)]),
            ["a 10.0.0.1:81 - 1"]
        );
    }

    #[test]
    fn a_host_keeps_the_address_that_it_has_while_it_has_it() {
        let addresses = ["10.0.0.1", "10.0.0.2"].map(|a| a.parse::<IpAddr>().unwrap());
        assert_eq!(choose(Some(addresses[1]), &addresses), Some(addresses[1]));
        assert_eq!(
            choose("10.0.0.9".parse().ok(), &addresses),
            Some(addresses[0])
        );
        assert_eq!(choose(None, &[]), None);
    }
}
