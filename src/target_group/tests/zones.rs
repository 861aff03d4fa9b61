//! How a node's traffic is spread over the zones.

use super::*;

/// Two targets in zone a and eight in zone b: the arithmetic of ALB's guide.
fn two_and_eight() -> Vec<Registration> {
    targets(&["a1", "a2", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8"])
}

fn alike(table: &[(&str, u32)]) -> ZonePolicy {
    ZonePolicy::Weighted(ZoneWeights::alike(weights(table)).unwrap())
}

fn weights(table: &[(&str, u32)]) -> BTreeMap<Zone, u32> {
    table.iter().map(|(name, w)| (zone(name), *w)).collect()
}

#[test]
fn with_cross_zone_each_of_two_and_eight_targets_takes_ten_percent() {
    let group = group(ZonePolicy::CrossZone, two_and_eight());
    let (from_a, from_b) = (group.shares("a", 100), group.shares("b", 100));
    assert!(from_a.values().chain(from_b.values()).all(|n| *n == 10));
    assert_eq!((from_a.len(), from_b.len()), (10, 10));
}

#[test]
fn without_cross_zone_two_targets_take_25_percent_each_and_eight_6_25_percent() {
    let group = group(ZonePolicy::OwnZone, two_and_eight());
    // The nodes get half of the traffic each: 800 of 1600 requests.
    let (from_a, from_b) = (group.shares("a", 800), group.shares("b", 800));
    assert_shares(&from_a, &[("a1", 400), ("a2", 400)]);
    assert_eq!(from_b.len(), 8);
    assert!(
        from_b
            .iter()
            .all(|(id, n)| id.starts_with('b') && *n == 100)
    );
}

#[test]
fn without_cross_zone_an_empty_zone_refuses_every_request() {
    let group = group(ZonePolicy::OwnZone, targets(&["a1"]));
    assert_eq!(group.pick_from("c").unwrap_err(), PickError::EmptyZone);
    assert!(group.pick_from("a").is_ok());
}

#[test]
fn without_cross_zone_a_zone_fails_open_by_itself() {
    let group = group(ZonePolicy::OwnZone, targets(&["a1", "b1"]));
    group.fail(&["a1"]);
    let from_a = group.pick_from("a").unwrap();
    let from_b = group.pick_from("b").unwrap();
    assert_eq!((&*from_a.key.id, from_a.is_fail_open()), ("a1", true));
    assert_eq!((&*from_b.key.id, from_b.is_fail_open()), ("b1", false));
}

#[test]
fn a_target_without_a_zone_serves_every_zone() {
    let group = group(ZonePolicy::OwnZone, targets(&["a1", "b1", "*1"]));
    assert_shares(&group.shares("a", 10), &[("a1", 5), ("*1", 5)]);
    assert_shares(&group.shares("b", 10), &[("b1", 5), ("*1", 5)]);
    assert_shares(&group.shares("c", 10), &[("*1", 10)]);
}

#[test]
fn a_node_in_no_zone_sends_to_all_zones_alike() {
    for policy in [ZonePolicy::OwnZone, ZonePolicy::PreferLocal] {
        let group = group(policy, targets(&["a1", "b1", "c1"]));
        assert_eq!(group.order(4), ["a1", "b1", "c1", "a1"]);
    }
}

#[test]
fn zone_weights_share_a_nodes_traffic_out() {
    let group = group(alike(&[("a", 3), ("b", 1)]), two_and_eight());
    let shares = group.zone_shares("b", 320);
    assert_shares(&shares, &[("a", 240), ("b", 80)]);
    let shares = group.shares("a", 320);
    assert_eq!((shares["a1"], shares["b1"]), (120, 10));
}

#[test]
fn zone_weights_hold_for_a_node_in_no_zone_too() {
    let group = group(alike(&[("a", 3), ("b", 1)]), targets(&["a1", "b1"]));
    let from_a = group.order(40).iter().filter(|id| *id == "a1").count();
    assert_eq!(from_a, 30);
}

#[test]
fn a_zone_that_is_not_named_or_has_the_weight_0_takes_nothing() {
    let group = group(alike(&[("a", 1), ("b", 0)]), targets(&["a1", "b1", "c1"]));
    assert_shares(&group.zone_shares("c", 10), &[("a", 10)]);
    let tried = group.next(Some(&zone("a")), &[key("a1")]);
    assert_eq!(tried.unwrap_err(), PickError::AllTried);
}

#[test]
fn a_zone_without_a_healthy_target_gives_its_share_to_the_others_in_proportion() {
    let policy = alike(&[("a", 50), ("b", 30), ("c", 20)]);
    let group = group(policy, targets(&["a1", "b1", "c1"]));
    group.fail(&["a1"]);
    assert_shares(&group.zone_shares("a", 50), &[("b", 30), ("c", 20)]);
    group.fail(&["b1", "c1"]);
    let all = [("a", 50), ("b", 30), ("c", 20)];
    assert_shares(&group.zone_shares("a", 100), &all);
    assert!(group.pick_from("a").unwrap().is_fail_open());
}

#[test]
fn zones_with_a_weight_but_without_targets_refuse() {
    let group = group(alike(&[("c", 1)]), targets(&["a1"]));
    assert_eq!(group.pick_from("a").unwrap_err(), PickError::EmptyZone);
}

#[test]
fn each_entry_zone_may_have_zone_weights_of_its_own() {
    let tables = [
        (zone("a"), weights(&[("a", 9), ("b", 1)])),
        (zone("b"), weights(&[("b", 1)])),
    ];
    let policy = ZonePolicy::Weighted(ZoneWeights::by_entry(tables.into()).unwrap());
    let group = group(policy, targets(&["a1", "b1"]));
    assert_shares(&group.zone_shares("a", 100), &[("a", 90), ("b", 10)]);
    assert_shares(&group.zone_shares("b", 100), &[("b", 100)]);
    // A node without a table spreads its traffic over all targets.
    assert_shares(&group.zone_shares("c", 100), &[("a", 50), ("b", 50)]);
    assert_eq!(group.order(2).len(), 2);
}

#[test]
fn a_target_without_a_zone_shares_in_every_weighted_zone() {
    let group = group(alike(&[("a", 1), ("b", 1)]), targets(&["a1", "*1"]));
    // Zone a: half each; zone b has no other target.
    assert_shares(&group.shares("a", 40), &[("a1", 10), ("*1", 30)]);
}

#[test]
fn prefer_local_keeps_all_traffic_while_the_zone_is_whole() {
    let group = group(ZonePolicy::PreferLocal, two_and_eight());
    assert_shares(&group.zone_shares("a", 100), &[("a", 100)]);
    assert_shares(&group.zone_shares("b", 100), &[("b", 100)]);
}

#[test]
fn prefer_local_spills_over_what_the_zone_has_lost() {
    let ids = ["a1", "a2", "a3", "a4", "b1", "c1", "c2", "c3"];
    let group = group(ZonePolicy::PreferLocal, targets(&ids));
    for (lost, kept) in [("a1", 75), ("a2", 50), ("a3", 25)] {
        group.fail(&[lost]);
        let spilled = (100 - kept) * 16;
        assert_shares(
            &group.zone_shares("a", 1600),
            &[("a", kept * 16), ("b", spilled / 4), ("c", spilled * 3 / 4)],
        );
    }
    group.fail(&["a4"]);
    assert_shares(&group.zone_shares("a", 100), &[("b", 25), ("c", 75)]);
    pass(group.state("a1"));
    assert_eq!(group.zone_shares("a", 100)["a"], 25);
}

#[test]
fn prefer_local_counts_capacity_by_weight() {
    let group = group(
        ZonePolicy::PreferLocal,
        vec![target("a1", 3), target("a2", 1), target("b1", 1)],
    );
    group.fail(&["a1"]);
    assert_shares(&group.zone_shares("a", 100), &[("a", 25), ("b", 75)]);
}

#[test]
fn prefer_local_keeps_all_traffic_when_no_other_zone_has_a_healthy_target() {
    let group = group(ZonePolicy::PreferLocal, targets(&["a1", "a2", "b1"]));
    group.fail(&["a1", "b1"]);
    assert_shares(&group.shares("a", 10), &[("a2", 10)]);
}

#[test]
fn prefer_local_sends_all_traffic_of_an_empty_zone_to_the_others() {
    let group = group(ZonePolicy::PreferLocal, targets(&["a1", "b1"]));
    assert_shares(&group.shares("c", 10), &[("a1", 5), ("b1", 5)]);
}

#[test]
fn prefer_local_fails_open_only_when_no_zone_has_a_healthy_target() {
    let group = group(ZonePolicy::PreferLocal, targets(&["a1", "b1"]));
    group.fail(&["a1"]);
    assert!(!group.pick_from("a").unwrap().is_fail_open());
    group.fail(&["b1"]);
    let lease = group.pick_from("a").unwrap();
    assert_eq!((&*lease.key.id, lease.is_fail_open()), ("a1", true));
}

#[test]
fn prefer_local_retries_in_another_zone_when_its_own_has_been_tried() {
    let group = group(ZonePolicy::PreferLocal, targets(&["a1", "b1"]));
    for _ in 0..3 {
        let lease = group.next(Some(&zone("a")), &[key("a1")]).unwrap();
        assert_eq!(&*lease.key.id, "b1");
    }
}

#[test]
fn zone_weights_say_what_would_be_right() {
    let refused = |table: &[(&str, u32)]| {
        let error = ZoneWeights::alike(weights(table)).unwrap_err();
        error.to_string()
    };
    assert!(refused(&[]).contains("name at least one"));
    assert_eq!(
        refused(&[("a", 1), ("b", 1000)]),
        "the weight of zone `b` is 1000; a zone's weight is 0-999"
    );
    assert!(refused(&[("a", 0)]).contains("a weight of 1-999"));
    let tables = [(zone("a"), weights(&[("b", 0)]))];
    let error = ZoneWeights::by_entry(tables.into()).unwrap_err();
    assert!(error.to_string().starts_with("entry zone `a`: every zone"));
}

#[test]
fn the_shares_that_are_told_are_those_that_are_taken() {
    let told = |group: &TargetGroup, entry: &str| -> BTreeMap<String, f64> {
        let now = Instant::now();
        let shares = group.long_run_shares(Some(&zone(entry)), now).unwrap();
        let targets = shares.targets.iter();
        targets
            .map(|(target, share)| (target.key.id.to_string(), (share * 1000.0).round()))
            .collect()
    };
    let expected = |shares: &[(&str, f64)]| -> BTreeMap<String, f64> {
        shares
            .iter()
            .map(|(id, share)| (id.to_string(), *share))
            .collect()
    };
    let weighted = group(alike(&[("a", 3), ("b", 1)]), targets(&["a1", "a2", "b1"]));
    assert_eq!(
        told(&weighted, "b"),
        expected(&[("a1", 375.0), ("a2", 375.0), ("b1", 250.0)])
    );
    let local = group(ZonePolicy::OwnZone, targets(&["a1", "a2", "b1"]));
    assert_eq!(told(&local, "b"), expected(&[("b1", 1000.0)]));
    local.fail(&["b1"]);
    let shares = local.long_run_shares(Some(&zone("b")), Instant::now());
    assert!(shares.unwrap().fail_open);
    let refused = local.long_run_shares(Some(&zone("c")), Instant::now());
    assert_eq!(refused.unwrap_err(), PickError::EmptyZone);
}
