//! Whose addresses belong to a security group: what a rule means that names one as its source.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::target::{Target, TargetAddress};

/// The members of one security group.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Addresses that are known: of nodes, of targets, and those that the group itself lists.
    pub blocks: Vec<IpNet>,
    /// Targets that are known by a name: their addresses are those of the moment.
    pub named: Vec<Arc<Target>>,
    /// Load balancers that have the group and listen on all addresses: from which of them their connections come is not
    /// known.
    pub everywhere: Vec<Arc<str>>,
}

impl Members {
    /// Adds a target.
    pub fn add(&mut self, target: &Arc<Target>) {
        match target.address {
            TargetAddress::Ip(address) => {
                self.blocks.push(address.ip().to_canonical().into());
            }
            TargetAddress::Name(..) => self.named.push(Arc::clone(target)),
        }
    }

    /// The addresses of this moment.
    pub fn now(&self) -> Vec<IpNet> {
        let named = self.named.iter().filter_map(|target| address(target));
        let mut all: Vec<_> = self
            .blocks
            .iter()
            .copied()
            .chain(named.map(IpNet::from))
            .collect();
        all.sort();
        all.dedup();
        all
    }
}

/// The address that a target known by a name has at this moment.
pub(super) fn address(target: &Target) -> Option<IpAddr> {
    target
        .socket_address()
        .map(|address| address.ip().to_canonical())
}

/// Finds the members of a security group by its name.
pub trait MembersOf {
    /// None when there is no such group.
    fn members_of(&self, group: &str) -> Option<&Members>;
}
