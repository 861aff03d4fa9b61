//! What security groups and a network ACL come to for one port of one transport.

use std::net::IpAddr;
use std::sync::Arc;

use super::members::{MembersOf, address};
use super::table::Table;
use super::{NetworkAcl, SecurityGroup, Source, Transport};
use crate::target::Target;

/// Lets clients of one listener in, or not: first by the network ACL of the node's subnet, then by the load balancer's
/// security groups, as a packet meets them at AWS.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// None lets everybody in.
    pub acl: Option<Arc<AclGate>>,
    /// None lets everybody in.
    pub groups: Option<Arc<GroupGate>>,
}

/// Who did not let a client in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The network ACL: by the rule with this number, or because none speaks of it.
    NetworkAcl(Option<u16>),
    /// The security groups: no rule of any speaks of it.
    SecurityGroup,
}

impl Refused {
    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NetworkAcl(_) => "network_acl",
            Self::SecurityGroup => "security_group",
        }
    }
}

impl Gate {
    /// Whether everybody is let in.
    pub fn is_open(&self) -> bool {
        self.acl.is_none() && self.groups.is_none()
    }

    /// Lets an address in, or says why not.
    pub fn admit(&self, peer: IpAddr) -> Result<(), Refused> {
        if let Some(acl) = &self.acl {
            acl.admit(peer)?;
        }
        match &self.groups {
            Some(groups) if groups.find(peer).is_none() => Err(Refused::SecurityGroup),
            _ => Ok(()),
        }
    }
}

/// A network ACL, as far as it is about one port of one transport.
#[derive(Clone, Debug)]
pub struct AclGate(Table<(u16, bool)>);

impl AclGate {
    /// What the ACL says about a port.
    pub fn new(acl: &NetworkAcl, transport: Transport, port: u16) -> Self {
        let rules = acl.inbound.iter();
        let rules = rules.filter(|rule| rule.traffic.covers(transport, port));
        let blocks = rules.flat_map(|rule| {
            let meets = (rule.number, rule.allows);
            rule.sources.iter().map(move |block| (*block, meets))
        });
        let blocks: Vec<_> = blocks.collect();
        Self(Table::new(blocks.into_iter()))
    }

    fn admit(&self, peer: IpAddr) -> Result<(), Refused> {
        match self.0.find(peer) {
            Some((_, true)) => Ok(()),
            Some((number, false)) => Err(Refused::NetworkAcl(Some(number))),
            None => Err(Refused::NetworkAcl(None)),
        }
    }
}

/// Security groups, as far as they are about one port of one transport.
#[derive(Clone, Debug)]
pub struct GroupGate {
    names: Vec<Arc<str>>,
    table: Table<u16>,
    /// Targets whose addresses are those of the moment, each with the place of the group that lets it in.
    named: Vec<(Arc<Target>, u16)>,
}

impl GroupGate {
    /// What the groups say about a port, one as much as the other.
    pub fn new<'g>(
        groups: impl IntoIterator<Item = &'g SecurityGroup>,
        members: &impl MembersOf,
        transport: Transport,
        port: u16,
    ) -> Self {
        let (mut names, mut blocks, mut named) = (Vec::new(), Vec::new(), Vec::new());
        for (group, place) in groups.into_iter().zip(0_u16..) {
            names.push(Arc::clone(&group.name));
            let rules = group.inbound.iter();
            let rules = rules.filter(|rule| rule.traffic.covers(transport, port));
            for source in rules.flat_map(|rule| &rule.sources) {
                match source {
                    Source::Block(block) => blocks.push((*block, place)),
                    Source::Group(name) => {
                        let Some(members) = members.members_of(name) else {
                            continue;
                        };
                        blocks.extend(members.blocks.iter().map(|block| (*block, place)));
                        let targets = members.named.iter();
                        named.extend(targets.map(|target| (Arc::clone(target), place)));
                    }
                }
            }
        }
        Self {
            names,
            table: Table::new(blocks.into_iter()),
            named,
        }
    }

    /// The names of the groups.
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The name of a group that lets an address in.
    pub fn find(&self, peer: IpAddr) -> Option<&Arc<str>> {
        let place = self.table.find(peer).or_else(|| self.find_named(peer))?;
        self.names.get(usize::from(place))
    }

    fn find_named(&self, peer: IpAddr) -> Option<u16> {
        let peer = peer.to_canonical();
        let mut named = self.named.iter();
        named
            .find(|(target, _)| address(target) == Some(peer))
            .map(|(_, place)| *place)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::inbound::{AclRule, Members, Rule, Traffic};

    struct Known(Members);

    impl MembersOf for Known {
        fn members_of(&self, group: &str) -> Option<&Members> {
            (group == "hosts").then_some(&self.0)
        }
    }

    fn tcp(from_port: u16, to_port: u16) -> Traffic {
        Traffic {
            transport: Some(Transport::Tcp),
            from_port,
            to_port,
        }
    }

    fn group(name: &str, rules: &[(Traffic, Source)]) -> SecurityGroup {
        let rules = rules.iter().map(|(traffic, source)| Rule {
            traffic: *traffic,
            sources: vec![source.clone()],
        });
        SecurityGroup {
            name: name.into(),
            inbound: rules.collect(),
            members: Vec::new(),
        }
    }

    fn block(text: &str) -> Source {
        Source::Block(text.parse().unwrap())
    }

    #[test]
    fn groups_add_up_and_the_rest_is_refused() {
        let web = group("web", &[(tcp(443, 443), block("0.0.0.0/0"))]);
        let hosts = group("hosts", &[(tcp(8080, 8090), Source::Group("hosts".into()))]);
        let known = Known(Members {
            blocks: vec!["10.0.0.11/32".parse().unwrap()],
            ..Members::default()
        });
        let at = |port| GroupGate::new([&web, &hosts], &known, Transport::Tcp, port);
        let let_in = |port, peer: &str| {
            let gate = at(port);
            gate.find(peer.parse().unwrap()).map(ToString::to_string)
        };
        assert_eq!(let_in(443, "192.0.2.1").as_deref(), Some("web"));
        assert_eq!(let_in(443, "2001:db8::1"), None);
        assert_eq!(let_in(8085, "10.0.0.11").as_deref(), Some("hosts"));
        assert_eq!(let_in(8085, "::ffff:10.0.0.11").as_deref(), Some("hosts"));
        assert_eq!(let_in(8085, "10.0.0.12"), None);
        let udp = GroupGate::new([&web], &known, Transport::Udp, 443);
        assert_eq!(udp.find("192.0.2.1".parse().unwrap()), None);
    }

    #[test]
    fn an_acl_is_asked_before_the_groups_and_its_first_rule_decides() {
        let rule = |number, allows, source: &str| AclRule {
            number,
            allows,
            traffic: tcp(0, u16::MAX),
            sources: vec![source.parse().unwrap()],
        };
        let acl = NetworkAcl {
            name: "public".into(),
            inbound: vec![
                rule(100, false, "192.0.2.66/32"),
                rule(200, true, "192.0.2.0/24"),
            ],
        };
        let nobody = Known(Members::default());
        let web = group("web", &[(tcp(80, 80), block("192.0.2.0/25"))]);
        let gate = Gate {
            acl: Some(Arc::new(AclGate::new(&acl, Transport::Tcp, 80))),
            groups: Some(Arc::new(GroupGate::new(
                [&web],
                &nobody,
                Transport::Tcp,
                80,
            ))),
        };
        let admit = |peer: &str| gate.admit(peer.parse().unwrap());
        assert_eq!(admit("192.0.2.1"), Ok(()));
        assert_eq!(admit("192.0.2.66"), Err(Refused::NetworkAcl(Some(100))));
        assert_eq!(admit("198.51.100.1"), Err(Refused::NetworkAcl(None)));
        assert_eq!(admit("192.0.2.200"), Err(Refused::SecurityGroup));
        assert!(Gate::default().is_open());
        assert_eq!(Gate::default().admit("192.0.2.66".parse().unwrap()), Ok(()));
    }
}
