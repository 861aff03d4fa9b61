//! A container as far as it matters here, read off what the engine says of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, EndpointSettings,
    HealthStatusEnum, NetworkSettings,
};

use super::signal;

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Container {
    /// The engine's id of it: another one after it was recreated.
    pub(super) id: String,
    /// Its name, without the slash.
    pub(super) name: String,
    /// When it was created, as the engine writes it; comparable.
    pub(super) created: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) condition: Condition,
    /// What its own health check says, if it has one.
    pub(super) health: Option<ContainerHealth>,
    /// By name; without an address while it is not running.
    pub(super) networks: BTreeMap<String, Option<IpAddr>>,
    /// Whether it shares the network of the engine's host.
    pub(super) in_host_network: bool,
    /// The TCP ports that its image says it listens on.
    pub(super) exposed: Vec<u16>,
    /// Ports of the engine's host by the container's TCP port.
    pub(super) published: BTreeMap<u16, u16>,
    /// The number of the signal that asks it to stop.
    pub(super) stop_signal: i32,
    /// How long the engine lets it stop by itself.
    pub(super) stop_timeout: Duration,
}

/// Whether it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition {
    #[default]
    Running,
    Paused,
    /// Created and not started, exited, or between two starts.
    Stopped,
    /// Being removed, or dead.
    Terminated,
}

/// What its own health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContainerHealth {
    Starting,
    Healthy,
    Unhealthy,
}

/// Docker's own, if neither image nor command line says another.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

impl Container {
    /// Reads what the engine says. Whatever is missing is as if it were empty: engines of all ages
    /// leave something out.
    pub(super) fn read(said: ContainerInspectResponse) -> Self {
        let id = said.id.unwrap_or_default();
        let name = said.name.unwrap_or_default();
        let name = name.trim_start_matches('/').to_owned();
        let config = said.config.unwrap_or_default();
        let networks = said.network_settings.unwrap_or_default();
        let mode = said.host_config.and_then(|host| host.network_mode);
        let seconds = config
            .stop_timeout
            .and_then(|seconds| seconds.try_into().ok());
        let exposed = config.exposed_ports.unwrap_or_default();
        let mut exposed: Vec<u16> = exposed.iter().filter_map(|port| tcp_port(port)).collect();
        exposed.sort_unstable();
        let state = said.state.unwrap_or_default();
        Self {
            name: if name.is_empty() { id.clone() } else { name },
            id,
            created: said.created.map(|at| at.to_string()).unwrap_or_default(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            condition: Condition::read(&state),
            health: ContainerHealth::read(&state),
            in_host_network: mode.as_deref() == Some("host"),
            published: published(&networks),
            networks: addresses(networks),
            exposed,
            stop_signal: config
                .stop_signal
                .and_then(|signal| signal::number(&signal))
                .unwrap_or(signal::SIGTERM),
            stop_timeout: seconds.map_or(STOP_TIMEOUT, Duration::from_secs),
        }
    }
}

impl Condition {
    fn read(state: &ContainerState) -> Self {
        use ContainerStateStatusEnum as Status;
        match state.status {
            Some(Status::RUNNING) => Self::Running,
            Some(Status::PAUSED) => Self::Paused,
            Some(Status::REMOVING | Status::DEAD) => Self::Terminated,
            Some(Status::CREATED | Status::RESTARTING | Status::EXITED | Status::STOPPING) => {
                Self::Stopped
            }
            // Other engines with Docker's API may only say this.
            Some(Status::EMPTY) | None if state.running == Some(true) => Self::Running,
            Some(Status::EMPTY) | None => Self::Stopped,
        }
    }
}

impl ContainerHealth {
    fn read(state: &ContainerState) -> Option<Self> {
        match state.health.as_ref()?.status? {
            HealthStatusEnum::STARTING => Some(Self::Starting),
            HealthStatusEnum::HEALTHY => Some(Self::Healthy),
            HealthStatusEnum::UNHEALTHY => Some(Self::Unhealthy),
            HealthStatusEnum::EMPTY | HealthStatusEnum::NONE => None,
        }
    }
}

/// `80/tcp` gives 80; other protocols carry no HTTP.
fn tcp_port(text: &str) -> Option<u16> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    port.parse().ok().filter(|_| protocol == "tcp")
}

fn published(settings: &NetworkSettings) -> BTreeMap<u16, u16> {
    let ports = settings.ports.iter().flatten();
    let published = ports.filter_map(|(port, bindings)| {
        let mut bindings = bindings.iter().flatten();
        let host = bindings.find_map(|binding| binding.host_port.as_deref()?.parse().ok())?;
        Some((tcp_port(port)?, host))
    });
    published.collect()
}

fn addresses(settings: NetworkSettings) -> BTreeMap<String, Option<IpAddr>> {
    let networks = settings.networks.unwrap_or_default().into_iter();
    networks
        .map(|(name, endpoint)| (name, address(&endpoint)))
        .collect()
}

/// IPv4 first, as Docker itself does; the engine writes none as an empty text.
fn address(endpoint: &EndpointSettings) -> Option<IpAddr> {
    let written = [&endpoint.ip_address, &endpoint.global_ipv6_address];
    written
        .into_iter()
        .flatten()
        .find_map(|address| address.parse().ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn read(text: &str) -> Container {
        Container::read(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_running_container_is_read_with_its_networks_ports_and_labels() {
        let container = read(
            r#"{ "Id": "abc", "Name": "/wp-a", "Created": "2026-01-02T03:04:05.6Z",
                 "State": { "Status": "running", "Running": true, "Health": { "Status": "starting" } },
                 "HostConfig": { "NetworkMode": "blog_zone-a" },
                 "Config": { "Labels": { "elbow.target_group": "wordpress" }, "StopSignal": "SIGWINCH",
                             "StopTimeout": 30, "ExposedPorts": { "443/tcp": {}, "80/tcp": {}, "53/udp": {} } },
                 "NetworkSettings": {
                   "Ports": { "80/tcp": [{ "HostIp": "0.0.0.0", "HostPort": "8081" }], "443/tcp": null },
                   "Networks": { "blog_zone-a": { "IPAddress": "10.0.0.6", "GlobalIPv6Address": "" },
                                 "blog_v6": { "IPAddress": "", "GlobalIPv6Address": "fd00::6" } } } }"#,
        );
        assert_eq!(container.name, "wp-a");
        assert_eq!(container.condition, Condition::Running);
        assert_eq!(container.health, Some(ContainerHealth::Starting));
        assert_eq!(container.exposed, [80, 443]);
        assert_eq!(container.published, BTreeMap::from([(80, 8081)]));
        assert_eq!(container.networks["blog_zone-a"], "10.0.0.6".parse().ok());
        assert_eq!(container.networks["blog_v6"], "fd00::6".parse().ok());
        assert_eq!(container.stop_signal, 28);
        assert_eq!(container.stop_timeout, Duration::from_secs(30));
        assert_eq!(container.labels["elbow.target_group"], "wordpress");
    }

    #[test]
    fn the_states_of_the_engine_are_told_apart() {
        for (status, condition) in [
            ("created", Condition::Stopped),
            ("restarting", Condition::Stopped),
            ("exited", Condition::Stopped),
            ("paused", Condition::Paused),
            ("removing", Condition::Terminated),
            ("dead", Condition::Terminated),
        ] {
            let said = format!(r#"{{ "State": {{ "Status": "{status}", "Running": true }} }}"#);
            assert_eq!(read(&said).condition, condition, "{status}");
        }
    }

    #[test]
    fn what_is_missing_is_as_if_it_were_empty() {
        let container = read(r#"{ "Id": "abc" }"#);
        assert_eq!(container.name, "abc");
        assert_eq!(container.condition, Condition::Stopped);
        assert_eq!(container.stop_signal, signal::SIGTERM);
        let container = read(
            r#"{ "State": { "Running": true }, "HostConfig": { "NetworkMode": "host" },
                 "NetworkSettings": { "Ports": null, "Networks": { "host": { "IPAddress": "" } } } }"#,
        );
        assert_eq!(container.condition, Condition::Running);
        assert!(container.in_host_network);
    }
}
