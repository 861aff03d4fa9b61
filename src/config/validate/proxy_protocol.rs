//! Whom a listener believes about the client.

use super::report::Report;
use super::{blocks, range};
use crate::config::document::ProxyProtocol;
use crate::config::path::Path;
use crate::config::valid::ValidProxyProtocol;

/// Checks a listener's PROXY protocol settings.
pub(super) fn validate(
    settings: &ProxyProtocol,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ValidProxyProtocol> {
    let path = path.key("proxy_protocol");
    range::duration(
        report,
        &path.key("timeout"),
        settings.timeout,
        &range::PROXY_PROTOCOL_TIMEOUT,
    );
    let from = path.key("from");
    if settings.from.is_empty() && report.is_untouched(from) {
        let help = "name the proxies, such as [\"10.0.0.0/8\"], or leave proxy_protocol out";
        report.refuse(from, "no proxy is named", help);
    }
    Some(ValidProxyProtocol {
        from: blocks::validate(&settings.from, &from, report)?,
        others: settings.others,
        timeout: settings.timeout.0,
    })
}
