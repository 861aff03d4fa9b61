//! Whether a node should get clients: what DNS, or a balancer in front, is to be told.
//!
//! Elbow has no DNS of its own; the state is shown, and who leads clients to nodes may ask. A node
//! is unhealthy while one of its load balancer's target groups has fewer healthy targets than
//! `dns_failover` wants, or while traffic is shifted away from its zone. When that is so for all
//! nodes, none is better than the others, and all are to be used.

use std::sync::Arc;

use tokio::time::Instant;

use super::{LoadBalancer, Node, Snapshot};

/// Whether one node should get clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeHealth {
    /// Whether it is to be used.
    pub in_use: bool,
    /// Whether traffic is shifted away from its zone.
    pub shifted: bool,
    /// The target groups that have too few healthy targets for it.
    pub unhealthy_groups: Vec<Arc<str>>,
}

impl NodeHealth {
    /// Whether nothing is wrong with it.
    pub fn is_healthy(&self) -> bool {
        !self.shifted && self.unhealthy_groups.is_empty()
    }
}

impl Snapshot {
    /// The health of a load balancer's nodes, in their order.
    pub fn node_health(&self, load_balancer: &LoadBalancer, now: Instant) -> Vec<NodeHealth> {
        let shift = load_balancer.shift.active(now);
        let health = |node: &Node| {
            let shifted = shift
                .as_ref()
                .is_some_and(|shift| node.zone.as_ref() == Some(&shift.away_from));
            NodeHealth {
                in_use: true,
                shifted,
                unhealthy_groups: self.unhealthy_groups(load_balancer, node, now),
            }
        };
        let mut nodes: Vec<NodeHealth> = load_balancer.nodes.iter().map(health).collect();
        if nodes.iter().any(NodeHealth::is_healthy) {
            for node in &mut nodes {
                node.in_use = node.is_healthy();
            }
        }
        nodes
    }

    fn unhealthy_groups(
        &self,
        load_balancer: &LoadBalancer,
        node: &Node,
        now: Instant,
    ) -> Vec<Arc<str>> {
        let used = self.groups.values().filter(|group| {
            let user = group.load_balancer.as_ref();
            user == Some(&load_balancer.name)
        });
        let unhealthy = used.filter(|group| {
            let standing = group.standing_for(node.zone.as_ref(), now);
            !standing.healthy_dns
        });
        let names = unhealthy.map(|group| Arc::clone(&group.settings().name));
        names.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::sample::compile;

    const SITE: &str = r#"
        [[load_balancer]]
        name = "web"
        cross_zone = false
        nodes = [{ zone = "1a", address = "127.0.0.11" }, { zone = "1c", address = "127.0.0.12" }]
        [[load_balancer.listener]]
        port = 8080
        default = { forward = "site" }

        [[target_group]]
        name = "site"
        health_check = { enabled = false }
        targets = [{ id = "a", address = "10.0.0.6:80", zone = "1a" }]
    "#;

    fn in_use(text: &str) -> Vec<bool> {
        let snapshot = compile(text, &Snapshot::default());
        snapshot.take_over(Instant::now());
        let nodes = snapshot.node_health(&snapshot.load_balancers[0], Instant::now());
        nodes.iter().map(|node| node.in_use).collect()
    }

    #[test]
    fn a_zone_without_a_healthy_target_is_not_to_be_used() {
        assert_eq!(in_use(SITE), [true, false]);
        assert_eq!(
            in_use(&SITE.replace("cross_zone = false", "")),
            [true, true]
        );
    }

    #[test]
    fn when_all_zones_are_bad_all_are_to_be_used() {
        let none = SITE.replace(
            "{ id = \"a\", address = \"10.0.0.6:80\", zone = \"1a\" }",
            "",
        );
        assert_eq!(in_use(&none), [true, true]);
    }

    #[test]
    fn every_group_of_the_load_balancer_counts() {
        let listener =
            "[[load_balancer.listener]]\nport = 8081\ndefault = { forward = \"more\" }\n";
        let group = "[[target_group]]\nname = \"more\"\nhealth_check = { enabled = false }\n\
             targets = [{ address = \"10.0.0.7:80\", zone = \"1c\" }]\n";
        let two = SITE.replace("[[target_group]]", &format!("{listener}[[target_group]]"));
        let two = format!("{two}{group}");
        assert_eq!(in_use(&two), [true, true], "each zone lacks one of them");
        let snapshot = compile(&two, &Snapshot::default());
        snapshot.take_over(Instant::now());
        let nodes = snapshot.node_health(&snapshot.load_balancers[0], Instant::now());
        assert_eq!(nodes[0].unhealthy_groups, ["more".into()]);
        assert_eq!(nodes[1].unhealthy_groups, ["site".into()]);
    }
}
