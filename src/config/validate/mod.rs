//! Whether a document makes sense: ranges, names, references, what excludes what.
//!
//! One file for each subject. Every check goes on after a problem, so that all problems are found;
//! what is returned is already what the running parts use, so that nothing is checked twice.

mod acme;
mod action;
mod active_standby;
mod address;
mod authenticate;
mod blocks;
mod classic;
mod cookie_keys;
mod dns;
mod docker;
mod file;
mod forward;
mod groups;
mod health_check;
mod health_target;
mod listener;
mod listener_headers;
mod load_balancer;
mod name;
mod network_acl;
mod node;
mod proxy_protocol;
mod range;
mod relay;
mod report;
mod response_timeout;
mod rule;
mod security_group;
mod slow_start;
mod socket;
mod stickiness;
mod subnet;
mod surge_queue;
mod target;
mod target_group;
mod target_group_health;
mod target_tls;
mod tls;
mod traffic;
mod transform;
mod trust_store;
mod trusted_proxies;
mod upgrade;
mod zone_policy;

use self::groups::Groups;
pub use self::health_target::HealthTarget;
use self::report::Report;
use self::subnet::Subnets;
use super::document::Config;
use super::fit::Removed;
use super::inventory::Joined;
use super::path::Path;
use super::problem::Problem;
use super::valid::{AccessLogSettings, ValidConfig};

/// Checks a document, or what remained of it when some was `removed`. The problems are not located;
/// there is a configuration if none of them is an error.
pub(super) fn validate(config: &Config, removed: &Removed) -> (Option<ValidConfig>, Vec<Problem>) {
    let mut report = Report::new(config.ranges, removed);
    let subnets = Subnets::new(config, &mut report);
    let settled = subnets.settle(config, &mut report);
    let config = settled.as_ref();
    let security_groups = security_group::validate(config, &mut report);
    let network_acls = network_acl::validate(config, &mut report);
    let places = (&subnets, &network_acls[..]);
    let mut groups = Groups::new(&config.target_group);
    settings(config, &mut report);
    tls::settings(config, &mut report);
    let mut accounts = acme::validate(config, &mut report);
    let load_balancers =
        load_balancer::validate(config, places, &mut groups, &mut accounts, &mut report);
    acme::unused(&accounts, &mut report);
    let trust_stores = trust_store::validate(config, &mut report);
    let target_groups = target_group::validate(config, &groups, &mut report);
    let cookie_keys = cookie_keys::validate(config, &mut report);
    let providers = docker::validate(config, &groups, &mut report);
    let providers = providers
        .into_iter()
        .chain(dns::validate(config, &mut report));
    let providers = providers.collect();
    socket::validate(config, &mut report);
    let upgrade = upgrade::validate(config, &mut report);
    let problems = report.into_problems();
    let valid = ValidConfig {
        ranges: config.ranges,
        workers: config.workers,
        shutdown_deadline: config.shutdown_deadline.0,
        upgrade,
        cookie_keys,
        admin: config.admin.address,
        access_log: AccessLogSettings {
            path: config.access_log.path.clone(),
            format: config.access_log.format,
        },
        connection_log: AccessLogSettings {
            path: config.connection_log.path.clone(),
            format: config.connection_log.format,
        },
        trust_stores,
        key_log: config.tls.key_log.clone(),
        joined: Joined::default(),
        state_directory: config.state_directory.clone(),
        security_groups,
        load_balancers,
        target_groups,
        providers,
    };
    let refused = problems.iter().any(Problem::is_error);
    ((!refused).then_some(valid), problems)
}

pub(super) use target::contributed;

/// What belongs to the daemon itself.
fn settings(config: &Config, report: &mut Report<'_>) {
    let root = Path::Root;
    if let Some(workers) = config.workers {
        let path = root.key("workers");
        range::number(report, &path, workers, 1..=1024);
    }
    let path = root.key("shutdown_deadline");
    range::duration(
        report,
        &path,
        config.shutdown_deadline,
        &range::SHUTDOWN_DEADLINE,
    );
    let logs = [
        ("access_log", "access log", &config.access_log.path),
        (
            "connection_log",
            "connection log",
            &config.connection_log.path,
        ),
    ];
    for (key, log, path) in logs {
        if path
            .as_ref()
            .is_some_and(|path| path.as_os_str().is_empty())
        {
            let message = format!("the path of the {log} is empty");
            let help = format!("write a file or \"-\", or leave it out for no {log}");
            report.refuse(root.key(key).key("path"), message, help);
        }
    }
    if config.load_balancer.is_empty() {
        report.warn(
            root,
            "there is no load balancer: nothing listens",
            "begin with [[load_balancer]]",
        );
    }
}
