//! Target groups.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::page::Page;
use crate::aws::catalogue::{Catalogue, Entry, not_found};
use crate::aws::{ApiError, Call};
use crate::config::document::{ProbeProtocol, ProtocolVersion, TargetGroup, TargetProtocol};

/// `DescribeTargetGroups`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeTargetGroups {
    load_balancer_arn: Option<String>,
    target_group_arns: Vec<String>,
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<u32>,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetGroups {
    target_groups: Vec<TargetGroupDescription>,
    next_marker: Option<String>,
}

/// AWS: TargetGroup.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetGroupDescription {
    target_group_arn: String,
    target_group_name: String,
    protocol: &'static str,
    protocol_version: Option<&'static str>,
    port: u16,
    vpc_id: Option<String>,
    target_type: String,
    ip_address_type: &'static str,
    health_check_enabled: bool,
    health_check_protocol: &'static str,
    health_check_port: String,
    health_check_path: Option<String>,
    health_check_interval_seconds: u64,
    health_check_timeout_seconds: u64,
    healthy_threshold_count: u32,
    unhealthy_threshold_count: u32,
    matcher: Option<MatcherDescription>,
    load_balancer_arns: Vec<String>,
}

/// AWS: Matcher.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MatcherDescription {
    http_code: Option<String>,
    grpc_code: Option<String>,
}

pub(super) fn describe(
    call: &Call,
    wanted: DescribeTargetGroups,
) -> Result<TargetGroups, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let mut groups: Vec<_> = catalogue.target_groups().collect();
    if let Some(arn) = &wanted.load_balancer_arn {
        let load_balancer = catalogue.load_balancer(arn)?;
        groups.retain(|group| {
            let users = users(&catalogue, group);
            users.contains(&load_balancer.arn(&call.place))
        });
    }
    for arn in &wanted.target_group_arns {
        catalogue.target_group(arn)?;
    }
    for name in &wanted.names {
        let found = catalogue.target_group_named(name);
        found.ok_or_else(|| not_found("TargetGroupNotFound", "Target group", name))?;
    }
    if !wanted.target_group_arns.is_empty() || !wanted.names.is_empty() {
        groups.retain(|group| {
            wanted.target_group_arns.contains(&group.arn(&call.place))
                || wanted.names.contains(&group.document.name)
        });
    }
    let described = groups.iter().map(|group| described(&catalogue, group));
    let page = Page::of(wanted.page_size, wanted.marker);
    let (target_groups, next_marker) = page.cut(described.collect())?;
    Ok(TargetGroups {
        target_groups,
        next_marker,
    })
}

fn described(catalogue: &Catalogue<'_>, group: &Entry<'_, TargetGroup>) -> TargetGroupDescription {
    let document = group.document;
    let check = &document.health_check;
    let noted = |name: &str| {
        group
            .notes
            .and_then(|notes| notes.parameters.get(name))
            .cloned()
    };
    let is_grpc = document.protocol_version == ProtocolVersion::Grpc;
    let speaks_http = matches!(
        document.protocol,
        TargetProtocol::Http | TargetProtocol::Https
    );
    let probe = check.protocol.unwrap_or(match document.protocol {
        TargetProtocol::Http | TargetProtocol::Https => ProbeProtocol::Http,
        TargetProtocol::Tcp => ProbeProtocol::Tcp,
        TargetProtocol::Tls => ProbeProtocol::Ssl,
    });
    let has_path = matches!(probe, ProbeProtocol::Http | ProbeProtocol::Https);
    let code = check.matcher.clone();
    TargetGroupDescription {
        target_group_arn: group.arn(catalogue.place),
        target_group_name: document.name.clone(),
        protocol: match document.protocol {
            TargetProtocol::Http => "HTTP",
            TargetProtocol::Https => "HTTPS",
            TargetProtocol::Tcp => "TCP",
            TargetProtocol::Tls => "TLS",
        },
        protocol_version: speaks_http.then_some(match document.protocol_version {
            ProtocolVersion::Http1 => "HTTP1",
            ProtocolVersion::Http2 => "HTTP2",
            ProtocolVersion::Grpc => "GRPC",
        }),
        port: catalogue.port(group),
        vpc_id: noted("VpcId"),
        target_type: noted("TargetType").unwrap_or_else(|| "ip".to_owned()),
        ip_address_type: "ipv4",
        health_check_enabled: check.enabled,
        health_check_protocol: match probe {
            ProbeProtocol::Http => "HTTP",
            ProbeProtocol::Https => "HTTPS",
            ProbeProtocol::Tcp => "TCP",
            ProbeProtocol::Ssl => "TLS",
        },
        health_check_port: check
            .port
            .map_or_else(|| "traffic-port".to_owned(), |it| it.to_string()),
        health_check_path: has_path.then(|| {
            let default = if is_grpc { "/AWS.ALB/healthcheck" } else { "/" };
            check.path.clone().unwrap_or_else(|| default.to_owned())
        }),
        health_check_interval_seconds: Duration::from(check.interval).as_secs(),
        health_check_timeout_seconds: Duration::from(check.timeout).as_secs(),
        healthy_threshold_count: check.healthy_threshold.unwrap_or(5),
        unhealthy_threshold_count: check.unhealthy_threshold,
        matcher: has_path.then(|| MatcherDescription {
            http_code: (!is_grpc).then(|| code.clone().unwrap_or_else(|| "200".to_owned())),
            grpc_code: is_grpc.then(|| code.unwrap_or_else(|| "12".to_owned())),
        }),
        load_balancer_arns: users(catalogue, group),
    }
}

/// The load balancers whose listeners forward to the group.
fn users(catalogue: &Catalogue<'_>, group: &Entry<'_, TargetGroup>) -> Vec<String> {
    let name = &group.document.name;
    let load_balancers = catalogue.load_balancers();
    let using = load_balancers.filter(|it| {
        let mut listeners = it.document.listener.iter();
        listeners.any(|listener| {
            let rules = listener.rule.iter().map(|rule| rule.forward.as_ref());
            let mut forwards = rules.chain([listener.default.forward.as_ref()]).flatten();
            forwards.any(|forward| forward.names().any(|group| group == name))
        })
    });
    using.map(|it| it.arn(catalogue.place)).collect()
}
