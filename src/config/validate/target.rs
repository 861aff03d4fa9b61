//! Targets: identity, address, zone, weight.

use std::collections::BTreeMap;

use super::report::Report;
use super::zone_policy::{ALL, Surroundings};
use super::{address, name, range};
use crate::config::document::{Ranges, Target, TargetGroup};
use crate::config::fit::Removed;
use crate::config::path::Path;
use crate::config::suggest::listed;
use crate::target::TargetKey;
use crate::target_group::{Registration, ZonePolicy};

/// Checks the targets of one group.
pub(super) fn validate(
    group: &TargetGroup,
    around: &Surroundings<'_>,
    zones: Option<&ZonePolicy>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Vec<Registration> {
    let path = path.key("targets");
    let mut keys = BTreeMap::new();
    let mut registrations = Vec::with_capacity(group.targets.len());
    for (index, target) in group.targets.iter().enumerate() {
        let path = path.index(index);
        match target.zone.as_deref() {
            Some(ALL) => all_zones(zones, &path.key("zone"), report),
            _ => zone(target, around, &path.key("zone"), report),
        }
        range::number(report, &path.key("weight"), target.weight, 0..=999);
        let Some(registration) = registration(target, &path, report) else {
            continue;
        };
        if let Some(first) = keys.insert(registration.key.clone(), index) {
            let message = format!("targets[{first}] is {}, too", registration.key);
            let help = "id and port identify a target: give one of them another `id`";
            let key = if target.id.is_some() { "id" } else { "address" };
            report.refuse(path.key(key), message, help);
        }
        registrations.push(registration);
    }
    registrations
}

/// Checks a target that a provider contributes; the problem is told in words only, for it stands in
/// no text.
pub(in crate::config) fn contributed(
    target: &Target,
    ranges: Ranges,
) -> Result<Registration, String> {
    let removed = Removed::default();
    let mut report = Report::new(ranges, &removed);
    name::zone(&mut report, &Path::Root, target.zone.as_deref());
    range::number(&mut report, &Path::Root, target.weight, 0..=999);
    range::number(
        &mut report,
        &Path::Root,
        target.priority.unwrap_or(1),
        1..=999,
    );
    let registration = registration(target, &Path::Root, &mut report);
    match (registration, report.into_problems().into_iter().next()) {
        (Some(registration), None) => Ok(registration),
        (_, Some(problem)) => Err(problem.message),
        (None, None) => Err("it is not a target".to_owned()),
    }
}

fn registration(target: &Target, path: &Path<'_>, report: &mut Report<'_>) -> Option<Registration> {
    let parsed = address::parse(&target.address);
    let address = match parsed {
        Ok(address) => address,
        Err(problem) => {
            report.refuse(path.key("address"), problem.message, problem.help);
            return None;
        }
    };
    if let Some(id) = &target.id
        && (id.is_empty() || id.len() > 128 || !id.chars().all(|c| c.is_ascii_graphic()))
    {
        let message = "an id has 1 to 128 visible ASCII characters and no blank";
        report.error(path.key("id"), message);
    }
    let id = target.id.clone().unwrap_or_else(|| address.host());
    Some(Registration {
        key: TargetKey {
            id: id.into(),
            port: address.port(),
        },
        zone: target
            .zone
            .as_deref()
            .filter(|zone| *zone != ALL)
            .map(Into::into),
        weight: target.weight,
        invalid_state: target.invalid_state.map(Into::into),
        priority: target.priority.unwrap_or(1),
        address,
    })
}

/// ALB does not let cross-zone load balancing be off while a target is in the zone `all`.
fn all_zones(zones: Option<&ZonePolicy>, path: &Path<'_>, report: &mut Report<'_>) {
    if zones == Some(&ZonePolicy::OwnZone) {
        let message = "a target in the zone `all` needs cross-zone load balancing";
        let help = "leave `zone` out: without cross-zone the target then counts to every zone";
        report.refuse(path, message, help);
    }
}

/// A zone without a node is what ALB calls not enabled.
fn zone(target: &Target, around: &Surroundings<'_>, path: &Path<'_>, report: &mut Report<'_>) {
    name::zone(report, path, target.zone.as_deref());
    let Some(zone) = target.zone.as_deref() else {
        return;
    };
    if let Some(load_balancer) = around.load_balancer
        && !around.all_zones
        && !around.nodes.contains(zone)
    {
        let zones = listed(zone, around.nodes.iter().copied());
        report.warn(
            path,
            format!("load balancer `{load_balancer}` has no node in zone `{zone}`: the target will be `unused`"),
            format!("its nodes stand in {zones}"),
        );
    }
}
