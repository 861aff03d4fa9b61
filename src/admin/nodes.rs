//! `/nodes/{zone}/health`: whether clients should be led to the node of a zone. DNS, or a balancer
//! in front, asks this; Elbow has no DNS of its own.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::snapshot::{LoadBalancer, Node, NodeHealth};

use super::Context;
use super::answer::{Refusal, listed};

/// Stands for a node in no zone.
const NO_ZONE: &str = "-";

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    load_balancer: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct NodesOfZone {
    zone: String,
    in_use: bool,
    load_balancers: Vec<NodeDocument>,
}

#[derive(Debug, Serialize)]
struct NodeDocument {
    load_balancer: String,
    address: String,
    #[serde(flatten)]
    health: NodeHealthDocument,
}

/// How one node is.
#[derive(Debug, Serialize)]
pub(super) struct NodeHealthDocument {
    /// Whether clients should be led to it: it is healthy, or none of its load balancer's nodes is.
    in_use: bool,
    state: &'static str,
    /// Those with too few healthy targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unhealthy_target_groups: Vec<String>,
}

impl From<&NodeHealth> for NodeHealthDocument {
    fn from(health: &NodeHealth) -> Self {
        let groups = health.unhealthy_groups.iter();
        Self {
            in_use: health.in_use,
            state: match (health.shifted, health.is_healthy()) {
                (true, _) => "zonal_shift",
                (false, true) => "healthy",
                (false, false) => "unhealthy",
            },
            unhealthy_target_groups: groups.map(ToString::to_string).collect(),
        }
    }
}

/// 200 when clients should be led to the nodes of the zone, 503 when they should not, or when the
/// daemon does not want traffic at all.
pub(super) async fn health(
    State(context): State<Context>,
    Path(zone): Path<String>,
    Query(which): Query<Which>,
) -> Result<(StatusCode, Json<NodesOfZone>), Refusal> {
    let (snapshot, now) = (context.snapshot(), Instant::now());
    let is_asked = |load_balancer: &LoadBalancer| {
        let wanted = which.load_balancer.as_deref();
        wanted.is_none_or(|wanted| wanted == &*load_balancer.name)
    };
    let mut load_balancers = Vec::new();
    for load_balancer in &snapshot.load_balancers {
        if !is_asked(load_balancer) {
            continue;
        }
        let nodes = snapshot.node_health(load_balancer, now);
        let nodes = load_balancer.nodes.iter().zip(&nodes);
        let there = nodes.filter(|(node, _)| zone_name(node) == zone);
        load_balancers.extend(there.map(|(node, health)| NodeDocument {
            load_balancer: load_balancer.name.to_string(),
            address: node.address.to_string(),
            health: health.into(),
        }));
    }
    if load_balancers.is_empty() {
        let asked = snapshot.load_balancers.iter();
        let asked = asked.filter(|load_balancer| is_asked(load_balancer));
        let zones = asked.flat_map(|load_balancer| load_balancer.nodes.iter().map(zone_name));
        return Err(Refusal::not_found(
            format!("no node stands in zone {zone:?}"),
            format!("zones: {} ({NO_ZONE} is none)", listed(zones)),
        ));
    }
    let ready = context.readiness.is_ready();
    let in_use = ready && load_balancers.iter().all(|node| node.health.in_use);
    let status = match in_use {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let document = NodesOfZone {
        zone,
        in_use,
        load_balancers,
    };
    Ok((status, Json(document)))
}

fn zone_name(node: &Node) -> &str {
    node.zone.as_ref().map_or(NO_ZONE, |zone| zone.as_str())
}

#[cfg(test)]
mod tests {
    use crate::admin::sample::Sample;
    use crate::target::{HealthReason, Outcome};

    #[tokio::test]
    async fn a_node_is_in_use_while_its_groups_have_enough_healthy_targets() {
        let sample = Sample::start().await;
        sample.context.readiness.set(true);
        sample.probe_all();
        let answer = sample.get("/nodes/a/health").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let document = answer.json();
        assert_eq!(document["load_balancers"][0]["state"], "healthy");
        assert_eq!(document["load_balancers"][0]["address"], "127.0.0.11");
        let shift = "/load-balancers/wp-elb/zonal-shift?away_from=a&expires_in=1h";
        assert_eq!(sample.post(shift).await.status, 200);
        let answer = sample.get("/nodes/a/health").await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json()["load_balancers"][0]["state"], "zonal_shift");
        assert_eq!(sample.get("/nodes/c/health").await.status, 200);
    }

    #[tokio::test]
    async fn when_no_node_is_healthy_all_are_in_use() {
        let sample = Sample::start().await;
        sample.context.readiness.set(true);
        sample.probe_all();
        let a = sample.target("wordpress", "wp-a", 80);
        for _ in 0..2 {
            sample.probe(&a, Outcome::Fail(HealthReason::Timeout));
        }
        let answer = sample.get("/nodes/a/health").await;
        assert_eq!(answer.status, 200);
        let node = &answer.json()["load_balancers"][0];
        assert_eq!(node["state"], "unhealthy");
        assert_eq!(node["unhealthy_target_groups"][0], "wordpress");
    }

    #[tokio::test]
    async fn a_daemon_that_wants_no_traffic_says_so_for_each_of_its_nodes() {
        let sample = Sample::start().await;
        sample.probe_all();
        assert_eq!(sample.get("/nodes/a/health").await.status, 503);
        let answer = sample.get("/nodes/x/health").await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json()["help"], "zones: a, c (- is none)");
    }
}
