//! Zonal shift: traffic is kept away from a zone until a time.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn shifted(policy: ZonePolicy, ids: &[&str]) -> TargetGroup {
    let group = group(policy, targets(ids));
    group.shift(Some(away_from("a", Instant::now() + HOUR)));
    group
}

fn away_from(name: &str, until: Instant) -> Arc<ZonalShift> {
    Arc::new(ZonalShift {
        away_from: zone(name),
        until,
        comment: String::new(),
    })
}

fn means(group: &TargetGroup) -> AdministrativeOverride {
    group.zonal_shift(Instant::now()).unwrap().1
}

#[test]
fn with_cross_zone_the_zones_targets_take_nothing_wherever_requests_enter() {
    let group = shifted(ZonePolicy::CrossZone, &["a1", "a2", "b1", "c1"]);
    assert_eq!(means(&group), AdministrativeOverride::ZonalShiftActive);
    for entry in ["a", "b"] {
        assert_shares(&group.shares(entry, 10), &[("b1", 5), ("c1", 5)]);
    }
    group.shift(None);
    assert_eq!(group.shares("a", 8).len(), 4);
}

#[test]
fn without_cross_zone_it_is_left_to_whoever_leads_clients_to_nodes() {
    let group = shifted(ZonePolicy::OwnZone, &["a1", "b1"]);
    assert_eq!(
        means(&group),
        AdministrativeOverride::ZonalShiftDelegatedToDns
    );
    assert_shares(&group.shares("a", 4), &[("a1", 4)]);
}

#[test]
fn a_preferred_zone_spills_over_whole() {
    let group = shifted(ZonePolicy::PreferLocal, &["a1", "b1", "c1"]);
    assert_shares(&group.shares("a", 10), &[("b1", 5), ("c1", 5)]);
    assert_shares(&group.shares("b", 10), &[("b1", 10)]);
}

#[test]
fn the_other_zones_of_a_table_take_its_share_and_all_others_where_there_is_none() {
    let table = |zones: &[(&str, u32)]| zones.iter().map(|(name, w)| (zone(name), *w)).collect();
    let tables = [
        (zone("a"), table(&[("a", 8), ("b", 2)])),
        (zone("b"), table(&[("a", 1)])),
    ];
    let policy = ZonePolicy::Weighted(ZoneWeights::by_entry(tables.into()).unwrap());
    let group = shifted(policy, &["a1", "b1", "c1"]);
    assert_shares(&group.shares("a", 10), &[("b1", 10)]);
    assert_shares(&group.shares("b", 10), &[("b1", 5), ("c1", 5)]);
}

#[test]
fn it_is_set_aside_where_no_other_zone_has_a_healthy_target() {
    let group = shifted(ZonePolicy::CrossZone, &["a1", "b1"]);
    group.fail(&["b1"]);
    assert_eq!(means(&group), AdministrativeOverride::None);
    let lease = group.pick_from("b").unwrap();
    assert_eq!((&*lease.key.id, lease.is_fail_open()), ("a1", false));
    pass(group.state("b1"));
    assert_shares(&group.shares("a", 4), &[("b1", 4)]);
}

#[test]
fn targets_of_the_zone_do_not_count_towards_those_that_have_to_be_healthy() {
    let half = Minimum {
        count: Some(1),
        percentage: Some(50),
    };
    let settings = Settings {
        failover: Failover {
            dns: half,
            routing: half,
        },
        ..settings(ZonePolicy::CrossZone)
    };
    let group = new_group(settings, targets(&["a1", "a2", "a3", "b1"]), Scope::All);
    pass(group.state("b1"));
    group.fail(&["a1", "a2", "a3"]);
    assert!(group.pick_from("b").unwrap().is_fail_open());
    group.shift(Some(away_from("a", Instant::now() + HOUR)));
    assert!(!group.pick_from("b").unwrap().is_fail_open());
}

#[test]
fn a_target_without_a_zone_stands_in_none_that_could_be_left() {
    let group = shifted(ZonePolicy::CrossZone, &["a1", "*1"]);
    assert_shares(&group.shares("a", 4), &[("*1", 4)]);
}

#[test]
fn it_ends_at_its_time_without_anybodys_doing() {
    let group = group(ZonePolicy::CrossZone, targets(&["a1", "b1"]));
    let now = Instant::now();
    group.shift(Some(away_from("a", now + HOUR)));
    let pick = |now| {
        let moment = Moment { now, chance: 0 };
        (0..2)
            .map(|_| group.pick(None, &[], moment).unwrap().key.id.to_string())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(pick(now + HOUR - Duration::from_millis(1)).len(), 1);
    assert_eq!(pick(now + HOUR).len(), 2);
    assert_eq!(group.zonal_shift(now + HOUR), None);
}
