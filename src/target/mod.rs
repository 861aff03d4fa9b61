//! One target and its live state.
//!
//! A [`Target`] is what the configuration says of it: identity, address, zone, weight. Its
//! [`TargetState`] is what has happened to it since: health, requests in flight, drain, the last
//! probes. The state outlives a reload; the next snapshot adopts it by [`TargetKey`].
//!
//! Nothing here does I/O or reads a clock: probes are reported in, time is an argument.

mod bequest;
mod conduct;
mod epoch;
mod health;
mod instance_state;
mod invalid_state;
mod lease;
mod probe;
mod state;
mod zone;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

pub use bequest::TargetBequest;
pub use conduct::Conduct;
pub use epoch::Epoch;
pub use health::{HealthMachine, HealthReason, Outcome, TargetHealth, Thresholds, Transition};
pub use instance_state::InstanceState;
pub use invalid_state::InvalidState;
pub use lease::Lease;
pub use probe::{ProbeRecord, ProbeRing};
pub use state::{Health, TargetState};
pub use zone::Zone;

/// Where a target is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetAddress {
    /// A fixed IP address and port.
    Ip(SocketAddr),
    /// A host name and port. The name is resolved anew before each probe, so that a target that
    /// comes back with another address is found again.
    Name(Arc<str>, u16),
}

impl TargetAddress {
    /// The traffic port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Ip(address) => address.port(),
            Self::Name(_, port) => *port,
        }
    }

    /// The host without its port: an IP address (IPv6 without brackets) or a name.
    pub fn host(&self) -> String {
        match self {
            Self::Ip(address) => address.ip().to_string(),
            Self::Name(name, _) => name.to_string(),
        }
    }
}

impl fmt::Display for TargetAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// What identifies a target within its group: id and port. The same id may be registered several
/// times on different ports. Never contains what an operator may tune (weight, zone).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKey {
    /// The id that the operator gave.
    pub id: Arc<str>,
    /// The traffic port.
    pub port: u16,
}

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.port)
    }
}

/// One registered target: what the configuration says, and the state that it adopted.
#[derive(Debug)]
pub struct Target {
    /// Identity within the group.
    pub key: TargetKey,
    /// Where it is reached.
    pub address: TargetAddress,
    /// The availability zone it stands in; none means that it serves every zone.
    pub zone: Option<Zone>,
    /// Its share relative to the others of its group, 0-999; 0 takes no new requests.
    pub weight: u32,
    /// Why it can take no requests although it is registered, if what runs it says so.
    pub invalid_state: Option<InvalidState>,
    /// Its place in an active/standby group; the lowest number is first.
    pub priority: u32,
    /// What has happened to it; shared with the snapshots before and after.
    pub state: Arc<TargetState>,
}

impl Target {
    /// The address to connect to, or `None` while a host name has not been resolved yet.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self.address {
            TargetAddress::Ip(address) => Some(address),
            TargetAddress::Name(..) => self.state.resolved(),
        }
    }
}
