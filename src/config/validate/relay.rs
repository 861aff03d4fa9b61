//! Listeners that forward connections whole: what they may say, which is less.

use super::groups::{Groups, User};
use super::report::Report;
use super::{action, proxy_protocol, range, tls};
use crate::config::document::Listener;
use crate::config::path::Path;
use crate::config::valid::{ValidAction, ValidListener};
use crate::config::value::Span;
use crate::config::{RelaySettings, Service};
use crate::routing::RuleTable;

/// NLB's default.
const IDLE_TIMEOUT: Span = Span::from_secs(350);

/// Checks a TCP listener.
pub(super) fn validate(
    listener: &Listener,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Option<ValidListener> {
    let user = User {
        relays: true,
        ..user.clone()
    };
    let proxy_protocol = (listener.proxy_protocol.as_ref())
        .and_then(|settings| proxy_protocol::validate(settings, path, report));
    let idle_timeout = listener.idle_timeout.unwrap_or(IDLE_TIMEOUT);
    let key = path.key("idle_timeout");
    range::duration(report, &key, idle_timeout, &range::RELAY_IDLE_TIMEOUT);
    if !listener.rule.is_empty() {
        let message = "a TCP listener has no rules: it does not look into what it forwards";
        let help = "its default action forwards all connections, also to several groups by weight";
        report.refuse(path.key("rule"), message, help);
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
        }),
        tls: tls::validate(listener, path, report),
        rules: RuleTable::new(Vec::new(), default?).ok()?,
    })
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
    };
    let message = format!("{key} answers requests, which a TCP listener does not read");
    let help = "a TCP listener forwards: write { forward = \"group\" }";
    report.refuse(path.key(key), message, help);
    None
}
