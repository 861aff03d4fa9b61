//! Too few healthy targets: when requests go to all, and when a node is unhealthy.

use super::*;

fn minimum(count: Option<u32>, percentage: Option<u32>) -> Minimum {
    Minimum { count, percentage }
}

/// A group of healthy targets with thresholds for DNS and for routing.
fn group(zones: ZonePolicy, dns: Minimum, routing: Minimum, ids: &[&str]) -> TargetGroup {
    let settings = Settings {
        failover: Failover { dns, routing },
        ..settings(zones)
    };
    let group = new_group(settings, targets(ids), Scope::All);
    for target in group.targets() {
        pass(&target.state);
    }
    group
}

fn twenty() -> Vec<String> {
    let ids = |zone| (0..10).map(move |number| format!("{zone}{number}"));
    ids("a").chain(ids("b")).collect()
}

/// The example of ALB's guide: ten targets in each of two zones, 50 %, and six of zone b fail.
fn example(zones: ZonePolicy) -> TargetGroup {
    let half = minimum(None, Some(50));
    let ids = twenty();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let group = group(zones, half, minimum(Some(1), Some(50)), &ids);
    group.fail(&["b0", "b1", "b2", "b3", "b4", "b5"]);
    group
}

#[test]
fn without_cross_zone_a_zone_below_half_routes_to_all_its_targets_and_leaves_dns() {
    let group = example(ZonePolicy::OwnZone);
    let [a, b] = ["a", "b"].map(|name| group.standing_for(Some(&zone(name)), Instant::now()));
    assert_eq!((a.healthy, a.registered), (10, 10));
    assert!(a.healthy_dns && a.healthy_routing);
    assert_eq!((b.healthy, b.registered), (4, 10));
    assert!(!b.healthy_dns && !b.healthy_routing);
    let shares = group.shares("b", 100);
    assert_eq!(shares.len(), 10, "unhealthy ones, too");
    assert!(shares.values().all(|count| *count == 10));
    assert!(group.pick_from("b").unwrap().is_fail_open());
    assert_eq!(group.shares("a", 100).len(), 10);
    assert!(!group.pick_from("a").unwrap().is_fail_open());
}

#[test]
fn with_cross_zone_the_same_targets_pass_in_both_zones() {
    let group = example(ZonePolicy::CrossZone);
    for entry in ["a", "b"] {
        let standing = group.standing_for(Some(&zone(entry)), Instant::now());
        assert_eq!((standing.healthy, standing.registered), (14, 20));
        assert!(standing.healthy_dns && standing.healthy_routing);
        assert_eq!(group.shares(entry, 140).len(), 14);
    }
}

#[test]
fn too_few_by_count_routes_to_all_targets() {
    let three = minimum(Some(3), None);
    let group = group(ZonePolicy::CrossZone, three, three, &["a1", "a2", "b1"]);
    assert!(!group.pick_from("a").unwrap().is_fail_open());
    group.fail(&["b1"]);
    assert!(group.pick_from("a").unwrap().is_fail_open());
    assert_eq!(group.shares("a", 30).len(), 3);
    pass(group.state("b1"));
    assert!(!group.pick_from("a").unwrap().is_fail_open());
}

#[test]
fn a_zone_leaves_dns_before_its_unhealthy_targets_are_asked() {
    let group = group(
        ZonePolicy::CrossZone,
        minimum(Some(2), None),
        minimum(Some(1), None),
        &["a1", "a2"],
    );
    group.fail(&["a2"]);
    let standing = group.standing_for(Some(&zone("a")), Instant::now());
    assert!(!standing.healthy_dns && standing.healthy_routing);
    assert_shares(&group.shares("a", 10), &[("a1", 10)]);
}

#[test]
fn initial_draining_and_weightless_targets() {
    let routing = minimum(Some(1), Some(50));
    let settings = Settings {
        failover: Failover {
            dns: routing,
            routing,
        },
        ..settings(ZonePolicy::CrossZone)
    };
    let mut all = targets(&["a1", "a2", "a3", "a4"]);
    all.push(target("a5", 0));
    let group = new_group(settings, all, Scope::All);
    pass(group.state("a1"));
    let seen = || group.standing_for(None, Instant::now());
    // Initial ones are registered and not healthy, and get nothing though the group fails open.
    assert_eq!((seen().healthy, seen().registered), (1, 4));
    assert!(!seen().healthy_routing);
    assert_shares(&group.shares("a", 4), &[("a1", 4)]);
    group.state("a3").drain(Instant::now(), DELAY);
    group.state("a4").drain(Instant::now(), DELAY);
    assert_eq!((seen().healthy, seen().registered), (1, 2));
    assert!(seen().healthy_routing);
}

#[test]
fn a_group_that_does_not_fail_open_uses_what_is_healthy() {
    let settings = Settings {
        fail_open: false,
        failover: Failover {
            dns: minimum(Some(2), None),
            routing: Minimum::default(),
        },
        ..settings(ZonePolicy::CrossZone)
    };
    let group = new_group(settings, targets(&["a1", "a2"]), Scope::All);
    pass(group.state("a1"));
    fail(group.state("a2"));
    assert_shares(&group.shares("a", 4), &[("a1", 4)]);
    assert!(!group.standing_for(None, Instant::now()).healthy_dns);
}

#[test]
fn a_group_without_targets_is_unhealthy_in_every_zone() {
    let group = new_group(settings(ZonePolicy::CrossZone), Vec::new(), Scope::All);
    let standing = group.standing_for(Some(&zone("a")), Instant::now());
    assert_eq!((standing.healthy, standing.registered), (0, 0));
    assert!(!standing.healthy_dns && !standing.healthy_routing);
}
