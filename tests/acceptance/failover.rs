//! Routing and DNS failover: how many healthy targets are too few, and what follows (ALB: target group
//! health).

use elbow::target::TargetHealth;

use crate::scene::{Group, Site, group, listening, one_group, order, shares};
use crate::support::{Client, Elbow};

/// A failure takes a target out for good; slowness alone does not.
const PROBED: &str = "health_check = { path = \"/probe\", interval = \"300ms\", \
     timeout = \"290ms\", unhealthy_threshold = 4 }";

const A: [&str; 10] = ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"];
const C: [&str; 10] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];

/// Ten sites, of which the last ones fail their checks.
async fn ten(names: [&'static str; 10], healthy: usize) -> Vec<Site> {
    let mut sites = Vec::new();
    for (number, name) in names.into_iter().enumerate() {
        let site = Site::start(name).await;
        if number >= healthy {
            site.judge([503]);
        }
        sites.push(site);
    }
    sites
}

async fn expect(elbow: &Elbow, sites: &[Site], healthy: usize) {
    for (number, site) in sites.iter().enumerate() {
        let state = match number < healthy {
            true => TargetHealth::Healthy,
            false => TargetHealth::Unhealthy,
        };
        Group(elbow, "group").expect(site.name, state).await;
    }
}

fn thresholds(dns: &str, routing: &str) -> String {
    format!(
        "target_group_health.dns_failover.minimum_healthy_targets = {{ {dns} }}\n\
         target_group_health.unhealthy_state_routing.minimum_healthy_targets = {{ {routing} }}"
    )
}

/// The status of `/nodes/{zone}/health`, which DNS is led by.
async fn node(elbow: &Elbow, zone: &str) -> u16 {
    let mut admin = Client::connect(elbow.admin()).await;
    admin.get(&format!("/nodes/{zone}/health")).await.status()
}

/// AWS's example: ten targets in each of two zones, 50 % have to be healthy, and 10 and 4 are.
async fn example(cross_zone: bool) -> (Elbow, Vec<Site>, Vec<Site>) {
    let (a, c) = (ten(A, 10).await, ten(C, 4).await);
    let nodes =
        "{ address = \"127.0.0.11\", zone = \"a\" }, { address = \"127.0.0.12\", zone = \"c\" }";
    let mut text = listening(0, "{ forward = \"group\" }");
    text = text.replace("{ address = \"127.0.0.1\" }", nodes);
    let in_zone = |zone: &str, sites: &[Site]| -> Vec<String> {
        let entry = |site: &Site| site.entry(&format!(", zone = \"{zone}\""));
        sites.iter().map(entry).collect()
    };
    let half = thresholds("percentage = 50", "percentage = 50");
    let settings = format!("{PROBED}\ncross_zone = {cross_zone}\n{half}");
    let targets = [in_zone("a", &a), in_zone("c", &c)].concat();
    group(&mut text, "group", &settings, &targets);
    let elbow = Elbow::start(&text).await;
    expect(&elbow, &a, 10).await;
    expect(&elbow, &c, 4).await;
    (elbow, a, c)
}

#[tokio::test]
async fn without_cross_zone_a_zone_with_4_of_10_fails_both_thresholds_of_50_percent() {
    let (elbow, _a, _c) = example(false).await;
    let nodes = elbow.addresses("lb");
    assert_eq!(shares(&order(nodes[0], 20).await, &A), [2; 10]);
    let counted = || elbow.metric("elbow_unhealthy_routing_requests_total");
    assert_eq!(counted(), 0.0);
    // Routing: all ten get requests, the unhealthy ones among them.
    assert_eq!(shares(&order(nodes[1], 20).await, &C), [2; 10]);
    assert_eq!(counted(), 20.0);
    // DNS: clients are led elsewhere.
    assert_eq!(
        (node(&elbow, "a").await, node(&elbow, "c").await),
        (200, 503)
    );
}

#[tokio::test]
async fn with_cross_zone_14_of_20_are_70_percent_and_pass() {
    let (elbow, _a, _c) = example(true).await;
    for address in elbow.addresses("lb") {
        let answers = order(address, 28).await;
        assert_eq!(shares(&answers, &A), [2; 10]);
        assert_eq!(shares(&answers, &C), [2, 2, 2, 2, 0, 0, 0, 0, 0, 0]);
    }
    assert_eq!(elbow.metric("elbow_unhealthy_routing_requests_total"), 0.0);
    assert_eq!(
        (node(&elbow, "a").await, node(&elbow, "c").await),
        (200, 200)
    );
}

#[tokio::test]
async fn of_count_and_percentage_either_is_enough_to_fail_over() {
    let sites = ten(A, 6).await;
    let all: Vec<&Site> = sites.iter().collect();
    let text = |dns: &str, routing: &str| {
        one_group(&all, &format!("{PROBED}\n{}", thresholds(dns, routing)))
    };
    let elbow = Elbow::start_from_file(&text("count = 1", "count = 1")).await;
    expect(&elbow, &sites, 6).await;
    let healthy = [2, 2, 2, 2, 2, 2, 0, 0, 0, 0];
    for (both, fails_over) in [
        ("count = 6", false),
        ("count = 7", true),
        ("percentage = 60", false),
        ("percentage = 61", true),
        ("count = 6, percentage = 60", false),
        ("count = 7, percentage = 60", true),
        ("count = 6, percentage = 61", true),
    ] {
        elbow.apply(&text(both, both)).await.unwrap();
        let counted = elbow.metric("elbow_unhealthy_routing_requests_total");
        let found = match fails_over {
            true => shares(&order(elbow.address(), 20).await, &A),
            false => shares(&order(elbow.address(), 12).await, &A),
        };
        let expected = if fails_over { [2; 10] } else { healthy };
        assert_eq!(found, expected, "{both}");
        let counted = elbow.metric("elbow_unhealthy_routing_requests_total") - counted;
        assert_eq!(counted, if fails_over { 20.0 } else { 0.0 }, "{both}");
    }
}

#[tokio::test]
async fn dns_may_fail_over_before_routing_does_but_not_after_it() {
    let sites = ten(A, 6).await;
    let all: Vec<&Site> = sites.iter().collect();
    let text = |dns: &str, routing: &str| {
        one_group(&all, &format!("{PROBED}\n{}", thresholds(dns, routing)))
    };
    let elbow = Elbow::start_from_file(&text("count = 7", "count = 6")).await;
    expect(&elbow, &sites, 6).await;
    let answers = order(elbow.address(), 12).await;
    assert_eq!(shares(&answers, &A), [2, 2, 2, 2, 2, 2, 0, 0, 0, 0]);
    let mut admin = Client::connect(elbow.admin()).await;
    let shown = admin.get("/target-groups").await;
    let shown: serde_json::Value = serde_json::from_str(shown.text()).unwrap();
    let standing = &shown["target_groups"][0]["nodes"][0];
    assert_eq!(
        (&standing["dns"], &standing["routing"]),
        (&"unhealthy".into(), &"healthy".into())
    );
    for (dns, routing) in [
        ("count = 5", "count = 6"),
        ("percentage = 50", "percentage = 60"),
    ] {
        let refused = elbow.apply(&text(dns, routing)).await.unwrap_err();
        let message = refused.to_string();
        assert!(message.contains("is less than the"), "{message}");
    }
}

#[tokio::test]
async fn when_all_zones_fail_the_dns_threshold_all_nodes_are_to_be_used() {
    let (elbow, a, _c) = example(false).await;
    assert_eq!(node(&elbow, "c").await, 503);
    for site in &a[3..] {
        site.judge([503]);
    }
    expect(&elbow, &a, 3).await;
    assert_eq!(
        (node(&elbow, "a").await, node(&elbow, "c").await),
        (200, 200)
    );
}
