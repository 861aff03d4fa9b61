//! Security groups, and who has them or names them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::name::Names;
use super::range::QUOTA;
use super::report::Report;
use super::{blocks, traffic};
use crate::config::document::{Config, InboundRule, LoadBalancer, SecurityGroup};
use crate::config::path::Path;
use crate::config::suggest::nearest;
use crate::inbound::{self, Rule, Source, Transport};

/// How many security groups a load balancer may have (AWS's quota).
const ATTACHED: usize = 5;
/// How many rules a security group may have (AWS's quota).
const RULES: usize = 60;

/// Checks all security groups, who has them, and what their rules name.
pub(super) fn validate(
    config: &Config,
    report: &mut Report<'_>,
) -> Vec<Arc<inbound::SecurityGroup>> {
    let path = Path::Root.key("security_group");
    let mut names = Names::of("security_group", "security groups");
    for (index, group) in config.security_group.iter().enumerate() {
        names.add(&group.name, &path.index(index), report);
    }
    let groups = config.security_group.iter().enumerate();
    let valid: Vec<_> = groups
        .map(|(index, group)| Arc::new(security_group(group, &names, &path.index(index), report)))
        .collect();
    attached(config, &names, report);
    sources_without_members(config, &valid, report);
    unreachable_listeners(config, &valid, report);
    valid
}

fn security_group(
    group: &SecurityGroup,
    names: &Names<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> inbound::SecurityGroup {
    let rules = path.key("inbound");
    if group.inbound.len() > RULES && report.is_strict() {
        report.refuse(rules, format!("there are more than {RULES} rules"), QUOTA);
    }
    let inbound = group.inbound.iter().enumerate();
    let inbound =
        inbound.filter_map(|(index, written)| rule(written, names, &rules.index(index), report));
    let inbound = inbound.collect();
    let members = path.key("members");
    let blocks = group.members.iter().enumerate();
    let blocks =
        blocks.filter_map(|(index, text)| blocks::cidr(text, &members.index(index), report));
    inbound::SecurityGroup {
        name: group.name.as_str().into(),
        inbound,
        members: blocks.collect(),
    }
}

fn rule(
    rule: &InboundRule,
    names: &Names<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Rule> {
    let ports = (rule.port, rule.from_port, rule.to_port);
    let traffic = traffic::validate(rule.protocol, ports, path, report);
    let sources = rule.source.all();
    let path = path.key("source");
    if sources.is_empty() {
        let help = "write CIDR blocks, or names of security groups";
        report.refuse(path, "the rule lets nobody in", help);
    }
    let sources: Vec<_> = sources
        .iter()
        .filter_map(|text| match blocks::is_meant(text) {
            true => blocks::cidr(text, &path, report).map(Source::Block),
            false => named(text, names, &path, report).map(Source::Group),
        })
        .collect();
    Some(Rule {
        traffic: traffic?,
        sources,
    })
}

/// The name of a security group that is there; reports one that is not.
fn named(
    group: &str,
    names: &Names<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Arc<str>> {
    if names.has(group) {
        return Some(group.into());
    }
    if report.is_untouched("security_group") {
        let message = match nearest(group, names.iter()) {
            Some(near) => format!("there is no security group `{group}`; did you mean `{near}`?"),
            None => format!("there is no security group `{group}`"),
        };
        report.refuse(path, message, names.remedy(group));
    }
    None
}

/// Checks the groups that load balancers and target groups have.
fn attached(config: &Config, names: &Names<'_>, report: &mut Report<'_>) {
    let balancers = config
        .load_balancer
        .iter()
        .map(|owner| &owner.security_groups);
    let groups = config
        .target_group
        .iter()
        .map(|owner| &owner.security_groups);
    let balancers = balancers
        .enumerate()
        .map(|(index, has)| ("load_balancer", index, has));
    let groups = groups
        .enumerate()
        .map(|(index, has)| ("target_group", index, has));
    for (kind, index, has) in balancers.chain(groups) {
        let path = Path::Root.key(kind);
        let path = path.index(index);
        let path = path.key("security_groups");
        let mut known = BTreeSet::new();
        for (index, group) in has.iter().enumerate() {
            let path = path.index(index);
            named(group, names, &path, report);
            if !known.insert(group) {
                let message = format!("`{group}` is here already");
                report.refuse(path, message, "each security group is named once");
            }
        }
        if has.len() > ATTACHED && report.is_strict() {
            let message = format!("there are more than {ATTACHED} security groups");
            report.refuse(path, message, QUOTA);
        }
    }
}

/// A rule for members that nobody knows lets nobody in.
fn sources_without_members(
    config: &Config,
    groups: &[Arc<inbound::SecurityGroup>],
    report: &mut Report<'_>,
) {
    let has = |those: &[String], name: &str| those.iter().any(|group| group == name);
    let path = Path::Root.key("security_group");
    for (index, group) in groups.iter().enumerate() {
        let path = path.index(index);
        let path = path.key("inbound");
        for (index, rule) in group.inbound.iter().enumerate() {
            for source in &rule.sources {
                let Source::Group(name) = source else {
                    continue;
                };
                let listed = groups.iter().find(|group| group.name == *name);
                let listed = listed.is_some_and(|group| !group.members.is_empty());
                if listed {
                    continue;
                }
                let balancers = config.load_balancer.iter();
                let mut balancers = balancers.filter(|owner| has(&owner.security_groups, name));
                let mut targets = config.target_group.iter();
                let of_targets = targets.any(|owner| has(&owner.security_groups, name));
                let path = path.index(index);
                if balancers.clone().next().is_none() && !of_targets {
                    let message = format!("nobody belongs to security group `{name}`");
                    let help = "give it to a load balancer or a target group by `security_groups`, \
                                or list addresses in its `members`";
                    report.warn(path.key("source"), message, help);
                } else if let Some(owner) = balancers.find(|owner| is_everywhere(owner)) {
                    let message = format!(
                        "load balancer `{}` has security group `{name}` and listens on all \
                         addresses: which of them its connections come from is not known",
                        owner.name
                    );
                    let help = "give its nodes addresses, or list them in the group's `members`";
                    report.warn(path.key("source"), message, help);
                }
            }
        }
    }
}

fn is_everywhere(load_balancer: &LoadBalancer) -> bool {
    let mut addresses = load_balancer.nodes.iter().filter_map(|node| node.address);
    load_balancer.nodes.is_empty() || addresses.any(|address: IpAddr| address.is_unspecified())
}

/// Warns of listeners that the groups of their load balancer keep everybody from.
fn unreachable_listeners(
    config: &Config,
    groups: &[Arc<inbound::SecurityGroup>],
    report: &mut Report<'_>,
) {
    let path = Path::Root.key("load_balancer");
    for (index, load_balancer) in config.load_balancer.iter().enumerate() {
        let has = &load_balancer.security_groups;
        if has.is_empty() {
            continue;
        }
        let path = path.index(index);
        let path = path.key("listener");
        for (index, listener) in load_balancer.listener.iter().enumerate() {
            let lets_in = |transport| {
                let own = groups
                    .iter()
                    .filter(|group| has.iter().any(|name| **name == *group.name));
                let mut rules = own.flat_map(|group| &group.inbound);
                rules.any(|rule| rule.traffic.covers(transport, listener.port))
            };
            let path = path.index(index);
            let port = listener.port;
            if !lets_in(Transport::Tcp) {
                let message = format!("no security group lets anybody in on port {port} by TCP");
                let help = format!(
                    "add {{ port = {port}, source = \"0.0.0.0/0\" }} to the `inbound` of `{}`, say",
                    has[0]
                );
                report.warn(path.key("port"), message, help);
            } else if listener.http3 && !lets_in(Transport::Udp) {
                let message = format!("no security group lets anybody in on port {port} by UDP");
                let help = "HTTP/3 is UDP: add a rule with protocol = \"udp\", or leave http3 out";
                report.warn(path.key("http3"), message, help);
            }
        }
    }
}
