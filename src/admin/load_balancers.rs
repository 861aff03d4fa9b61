//! `/load-balancers`: names, nodes, listeners, attributes.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::time::Instant;

use crate::config::{DesyncMitigation, ForwardedFor, NormalizePath};
use crate::snapshot::{LoadBalancer, Snapshot};
use crate::tls::Slot;

use super::Context;
use super::nodes::NodeHealthDocument;
use super::status::time;
use super::zonal_shift::ShiftDocument;

#[derive(Debug, Serialize)]
pub(super) struct LoadBalancers {
    load_balancers: Vec<LoadBalancerDocument>,
}

#[derive(Debug, Serialize)]
struct LoadBalancerDocument {
    name: String,
    scheme: &'static str,
    /// Without any, everybody may connect.
    security_groups: Vec<String>,
    nodes: Vec<Node>,
    listeners: Vec<Listener>,
    /// Where it answers, with the ports that the system chose.
    addresses: Vec<String>,
    open_connections: usize,
    /// Traffic is kept away from a zone.
    zonal_shift: Option<ShiftDocument>,
    attributes: Attributes,
}

#[derive(Debug, Serialize)]
struct Node {
    zone: Option<String>,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subnet: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_acl: Option<String>,
    #[serde(flatten)]
    health: NodeHealthDocument,
}

#[derive(Debug, Serialize)]
struct Listener {
    port: u16,
    protocol: &'static str,
    /// Without the default rule.
    rules: usize,
    #[serde(flatten)]
    tls: Option<Tls>,
}

#[derive(Debug, Serialize)]
struct Tls {
    ssl_policy: String,
    /// What AWS serves under that name and Elbow does not.
    not_served: Vec<&'static str>,
    /// The default one first.
    certificates: Vec<CertificateDocument>,
}

#[derive(Debug, Serialize)]
struct CertificateDocument {
    name: String,
    /// The hosts that it is made out to.
    hosts: Vec<String>,
    key: Option<String>,
    serial: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    /// Why a certificate that should have replaced it cannot be used.
    last_failure: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct Failure {
    time: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Attributes {
    idle_timeout: String,
    client_keep_alive: String,
    header_timeout: String,
    forwarded_for: ForwardedFor,
    client_port: bool,
    preserve_host: bool,
    drop_invalid_header_fields: bool,
    normalize_path: NormalizePath,
    desync_mitigation: DesyncMitigation,
    zonal_shift: bool,
    max_connections: Option<usize>,
}

pub(super) async fn list(State(context): State<Context>) -> Json<LoadBalancers> {
    let snapshot = context.snapshot();
    let load_balancers = snapshot.load_balancers.iter();
    Json(LoadBalancers {
        load_balancers: load_balancers
            .map(|load_balancer| document(load_balancer, &snapshot, &context))
            .collect(),
    })
}

fn document(
    load_balancer: &LoadBalancer,
    snapshot: &Snapshot,
    context: &Context,
) -> LoadBalancerDocument {
    let now = Instant::now();
    let attributes = &load_balancer.attributes;
    let health = snapshot.node_health(load_balancer, now);
    let nodes = load_balancer.nodes.iter().zip(&health);
    let nodes = nodes.map(|(node, health)| Node {
        zone: node.zone.as_ref().map(ToString::to_string),
        address: node.address.to_string(),
        subnet: node.subnet.as_ref().map(ToString::to_string),
        network_acl: node.network_acl.as_ref().map(|acl| acl.name.to_string()),
        health: health.into(),
    });
    let shift = load_balancer.shift.active(now);
    let listeners = load_balancer.listeners.iter().map(|listener| Listener {
        port: listener.port,
        protocol: listener.protocol(),
        rules: listener.rules.rules().len(),
        tls: listener.tls.as_ref().map(|tls| Tls {
            ssl_policy: tls.policy().name(),
            not_served: tls.policy().missing(),
            certificates: listener
                .certificates()
                .iter()
                .map(|slot| certificate(slot))
                .collect(),
        }),
    });
    let addresses = context.addresses.of(&load_balancer.name);
    LoadBalancerDocument {
        name: load_balancer.name.to_string(),
        scheme: load_balancer.scheme.as_str(),
        security_groups: load_balancer
            .security_groups
            .iter()
            .map(ToString::to_string)
            .collect(),
        nodes: nodes.collect(),
        listeners: listeners.collect(),
        addresses: addresses.iter().map(ToString::to_string).collect(),
        zonal_shift: shift.map(|shift| ShiftDocument::new(&shift, now)),
        open_connections: load_balancer.admissions.open(),
        attributes: Attributes {
            idle_timeout: span(attributes.idle_timeout),
            client_keep_alive: span(attributes.client_keep_alive),
            header_timeout: span(attributes.header_timeout),
            forwarded_for: attributes.forwarded_for,
            client_port: attributes.client_port,
            preserve_host: attributes.preserve_host,
            drop_invalid_header_fields: attributes.drop_invalid_header_fields,
            normalize_path: attributes.normalize_path,
            desync_mitigation: attributes.desync_mitigation,
            zonal_shift: attributes.zonal_shift,
            max_connections: attributes.max_connections,
        },
    }
}

fn certificate(slot: &Slot) -> CertificateDocument {
    let current = slot.certificate();
    let current = current.as_ref();
    CertificateDocument {
        name: slot.name().to_string(),
        hosts: current.map_or_else(Vec::new, |current| {
            current.names().map(str::to_owned).collect()
        }),
        key: current.map(|current| format!("{} {}", current.kind().as_str(), current.bits())),
        serial: current.map(|current| current.serial().to_owned()),
        not_before: current.map(|current| time(current.not_before())),
        not_after: current.map(|current| time(current.not_after())),
        last_failure: slot.failure().map(|failure| Failure {
            time: time(failure.at),
            reason: failure.reason,
        }),
    }
}

/// A time as the configuration writes it, for example `1m`.
pub(super) fn span(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admin::sample::Sample;

    #[tokio::test]
    async fn a_load_balancer_is_listed_with_nodes_listeners_and_attributes() {
        let sample = Sample::start().await;
        sample.probe_all();
        let answer = sample.get("/load-balancers").await.json();
        let load_balancer = &answer["load_balancers"][0];
        assert_eq!(load_balancer["name"], "wp-elb");
        let nodes = json!([
            { "zone": "a", "address": "127.0.0.11", "in_use": true, "state": "healthy" },
            { "zone": "c", "address": "127.0.0.12", "in_use": true, "state": "healthy" },
        ]);
        assert_eq!(load_balancer["nodes"], nodes);
        let listeners = json!([{ "port": 8080, "protocol": "HTTP", "rules": 1 }]);
        assert_eq!(load_balancer["listeners"], listeners);
        let attributes = &load_balancer["attributes"];
        assert_eq!(attributes["idle_timeout"], "1m");
        assert_eq!(attributes["forwarded_for"], "append");
    }
}
