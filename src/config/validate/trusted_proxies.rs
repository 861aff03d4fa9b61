//! Proxies in front of a load balancer, and what the next one is told.

use super::blocks;
use super::report::Report;
use crate::config::document::{Forwarded, TrustedProxies};
use crate::config::path::Path;
use crate::config::valid::{By, ValidForwarded, ValidTrustedProxies};

/// Checks who is trusted.
pub(super) fn validate(
    settings: &TrustedProxies,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ValidTrustedProxies> {
    let path = path.key("trusted_proxies");
    let from = path.key("from");
    if settings.from.is_empty() && report.is_untouched(from) {
        let help = "name the proxies, such as [\"10.0.0.0/8\"], or leave trusted_proxies out";
        report.refuse(from, "no proxy is named", help);
    }
    Some(ValidTrustedProxies {
        from: blocks::validate(&settings.from, &from, report)?,
        field: settings.field,
        source_ip: settings.source_ip,
    })
}

/// Checks what is said in Forwarded.
pub(super) fn forwarded(
    settings: &Forwarded,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> ValidForwarded {
    let path = path.key("forwarded");
    let by = settings.by.as_deref().and_then(|by| match by {
        "address" => Some(By::Address),
        name if is_obfuscated(name) => Some(By::Name(name.into())),
        name => {
            let message = format!("`{name}` is not what a proxy may call itself");
            let help =
                "write \"address\", or \"_\" and then letters, digits, \".\", \"_\" or \"-\"";
            report.refuse(path.key("by"), message, help);
            None
        }
    });
    ValidForwarded {
        mode: settings.mode,
        by,
    }
}

/// RFC 7239 section 6.3.
fn is_obfuscated(name: &str) -> bool {
    let permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.strip_prefix('_')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(permitted))
}
