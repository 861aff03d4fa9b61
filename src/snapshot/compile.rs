//! From a checked configuration and the last snapshot to the next one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::config::{
    ValidAction, ValidAuthenticated, ValidConfig, ValidLoadBalancer, ValidTargetGroup,
};
use crate::metrics::{GroupMetrics, Metrics};
use crate::routing::Rule;
use crate::target::{Target, Zone};
use crate::target_group::{Scope, TargetGroup};
use crate::tls::Terminators;

use super::inbound::Gates;
use super::{
    Action, Admissions, Authenticated, Authenticators, Choice, Entrance, EntranceKey, Forward,
    Group, Listener, LoadBalancer, Node, SecurityGroups, Snapshot, authenticate,
};

pub(super) type Groups = BTreeMap<Arc<str>, Arc<Group>>;

impl Snapshot {
    /// Compiles what `valid` says, with the live state of `last` where it speaks of the same
    /// things; `tls` has the terminators of its HTTPS listeners. Changes nothing that is live, and
    /// cannot fail: what could be wrong with a configuration was found before.
    pub fn compile(
        valid: &ValidConfig,
        tls: &Terminators,
        last: &Self,
        metrics: &Metrics,
        now: Instant,
    ) -> Self {
        let groups: Groups = valid
            .target_groups
            .iter()
            .map(|group| {
                let mut compiled = compile_group(group, valid, last, metrics, now);
                compiled.connector = tls.connector(&group.settings.name).cloned();
                (Arc::clone(&group.settings.name), Arc::new(compiled))
            })
            .collect();
        let security_groups = SecurityGroups::compile(valid, &groups);
        let mut authenticators = Authenticators::default();
        let load_balancers: Vec<_> = valid
            .load_balancers
            .iter()
            .map(|load_balancer| {
                let known = &mut authenticators;
                Arc::new(compile_load_balancer(
                    load_balancer,
                    tls,
                    &groups,
                    known,
                    last,
                ))
            })
            .collect();
        Self {
            generation: last.generation + 1,
            entrances: entrances(&load_balancers, &security_groups, metrics),
            deleted: deleted(&groups, last, metrics, now),
            load_balancers,
            groups,
            authenticators,
            security_groups,
        }
    }

    /// The group of that name, or the one that was deleted and whose targets still drain.
    fn last_group(&self, name: &str) -> Option<&TargetGroup> {
        let deleted = || {
            let mut deleted = self.deleted.iter();
            deleted.find(|group| &*group.settings().name == name)
        };
        let group = self.groups.get(name).or_else(deleted);
        group.map(|group| &group.target_group)
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
        connector: None,
        health_check: Arc::new(group.health_check.clone()),
        security_groups: group.security_groups.clone(),
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
                connector: group.connector.clone(),
                health_check: Arc::clone(&group.health_check),
                security_groups: Vec::new(),
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
    tls: &Terminators,
    groups: &Groups,
    authenticators: &mut Authenticators,
    last: &Snapshot,
) -> LoadBalancer {
    let orders = load_balancer.wanted().next().is_some();
    let listeners = load_balancer
        .listeners
        .iter()
        .map(|listener| {
            let rules = listener.rules.clone();
            let rules = rules.map(|action| compile_action(action, groups, authenticators, last));
            let actions = rules.rules().iter().map(Rule::action);
            Arc::new(Listener {
                providers: authenticate::providers(actions.chain([rules.default_action()])),
                port: listener.port,
                proxy_protocol: listener.proxy_protocol.clone(),
                service: listener.service,
                headers: Arc::clone(&listener.headers),
                is_secure: listener.tls.is_some(),
                http3: listener.http3,
                tls: tls.get(&load_balancer.name, listener.port).cloned(),
                answers_challenges: orders && listener.tls.is_none(),
                rules,
            })
        })
        .collect();
    let last = last.load_balancer(&load_balancer.name);
    let admissions = last.map_or_else(Arc::<Admissions>::default, |last| {
        Arc::clone(&last.admissions)
    });
    LoadBalancer {
        name: Arc::clone(&load_balancer.name),
        scheme: load_balancer.scheme,
        security_groups: load_balancer.security_groups.clone(),
        nodes: load_balancer
            .nodes
            .iter()
            .map(|node| Node {
                zone: node.zone.clone(),
                address: node.address,
                subnet: node.subnet.clone(),
                network_acl: node.network_acl.clone(),
            })
            .collect(),
        attributes: load_balancer.attributes,
        trusted_proxies: load_balancer.trusted_proxies.clone(),
        forwarded: load_balancer.forwarded.clone(),
        listeners,
        shift: last.map_or_else(Arc::default, |last| Arc::clone(&last.shift)),
        admissions,
    }
}

fn compile_action(
    action: ValidAction,
    groups: &Groups,
    authenticators: &mut Authenticators,
    last: &Snapshot,
) -> Action {
    match action {
        ValidAction::Forward(forward) => {
            let choices = forward.groups.into_iter().filter_map(|(name, weight)| {
                let group = Arc::clone(groups.get(&name)?);
                Some(Choice { weight, group })
            });
            Action::Forward(Forward::new(choices.collect(), forward.stickiness))
        }
        ValidAction::Redirect(redirect) => Action::Redirect(redirect),
        ValidAction::FixedResponse(response) => Action::FixedResponse(response),
        ValidAction::Authenticate(authenticated) => {
            let ValidAuthenticated { by, then } = *authenticated;
            Action::Authenticate(Box::new(Authenticated {
                by: authenticators.get(by, last),
                then: compile_action(then, groups, authenticators, last),
            }))
        }
    }
}

fn entrances(
    load_balancers: &[Arc<LoadBalancer>],
    security_groups: &SecurityGroups,
    metrics: &Metrics,
) -> HashMap<EntranceKey, Arc<Entrance>> {
    let mut entrances = HashMap::new();
    for load_balancer in load_balancers {
        let gates = |listener| Gates::new(security_groups, load_balancer, listener);
        let gates: Vec<_> = load_balancer
            .listeners
            .iter()
            .map(|listener| gates(listener))
            .collect();
        for node in &load_balancer.nodes {
            let zone = node.zone.as_ref().map(Zone::as_str);
            let figures = metrics.node(&load_balancer.name, zone);
            for (listener, gates) in load_balancer.listeners.iter().zip(&gates) {
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
                    inbound: gates.at(load_balancer, node, metrics),
                };
                entrances.insert(key, Arc::new(entrance));
            }
        }
    }
    entrances
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::snapshot::sample::{NOTHING, compile, compile_at};
    use crate::target::{HealthReason, TargetHealth};

    const SITE: &str = r#"
        [[load_balancer]]
        name = "web"
        nodes = [{ zone = "1a", address = "127.0.0.11" }, { zone = "1c", address = "127.0.0.12" }]
        [[load_balancer.listener]]
        port = 8080
        default = { forward = "site" }

        [[target_group]]
        name = "site"
        deregistration_delay = "60s"
        targets = [
          { id = "a", address = "10.0.0.6:80", zone = "1a" },
          { id = "b", address = "10.0.2.9:80", zone = "1c" },
          { id = "d", address = "10.0.3.9:80", zone = "1d" },
        ]
    "#;

    /// The first snapshot of [`SITE`], in force.
    fn site() -> Snapshot {
        let snapshot = compile(SITE, &Snapshot::default());
        snapshot.take_over(Instant::now());
        snapshot
    }

    fn target<'a>(snapshot: &'a Snapshot, id: &str) -> &'a Arc<Target> {
        let mut targets = snapshot.groups["site"].targets().iter();
        targets.find(|target| &*target.key.id == id).unwrap()
    }

    #[test]
    fn a_target_keeps_its_state_when_its_weight_and_zone_change() {
        let first = site();
        let changed = SITE.replace("zone = \"1c\" }", "zone = \"1a\", weight = 7 }");
        let second = compile(&changed, &first);
        let (before, after) = (target(&first, "b"), target(&second, "b"));
        assert_eq!(second.generation, first.generation + 1);
        assert!(Arc::ptr_eq(&before.state, &after.state));
    }

    #[test]
    fn compiling_changes_nothing_that_is_live() {
        let first = site();
        let without_b = SITE.replace("{ id = \"b\"", "{ id = \"new\"");
        let second = compile(&without_b, &first);
        assert_eq!(target(&first, "b").state.health(), TargetHealth::Initial);
        second.take_over(Instant::now());
        assert_eq!(target(&first, "b").state.health(), TargetHealth::Draining);
    }

    #[test]
    fn a_deleted_group_is_listed_until_its_targets_have_drained() {
        let first = site();
        let now = Instant::now();
        let second = compile_at(NOTHING, &first, now);
        second.take_over(now);
        let ids: Vec<_> = second.deleted[0]
            .departing(now)
            .map(|target| target.key.to_string())
            .collect();
        assert_eq!(ids, ["a:80", "b:80", "d:80"]);
        let third = compile_at(NOTHING, &second, now + Duration::from_secs(59));
        assert_eq!(third.deleted.len(), 1);
        let last = compile_at(NOTHING, &third, now + Duration::from_secs(60));
        assert_eq!(last.deleted.len(), 0);
    }

    #[test]
    fn a_group_that_comes_back_while_it_drains_knows_its_targets() {
        let first = site();
        let gone = compile(NOTHING, &first);
        gone.take_over(Instant::now());
        let back = compile(SITE, &gone);
        back.take_over(Instant::now());
        assert!(Arc::ptr_eq(
            &target(&first, "a").state,
            &target(&back, "a").state
        ));
        assert_eq!(target(&back, "a").state.health(), TargetHealth::Initial);
        assert!(back.deleted.is_empty());
    }

    #[test]
    fn a_target_in_a_zone_without_a_node_is_unused() {
        let snapshot = site();
        let health = target(&snapshot, "d").state.describe(Instant::now());
        assert_eq!(health.state, TargetHealth::Unused);
        assert_eq!(health.reason, Some(HealthReason::ZoneNotEnabled));
    }

    #[test]
    fn a_group_in_no_rule_is_not_in_use() {
        let first = site();
        let answer = "default = { fixed_response = { status = 200 } }";
        let second = compile(
            &SITE.replace("default = { forward = \"site\" }", answer),
            &first,
        );
        second.take_over(Instant::now());
        let health = target(&second, "a").state.describe(Instant::now());
        assert_eq!(health.reason, Some(HealthReason::NotInUse));
    }

    #[test]
    fn every_listener_meets_every_node_with_its_zone() {
        let snapshot = site();
        let mut met: Vec<_> = snapshot
            .entrances
            .values()
            .map(|entrance| format!("{} {:?}", entrance.key.address, entrance.zone))
            .collect();
        met.sort();
        let expected = [
            "127.0.0.11:8080 Some(Zone(1a))",
            "127.0.0.12:8080 Some(Zone(1c))",
        ];
        assert_eq!(met, expected);
    }

    #[test]
    fn a_connection_of_a_renamed_load_balancer_goes_on_with_the_new_one() {
        let first = site();
        let second = compile(&SITE.replace("\"web\"", "\"www\""), &first);
        for key in first.entrances.keys() {
            let taken_over = second.entrance(key).unwrap();
            assert_eq!(&*taken_over.load_balancer.name, "www");
            assert_eq!(taken_over.key.address, key.address);
        }
        let gone = compile(NOTHING, &second);
        assert!(
            first
                .entrances
                .keys()
                .all(|key| gone.entrance(key).is_none())
        );
    }

    #[test]
    fn open_connections_are_counted_over_reloads() {
        let limited = SITE.replace("name = \"web\"", "name = \"web\"\nmax_connections = 1");
        let first = compile(&limited, &Snapshot::default());
        let open = first.load_balancers[0].admit();
        assert!(open.is_some());
        let second = compile(&limited, &first);
        assert!(second.load_balancers[0].admit().is_none());
        drop(open);
        assert!(second.load_balancers[0].admit().is_some());
    }
}
