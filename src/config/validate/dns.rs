//! Names in DNS whose answers are targets.

use std::collections::BTreeMap;

use super::report::Report;
use super::{address, docker, range};
use crate::config::document::{Config, Dns, Records, TargetGroup};
use crate::config::path::Path;
use crate::config::provider::{DnsSource, ProviderSource, ValidProvider};

/// Checks the names of all groups.
pub(super) fn validate(config: &Config, report: &mut Report<'_>) -> Vec<ValidProvider> {
    let groups = Path::Root.key("target_group");
    let mut valid = Vec::new();
    for (index, group) in config.target_group.iter().enumerate() {
        let path = groups.index(index);
        let path = path.key("dns");
        let mut names = BTreeMap::new();
        for (index, dns) in group.dns.iter().enumerate() {
            let path = path.index(index);
            if let Some(first) = names.insert(dns.name.as_str(), index) {
                let message = format!("dns[{first}] asks for `{}`, too", dns.name);
                report.refuse(path.key("name"), message, "each name once in a group");
            }
            valid.push(name(group, dns, &path, report));
        }
    }
    valid
}

fn name(group: &TargetGroup, dns: &Dns, path: &Path<'_>, report: &mut Report<'_>) -> ValidProvider {
    let name = path.key("name");
    if let Err(refusal) = address::parse(&format!("{}:1", dns.name)) {
        report.refuse(
            name,
            refusal.message,
            "write a name such as \"web.internal\"",
        );
    } else if dns.name.parse::<std::net::IpAddr>().is_ok() {
        let help = "a target with a fixed address stands in `targets`";
        report.refuse(
            name,
            format!("`{}` is an address, not a name", dns.name),
            help,
        );
    } else if dns.name.starts_with('_') && dns.records != Records::Srv {
        let help = "names that begin so have SRV records: write records = \"SRV\"";
        report.warn(name, format!("`{}` will have no addresses", dns.name), help);
    }
    records(dns, path, report);
    range::duration(report, &path.key("min_ttl"), dns.min_ttl, &range::MIN_TTL);
    range::duration(report, &path.key("max_ttl"), dns.max_ttl, &range::MAX_TTL);
    if dns.max_ttl < dns.min_ttl {
        let message = format!("it is shorter than min_ttl, {}", dns.min_ttl);
        report.error(path.key("max_ttl"), message);
    }
    ValidProvider {
        name: format!("dns:{}@{}", dns.name, group.name).into(),
        source: ProviderSource::Dns(DnsSource {
            target_group: group.name.as_str().into(),
            name: dns.name.clone(),
            records: dns.records,
            port: dns.port.unwrap_or_default(),
            weight: dns.weight.unwrap_or(1),
            has_standby: group.active_standby.is_some(),
            zones: docker::zones(dns.zone.as_deref(), &dns.zones, path, report),
            min_ttl: dns.min_ttl.0,
            max_ttl: dns.max_ttl.0,
            servers: dns.servers.clone(),
        }),
    }
}

/// SRV records bring ports and weights, addresses do not.
fn records(dns: &Dns, path: &Path<'_>, report: &mut Report<'_>) {
    if let Some(weight) = dns.weight {
        range::number(report, &path.key("weight"), weight, 0..=999);
    }
    if dns.records == Records::Srv {
        for (key, is_set) in [
            ("port", dns.port.is_some()),
            ("weight", dns.weight.is_some()),
        ] {
            if is_set {
                let message = format!("SRV records bring their own {key}");
                report.refuse(path.key(key), message, "leave it out");
            }
        }
    } else if dns.port.is_none_or(|port| port == 0) {
        let message = "addresses have no port: the targets need one";
        report.refuse(path.key("port"), message, "write port = 80, say");
    }
}
