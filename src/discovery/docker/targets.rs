//! From containers to targets. Pure: what the engine has said goes in, targets and remarks come out.
//!
//! **Identity** is what stays when a container is stopped and started, recreated or moved: the label
//! `elbow.id`; else Compose's `project-service-number`; else Swarm's `service.slot`; else its name.
//! Never the engine's id or the address: both change.
//!
//! | The container | The target |
//! | --- | --- |
//! | runs | registered; probes decide |
//! | was told to stop (its stop signal or SIGKILL) | `unused`, `Target.InvalidState`; requests in flight may finish; with `deregister_on = "stop"` deregistered |
//! | is stopped, between restarts, or created only | the same |
//! | is paused, or in no network | `unused`, `Target.InvalidState` |
//! | starts | `initial`, with whatever address it has now; one pass and it is `healthy` |
//! | is removed | deregistered: drains for the deregistration delay |

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::container::{Condition, Container, ContainerHealth};
use super::labels::{self, Wish};
use crate::config::document::{
    ContainerHealth as HealthMeaning, DeregisterOn, InvalidState, Reach, Target,
};
use crate::config::{Contributed, DockerSource};
use crate::discovery::Remark;

/// What the engine's containers come to.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) targets: Vec<Contributed>,
    pub(super) remarks: Vec<Remark>,
}

/// The addresses at which targets were last, by group, id and port: a stopped container has none.
#[derive(Debug, Default)]
pub(super) struct LastKnown(BTreeMap<Identity, SocketAddr>);

type Identity = (Arc<str>, String, u16);

/// A container, and whether it was told to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) container: &'a Container,
    pub(super) stopping: bool,
}

/// A target that a container would be.
struct Candidate<'a> {
    seen: Seen<'a>,
    wish: Wish,
    address: Option<SocketAddr>,
    invalid_state: Option<InvalidState>,
}

impl Findings {
    /// Finds the targets among containers.
    pub(super) fn of<'a>(
        containers: impl Iterator<Item = Seen<'a>>,
        source: &DockerSource,
        known: &mut LastKnown,
    ) -> Self {
        let mut findings = Self::default();
        let mut candidates: BTreeMap<Identity, Vec<Candidate<'a>>> = BTreeMap::new();
        for seen in containers {
            let (wish, problems) = labels::read(&seen.container.labels, source);
            problems
                .into_iter()
                .for_each(|problem| findings.remark(seen.container, problem));
            let Some(wish) = wish else {
                continue;
            };
            let id = identity(seen.container, &wish);
            for (group, port) in wish.groups.clone() {
                let Some(port) = port.or_else(|| findings.only_port(seen.container)) else {
                    continue;
                };
                if let Some(candidate) = findings.candidate(seen, &wish, port, source) {
                    let same = candidates.entry((group, id.clone(), port)).or_default();
                    same.push(candidate);
                }
            }
        }
        for (identity, same) in candidates {
            findings.settle(identity, same, source, known);
        }
        let found = &findings.targets;
        known.0.retain(|(group, id, _), _| {
            let is_it =
                |found: &Contributed| found.group == *group && found.target.id.as_ref() == Some(id);
            found.iter().any(is_it)
        });
        findings
    }

    fn remark(&mut self, container: &Container, message: String) {
        let about = origin(container);
        self.remarks.push(Remark { about, message });
    }

    fn only_port(&mut self, container: &Container) -> Option<u16> {
        match container.exposed[..] {
            [port] => return Some(port),
            [] => self.remark(
                container,
                "its image exposes no TCP port: say which with the label `port`".to_owned(),
            ),
            [..] => {
                let ports: Vec<String> = container.exposed.iter().map(u16::to_string).collect();
                self.remark(
                    container,
                    format!(
                        "its image exposes several ports ({}): say which with the label `port`",
                        ports.join(", ")
                    ),
                );
            }
        }
        None
    }

    /// What the container would be as a target; none if it is deregistered.
    fn candidate<'a>(
        &mut self,
        seen: Seen<'a>,
        wish: &Wish,
        port: u16,
        source: &DockerSource,
    ) -> Option<Candidate<'a>> {
        let container = seen.container;
        let address = self.address(container, wish, port, source);
        let waits_for_health = wish.health == HealthMeaning::Follow;
        let invalid_state = match container.condition {
            Condition::Terminated => Some(InvalidState::Terminated),
            Condition::Stopped => Some(InvalidState::Stopped),
            _ if seen.stopping => Some(InvalidState::Stopping),
            Condition::Paused => Some(InvalidState::Invalid),
            Condition::Running => match container.health {
                Some(ContainerHealth::Starting | ContainerHealth::Unhealthy)
                    if waits_for_health =>
                {
                    Some(InvalidState::Invalid)
                }
                _ if address.is_none() => Some(InvalidState::Invalid),
                _ => None,
            },
        };
        let is_leaving = invalid_state.is_some_and(|state| state != InvalidState::Invalid);
        if is_leaving && wish.deregister_on == DeregisterOn::Stop {
            return None;
        }
        Some(Candidate {
            seen,
            wish: wish.clone(),
            address,
            invalid_state,
        })
    }

    /// Where the container is reached now, if anywhere.
    fn address(
        &mut self,
        container: &Container,
        wish: &Wish,
        port: u16,
        source: &DockerSource,
    ) -> Option<SocketAddr> {
        let runs = matches!(container.condition, Condition::Running | Condition::Paused);
        if !runs {
            return None;
        }
        if container.in_host_network {
            return Some(SocketAddr::new(source.host_address, port));
        }
        match source.reach {
            Reach::Published => {
                let published = container.published.get(&port).copied();
                if published.is_none() {
                    let message = format!("its port {port} is not published on the engine's host");
                    self.remark(container, message);
                }
                Some(SocketAddr::new(source.host_address, published?))
            }
            Reach::Container => {
                let address = self.own_address(container, wish)?;
                Some(SocketAddr::new(address, port))
            }
        }
    }

    fn own_address(&mut self, container: &Container, wish: &Wish) -> Option<IpAddr> {
        let networks = &container.networks;
        if let Some(wanted) = &wish.network {
            let project = container.labels.get("com.docker.compose.project");
            let full = project.map(|project| format!("{project}_{wanted}"));
            let found = networks
                .get(wanted)
                .or_else(|| full.and_then(|full| networks.get(&full)));
            if found.is_none() {
                let names: Vec<&str> = networks.keys().map(String::as_str).collect();
                let message = match names[..] {
                    [] => format!("it is not in network `{wanted}`, nor in any other"),
                    _ => format!(
                        "it is not in network `{wanted}`, but in {}",
                        names.join(", ")
                    ),
                };
                self.remark(container, message);
            }
            return *found?;
        }
        let mut reached = networks.iter().filter_map(|(name, address)| {
            let address = (*address)?;
            Some((name, address))
        });
        let (first, address) = reached.next()?;
        if let Some((second, _)) = reached.next() {
            let message = format!(
                "it is in several networks, and its address in `{first}` is used: say which with the \
                 label `network`, for example `{second}`"
            );
            self.remark(container, message);
        }
        Some(address)
    }

    /// Makes one target of the containers that claim the same identity: while Compose recreates a
    /// container, the old and the new one are both there.
    fn settle(
        &mut self,
        identity: Identity,
        mut same: Vec<Candidate<'_>>,
        source: &DockerSource,
        known: &mut LastKnown,
    ) {
        same.sort_by(|one, other| {
            let serving = |candidate: &Candidate<'_>| candidate.invalid_state.is_none();
            let created = |candidate: &Candidate<'_>| candidate.seen.container.created.clone();
            let by_age = match serving(one) {
                // Of two that serve, the one that came first keeps its place.
                true => created(one).cmp(&created(other)),
                false => created(other).cmp(&created(one)),
            };
            serving(other).cmp(&serving(one)).then(by_age)
        });
        let mut same = same.into_iter();
        let Some(first) = same.next() else {
            return;
        };
        let (group, id, port) = &identity;
        for other in same.filter(|other| other.invalid_state.is_none()) {
            let message = format!(
                "{} is target {id}:{port} of `{group}` already: give each a label `id` of its own",
                origin(first.seen.container)
            );
            self.remark(other.seen.container, message);
        }
        if let Some(address) = first.address {
            known.0.insert(identity.clone(), address);
        }
        let address = known.0.get(&identity);
        let in_zone = source.zones.zone(address.map(SocketAddr::ip));
        let zone = first.wish.zone.as_deref().or(in_zone);
        // Never seen running: its name stands for it until it is.
        let unknown = || format!("{}:{port}", host_name(&first.seen.container.name));
        let address = address.map_or_else(unknown, SocketAddr::to_string);
        self.targets.push(Contributed {
            group: Arc::clone(group),
            origin: origin(first.seen.container),
            target: Target {
                id: Some(id.clone()),
                address,
                zone: zone.map(str::to_owned),
                weight: first.wish.weight,
                invalid_state: first.invalid_state,
                priority: first.wish.priority,
            },
        });
    }
}

fn origin(container: &Container) -> String {
    format!("container {}", container.name)
}

fn identity(container: &Container, wish: &Wish) -> String {
    if let Some(id) = &wish.id {
        return id.clone();
    }
    let label = |name: &str| container.labels.get(name).filter(|text| !text.is_empty());
    let compose = |name: &str| label(&format!("com.docker.compose.{name}"));
    if let (Some(project), Some(service), Some(number)) = (
        compose("project"),
        compose("service"),
        compose("container-number"),
    ) {
        return format!("{project}-{service}-{number}");
    }
    // `web.3.x8f...`: the service, the slot, and the task, which is another one after each start.
    if let Some(task) = label("com.docker.swarm.task.name")
        && let Some((service_and_slot, _)) = task.rsplit_once('.')
    {
        return service_and_slot.to_owned();
    }
    container.name.clone()
}

/// A container's name in the form of a host's.
fn host_name(name: &str) -> String {
    let letters = name.chars().map(|c| match c.is_ascii_alphanumeric() {
        true => c,
        false => '-',
    });
    let name: String = letters.take(60).collect();
    format!("c{}", name.trim_matches('-'))
}

#[cfg(test)]
mod tests;
