//! Container engines: where they answer, and which groups they may feed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;

use super::groups::Groups;
use super::name;
use super::report::Report;
use crate::config::document::{Config, Docker};
use crate::config::path::Path;
use crate::config::provider::{DockerHost, DockerSource, ProviderSource, ValidProvider, ZoneMap};

/// Checks all engines.
pub(super) fn validate(
    config: &Config,
    groups: &Groups<'_>,
    report: &mut Report<'_>,
) -> Vec<ValidProvider> {
    let path = Path::Root.key("docker");
    let mut names = BTreeMap::new();
    let mut valid = Vec::new();
    for (index, docker) in config.docker.iter().enumerate() {
        let path = path.index(index);
        name::validate(report, &path.key("name"), &docker.name);
        if let Some(first) = names.insert(docker.name.as_str(), index) {
            let message = format!("docker[{first}] is named `{}`, too", docker.name);
            report.refuse(path.key("name"), message, "give each engine a `name`");
        }
        valid.extend(engine(docker, groups, &path, report));
    }
    valid
}

fn engine(
    docker: &Docker,
    groups: &Groups<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ValidProvider> {
    let allowed = path.key("target_groups");
    let target_groups = docker.target_groups.iter().enumerate();
    let target_groups = target_groups
        .filter_map(|(index, group)| groups.named(group, &allowed.index(index), report))
        .collect();
    if docker.target_groups.is_empty() {
        let help = "name the groups that labels may choose: target_groups = [\"wordpress\"]";
        report.refuse(allowed, "no label can name a target group", help);
    }
    let prefix = &docker.label_prefix;
    let odd = |c: char| !(c.is_ascii_alphanumeric() || ".-_".contains(c));
    if prefix.is_empty() || prefix.contains(odd) || prefix.ends_with('.') {
        let message = format!("{prefix:?} cannot begin a label");
        let help = "write letters, digits, dots and hyphens, such as \"elbow\"; a dot follows";
        report.refuse(path.key("label_prefix"), message, help);
    }
    let zones = zones(docker.zone.as_deref(), &docker.zones, path, report);
    Some(ValidProvider {
        name: docker.name.as_str().into(),
        source: ProviderSource::Docker(DockerSource {
            host: host(&docker.host, &path.key("host"), report)?,
            target_groups,
            label_prefix: prefix.clone(),
            reach: docker.reach,
            host_address: docker.host_address,
            network: docker.network.clone(),
            zones,
            deregister_on: docker.deregister_on,
            container_health: docker.container_health,
        }),
    })
}

fn host(text: &str, path: &Path<'_>, report: &mut Report<'_>) -> Option<DockerHost> {
    const HELP: &str = "write \"unix:///var/run/docker.sock\", or \"http://127.0.0.1:2375\"";
    if let Some(socket) = text.strip_prefix("unix://") {
        if socket.starts_with('/') {
            return Some(DockerHost::Unix(PathBuf::from(socket)));
        }
        report.refuse(
            path,
            format!("`{socket}` is not the whole path of a socket"),
            HELP,
        );
        return None;
    }
    let plain = ["http://", "tcp://"];
    let authority = plain.iter().find_map(|scheme| text.strip_prefix(scheme));
    let authority = authority.map(|authority| authority.trim_end_matches('/'));
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    match authority.and_then(|authority| authority.rsplit_once(':')) {
        Some((host, port)) if !host.is_empty() && is_port(port) => {
            Some(DockerHost::Http(format!("{host}:{port}")))
        }
        _ => {
            let message = format!("`{text}` is not where an engine answers");
            report.refuse(path, message, HELP);
            None
        }
    }
}

/// The zones of a provider's targets.
pub(super) fn zones(
    zone: Option<&str>,
    zones: &BTreeMap<String, String>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> ZoneMap {
    name::zone(report, &path.key("zone"), zone);
    let path = path.key("zones");
    let mut networks = Vec::new();
    for (network, zone) in zones {
        let path = path.key(network);
        name::zone(report, &path, Some(zone));
        match network.parse::<IpNet>() {
            Ok(network) => networks.push((network, zone.clone())),
            Err(_) => {
                let message = format!("`{network}` is not a network");
                report.refuse(path, message, "write it like \"10.0.0.0/24\"");
            }
        }
    }
    ZoneMap::new(zone.map(str::to_owned), networks)
}
