//! Anomaly detection and mitigation, seen from outside.

use super::*;

fn settings_of(anomaly_mitigation: bool) -> Settings {
    Settings {
        algorithm: Algorithm::WeightedRandom,
        anomaly_mitigation,
        ..settings(ZonePolicy::CrossZone)
    }
}

fn healthy(anomaly_mitigation: bool, ids: &[&str]) -> TargetGroup {
    let group = new_group(settings_of(anomaly_mitigation), targets(ids), Scope::All);
    for target in group.targets() {
        pass(&target.state);
    }
    group
}

/// So many requests, of which the target with this id fails those it gets.
fn serve(group: &TargetGroup, requests: usize, bad: &str) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..requests {
        let lease = group.pick_from("a").unwrap();
        if &*lease.key.id == bad {
            lease.failed();
        }
        *shares.entry(lease.key.id.to_string()).or_default() += 1;
    }
    shares
}

fn anomalous(group: &TargetGroup) -> Vec<String> {
    let targets = group.targets().iter();
    let found = targets.filter(|target| target.state.conduct().anomalous);
    found.map(|target| target.key.id.to_string()).collect()
}

#[test]
fn a_target_that_fails_gets_less_and_less_and_its_traffic_back_in_small_steps() {
    let group = healthy(true, &["a1", "a2", "a3"]);
    serve(&group, 300, "a2");
    let changed = group.evaluate();
    assert_eq!(changed.len(), 1);
    assert_eq!(anomalous(&group), ["a2"]);
    assert_eq!(group.state("a2").part(), 50);
    for part in [25, 12, 6, 5] {
        serve(&group, 1500, "a2");
        assert_eq!(group.evaluate().len(), 0);
        assert_eq!(group.state("a2").part(), part);
    }
    let shares = serve(&group, 4000, "a2");
    // 5 of 205 parts: 98, with a standard deviation of 10.
    assert!((50..150).contains(&shares["a2"]), "{shares:?}");
    // It has recovered.
    let mut rounds = 0;
    while group.state("a2").part() < 100 {
        serve(&group, 4000, "nobody");
        group.evaluate();
        rounds += 1;
        assert!(rounds < 40);
    }
    assert_eq!(anomalous(&group), [""; 0]);
    assert!(rounds >= 19, "{rounds}");
}

#[test]
fn without_mitigation_it_is_only_told() {
    let group = healthy(false, &["a1", "a2", "a3"]);
    serve(&group, 300, "a2");
    group.evaluate();
    assert_eq!(anomalous(&group), ["a2"]);
    assert_eq!(group.state("a2").part(), 100);
}

#[test]
fn two_healthy_targets_are_not_compared() {
    let group = healthy(true, &["a1", "a2", "a3"]);
    group.fail(&["a3"]);
    serve(&group, 300, "a2");
    assert!(!group.detects_anomalies());
    assert_eq!(group.evaluate().len(), 0);
    pass(group.state("a3"));
    assert!(group.detects_anomalies());
}

#[test]
fn a_target_that_turns_unhealthy_starts_anew() {
    let group = healthy(true, &["a1", "a2", "a3", "a4"]);
    serve(&group, 400, "a2");
    group.evaluate();
    assert_eq!(group.state("a2").part(), 50);
    group.fail(&["a2"]);
    group.evaluate();
    pass(group.state("a2"));
    group.evaluate();
    assert_eq!(anomalous(&group), [""; 0]);
    assert_eq!(group.state("a2").part(), 100);
}

#[test]
fn switching_mitigation_off_gives_all_back() {
    let group = healthy(true, &["a1", "a2", "a3"]);
    serve(&group, 300, "a2");
    group.evaluate();
    let off = reload(
        &group,
        settings_of(false),
        targets(&["a1", "a2", "a3"]),
        Instant::now(),
    );
    off.evaluate();
    assert_eq!(off.state("a2").part(), 100);
}

#[test]
fn requests_in_flight_are_not_judged_yet() {
    let group = healthy(true, &["a1", "a2", "a3"]);
    serve(&group, 60, "nobody");
    let held: Vec<Lease> = (0..300).map(|_| group.pick_from("a").unwrap()).collect();
    group.evaluate();
    let finished: f64 = group
        .targets()
        .iter()
        .map(|t| t.state.conduct().finished)
        .sum();
    assert_eq!(finished, 60.0);
    drop(held);
}
