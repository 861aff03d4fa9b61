//! Load balancers as the API of 2012 describes them.
//!
//! What there is a policy for on AWS (stickiness, PROXY protocol) is a setting of a target group here; its policies have
//! made-up names, by which nobody can change them.

use serde::{Deserialize, Serialize};

use super::instances::{self, Instance};
use super::{groups, load_balancer, load_balancers};
use crate::aws::arn::Arn;
use crate::aws::catalogue::{Catalogue, Entry};
use crate::aws::elbv2::load_balancers::dns_name;
use crate::aws::elbv2::page::Page;
use crate::aws::elbv2::target_groups::seconds;
use crate::aws::{ApiError, Call};
use crate::config::document::{
    Listener, ListenerProtocol, LoadBalancer, StickinessType, TargetGroup, TargetProtocol,
};
use crate::snapshot::Snapshot;

/// `DescribeLoadBalancers`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeLoadBalancers {
    load_balancer_names: Vec<String>,
    marker: Option<String>,
    page_size: Option<u32>,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LoadBalancers {
    load_balancer_descriptions: Vec<LoadBalancerDescription>,
    next_marker: Option<String>,
}

/// AWS: LoadBalancerDescription.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoadBalancerDescription {
    load_balancer_name: String,
    #[serde(rename = "DNSName")]
    dns_name: String,
    listener_descriptions: Vec<ListenerDescription>,
    policies: Policies,
    backend_server_descriptions: [(); 0],
    availability_zones: Vec<String>,
    subnets: Vec<String>,
    instances: Vec<Instance>,
    health_check: Option<HealthCheck>,
    security_groups: Vec<String>,
    scheme: &'static str,
}

/// AWS: ListenerDescription.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListenerDescription {
    listener: ListenerOf2012,
    policy_names: Vec<String>,
}

/// AWS: Listener.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListenerOf2012 {
    protocol: &'static str,
    load_balancer_port: u16,
    instance_protocol: &'static str,
    instance_port: u16,
    #[serde(rename = "SSLCertificateId")]
    ssl_certificate_id: Option<String>,
}

/// AWS: Policies.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policies {
    app_cookie_stickiness_policies: Vec<AppCookieStickinessPolicy>,
    #[serde(rename = "LBCookieStickinessPolicies")]
    lb_cookie_stickiness_policies: Vec<LbCookieStickinessPolicy>,
    other_policies: Vec<String>,
}

/// AWS: AppCookieStickinessPolicy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AppCookieStickinessPolicy {
    policy_name: String,
    cookie_name: Option<String>,
}

/// AWS: LBCookieStickinessPolicy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LbCookieStickinessPolicy {
    policy_name: String,
    cookie_expiration_period: Option<u64>,
}

/// AWS: HealthCheck.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HealthCheck {
    target: String,
    interval: u64,
    timeout: u64,
    unhealthy_threshold: u32,
    healthy_threshold: u32,
}

/// `DescribeLoadBalancers`.
pub(super) fn describe(
    call: &Call,
    wanted: DescribeLoadBalancers,
) -> Result<LoadBalancers, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let names = wanted.load_balancer_names.iter();
    let chosen: Vec<_> = match names.len() {
        0 => load_balancers(&catalogue).collect(),
        _ => names
            .map(|name| load_balancer(&catalogue, name))
            .collect::<Result<_, _>>()?,
    };
    let described = chosen.into_iter().map(|it| described(call, &catalogue, it));
    let page = Page::of(wanted.page_size, wanted.marker);
    let (load_balancer_descriptions, next_marker) = page.cut(described.collect())?;
    Ok(LoadBalancers {
        load_balancer_descriptions,
        next_marker,
    })
}

fn described(
    call: &Call,
    catalogue: &Catalogue<'_>,
    load_balancer: &LoadBalancer,
) -> LoadBalancerDescription {
    let snapshot = call.api.shared.load();
    let groups = groups(catalogue, load_balancer);
    let named = |listener: &Listener| {
        let name = listener
            .default
            .forward
            .iter()
            .flat_map(|it| it.names())
            .next();
        groups
            .iter()
            .find(|group| Some(&group.document.name) == name)
    };
    let mut in_force = snapshot.load_balancers.iter();
    let nodes = in_force.find(|it| *it.name == *load_balancer.name);
    let nodes = nodes.map(|it| &it.nodes[..]).unwrap_or_default();
    let mut availability_zones: Vec<_> = nodes
        .iter()
        .filter_map(|node| node.zone.as_ref())
        .map(ToString::to_string)
        .collect();
    availability_zones.dedup();
    LoadBalancerDescription {
        load_balancer_name: load_balancer.name.clone(),
        dns_name: dns_name(call, load_balancer),
        listener_descriptions: load_balancer
            .listener
            .iter()
            .filter_map(|listener| {
                Some(listener_description(catalogue, listener, named(listener)?))
            })
            .collect(),
        policies: policies(&groups),
        backend_server_descriptions: [],
        availability_zones,
        subnets: nodes
            .iter()
            .filter_map(|node| node.subnet.as_deref().map(str::to_owned))
            .collect(),
        instances: instances::listed(groups.iter().map(|group| group.document)),
        health_check: groups
            .first()
            .and_then(|group| health_check(catalogue, &snapshot, group)),
        security_groups: load_balancer.security_groups.clone(),
        scheme: load_balancer.scheme.as_str(),
    }
}

fn listener_description(
    catalogue: &Catalogue<'_>,
    listener: &Listener,
    group: &Entry<'_, TargetGroup>,
) -> ListenerDescription {
    let certificate = listener.certificates.first();
    let certificate =
        certificate.and_then(|it| it.name.clone().or_else(|| it.names.first().cloned()));
    ListenerDescription {
        listener: ListenerOf2012 {
            protocol: match listener.protocol {
                ListenerProtocol::Http => "HTTP",
                ListenerProtocol::Https => "HTTPS",
                ListenerProtocol::Tcp => "TCP",
                ListenerProtocol::Tls => "SSL",
            },
            load_balancer_port: listener.port,
            instance_protocol: match group.document.protocol {
                TargetProtocol::Http => "HTTP",
                TargetProtocol::Https => "HTTPS",
                TargetProtocol::Tcp => "TCP",
                TargetProtocol::Tls => "SSL",
            },
            instance_port: catalogue.port(group),
            ssl_certificate_id: certificate
                .map(|name| Arn::Certificate { name }.at(catalogue.place)),
        },
        policy_names: sticky(group.document).into_iter().collect(),
    }
}

/// What its stickiness would be called.
fn sticky(group: &TargetGroup) -> Option<String> {
    group
        .stickiness
        .enabled
        .then(|| format!("{}-stickiness", group.name))
}

fn policies(groups: &[Entry<'_, TargetGroup>]) -> Policies {
    let mut policies = Policies {
        app_cookie_stickiness_policies: Vec::new(),
        lb_cookie_stickiness_policies: Vec::new(),
        other_policies: Vec::new(),
    };
    for group in groups.iter().map(|group| group.document) {
        if group.proxy_protocol.is_some() {
            policies
                .other_policies
                .push(format!("{}-proxy-protocol", group.name));
        }
        let Some(policy_name) = sticky(group) else {
            continue;
        };
        let stickiness = &group.stickiness;
        match stickiness.kind {
            StickinessType::AppCookie => {
                policies
                    .app_cookie_stickiness_policies
                    .push(AppCookieStickinessPolicy {
                        policy_name,
                        cookie_name: stickiness.cookie_name.clone(),
                    });
            }
            StickinessType::LbCookie => {
                policies
                    .lb_cookie_stickiness_policies
                    .push(LbCookieStickinessPolicy {
                        policy_name,
                        cookie_expiration_period: stickiness.duration.map(|it| seconds(it.into())),
                    });
            }
        }
    }
    policies
}

/// How the instances are probed, as it is in force.
fn health_check(
    catalogue: &Catalogue<'_>,
    snapshot: &Snapshot,
    group: &Entry<'_, TargetGroup>,
) -> Option<HealthCheck> {
    use crate::target_group::ProbeProtocol as P;
    let check = &snapshot
        .groups
        .get(group.document.name.as_str())?
        .health_check;
    let port = check.port.unwrap_or_else(|| catalogue.port(group));
    let path = match check.protocol {
        P::Http | P::Https => check.path.as_str(),
        P::Tcp | P::Ssl => "",
    };
    Some(HealthCheck {
        target: format!("{}:{port}{path}", check.protocol.as_str()),
        interval: seconds(check.interval),
        timeout: seconds(check.timeout),
        unhealthy_threshold: check.thresholds.unhealthy,
        healthy_threshold: check.thresholds.healthy,
    })
}
