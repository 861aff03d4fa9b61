//! Network ACLs, and the subnets that have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::name::Names;
use super::report::Report;
use super::{blocks, range, traffic};
use crate::config::document::{AclAction, AclRule, Config, NetworkAcl};
use crate::config::path::Path;
use crate::inbound;

/// Checks all of them, and that subnets name those that are there.
pub(super) fn validate(config: &Config, report: &mut Report<'_>) -> Vec<Arc<inbound::NetworkAcl>> {
    let path = Path::Root.key("network_acl");
    let mut names = Names::of("network_acl", "network ACLs");
    let mut valid = Vec::with_capacity(config.network_acl.len());
    for (index, acl) in config.network_acl.iter().enumerate() {
        let path = path.index(index);
        names.add(&acl.name, &path, report);
        valid.push(Arc::new(network_acl(acl, &path, report)));
    }
    for (index, subnet) in config.subnet.iter().enumerate() {
        let path = Path::Root.key("subnet");
        let path = path.index(index);
        if let Some(acl) = subnet.network_acl.as_deref()
            && !names.has(acl)
            && report.is_untouched("network_acl")
        {
            let message = format!("there is no network ACL `{acl}`");
            report.refuse(path.key("network_acl"), message, names.remedy(acl));
        }
    }
    valid
}

fn network_acl(acl: &NetworkAcl, path: &Path<'_>, report: &mut Report<'_>) -> inbound::NetworkAcl {
    let path = path.key("inbound");
    let mut numbers = BTreeMap::new();
    let mut inbound = Vec::with_capacity(acl.inbound.len());
    for (index, written) in acl.inbound.iter().enumerate() {
        let path = path.index(index);
        let number = written.rule_number;
        range::number(report, &path.key("rule_number"), number, 1..=32766);
        if let Some(first) = numbers.insert(number, index) {
            let message = format!("inbound[{first}] has the number {number}, too");
            let help =
                "numbers are unique, for they say which rule comes first; leave gaps: 100, 200";
            report.refuse(path.key("rule_number"), message, help);
        }
        inbound.extend(rule(written, &path, report));
    }
    inbound.sort_by_key(|rule| rule.number);
    inbound::NetworkAcl {
        name: acl.name.as_str().into(),
        inbound,
    }
}

fn rule(written: &AclRule, path: &Path<'_>, report: &mut Report<'_>) -> Option<inbound::AclRule> {
    let ports = (written.port, written.from_port, written.to_port);
    let traffic = traffic::validate(written.protocol, ports, path, report);
    let path = path.key("source");
    let sources = written.source.all();
    if sources.is_empty() {
        report.refuse(path, "the rule is about nobody", "write CIDR blocks");
    }
    let sources: Vec<_> = sources
        .iter()
        .filter_map(|text| blocks::cidr(text, &path, report))
        .collect();
    Some(inbound::AclRule {
        number: written.rule_number,
        allows: written.action == AclAction::Allow,
        traffic: traffic?,
        sources,
    })
}
