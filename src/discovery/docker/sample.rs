//! Sources and containers for tests.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::container::{Condition, Container};
use crate::config::document::{ContainerHealth, DeregisterOn, Reach};
use crate::config::{DockerHost, DockerSource, ZoneMap};

/// An engine whose containers may join `wordpress` and `api`.
pub(super) fn source() -> DockerSource {
    DockerSource {
        host: DockerHost::Unix("/var/run/docker.sock".into()),
        target_groups: vec!["wordpress".into(), "api".into()],
        label_prefix: "elbow".to_owned(),
        reach: Reach::Container,
        host_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        network: None,
        zones: ZoneMap::default(),
        deregister_on: DeregisterOn::Remove,
        container_health: ContainerHealth::Ignore,
    }
}

/// A running container of the group `wordpress`, in the network `front`, with port 80.
pub(super) fn container(name: &str, address: &str) -> Container {
    let label = ("elbow.target_group".to_owned(), "wordpress".to_owned());
    Container {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        created: "2026-01-01T00:00:00Z".to_owned(),
        labels: [label].into(),
        condition: Condition::Running,
        health: None,
        networks: [("front".to_owned(), address.parse().ok())].into(),
        in_host_network: false,
        exposed: vec![80],
        published: [(80, 8081)].into(),
        stop_signal: 15,
        stop_timeout: Duration::from_secs(10),
    }
}
