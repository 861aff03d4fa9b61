//! Listeners that forward connections whole: what they may say, which is less.

use std::sync::Arc;

use super::acme::Orders;
use super::groups::{Groups, User};
use super::report::Report;
use super::{action, proxy_protocol, range, rule, tls};
use crate::config::document::{Listener, ListenerProtocol, ResponseHeaders};
use crate::config::path::Path;
use crate::config::valid::{ValidAction, ValidListener};
use crate::config::value::Span;
use crate::config::{RelaySettings, Service};
use crate::routing::{Condition, Rule, RuleTable};

/// NLB's default.
const IDLE_TIMEOUT: Span = Span::from_secs(350);

/// Checks a TCP or TLS listener.
pub(super) fn validate(
    listener: &Listener,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    orders: &mut Orders<'_, '_>,
    report: &mut Report<'_>,
) -> Option<ValidListener> {
    let passthrough = listener.protocol == ListenerProtocol::Tls && !listener.ends_tls();
    let user = User {
        relays: true,
        passes_tls: passthrough,
        ..user.clone()
    };
    let proxy_protocol = (listener.proxy_protocol.as_ref())
        .and_then(|settings| proxy_protocol::validate(settings, path, report));
    if listener.protocol == ListenerProtocol::Tcp && listener.tls_mode.is_some() {
        let message = "`tls_mode` is for listeners of protocol TLS";
        report.refuse(path.key("tls_mode"), message, "write protocol = \"TLS\"");
    }
    let (usual, range) = match user.is_classic {
        true => (user.idle_timeout, &range::IDLE_TIMEOUT),
        false => (IDLE_TIMEOUT, &range::RELAY_IDLE_TIMEOUT),
    };
    let idle_timeout = listener.idle_timeout.unwrap_or(usual);
    range::duration(report, &path.key("idle_timeout"), idle_timeout, range);
    let rules = match passthrough {
        true => by_name(listener, &user, path, groups, report),
        false => none(listener, path, report),
    };
    if listener.response_headers != ResponseHeaders::default() {
        let message = "a listener that forwards connections whole knows no header fields";
        report.error(path.key("response_headers"), message);
    }
    let default = {
        let path = path.key("default");
        let actions = action::Actions::of_default(&listener.default);
        forward_only(
            action::validate(&actions, listener, &user, &path, groups, report)?,
            &path,
            report,
        )
    };
    Some(ValidListener {
        port: listener.port,
        proxy_protocol,
        service: Service::Relay(RelaySettings {
            idle_timeout: idle_timeout.0,
            passthrough,
        }),
        headers: Arc::default(),
        tls: tls::validate(listener, path, orders, report),
        http3: false,
        rules: RuleTable::new(rules, default?).ok()?,
    })
}

/// The rules of a listener that does not look into what it forwards.
fn none(listener: &Listener, path: &Path<'_>, report: &mut Report<'_>) -> Vec<Rule<ValidAction>> {
    if !listener.rule.is_empty() {
        let message = "a TCP listener has no rules: it does not look into what it forwards";
        let help = "its default action forwards all connections, also to several groups by weight";
        report.refuse(path.key("rule"), message, help);
    }
    Vec::new()
}

/// The rules that choose a group by the name that a TLS client asks for.
fn by_name(
    listener: &Listener,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Vec<Rule<ValidAction>> {
    let path = path.key("rule");
    let checked = rule::validate(listener, user, &path, groups, report);
    let mut rules = Vec::with_capacity(checked.len());
    for (index, rule) in checked {
        let path = path.index(index);
        let is_name = |condition: &Condition| matches!(condition, Condition::HostHeader(_));
        if !rule.conditions().iter().all(is_name) || rule.transforms().is_some() {
            let message = "only the name that a client asks for is seen of a TLS connection";
            report.refuse(path, message, "keep `host` alone, and `forward`");
        }
        if forward_only(rule.action().clone(), &path, report).is_some() {
            rules.push(rule);
        }
    }
    rules
}

/// The action, unless it answers requests.
fn forward_only(
    action: ValidAction,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ValidAction> {
    let key = match action {
        ValidAction::Forward(_) => return Some(action),
        ValidAction::Redirect(_) => "redirect",
        ValidAction::FixedResponse(_) => "fixed_response",
        // It has been said that this is for HTTPS.
        ValidAction::Authenticate(_) => return None,
    };
    let message = format!("{key} answers requests, which a TCP listener does not read");
    let help = "a TCP listener forwards: write { forward = \"group\" }";
    report.refuse(path.key(key), message, help);
    None
}
