//! What security groups mean for a packet filter: the rules by which the ports of targets can be reached only from whom
//! their groups let in.
//!
//! [`ruleset`] writes a table for `nft -f`, to be loaded where the packets pass: on the targets' hosts, or on the router
//! before them. Elbow itself changes no firewall. The table guards what targets are registered with, their ports and
//! those of their probes, and nothing else: whoever loads it does not lock himself out.

mod text;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::inbound::{MembersOf, Rule, Source, Transport};
use crate::snapshot::{Group, Snapshot};

/// The table for the targets of all groups that have security groups.
pub fn ruleset(snapshot: &Snapshot) -> String {
    let guarded: Vec<Guarded> = snapshot
        .groups
        .values()
        .filter(|group| !group.security_groups.is_empty())
        .map(|group| Guarded::new(group, snapshot))
        .collect();
    let sources: BTreeSet<&Arc<str>> = guarded
        .iter()
        .flat_map(|guarded| &guarded.permits)
        .filter_map(|permit| match &permit.source {
            Source::Group(name) => Some(name),
            Source::Block(_) => None,
        })
        .collect();
    let members = sources.into_iter().map(|name| {
        let found = snapshot.security_groups.members_of(name);
        let everywhere = found.map_or(&[][..], |members| &members.everywhere);
        MemberSet {
            group: Arc::clone(name),
            owners: owners(snapshot, name),
            blocks: found.map_or_else(Vec::new, |members| members.now()),
            everywhere: everywhere.to_vec(),
            unknown: found.map_or_else(Vec::new, |members| {
                let unknown = members.named.iter();
                let unknown = unknown.filter(|target| target.socket_address().is_none());
                unknown.map(|target| target.address.to_string()).collect()
            }),
        }
    });
    let members: Vec<MemberSet> = members.collect();
    text::write(&members, &guarded)
}

/// The addresses of a security group that is a source.
struct MemberSet {
    group: Arc<str>,
    /// Who they are: `the nodes of load balancer shop`.
    owners: Vec<String>,
    blocks: Vec<IpNet>,
    /// Load balancers whose addresses are not known.
    everywhere: Vec<Arc<str>>,
    /// Names that no address is known of.
    unknown: Vec<String>,
}

/// The targets of one group.
struct Guarded {
    group: Arc<str>,
    security_groups: Vec<Arc<str>>,
    /// Where they are reached, for requests and for probes.
    ports: Vec<SocketAddr>,
    permits: Vec<Permit>,
    /// Targets that no address is known of.
    unknown: Vec<String>,
}

/// Who may reach which ports.
struct Permit {
    from_port: u16,
    to_port: u16,
    source: Source,
}

impl Guarded {
    fn new(group: &Group, snapshot: &Snapshot) -> Self {
        let targets = || group.targets().iter();
        let probed = group
            .health_check
            .port
            .filter(|_| group.health_check.enabled);
        let ports: BTreeSet<SocketAddr> = targets()
            .filter_map(|target| target.socket_address())
            .flat_map(|address| {
                let ip = address.ip().to_canonical();
                let ports = [Some(address.port()), probed].into_iter().flatten();
                ports.map(move |port| SocketAddr::new(ip, port))
            })
            .collect();
        let rules = snapshot.security_groups.named(&group.security_groups);
        let rules = rules.flat_map(|group| &group.inbound).filter(|rule| {
            let transport = rule.traffic.transport;
            transport.is_none_or(|transport| transport == Transport::Tcp)
        });
        let unknown = targets().filter(|target| target.socket_address().is_none());
        Self {
            group: Arc::clone(&group.settings().name),
            security_groups: group.security_groups.clone(),
            ports: ports.into_iter().collect(),
            permits: rules.flat_map(permits).collect(),
            unknown: unknown.map(|target| target.address.to_string()).collect(),
        }
    }
}

fn permits(rule: &Rule) -> impl Iterator<Item = Permit> {
    rule.sources.iter().map(|source| Permit {
        from_port: rule.traffic.from_port,
        to_port: rule.traffic.to_port,
        source: source.clone(),
    })
}

/// Who has a security group.
fn owners(snapshot: &Snapshot, name: &Arc<str>) -> Vec<String> {
    let balancers = snapshot.load_balancers.iter();
    let balancers = balancers.filter(|owner| owner.security_groups.contains(name));
    let balancers = balancers.map(|owner| format!("the nodes of load balancer {}", owner.name));
    let groups = snapshot.groups.values();
    let groups = groups.filter(|owner| owner.security_groups.contains(name));
    let groups = groups.map(|owner| format!("the targets of {}", owner.settings().name));
    balancers.chain(groups).collect()
}

/// The family of a set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    const BOTH: [Self; 2] = [Self::V4, Self::V6];

    fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use prometheus::Registry;
    use tokio::time::Instant;

    use super::*;
    use crate::config;
    use crate::metrics::Metrics;
    use crate::tls::Terminators;

    const SITE: &str = r#"
        [[security_group]]
        name = "balancer"
        inbound = [{ port = 443, source = ["0.0.0.0/0", "::/0"] }]
        [[security_group]]
        name = "hosts"
        inbound = [
          { port = 80, source = "balancer" },
          { from_port = 8000, to_port = 8999, source = ["10.9.0.0/24", "fd09::1"] },
          { protocol = "udp", source = "10.8.0.1" },
        ]
        [[load_balancer]]
        name = "shop"
        security_groups = ["balancer"]
        nodes = [{ zone = "a", address = "10.0.0.10" }, { zone = "c", address = "fd00::10" }]
        [[load_balancer.listener]]
        port = 443
        default = { forward = "site" }
        [[target_group]]
        name = "site"
        security_groups = ["hosts"]
        health_check = { port = 8081 }
        targets = [{ address = "10.0.0.11:80" }, { address = "[fd00::11]:80" }, { address = "wp:80" }]
        [[target_group]]
        name = "open"
        targets = [{ address = "10.0.0.12:80" }]
    "#;

    fn ruleset_of(text: &str) -> String {
        let valid = config::check_text(text, "site.toml").config.unwrap();
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let (tls, last) = (Terminators::default(), Snapshot::default());
        let snapshot = Snapshot::compile(&valid, &tls, &last, &metrics, Instant::now());
        ruleset(&snapshot)
    }

    #[test]
    fn targets_ports_are_open_for_whom_their_groups_let_in_and_for_nobody_else() {
        let text = ruleset_of(SITE);
        let code: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        let expected = [
            "add table inet elbow",
            "delete table inet elbow",
            "table inet elbow {",
            "set members-balancer-4 {",
            "type ipv4_addr; flags interval; auto-merge",
            "elements = { 10.0.0.10 }",
            "}",
            "set members-balancer-6 {",
            "type ipv6_addr; flags interval; auto-merge",
            "elements = { fd00::10 }",
            "}",
            "set targets-site-4 {",
            "type ipv4_addr . inet_service",
            "elements = { 10.0.0.11 . 80, 10.0.0.11 . 8081 }",
            "}",
            "set targets-site-6 {",
            "type ipv6_addr . inet_service",
            "elements = { fd00::11 . 80, fd00::11 . 8081 }",
            "}",
            "chain inbound {",
            "ct state established,related accept",
            "ip daddr . tcp dport @targets-site-4 tcp dport 80 ip saddr @members-balancer-4 accept",
            "ip6 daddr . tcp dport @targets-site-6 tcp dport 80 ip6 saddr @members-balancer-6 accept",
            "ip daddr . tcp dport @targets-site-4 tcp dport 8000-8999 ip saddr 10.9.0.0/24 accept",
            "ip6 daddr . tcp dport @targets-site-6 tcp dport 8000-8999 ip6 saddr fd09::1/128 accept",
            "ip daddr . tcp dport @targets-site-4 counter reject with tcp reset",
            "ip6 daddr . tcp dport @targets-site-6 counter reject with tcp reset",
            "}",
            "chain input {",
            "type filter hook input priority filter; policy accept;",
            "iif lo accept",
            "jump inbound",
            "}",
            "chain forward {",
            "type filter hook forward priority filter; policy accept;",
            "jump inbound",
            "}",
            "}",
        ];
        assert_eq!(code, expected, "{text}");
        assert!(text.contains("# not known by an address: wp:80"), "{text}");
        assert!(text.contains("# security group balancer: the nodes of load balancer shop"));
    }

    #[test]
    fn where_the_balancer_listens_on_all_addresses_that_is_said() {
        let nodes = "nodes = [{ zone = \"a\", address = \"10.0.0.10\" }, { zone = \"c\", address = \"fd00::10\" }]";
        let text = ruleset_of(&SITE.replace(nodes, ""));
        assert!(!text.contains("@members-balancer"), "{text}");
        assert!(
            text.contains("load balancer shop listens on all addresses"),
            "{text}"
        );
        assert!(text.contains("counter reject with tcp reset"), "{text}");
    }

    #[test]
    fn without_groups_there_is_an_empty_table() {
        let text = ruleset_of(&SITE.replace("security_groups = [\"hosts\"]", ""));
        assert!(text.contains("delete table inet elbow"), "{text}");
        assert!(!text.contains("reject"), "{text}");
    }
}
