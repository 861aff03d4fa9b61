//! Providers, checked: who contributes targets besides the file, and how it is asked.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::document::{ContainerHealth, DeregisterOn, Reach, Records};

/// A provider. While its value stays the same over a reload, it goes on undisturbed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidProvider {
    /// Its name in logs and metrics, unique.
    pub name: Arc<str>,
    /// Whom it asks for what.
    pub source: ProviderSource,
}

/// Whom a provider asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderSource {
    /// A container engine.
    Docker(DockerSource),
    /// DNS.
    Dns(DnsSource),
}

impl ValidProvider {
    /// Whether it may contribute targets to a group.
    pub fn may_feed(&self, group: &str) -> bool {
        match &self.source {
            ProviderSource::Docker(docker) => docker
                .target_groups
                .iter()
                .any(|allowed| **allowed == *group),
            ProviderSource::Dns(dns) => *dns.target_group == *group,
        }
    }
}

/// How a container engine is asked; see [`Docker`](super::document::Docker).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerSource {
    /// Where it answers.
    pub host: DockerHost,
    /// The groups that labels may name; all of them exist.
    pub target_groups: Vec<Arc<str>>,
    /// What the names of the labels begin with, without the dot.
    pub label_prefix: String,
    /// By which address containers are reached.
    pub reach: Reach,
    /// The address of the engine's host.
    pub host_address: IpAddr,
    /// The network whose addresses are used.
    pub network: Option<String>,
    /// Which zone a container stands in.
    pub zones: ZoneMap,
    /// When a container is deregistered.
    pub deregister_on: DeregisterOn,
    /// What the container's own health check means.
    pub container_health: ContainerHealth,
}

/// Where a container engine answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerHost {
    /// A Unix socket.
    Unix(PathBuf),
    /// Plain HTTP at this host and port.
    Http(String),
}

impl std::fmt::Display for DockerHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Http(authority) => write!(f, "http://{authority}"),
        }
    }
}

/// How DNS is asked; see [`Dns`](super::document::Dns).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSource {
    /// The group that the answers belong to.
    pub target_group: Arc<str>,
    /// The name.
    pub name: String,
    /// What is asked for.
    pub records: Records,
    /// The targets' port; 0 where records bring their own.
    pub port: u16,
    /// Their weight, unless records bring their own.
    pub weight: u32,
    /// Whether the group is an active/standby group: then worse priorities of SRV records stand by.
    pub has_standby: bool,
    /// Which zone an address stands in.
    pub zones: ZoneMap,
    /// The shortest time from one question to the next.
    pub min_ttl: Duration,
    /// The longest; not shorter.
    pub max_ttl: Duration,
    /// The servers to ask; none means the system's.
    pub servers: Vec<SocketAddr>,
}

/// Which zone an address stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneMap {
    default: Option<String>,
    /// The narrowest first.
    networks: Vec<(IpNet, String)>,
}

impl ZoneMap {
    /// A map of networks; `default` is the zone of all other addresses.
    pub fn new(default: Option<String>, mut networks: Vec<(IpNet, String)>) -> Self {
        networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
        Self { default, networks }
    }

    /// The zone of an address; of one that is not known, the default.
    pub fn zone(&self, address: Option<IpAddr>) -> Option<&str> {
        let narrowest = address.and_then(|address| {
            let mut networks = self.networks.iter();
            networks.find(|(network, _)| network.contains(&address))
        });
        let zone = narrowest.map(|(_, zone)| zone);
        zone.or(self.default.as_ref()).map(String::as_str)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_network_decides_the_zone() {
        let network = |text: &str, zone: &str| (text.parse().unwrap(), zone.to_owned());
        let map = ZoneMap::new(
            Some("elsewhere".to_owned()),
            vec![
                network("10.0.0.0/8", "wide"),
                network("10.0.2.0/24", "c"),
                network("fd00::/64", "six"),
            ],
        );
        let zone = |address: &str| map.zone(address.parse().ok());
        assert_eq!(zone("10.0.2.9"), Some("c"));
        assert_eq!(zone("10.9.9.9"), Some("wide"));
        assert_eq!(zone("fd00::9"), Some("six"));
        assert_eq!(zone("192.0.2.1"), Some("elsewhere"));
        assert_eq!(map.zone(None), Some("elsewhere"));
        assert_eq!(ZoneMap::default().zone("10.0.2.9".parse().ok()), None);
    }
}
