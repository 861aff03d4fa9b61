//! Load balancers: name, nodes, attributes.

use super::acme::{Accounts, Orders};
use super::groups::{Groups, User};
use super::name::Names;
use super::node::Places;
use super::report::Report;
use super::{classic, listener, node, range, trusted_proxies};
use crate::config::document::{Config, LoadBalancer, LoadBalancerType};
use crate::config::path::Path;
use crate::config::valid::{Attributes, Limits, ValidLoadBalancer};

/// Checks all load balancers, and notes in `groups` which groups they use.
pub(super) fn validate(
    config: &Config,
    places: Places<'_>,
    groups: &mut Groups<'_>,
    accounts: &mut Accounts<'_>,
    report: &mut Report<'_>,
) -> Vec<ValidLoadBalancer> {
    let path = Path::Root.key("load_balancer");
    let mut names = Names::of("load_balancer", "load balancers");
    let mut valid = Vec::with_capacity(config.load_balancer.len());
    for (place, load_balancer) in config.load_balancer.iter().enumerate() {
        let path = path.index(place);
        let own_name = load_balancer.name.as_str();
        names.add(own_name, &path, report);
        if own_name.starts_with("internal-") {
            let message = "the name of a load balancer does not begin with `internal-`";
            report.refuse(path.key("name"), message, "ALB keeps that for itself");
        }
        classic::listeners(load_balancer, &path, report);
        let user = User {
            is_classic: load_balancer.kind == LoadBalancerType::Classic,
            idle_timeout: load_balancer.idle_timeout,
            place,
            name: own_name.into(),
            relays: false,
            passes_tls: false,
        };
        valid.push(ValidLoadBalancer {
            scheme: load_balancer.scheme,
            security_groups: load_balancer
                .security_groups
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            nodes: node::validate(load_balancer, places, &path, report),
            attributes: attributes(load_balancer, &path, report),
            trusted_proxies: load_balancer
                .trusted_proxies
                .as_ref()
                .and_then(|settings| trusted_proxies::validate(settings, &path, report)),
            forwarded: trusted_proxies::forwarded(&load_balancer.forwarded, &path, report),
            listeners: {
                let mut orders = Orders::of(load_balancer, accounts);
                listener::validate(load_balancer, &user, &path, groups, &mut orders, report)
            },
            name: user.name,
        });
    }
    valid
}

fn attributes(
    load_balancer: &LoadBalancer,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Attributes {
    let timeouts = [
        (
            "idle_timeout",
            load_balancer.idle_timeout,
            range::IDLE_TIMEOUT,
        ),
        (
            "client_keep_alive",
            load_balancer.client_keep_alive,
            range::CLIENT_KEEP_ALIVE,
        ),
        (
            "header_timeout",
            load_balancer.header_timeout,
            range::HEADER_TIMEOUT,
        ),
        (
            "tls_handshake_timeout",
            load_balancer.tls_handshake_timeout,
            range::TLS_HANDSHAKE_TIMEOUT,
        ),
    ];
    for (key, timeout, range) in timeouts {
        range::duration(report, &path.key(key), timeout, &range);
    }
    if let Some(connections) = load_balancer.max_connections {
        range::number(
            report,
            &path.key("max_connections"),
            connections,
            1..=usize::MAX,
        );
    }
    Attributes {
        idle_timeout: load_balancer.idle_timeout.0,
        client_keep_alive: load_balancer.client_keep_alive.0,
        header_timeout: load_balancer.header_timeout.0,
        tls_handshake_timeout: load_balancer.tls_handshake_timeout.0,
        forwarded_for: load_balancer.x_forwarded_for,
        client_port: load_balancer.x_forwarded_for_client_port,
        preserve_host: load_balancer.preserve_host,
        drop_invalid_header_fields: load_balancer.drop_invalid_header_fields,
        normalize_path: load_balancer.normalize_path,
        http2: load_balancer.http2 && load_balancer.kind == LoadBalancerType::Application,
        classic: load_balancer.kind == LoadBalancerType::Classic,
        tls_headers: load_balancer.x_amzn_tls_version_and_cipher_suite,
        desync_mitigation: load_balancer.desync_mitigation,
        zonal_shift: load_balancer.zonal_shift,
        max_connections: load_balancer.max_connections,
        limits: limits(load_balancer, path, report),
    }
}

fn limits(load_balancer: &LoadBalancer, path: &Path<'_>, report: &mut Report<'_>) -> Limits {
    let path = path.key("limits");
    let limits = &load_balancer.limits;
    let sizes = [
        ("request_line", limits.request_line),
        ("header", limits.header),
        ("headers", limits.headers),
        ("response_headers", limits.response_headers),
    ];
    for (key, size) in sizes {
        range::size(report, &path.key(key), size);
    }
    if limits.header > limits.headers && report.is_untouched(path) {
        let (one, all) = (limits.header, limits.headers);
        let message = format!("one header may have {one}, but all together only {all}");
        report.refuse(path.key("header"), message, "`header` is at most `headers`");
    }
    Limits {
        request_line: limits.request_line.0,
        header: limits.header.0,
        headers: limits.headers.0,
        response_headers: limits.response_headers.0,
    }
}
