//! How a group's traffic is spread over zones, and which zones there are.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::User;
use super::report::Report;
use crate::config::document::{Config, CrossZone, LoadBalancerType, Node, TargetGroup, ZoneWeight};
use crate::config::path::Path;
use crate::config::suggest::{listed, nearest};
use crate::target::Zone;
use crate::target_group::{ZonePolicy, ZoneWeights, ZoneWeightsError};

/// The zones around a target group.
pub(super) struct Surroundings<'a> {
    /// The name of the load balancer that uses the group, if one does.
    pub(super) load_balancer: Option<&'a str>,
    /// Whether its nodes send to the targets of all zones, unless a group says otherwise.
    pub(super) cross_zone: bool,
    /// Whether the group's targets stand by for one another.
    pub(super) standby: bool,
    /// Whether the nodes reach every zone, because one of them, or none, stands in none.
    pub(super) all_zones: bool,
    /// The zones in which the nodes stand.
    pub(super) nodes: BTreeSet<&'a str>,
    /// The zones in which the group's targets stand, as far as the document says so.
    pub(super) targets: BTreeSet<&'a str>,
    /// Whether providers may bring targets in other zones.
    pub(super) discovered: bool,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(config: &'a Config, group: &'a TargetGroup, user: Option<&User>) -> Self {
        let load_balancer = user.and_then(|user| config.load_balancer.get(user.place));
        let nodes: &[Node] = load_balancer.map_or(&[], |balancer| &balancer.nodes);
        let zones_of_targets = group.targets.iter();
        Self {
            load_balancer: load_balancer.map(|balancer| balancer.name.as_str()),
            standby: group.active_standby.is_some(),
            cross_zone: load_balancer.is_none_or(|balancer| {
                let unsaid = balancer.kind == LoadBalancerType::Application;
                balancer.cross_zone.unwrap_or(unsaid)
            }),
            all_zones: nodes.iter().all(|node| node.zone.is_none())
                || nodes.iter().any(|node| node.zone.is_none()),
            nodes: nodes
                .iter()
                .filter_map(|node| node.zone.as_deref())
                .collect(),
            targets: zones_of_targets
                .filter_map(|target| target.zone.as_deref())
                .filter(|zone| *zone != ALL)
                .collect(),
            discovered: !group.dns.is_empty()
                || config
                    .docker
                    .iter()
                    .any(|docker| docker.target_groups.contains(&group.name)),
        }
    }
}

/// The zone of a target that serves all of them.
pub(super) const ALL: &str = "all";

/// Checks the three settings that exclude one another.
pub(super) fn validate(
    group: &TargetGroup,
    around: &Surroundings<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ZonePolicy> {
    let weighted = !group.zone_weights.is_empty();
    let off = group.cross_zone == CrossZone::Enabled(false);
    let inherited = matches!(group.cross_zone, CrossZone::Inherited(_));
    let written = [
        (off, "cross_zone", "cross_zone = false"),
        (weighted, "zone_weights", "zone_weights"),
        (group.prefer_local, "prefer_local", "prefer_local = true"),
    ];
    let written: Vec<_> = written.into_iter().filter(|(is, ..)| *is).collect();
    let weights = weighted.then(|| weights(group, around, &path.key("zone_weights"), report));
    match written[..] {
        [] if inherited && !around.cross_zone => Some(ZonePolicy::OwnZone),
        [] => Some(ZonePolicy::CrossZone),
        [(_, "zone_weights", _)] => weights.flatten().map(ZonePolicy::Weighted),
        [(_, key, setting)] => {
            needs_zones(around, &path.key(key), setting, report);
            Some(match key {
                "prefer_local" => ZonePolicy::PreferLocal,
                _ => ZonePolicy::OwnZone,
            })
        }
        [..] if !report.is_untouched(path) => None,
        [.., (_, last, _)] => {
            let settings: Vec<&str> = written.iter().map(|(_, _, setting)| *setting).collect();
            let message = format!("{} exclude one another", settings.join(" and "));
            report.refuse(path.key(last), message, "keep one of them");
            None
        }
    }
}

/// A node's own zone means nothing where no node has one.
fn needs_zones(around: &Surroundings<'_>, path: &Path<'_>, setting: &str, report: &mut Report<'_>) {
    // What an active/standby group makes of it is said there.
    if let Some(load_balancer) = around.load_balancer
        && around.nodes.is_empty()
        && !around.standby
    {
        report.warn(
            path,
            format!("`{setting}` has no effect: no node of load balancer `{load_balancer}` stands in a zone"),
            "give its nodes zones: nodes = [{ zone = \"...\", address = \"...\" }]",
        );
    }
}

type Tables<'a> = BTreeMap<&'a str, BTreeMap<Zone, u32>>;

fn weights(
    group: &TargetGroup,
    around: &Surroundings<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ZoneWeights> {
    let mut alike: BTreeMap<Zone, u32> = BTreeMap::new();
    let mut by_entry: Tables<'_> = BTreeMap::new();
    for (zone, weight) in &group.zone_weights {
        let path = path.key(zone);
        match weight {
            ZoneWeight::Weight(weight) => {
                target_zone(zone, around, &path, report);
                alike.insert(zone.as_str().into(), *weight);
            }
            ZoneWeight::ByZone(table) => {
                entry_zone(zone, around, &path, report);
                for zone in table.keys() {
                    target_zone(zone, around, &path.key(zone), report);
                }
                let table = table
                    .iter()
                    .map(|(zone, weight)| (zone.as_str().into(), *weight));
                by_entry.insert(zone, table.collect());
            }
        }
    }
    if !alike.is_empty() && !by_entry.is_empty() {
        let help =
            "write { zone = weight } for every node alike, or { entry_zone = { zone = weight } }";
        report.refuse(path, "zones and entry zones are mixed", help);
        return None;
    }
    if by_entry.is_empty() {
        let made = ZoneWeights::alike(alike);
        return made.map_err(|error| refuse(&error, path, report)).ok();
    }
    made_by_entry(by_entry, path, report)
}

/// Every entry's table is tried alone, so that every wrong one is found.
fn made_by_entry(
    tables: Tables<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ZoneWeights> {
    for (entry, table) in &tables {
        if let Err(error) = ZoneWeights::alike(table.clone()) {
            refuse(&error, &path.key(entry), report);
        }
    }
    let tables = tables.into_iter();
    let named = tables.map(|(entry, table)| (Zone::from(entry), table));
    ZoneWeights::by_entry(named.collect()).ok()
}

fn refuse(error: &ZoneWeightsError, path: &Path<'_>, report: &mut Report<'_>) {
    match error {
        ZoneWeightsError::OutOfRange { zone, .. } => {
            report.error(path.key(zone.as_str()), error.to_string());
        }
        _ => report.error(path, error.to_string()),
    }
}

/// Traffic can be given to a zone in which a target or at least a node stands.
fn target_zone(zone: &str, around: &Surroundings<'_>, path: &Path<'_>, report: &mut Report<'_>) {
    let known = around.targets.union(&around.nodes).copied();
    let known: Vec<&str> = known.collect();
    if !known.contains(&zone) && !around.discovered {
        unknown_zone("no target and no node", zone, &known, path, report);
    }
}

/// A table of its own belongs to a zone in which a node stands.
fn entry_zone(zone: &str, around: &Surroundings<'_>, path: &Path<'_>, report: &mut Report<'_>) {
    let known: Vec<&str> = around.nodes.iter().copied().collect();
    if around.load_balancer.is_some() && !known.contains(&zone) {
        unknown_zone("no node", zone, &known, path, report);
    }
}

fn unknown_zone(
    nothing: &str,
    zone: &str,
    known: &[&str],
    path: &Path<'_>,
    report: &mut Report<'_>,
) {
    if !report.has_everything() {
        return;
    }
    let near = nearest(zone, known.iter().copied());
    let meant = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let message = format!("{nothing} stands in zone `{zone}`{meant}");
    match known {
        [] => report.error(path, message),
        _ => report.refuse(
            path,
            message,
            format!("zones here: {}", listed(zone, known.iter().copied())),
        ),
    }
}
