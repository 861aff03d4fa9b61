//! From a checked configuration and the last snapshot to the next one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::config::{ValidAction, ValidConfig, ValidLoadBalancer, ValidTargetGroup};
use crate::metrics::{GroupMetrics, Metrics};
use crate::target::{Target, Zone};
use crate::target_group::{Scope, TargetGroup};

use super::{
    Action, Admissions, Choice, Entrance, EntranceKey, Forward, Group, Listener, LoadBalancer,
    Node, Snapshot,
};

type Groups = BTreeMap<Arc<str>, Arc<Group>>;

impl Snapshot {
    /// Compiles what `valid` says, with the live state of `last` where it speaks of the same
    /// things. Changes nothing that is live, and cannot fail: what could be wrong with a
    /// configuration was found before.
    pub fn compile(valid: &ValidConfig, last: &Self, metrics: &Metrics, now: Instant) -> Self {
        let groups: Groups = valid
            .target_groups
            .iter()
            .map(|group| {
                let compiled = compile_group(group, valid, last, metrics, now);
                (Arc::clone(&group.settings.name), Arc::new(compiled))
            })
            .collect();
        let load_balancers: Vec<_> = valid
            .load_balancers
            .iter()
            .map(|load_balancer| Arc::new(compile_load_balancer(load_balancer, &groups, last)))
            .collect();
        Self {
            generation: last.generation + 1,
            entrances: entrances(&load_balancers, metrics),
            deleted: deleted(&groups, last, metrics, now),
            load_balancers,
            groups,
        }
    }

    /// The group of that name, or the one that was deleted and whose targets still drain.
    fn last_group(&self, name: &str) -> Option<&TargetGroup> {
        self.all_groups()
            .find(|group| &*group.settings().name == name)
            .map(|group| &group.target_group)
    }
}

fn compile_group(
    group: &ValidTargetGroup,
    valid: &ValidConfig,
    last: &Snapshot,
    metrics: &Metrics,
    now: Instant,
) -> Group {
    let name = &group.settings.name;
    let owner = group.load_balancer.as_ref();
    let target_group = TargetGroup::new(
        group.settings.clone(),
        group.registrations.clone(),
        scope(owner.and_then(|name| load_balancer(valid, name))),
        last.last_group(name),
        now,
    );
    Group {
        metrics: group_metrics(metrics, owner, &target_group, now),
        target_group,
        health_check: Arc::new(group.health_check.clone()),
        load_balancer: group.load_balancer.clone(),
    }
}

/// Which zones the nodes of the group's load balancer stand in.
fn scope(load_balancer: Option<&ValidLoadBalancer>) -> Scope {
    let Some(load_balancer) = load_balancer else {
        return Scope::NotInUse;
    };
    let zones: Option<BTreeSet<Zone>> = load_balancer
        .nodes
        .iter()
        .map(|node| node.zone.clone())
        .collect();
    zones.map_or(Scope::All, Scope::Zones)
}

fn load_balancer<'a>(valid: &'a ValidConfig, name: &str) -> Option<&'a ValidLoadBalancer> {
    valid
        .load_balancers
        .iter()
        .find(|load_balancer| &*load_balancer.name == name)
}

/// Groups that the new configuration leaves out stay listed until their targets have drained.
fn deleted(groups: &Groups, last: &Snapshot, metrics: &Metrics, now: Instant) -> Vec<Arc<Group>> {
    last.all_groups()
        .filter(|group| !groups.contains_key(&group.settings().name))
        .map(|group| {
            let target_group = TargetGroup::new(
                group.settings().clone(),
                Vec::new(),
                Scope::NotInUse,
                Some(&group.target_group),
                now,
            );
            Group {
                metrics: group_metrics(metrics, group.load_balancer.as_ref(), &target_group, now),
                target_group,
                health_check: Arc::clone(&group.health_check),
                load_balancer: group.load_balancer.clone(),
            }
        })
        .filter(|group| group.departing(now).next().is_some())
        .map(Arc::new)
        .collect()
}

fn group_metrics(
    metrics: &Metrics,
    load_balancer: Option<&Arc<str>>,
    group: &TargetGroup,
    now: Instant,
) -> GroupMetrics {
    let zones: BTreeSet<Option<&str>> = group
        .targets()
        .iter()
        .chain(group.departing(now))
        .map(|target: &Arc<Target>| target.zone.as_ref().map(Zone::as_str))
        .collect();
    metrics.group(
        load_balancer.map_or("", |name| name),
        &group.settings().name,
        &Vec::from_iter(zones),
    )
}

fn compile_load_balancer(
    load_balancer: &ValidLoadBalancer,
    groups: &Groups,
    last: &Snapshot,
) -> LoadBalancer {
    let listeners = load_balancer
        .listeners
        .iter()
        .map(|listener| {
            Arc::new(Listener {
                port: listener.port,
                rules: listener
                    .rules
                    .clone()
                    .map(|action| compile_action(action, groups)),
            })
        })
        .collect();
    let admissions = last
        .load_balancer(&load_balancer.name)
        .map_or_else(Arc::<Admissions>::default, |last| {
            Arc::clone(&last.admissions)
        });
    LoadBalancer {
        name: Arc::clone(&load_balancer.name),
        nodes: load_balancer
            .nodes
            .iter()
            .map(|node| Node {
                zone: node.zone.clone(),
                address: node.address,
            })
            .collect(),
        attributes: load_balancer.attributes,
        listeners,
        admissions,
    }
}

fn compile_action(action: ValidAction, groups: &Groups) -> Action {
    match action {
        ValidAction::Forward(shares) => Action::Forward(Forward::new(
            shares
                .into_iter()
                .filter_map(|(name, weight)| {
                    let group = Arc::clone(groups.get(&name)?);
                    Some(Choice { weight, group })
                })
                .collect(),
        )),
        ValidAction::Redirect(redirect) => Action::Redirect(redirect),
        ValidAction::FixedResponse(response) => Action::FixedResponse(response),
    }
}

fn entrances(
    load_balancers: &[Arc<LoadBalancer>],
    metrics: &Metrics,
) -> HashMap<EntranceKey, Arc<Entrance>> {
    let mut entrances = HashMap::new();
    for load_balancer in load_balancers {
        for node in &load_balancer.nodes {
            let zone = node.zone.as_ref().map(Zone::as_str);
            let figures = metrics.node(&load_balancer.name, zone);
            for listener in &load_balancer.listeners {
                let key = EntranceKey {
                    load_balancer: Arc::clone(&load_balancer.name),
                    address: SocketAddr::new(node.address, listener.port),
                };
                let entrance = Entrance {
                    key: key.clone(),
                    zone: node.zone.clone(),
                    load_balancer: Arc::clone(load_balancer),
                    listener: Arc::clone(listener),
                    metrics: Arc::clone(&figures),
                };
                entrances.insert(key, Arc::new(entrance));
            }
        }
    }
    entrances
}
