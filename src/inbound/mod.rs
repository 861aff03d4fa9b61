//! Whom a load balancer lets in: security groups, and the network ACLs of its subnets.
//!
//! [`SecurityGroup`] and [`NetworkAcl`] are what an operator writes; a [`Gate`] is what becomes of them for one
//! listener: an address goes in, and out comes whether it is let in, without a walk over the rules. Nothing here knows
//! a socket: who asks has an address, and closes what is refused.

mod gate;
mod members;
mod table;

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

pub use gate::{AclGate, Gate, GroupGate, Refused};
pub use members::{Members, MembersOf};

/// The transport that a packet comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP, which carries QUIC.
    Udp,
}

impl Transport {
    /// In lower case, as rules and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What a rule is about: a transport, and ports of the load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// None is both.
    pub transport: Option<Transport>,
    /// The first port.
    pub from_port: u16,
    /// The last port, not less than the first.
    pub to_port: u16,
}

impl Traffic {
    /// Whether it has this port of this transport.
    pub fn covers(&self, transport: Transport, port: u16) -> bool {
        self.transport.is_none_or(|own| own == transport)
            && (self.from_port..=self.to_port).contains(&port)
    }
}

/// A security group: who may connect to those that have it. Nobody else may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its name, unique among security groups.
    pub name: Arc<str>,
    /// Whom it lets in.
    pub inbound: Vec<Rule>,
    /// Addresses that belong to it besides those of nodes and targets.
    pub members: Vec<IpNet>,
}

/// A rule of a security group: it lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where to.
    pub traffic: Traffic,
    /// Who from.
    pub sources: Vec<Source>,
}

/// Whom a rule lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Addresses.
    Block(IpNet),
    /// The members of a security group, by its name.
    Group(Arc<str>),
}

/// A network ACL: what may come into a subnet. What no rule speaks of may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkAcl {
    /// Its name, unique among network ACLs.
    pub name: Arc<str>,
    /// In the order of their numbers.
    pub inbound: Vec<AclRule>,
}

/// A rule of a network ACL: the first that an address meets decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclRule {
    /// Its number, unique in its ACL.
    pub number: u16,
    /// Whether it allows, or denies.
    pub allows: bool,
    /// Where to.
    pub traffic: Traffic,
    /// Who from.
    pub sources: Vec<IpNet>,
}

/// Whether an address is one that the internet does not know: private (RFC 1918, RFC 4193), shared (RFC 6598), of one
/// link or of one machine.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && (64..128).contains(&second);
            shared || address.is_private() || address.is_loopback() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn private_is_what_the_internet_does_not_know() {
        for (address, private) in [
            ("10.0.0.1", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("127.0.0.1", true),
            ("169.254.0.1", true),
            ("::ffff:10.0.0.1", true),
            ("192.0.2.1", false),
            ("0.0.0.0", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("::1", true),
            ("2001:db8::1", false),
            ("::", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
        }
    }

    #[test]
    fn a_rule_is_about_ports_of_a_transport() {
        let traffic = Traffic {
            transport: Some(Transport::Tcp),
            from_port: 80,
            to_port: 82,
        };
        assert!(traffic.covers(Transport::Tcp, 80) && traffic.covers(Transport::Tcp, 82));
        assert!(!traffic.covers(Transport::Tcp, 83) && !traffic.covers(Transport::Udp, 80));
        let both = Traffic {
            transport: None,
            ..traffic
        };
        assert!(both.covers(Transport::Udp, 80));
    }
}
