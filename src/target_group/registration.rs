//! Which targets are registered, and which of them a load balancer sends traffic to.

use std::collections::BTreeSet;

use super::TargetGroup;
use crate::target::{HealthReason, InvalidState, TargetAddress, TargetKey, Zone};

/// A target as the configuration registers it with its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Identity within the group.
    pub key: TargetKey,
    /// Where it is reached.
    pub address: TargetAddress,
    /// The availability zone it stands in; none means that it serves every zone.
    pub zone: Option<Zone>,
    /// Its share relative to the others, 0-999; 0 takes no new requests.
    pub weight: u32,
    /// Why it can take no requests, if what runs it says so.
    pub invalid_state: Option<InvalidState>,
    /// Its place in an active/standby group; the lowest number is first.
    pub priority: u32,
}

impl Registration {
    /// The same at the address at which `last` has it registered, if it has. One that an operator has
    /// deregistered is about to be registered anew, and that is when an address is looked at.
    pub(super) fn where_it_was(self, last: &TargetGroup) -> Self {
        match last.target(&self.key) {
            Some(target) if target.state.drains_until().is_none() => Self {
                address: target.address.clone(),
                ..self
            },
            _ => self,
        }
    }
}

/// What the load balancer that uses a group reaches of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// No listener rule names the group: all its targets are unused.
    NotInUse,
    /// Every zone: the load balancer has a node that stands in no zone.
    All,
    /// The zones that have a node. Targets without a zone are in scope, too.
    Zones(BTreeSet<Zone>),
}

impl Scope {
    /// Why a target in this zone gets no traffic, if it gets none.
    pub(super) fn excludes(&self, zone: Option<&Zone>) -> Option<HealthReason> {
        match (self, zone) {
            (Self::NotInUse, _) => Some(HealthReason::NotInUse),
            (Self::Zones(zones), Some(zone)) if !zones.contains(zone) => {
                Some(HealthReason::ZoneNotEnabled)
            }
            _ => None,
        }
    }
}
