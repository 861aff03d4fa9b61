//! Attributes of target groups, and which of them exclude one another.

use super::{RIGHT, check, told};

/// What is told when the group has these lines more.
fn told_of(lines: &str) -> Vec<String> {
    let name = "name = \"wordpress\"\n";
    told(&RIGHT.replace(name, &format!("{name}{lines}\n")))
}

/// What would be right, of the only problem.
fn help_for(lines: &str) -> String {
    let name = "name = \"wordpress\"\n";
    let problems = check(&RIGHT.replace(name, &format!("{name}{lines}\n"))).problems;
    assert_eq!(problems.problems.len(), 1, "{problems}");
    problems.problems[0].help.clone().unwrap_or_default()
}

#[test]
fn slow_start_lasts_30_to_900_seconds_or_is_off() {
    for right in ["0s", "30s", "15m"] {
        let lines = format!("slow_start = \"{right}\"");
        assert_eq!(told_of(&lines), [""; 0], "{right}");
    }
    for wrong in ["29s", "901s"] {
        let told = told_of(&format!("slow_start = \"{wrong}\""));
        let message = format!("17:14 {wrong} is out of range: write 30s to 900s");
        assert_eq!(told, [message]);
    }
}

#[test]
fn slow_start_goes_with_round_robin_only() {
    for algorithm in ["least_outstanding_requests", "weighted_random"] {
        let lines = format!("algorithm = \"{algorithm}\"\nslow_start = \"30s\"");
        let message = format!("18:14 slow start does not go with the algorithm `{algorithm}`");
        assert_eq!(told_of(&lines), [message]);
        assert!(help_for(&lines).contains("algorithm = \"round_robin\""));
        let off = format!("algorithm = \"{algorithm}\"\nslow_start = \"0s\"");
        assert_eq!(told_of(&off), [""; 0]);
    }
}

#[test]
fn thresholds_of_healthy_targets_are_written_with_albs_keys() {
    let right = "target_group_health.dns_failover.minimum_healthy_targets.count = 2\n\
         target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage = 50";
    assert_eq!(told_of(right), [""; 0]);
    let key = "target_group_health.dns_failover.minimum_healthy_targets";
    assert_eq!(
        told_of(&format!("{key} = {{ count = 1001, percentage = 101 }}")),
        [
            "17:70 1001 is out of range: write 1 to 1000",
            "17:89 101 is out of range: write 1 to 100",
        ]
    );
    assert_eq!(told_of(&format!("{key} = {{ count = \"off\" }}")), [""; 0]);
}

#[test]
fn a_node_is_given_up_before_unhealthy_targets_are_asked_and_not_after() {
    let lines = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count = 3";
    assert_eq!(
        told_of(lines),
        ["1 is less than the count of unhealthy_state_routing, which is 3"]
            .map(|message| format!("17:1 {message}"))
    );
    assert_eq!(help_for(lines), "write 3 or more, or \"off\"");
}

#[test]
fn routing_to_all_targets_cannot_be_switched_off_by_its_count() {
    let key = "target_group_health.unhealthy_state_routing.minimum_healthy_targets";
    assert!(help_for(&format!("{key}.count = \"off\"")).contains("fail_open = false"));
    let closed = format!("fail_open = false\n{key}.percentage = 50");
    let told = told_of(&closed);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("with `fail_open = false` no request goes to an unhealthy target"));
}

#[test]
fn a_load_balancers_cross_zone_holds_for_groups_that_do_not_say_it_themselves() {
    use crate::target_group::ZonePolicy;
    let policy = |of_balancer: &str, of_group: &str| {
        let text = RIGHT
            .replace(
                "name = \"wp-elb\"\n",
                &format!("name = \"wp-elb\"\n{of_balancer}\n"),
            )
            .replace(
                "name = \"wordpress\"\n",
                &format!("name = \"wordpress\"\n{of_group}\n"),
            );
        let config = check(&text).config.unwrap();
        config.target_groups[0].settings.zones.clone()
    };
    let off = "cross_zone = false";
    assert_eq!(policy("", ""), ZonePolicy::CrossZone);
    assert_eq!(policy(off, ""), ZonePolicy::OwnZone);
    assert_eq!(
        policy(off, "cross_zone = \"load_balancer\""),
        ZonePolicy::OwnZone
    );
    assert_eq!(policy(off, "cross_zone = true"), ZonePolicy::CrossZone);
    assert_eq!(policy("", off), ZonePolicy::OwnZone);
    assert_eq!(policy(off, "prefer_local = true"), ZonePolicy::PreferLocal);
    let told = told_of("cross_zone = \"loadbalancer\"");
    assert!(told[0].contains("load_balancer"), "{told:?}");
}

#[test]
fn a_target_in_the_zone_all_needs_cross_zone_load_balancing() {
    let all = RIGHT.replace("zone = \"c\", weight", "zone = \"all\", weight");
    assert_eq!(told(&all), [""; 0]);
    let off = all.replace(
        "name = \"wordpress\"\n",
        "name = \"wordpress\"\ncross_zone = false\n",
    );
    assert_eq!(
        told(&off),
        ["21:50 a target in the zone `all` needs cross-zone load balancing"]
    );
    let node = RIGHT.replace(
        "{ zone = \"c\", address = \"127",
        "{ zone = \"all\", address = \"127",
    );
    assert!(told(&node)[0].contains("a node stands in one zone"));
}

#[test]
fn anomaly_mitigation_goes_with_weighted_random_only() {
    let on = "anomaly_mitigation = true";
    assert_eq!(
        told_of(on),
        ["17:22 anomaly mitigation goes with the algorithm `weighted_random` only"]
    );
    assert_eq!(
        told_of(&format!("algorithm = \"weighted_random\"\n{on}")),
        [""; 0]
    );
}
