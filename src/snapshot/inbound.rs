//! Who is let in where: security groups with their members, and the gates of entrances.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use tokio::time::Instant;
use tracing::warn;

use super::compile::Groups;
use super::{Entrance, EntranceKey, Listener, LoadBalancer, Node};
use crate::config::ValidConfig;
use crate::inbound::{
    AclGate, Gate, GroupGate, Members, MembersOf, Refused, SecurityGroup, Transport,
};
use crate::metrics::{BlockedMetrics, Metrics};
use crate::net::Hush;

/// The security groups of the configuration, with their members.
#[derive(Debug, Default)]
pub struct SecurityGroups(Vec<(Arc<SecurityGroup>, Members)>);

impl SecurityGroups {
    pub(super) fn compile(valid: &ValidConfig, groups: &Groups) -> Self {
        let compiled = valid.security_groups.iter().map(|group| {
            let has = |those: &[Arc<str>]| those.contains(&group.name);
            let mut members = Members {
                blocks: group.members.clone(),
                ..Members::default()
            };
            for owner in &valid.load_balancers {
                if !has(&owner.security_groups) {
                    continue;
                }
                let addresses = || owner.nodes.iter().map(|node| node.address);
                if addresses().any(|address| address.is_unspecified()) {
                    members.everywhere.push(Arc::clone(&owner.name));
                }
                let known = addresses().filter(|address| !address.is_unspecified());
                members
                    .blocks
                    .extend(known.map(|address| IpNet::from(address.to_canonical())));
            }
            for owner in &valid.target_groups {
                if has(&owner.security_groups)
                    && let Some(group) = groups.get(&owner.settings.name)
                {
                    group
                        .targets()
                        .iter()
                        .for_each(|target| members.add(target));
                }
            }
            (Arc::clone(group), members)
        });
        Self(compiled.collect())
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&SecurityGroup, &Members)> {
        self.0.iter().map(|(group, members)| (&**group, members))
    }

    /// Those with these names.
    pub fn named<'a>(&'a self, names: &'a [Arc<str>]) -> impl Iterator<Item = &'a SecurityGroup> {
        let found = names.iter().filter_map(|name| {
            let mut known = self.0.iter();
            known.find(|(group, _)| group.name == *name)
        });
        found.map(|(group, _)| &**group)
    }

    /// What the groups of a load balancer say about one port.
    pub(super) fn gate(
        &self,
        load_balancer: &LoadBalancer,
        transport: Transport,
        port: u16,
    ) -> Option<Arc<GroupGate>> {
        let own = &load_balancer.security_groups;
        let gate = || GroupGate::new(self.named(own), self, transport, port);
        (!own.is_empty()).then(|| Arc::new(gate()))
    }
}

impl MembersOf for SecurityGroups {
    fn members_of(&self, group: &str) -> Option<&Members> {
        let found = self.0.iter().find(|(known, _)| *known.name == *group);
        found.map(|(_, members)| members)
    }
}

/// What lets clients in at an entrance, or not.
#[derive(Debug)]
pub struct Inbound {
    tcp: Gate,
    udp: Gate,
    hush: Hush,
    metrics: Arc<BlockedMetrics>,
}

impl Inbound {
    /// The gate of one transport.
    pub fn gate(&self, transport: Transport) -> &Gate {
        match transport {
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
        }
    }

    /// Whether a peer is let in. Who is not is counted, and from time to time told of in the log.
    pub fn admits(&self, key: &EntranceKey, peer: SocketAddr, transport: Transport) -> bool {
        let gate = self.gate(transport);
        let Err(refused) = gate.admit(peer.ip()) else {
            return true;
        };
        self.metrics.blocked(transport.as_str(), refused.as_str());
        if let Some(count) = self.hush.speak(Instant::now()) {
            let groups = gate.groups.as_ref().map(|gate| gate.names().join(", "));
            let rule = match refused {
                Refused::NetworkAcl(Some(number)) => number.to_string(),
                Refused::NetworkAcl(None) => "*".to_owned(),
                Refused::SecurityGroup => "none".to_owned(),
            };
            warn!(
                load_balancer = %key.load_balancer,
                address = %key.address,
                %peer,
                protocol = transport.as_str(),
                by = refused.as_str(),
                rule,
                security_groups = groups,
                refused = count,
                "not let in"
            );
        }
        false
    }
}

/// The gates of one listener's nodes; what its groups say is the same at each.
pub(super) struct Gates {
    tcp: Option<Arc<GroupGate>>,
    udp: Option<Arc<GroupGate>>,
    port: u16,
}

impl Gates {
    pub(super) fn new(
        security_groups: &SecurityGroups,
        load_balancer: &LoadBalancer,
        listener: &Listener,
    ) -> Self {
        let gate = |transport| security_groups.gate(load_balancer, transport, listener.port);
        Self {
            tcp: gate(Transport::Tcp),
            udp: listener.http3.then(|| gate(Transport::Udp)).flatten(),
            port: listener.port,
        }
    }

    /// None lets everybody in.
    pub(super) fn at(
        &self,
        load_balancer: &LoadBalancer,
        node: &Node,
        metrics: &Metrics,
    ) -> Option<Inbound> {
        let acl = |transport| {
            let acl = node.network_acl.as_ref()?;
            Some(Arc::new(AclGate::new(acl, transport, self.port)))
        };
        let tcp = Gate {
            acl: acl(Transport::Tcp),
            groups: self.tcp.clone(),
        };
        if tcp.is_open() {
            return None; // Whoever has no groups and no ACL has none for UDP either.
        }
        let zone = node.zone.as_ref().map(|zone| zone.as_str());
        Some(Inbound {
            tcp,
            udp: Gate {
                acl: acl(Transport::Udp),
                groups: self.udp.clone(),
            },
            hush: Hush::default(),
            metrics: metrics.blocked(&load_balancer.name, zone, self.port),
        })
    }
}

impl Entrance {
    /// Whether a peer may connect, by its address as the packet has it, whatever a proxy says of whom it comes for.
    pub fn admits(&self, peer: SocketAddr, transport: Transport) -> bool {
        let inbound = self.inbound.as_ref();
        inbound.is_none_or(|inbound| inbound.admits(&self.key, peer, transport))
    }

    /// The same for an address that only is asked about.
    pub fn would_admit(&self, peer: IpAddr, transport: Transport) -> Result<(), Refused> {
        let inbound = self.inbound.as_ref();
        inbound.map_or(Ok(()), |inbound| inbound.gate(transport).admit(peer))
    }
}
