//! Health checks: ranges, the path, the statuses, what a probe sends.

use super::health_target::HealthTarget;
use super::range;
use super::report::Report;
use super::target_group::{protocol, version};
use crate::config::document::{self, ProbeProtocol, TargetGroup};
use crate::config::path::Path;
use crate::target::Thresholds;
use crate::target_group::{self, HealthCheck, Matcher, ProtocolVersion, TargetProtocol};

/// Header fields that a probe has anyway, or that would change where it ends.
const OWN_FIELDS: [&str; 4] = ["host", "connection", "content-length", "transfer-encoding"];

/// Checks the health check of the group at `path`.
///
/// `classic`: it belongs to a Classic load balancer, whose defaults are others.
pub(super) fn validate(
    group: &TargetGroup,
    classic: bool,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<HealthCheck> {
    let check = &group.health_check;
    let path = path.key("health_check");
    let version = version(group);
    let (asked, matcher, permitted) = match version {
        ProtocolVersion::Grpc => ("/AWS.ALB/healthcheck", "12", Matcher::GRPC),
        ProtocolVersion::Http1 | ProtocolVersion::Http2 => ("/", "200", Matcher::HTTP),
    };
    let target = health_target(check, &path, report);
    let asked = target.as_ref().map_or(asked, |target| match target.path {
        "" => asked,
        path => path,
    });
    let asked = check.path.as_deref().unwrap_or(asked);
    let matcher = check.matcher.as_deref().unwrap_or(matcher);
    numbers(check, &path, report);
    request_target(asked, &path, report);
    request(check, &path, report);
    let matcher = report.accept(path.key("matcher"), Matcher::parse(matcher, permitted))?;
    Some(HealthCheck {
        enabled: check.enabled,
        protocol: match check.protocol {
            Some(ProbeProtocol::Http) => target_group::ProbeProtocol::Http,
            Some(ProbeProtocol::Https) => target_group::ProbeProtocol::Https,
            Some(ProbeProtocol::Tcp) => target_group::ProbeProtocol::Tcp,
            Some(ProbeProtocol::Ssl) => target_group::ProbeProtocol::Ssl,
            None => match &target {
                Some(target) => target.protocol,
                // A target whose certificate nobody believes takes no connections, whoever can connect to it.
                None if !classic && protocol(group) == TargetProtocol::Tls => {
                    target_group::ProbeProtocol::Ssl
                }
                None if classic || protocol(group).is_relayed() => target_group::ProbeProtocol::Tcp,
                None => target_group::ProbeProtocol::Http,
            },
        },
        version,
        port: check.port.or(target.map(|target| target.port)),
        path: asked.to_owned(),
        interval: check.interval.0,
        timeout: check.timeout.0,
        thresholds: Thresholds {
            healthy: check
                .healthy_threshold
                .unwrap_or(if classic { 10 } else { 5 }),
            unhealthy: check.unhealthy_threshold,
        },
        matcher,
        host: check.host.clone(),
        headers: check.headers.clone().into_iter().collect(),
        tolerate_maintenance: check.tolerate_maintenance,
        classic,
        keeps_address: group.stale_ip_after_stop,
        proxy_protocol: None,
    })
}

/// Classic's way to say what is probed, which leaves nothing for the others to say.
fn health_target<'c>(
    check: &'c document::HealthCheck,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<HealthTarget<'c>> {
    let target = check.target.as_deref()?;
    for (key, is_there) in [
        ("protocol", check.protocol.is_some()),
        ("port", check.port.is_some()),
        ("path", check.path.is_some()),
    ] {
        if is_there {
            let message = format!("`target` says the {key} already");
            report.refuse(path.key(key), message, "leave one of the two out");
        }
    }
    report.accept(path.key("target"), HealthTarget::parse(target))
}

fn numbers(check: &document::HealthCheck, path: &Path<'_>, report: &mut Report<'_>) {
    if let Some(port) = check.port {
        range::number(report, &path.key("port"), port, 1..=u16::MAX);
    }
    range::duration(
        report,
        &path.key("interval"),
        check.interval,
        &range::INTERVAL,
    );
    range::duration(report, &path.key("timeout"), check.timeout, &range::TIMEOUT);
    for (key, threshold) in [
        ("healthy_threshold", check.healthy_threshold),
        ("unhealthy_threshold", Some(check.unhealthy_threshold)),
    ] {
        let Some(threshold) = threshold else {
            continue;
        };
        range::count(report, &path.key(key), threshold, &range::THRESHOLD);
    }
    if check.timeout >= check.interval && report.is_untouched(path) {
        let (timeout, interval) = (
            range::plain(check.timeout.0),
            range::plain(check.interval.0),
        );
        let message =
            format!("the timeout, {timeout}, must be shorter than the interval, {interval}");
        let help =
            "a probe is over before the next begins: shorten `timeout` or lengthen `interval`";
        report.refuse(path.key("timeout"), message, help);
    }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn request_target(target: &str, path: &Path<'_>, report: &mut Report<'_>) {
    if !target.starts_with('/') {
        let message = format!("`{target}` is not a path");
        report.refuse(
            path.key("path"),
            message,
            format!("write \"/{target}\": a path begins with `/`"),
        );
    } else if target.chars().count() > 1024 {
        report.error(
            path.key("path"),
            "the path of a health check has at most 1024 characters",
        );
    } else if !is_visible(target) || target.contains('#') {
        let help = "percent-encode blanks and other characters: \"/a%20b\"";
        report.refuse(
            path.key("path"),
            "a path consists of visible ASCII characters, without `#`",
            help,
        );
    }
}

fn request(check: &document::HealthCheck, path: &Path<'_>, report: &mut Report<'_>) {
    if let Some(host) = &check.host
        && (host.is_empty() || !is_visible(host))
    {
        let help = "write \"www.example.com\" or \"www.example.com:8080\", or leave it out";
        report.refuse(path.key("host"), format!("{host:?} is not a host"), help);
    }
    let fields = path.key("headers");
    for (name, value) in &check.headers {
        field(name, value, &fields.key(name), report);
    }
}

fn field(name: &str, value: &str, path: &Path<'_>, report: &mut Report<'_>) {
    // RFC 9110, sections 5.1 and 5.5.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        report.error(path, format!("{name:?} is not the name of a header field"));
    } else if OWN_FIELDS.contains(&name.to_ascii_lowercase().as_str()) {
        let help = match name.eq_ignore_ascii_case("host") {
            true => "write it as `host` of the health check",
            false => "leave it out",
        };
        report.refuse(
            path,
            format!("`{name}` is set by the health check itself"),
            help,
        );
    }
    let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t';
    if !value.bytes().all(visible) || value.trim() != value {
        report.error(
            path,
            "the value of a header field consists of visible ASCII characters, with blanks only between them",
        );
    }
}
