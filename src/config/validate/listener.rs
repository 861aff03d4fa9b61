//! Listeners: ports, the default action, the table of rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::acme::Orders;
use super::groups::{Groups, User};
use super::report::Report;
use super::{action, listener_headers, proxy_protocol, relay, rule, tls};
use crate::config::Service;
use crate::config::document::{Listener, ListenerProtocol, LoadBalancer, NormalizePath};
use crate::config::path::Path;
use crate::config::valid::ValidListener;
use crate::routing::{PathReading, RuleTable};

/// Checks the listeners of one load balancer, which is the `user` of the groups that they name.
pub(super) fn validate(
    load_balancer: &LoadBalancer,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    orders: &mut Orders<'_, '_>,
    report: &mut Report<'_>,
) -> Vec<ValidListener> {
    if load_balancer.listener.is_empty() {
        report.warn(
            path,
            format!(
                "load balancer `{}` has no listener: it answers nothing",
                user.name
            ),
            "add [[load_balancer.listener]] with a port and a default action",
        );
    }
    let reading = match load_balancer.normalize_path {
        NormalizePath::ForRules | NormalizePath::ForRulesAndTargets => PathReading::Normalized,
        NormalizePath::Never => PathReading::AsSent,
    };
    let path = path.key("listener");
    let mut ports = BTreeMap::new();
    let mut valid = Vec::with_capacity(load_balancer.listener.len());
    for (index, listener) in load_balancer.listener.iter().enumerate() {
        let path = path.index(index);
        // 0 as well: the port as written tells listeners apart, whatever the system chooses.
        if let Some(first) = ports.insert(listener.port, index) {
            let message = format!("listener[{first}] has port {}, too", listener.port);
            let help = "a load balancer listens once on a port";
            report.refuse(path.key("port"), message, help);
        }
        let checked = match listener.protocol {
            ListenerProtocol::Http | ListenerProtocol::Https => {
                listener_of(listener, user, &path, groups, orders, report)
            }
            ListenerProtocol::Tcp | ListenerProtocol::Tls => {
                relay::validate(listener, user, &path, groups, orders, report)
            }
        };
        valid.extend(checked.map(|listener| ValidListener {
            rules: listener.rules.reading(reading),
            ..listener
        }));
    }
    valid
}

fn listener_of(
    listener: &Listener,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    orders: &mut Orders<'_, '_>,
    report: &mut Report<'_>,
) -> Option<ValidListener> {
    if listener.tls_mode.is_some() {
        let message = "`tls_mode` is for listeners of protocol TLS";
        report.refuse(
            path.key("tls_mode"),
            message,
            "an HTTPS listener always ends TLS",
        );
    }
    if listener.idle_timeout.is_some() {
        let message = "an HTTP listener has no idle timeout of its own";
        let help = "write it as `idle_timeout` of the load balancer";
        report.refuse(path.key("idle_timeout"), message, help);
    }
    let tls = tls::validate(listener, path, orders, report);
    let headers = listener_headers::validate(listener, path, report);
    if listener.http3 && listener.protocol != ListenerProtocol::Https {
        let message = "HTTP/3 is always encrypted";
        let help = "write `protocol = \"HTTPS\"` with `certificates`, or leave `http3` out";
        report.refuse(path.key("http3"), message, help);
    }
    if listener.http3 && tls.as_ref().is_some_and(|tls| !tls.policy.has_tls13()) {
        let message = "HTTP/3 needs TLS 1.3, which this `ssl_policy` does not have";
        let help = "choose a policy with TLS13 in its name, or leave `http3` out";
        report.refuse(path.key("http3"), message, help);
    }
    let default = {
        let path = path.key("default");
        let actions = action::Actions::of_default(&listener.default);
        action::validate(&actions, listener, user, &path, groups, report)
    };
    let introduced = listener.proxy_protocol.as_ref();
    let introduced = introduced.map(|settings| proxy_protocol::validate(settings, path, report));
    let rules = rule::validate(listener, user, &path.key("rule"), groups, report);
    let rules = rules.into_iter().map(|(_, rule)| rule).collect();
    // Fails only for equal priorities, which have been reported.
    let rules = RuleTable::new(rules, default?).ok()?;
    Some(ValidListener {
        port: listener.port,
        proxy_protocol: introduced.flatten(),
        service: Service::Http,
        headers: Arc::new(headers),
        tls,
        http3: listener.http3,
        rules,
    })
}
