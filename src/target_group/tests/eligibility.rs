//! Which targets take requests, and what is said when none does.

use super::*;

fn three() -> TargetGroup {
    group(ZonePolicy::CrossZone, targets(&["a1", "a2", "b1"]))
}

#[test]
fn healthy_targets_take_requests_in_turn() {
    assert_eq!(three().order(4), ["a1", "a2", "b1", "a1"]);
}

#[test]
fn an_unhealthy_target_takes_no_requests_while_another_is_healthy() {
    let group = three();
    group.fail(&["a2"]);
    assert_shares(&group.shares("a", 10), &[("a1", 5), ("b1", 5)]);
    assert!(!group.pick_from("a").unwrap().is_fail_open());
}

#[test]
fn a_new_target_takes_requests_after_its_first_pass() {
    let group = new_group(
        settings(ZonePolicy::CrossZone),
        targets(&["a1", "a2"]),
        Scope::All,
    );
    pass(group.state("a1"));
    assert_shares(&group.shares("a", 4), &[("a1", 4)]);
    pass(group.state("a2"));
    assert_shares(&group.shares("a", 4), &[("a1", 2), ("a2", 2)]);
}

#[test]
fn when_all_are_unhealthy_all_take_requests() {
    let group = three();
    group.fail(&["a1", "a2", "b1"]);
    assert_shares(&group.shares("a", 9), &[("a1", 3), ("a2", 3), ("b1", 3)]);
    assert!(group.pick_from("a").unwrap().is_fail_open());
}

#[test]
fn failing_open_leaves_out_targets_that_no_probe_has_decided_upon() {
    let targets = targets(&["a1", "a2"]);
    let group = new_group(settings(ZonePolicy::CrossZone), targets, Scope::All);
    group.fail(&["a1"]);
    assert_shares(&group.shares("a", 4), &[("a1", 4)]);
}

#[test]
fn failing_open_ends_with_the_first_target_that_recovers() {
    let group = three();
    group.fail(&["a1", "a2", "b1"]);
    assert!(group.pick_from("a").unwrap().is_fail_open());
    pass(group.state("b1"));
    assert_shares(&group.shares("a", 4), &[("b1", 4)]);
    assert!(!group.pick_from("a").unwrap().is_fail_open());
}

#[test]
fn a_group_that_fails_closed_refuses_when_all_are_unhealthy() {
    let closed = Settings {
        fail_open: false,
        ..settings(ZonePolicy::CrossZone)
    };
    let group = new_group(closed, targets(&["a1", "a2"]), Scope::All);
    group.fail(&["a1", "a2"]);
    assert_eq!(group.pick_from("a").unwrap_err(), PickError::NoneHealthy);
}

#[test]
fn when_all_are_initial_requests_are_refused() {
    let targets = targets(&["a1", "a2"]);
    let group = new_group(settings(ZonePolicy::CrossZone), targets, Scope::All);
    assert_eq!(group.pick_from("a").unwrap_err(), PickError::AllInitial);
}

#[test]
fn a_group_without_targets_refuses() {
    let group = group(ZonePolicy::CrossZone, Vec::new());
    assert_eq!(group.next(None, &[]).unwrap_err(), PickError::NoTargets);
}

#[test]
fn a_group_that_no_rule_names_is_unused() {
    let targets = targets(&["a1", "*2"]);
    let group = new_group(settings(ZonePolicy::CrossZone), targets, Scope::NotInUse);
    assert_eq!(group.pick_from("a").unwrap_err(), PickError::AllUnused);
    assert_eq!(group.state("a1").health(), TargetHealth::Unused);
    assert_eq!(group.probed().count(), 0);
    let health = group.state("*2").describe(Instant::now());
    assert_eq!(health.reason, Some(HealthReason::NotInUse));
}

#[test]
fn a_target_in_a_zone_without_a_node_is_unused() {
    let targets = targets(&["a1", "b1", "*1"]);
    let group = new_group(settings(ZonePolicy::CrossZone), targets, zones(&["a"]));
    let health = group.state("b1").describe(Instant::now());
    assert_eq!(health.state, TargetHealth::Unused);
    assert_eq!(health.reason, Some(HealthReason::ZoneNotEnabled));
    let probed: Vec<_> = group.probed().map(|t| t.key.id.to_string()).collect();
    assert_eq!(probed, ["a1", "*1"]);
    group.targets().iter().for_each(|t| pass(&t.state));
    assert_shares(&group.shares("a", 4), &[("a1", 2), ("*1", 2)]);
}

#[test]
fn targets_that_are_not_checked_are_unavailable_and_take_requests() {
    let unchecked = Settings {
        health_checked: false,
        ..settings(ZonePolicy::CrossZone)
    };
    let group = new_group(unchecked, targets(&["a1", "a2"]), Scope::All);
    assert_eq!(group.state("a1").health(), TargetHealth::Unavailable);
    assert_eq!(group.order(3), ["a1", "a2", "a1"]);
    assert_eq!(group.probed().count(), 0);
}

#[test]
fn a_target_of_weight_0_takes_no_requests() {
    let group = group(
        ZonePolicy::CrossZone,
        vec![target("a1", 0), target("a2", 1)],
    );
    assert_eq!(group.order(3), ["a2", "a2", "a2"]);
}

#[test]
fn a_healthy_target_of_weight_0_does_not_keep_the_others_from_failing_open() {
    let targets = vec![target("a1", 0), target("a2", 1)];
    let group = group(ZonePolicy::CrossZone, targets);
    group.fail(&["a2"]);
    let lease = group.pick_from("a").unwrap();
    assert_eq!((&*lease.key.id, lease.is_fail_open()), ("a2", true));
}

#[test]
fn when_all_have_the_weight_0_requests_are_refused() {
    let group = group(ZonePolicy::CrossZone, vec![target("a1", 0)]);
    assert_eq!(group.pick_from("a").unwrap_err(), PickError::ZeroWeight);
}

#[test]
fn a_deregistered_target_takes_no_request_from_that_moment_on() {
    let group = three();
    group.state("a1").drain(Instant::now(), DELAY);
    assert_shares(&group.shares("a", 4), &[("a2", 2), ("b1", 2)]);
    group.state("a2").drain(Instant::now(), DELAY);
    group.state("b1").drain(Instant::now(), DELAY);
    assert_eq!(group.pick_from("a").unwrap_err(), PickError::NoTargets);
}

#[test]
fn a_retry_goes_to_a_target_that_has_not_been_tried() {
    let group = three();
    for _ in 0..5 {
        let lease = group.next(None, &[key("a1"), key("b1")]).unwrap();
        assert_eq!(&*lease.key.id, "a2");
    }
    let all = [key("a1"), key("a2"), key("b1")];
    assert_eq!(group.next(None, &all).unwrap_err(), PickError::AllTried);
}

#[test]
fn weights_share_the_requests_out() {
    let targets = vec![target("a1", 1), target("a2", 2), target("a3", 3)];
    let group = group(ZonePolicy::CrossZone, targets);
    let shares = group.shares("a", 60);
    assert_shares(&shares, &[("a1", 10), ("a2", 20), ("a3", 30)]);
}

#[test]
fn least_outstanding_requests_go_to_the_least_loaded() {
    let least = Settings {
        algorithm: Algorithm::LeastOutstandingRequests,
        ..settings(ZonePolicy::CrossZone)
    };
    let group = new_group(least, targets(&["a1", "a2", "a3"]), Scope::All);
    group.targets().iter().for_each(|t| pass(&t.state));
    let mut held: Vec<_> = (0..9).map(|_| group.pick_from("a").unwrap()).collect();
    assert!(group.targets().iter().all(|t| t.state.in_flight() == 3));
    held.retain(|lease| &*lease.key.id != "a2");
    for _ in 0..3 {
        held.push(group.pick_from("a").unwrap());
    }
    assert_eq!(group.state("a2").in_flight(), 3);
    drop(held);
    assert_eq!(in_flight(&group), 0);
}

#[test]
fn a_lease_counts_one_request_in_flight_until_it_is_dropped() {
    let group = three();
    let lease = group.pick_from("a").unwrap();
    assert_eq!((lease.state.in_flight(), in_flight(&group)), (1, 1));
    drop(lease);
    assert_eq!(in_flight(&group), 0);
}

#[test]
fn healthy_and_unhealthy_targets_are_counted_by_zone() {
    let group = group(ZonePolicy::CrossZone, targets(&["a1", "a2", "b1", "*1"]));
    group.fail(&["a2", "*1"]);
    assert_eq!(group.healthy_count(Some(&zone("a"))), 1);
    assert_eq!(group.unhealthy_count(Some(&zone("a"))), 1);
    assert_eq!(group.healthy_count(Some(&zone("b"))), 1);
    assert_eq!(group.healthy_count(None), 0);
    assert_eq!(group.unhealthy_count(None), 1);
    assert_eq!(group.health().count(), 4);
}

/// A probe that finds the target being maintained.
fn maintain(group: &TargetGroup, id: &str) {
    let target = group.target(&key(id)).unwrap();
    let thresholds = Thresholds {
        healthy: 2,
        unhealthy: 2,
    };
    group.observe(
        target,
        record(Outcome::Maintenance),
        &thresholds,
        Instant::now(),
    );
}

#[test]
fn one_target_that_is_maintained_is_taken_out_while_another_serves() {
    let group = group(ZonePolicy::CrossZone, targets(&["a1", "a2"]));
    maintain(&group, "a1");
    maintain(&group, "a1");
    assert_eq!(group.state("a1").health(), TargetHealth::Unhealthy);
    assert_eq!(group.order(2), ["a2", "a2"]);
}

#[test]
fn when_all_targets_are_maintained_they_stay_in_service() {
    let group = group(ZonePolicy::CrossZone, targets(&["a1", "a2"]));
    for _ in 0..9 {
        maintain(&group, "a1");
        maintain(&group, "a2");
    }
    assert_eq!(group.state("a1").health(), TargetHealth::Healthy);
    assert_eq!(group.state("a2").health(), TargetHealth::Healthy);
    // The first page that one of them gives again leaves the other behind.
    let thresholds = Thresholds {
        healthy: 2,
        unhealthy: 2,
    };
    let back = group.target(&key("a2")).unwrap();
    group.observe(back, record(Outcome::Pass), &thresholds, Instant::now());
    maintain(&group, "a1");
    maintain(&group, "a1");
    assert_eq!(group.state("a1").health(), TargetHealth::Unhealthy);
}

#[test]
fn the_last_healthy_target_that_is_maintained_stays_and_an_unhealthy_one_does_not_come_back() {
    let group = group(ZonePolicy::CrossZone, targets(&["a1", "a2"]));
    group.fail(&["a1"]);
    for id in ["a2", "a2", "a2", "a1", "a1", "a1"] {
        maintain(&group, id);
    }
    assert_eq!(group.state("a1").health(), TargetHealth::Unhealthy);
    assert_eq!(group.state("a2").health(), TargetHealth::Healthy);
}
