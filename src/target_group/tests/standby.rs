//! Active/standby groups: who takes requests, what becomes of those that are open, and reloads.

use super::*;
use crate::target_group::{ActiveStandby, FailBack, SwitchError, SwitchKind};

fn standby(fail_back: FailBack, cut: bool) -> Settings {
    Settings {
        active_standby: Some(ActiveStandby { fail_back, cut }),
        ..settings(ZonePolicy::CrossZone)
    }
}

fn of_priority(ids: &[(&str, u32)]) -> Vec<Registration> {
    let registration = |(id, priority): &(&str, u32)| Registration {
        priority: *priority,
        ..target(id, 1)
    };
    ids.iter().map(registration).collect()
}

/// A primary, its standby and a spare, all healthy.
fn three(fail_back: FailBack, cut: bool) -> TargetGroup {
    let targets = of_priority(&[("c", 30), ("a", 10), ("b", 20)]);
    let group = new_group(standby(fail_back, cut), targets, Scope::All);
    for id in ["a", "b", "c"] {
        group.finds(id, Outcome::Pass);
    }
    group
}

fn timeout() -> Outcome {
    Outcome::Fail(HealthReason::Timeout)
}

impl TargetGroup {
    /// What a probe of the target found.
    fn finds(&self, id: &str, outcome: Outcome) {
        let thresholds = Thresholds {
            healthy: 1,
            unhealthy: 1,
        };
        let target = self.target(&key(id)).unwrap();
        self.observe(target, record(outcome), &thresholds, Instant::now());
    }

    fn switches(&self, wanted: SwitchKind) -> u64 {
        let counts = self.failovers().into_iter();
        counts
            .filter(|(kind, _)| *kind == wanted)
            .map(|(_, count)| count)
            .sum()
    }
}

#[test]
fn the_healthy_target_with_the_lowest_priority_takes_all() {
    let group = three(FailBack::Automatic, true);
    assert_eq!(group.order(3), ["a", "a", "a"]);
    group.finds("a", timeout());
    assert_eq!(group.order(2), ["b", "b"]);
    assert_eq!(group.active_priority(), Some(20));
    group.finds("b", timeout());
    assert_eq!(group.order(2), ["c", "c"]);
    group.finds("a", Outcome::Pass);
    assert_eq!(group.order(2), ["a", "a"]);
    assert_eq!(group.switches(SwitchKind::Failover), 2);
    assert_eq!(group.switches(SwitchKind::FailBack), 1);
}

#[test]
fn targets_of_the_same_priority_share() {
    let targets = of_priority(&[("a", 1), ("b", 1), ("c", 2)]);
    let group = new_group(standby(FailBack::Automatic, true), targets, Scope::All);
    for id in ["a", "b", "c"] {
        group.finds(id, Outcome::Pass);
    }
    assert_eq!(group.order(4), ["a", "b", "a", "b"]);
    group.finds("a", timeout());
    assert_eq!(group.order(2), ["b", "b"], "one is enough");
    assert_eq!(group.switches(SwitchKind::Failover), 0);
}

#[test]
fn a_standby_that_is_healthy_first_only_stands_in() {
    let targets = of_priority(&[("a", 1), ("b", 2)]);
    let group = new_group(standby(FailBack::Manual, true), targets, Scope::All);
    assert_eq!(group.next(None, &[]).unwrap_err(), PickError::AllInitial);
    group.finds("b", Outcome::Pass);
    assert_eq!(group.order(1), ["b"]);
    group.finds("a", Outcome::Pass);
    assert_eq!(group.order(1), ["a"]);
    let counts: u64 = group.failovers().iter().map(|(_, count)| count).sum();
    assert_eq!(counts, 0);
}

#[test]
fn what_is_open_at_a_target_that_is_not_active_any_more_is_cut_or_kept() {
    for cut in [true, false] {
        let group = three(FailBack::Automatic, cut);
        let at_a = group.next(None, &[]).unwrap();
        group.finds("a", timeout());
        assert_eq!(at_a.is_recalled(), cut);
        let at_b = group.next(None, &[]).unwrap();
        assert!(!at_b.is_recalled());
        group.finds("a", Outcome::Pass);
        assert_eq!(at_b.is_recalled(), cut, "fail-back, too");
        assert!(!group.next(None, &[]).unwrap().is_recalled());
    }
}

#[test]
fn a_target_that_is_drained_keeps_what_is_open_for_its_deregistration_delay() {
    let group = three(FailBack::Automatic, true);
    let at_a = group.next(None, &[]).unwrap();
    group.state("a").drain(Instant::now(), DELAY);
    assert_eq!(group.order(1), ["b"]);
    assert!(!at_a.is_recalled());
    assert!(at_a.cut_at().is_some());
}

#[test]
fn none_healthy_fails_open_to_the_active_one_alone() {
    let group = three(FailBack::Automatic, true);
    for id in ["a", "c", "b"] {
        group.finds(id, timeout());
    }
    assert_eq!(group.order(3), ["b", "b", "b"]);
    assert!(group.next(None, &[]).unwrap().is_fail_open());
}

#[test]
fn an_operator_brings_the_better_one_back() {
    let group = three(FailBack::Manual, true);
    group.finds("a", timeout());
    group.finds("a", Outcome::Pass);
    let at_b = group.next(None, &[]).unwrap();
    assert_eq!(at_b.key, key("b"));
    assert_eq!(group.fail_back(), Ok(10));
    assert!(at_b.is_recalled());
    assert_eq!(group.order(2), ["a", "a"]);
    assert_eq!(group.fail_back(), Err(SwitchError::AlreadyActive));
    assert_eq!(group.switches(SwitchKind::Switchover), 1);
    assert_eq!(group.switches(SwitchKind::FailBack), 0);
}

#[test]
fn an_operator_may_switch_to_any_target_that_would_stay() {
    let group = three(FailBack::Manual, true);
    let b = group.target(&key("b")).unwrap();
    assert_eq!(group.activate(b), Ok(()));
    assert_eq!(group.order(2), ["b", "b"]);
    group.finds("c", timeout());
    let c = group.target(&key("c")).unwrap();
    assert_eq!(group.activate(c), Err(SwitchError::TakesNothing));
    let automatic = three(FailBack::Automatic, true);
    let b = automatic.target(&key("b")).unwrap();
    assert_eq!(automatic.activate(b), Err(SwitchError::WouldFailBack));
    let shared = group_of_all();
    let a = shared.target(&key("a")).unwrap();
    assert_eq!(shared.activate(a), Err(SwitchError::NotActiveStandby));
}

fn group_of_all() -> TargetGroup {
    group(ZonePolicy::CrossZone, targets(&["a", "b"]))
}

#[test]
fn who_is_active_survives_a_reload_that_renumbers_the_priorities() {
    let before = three(FailBack::Manual, true);
    before.finds("a", timeout());
    before.finds("a", Outcome::Pass);
    let at_b = before.next(None, &[]).unwrap();
    let renumbered = of_priority(&[("a", 1), ("b", 2), ("c", 3), ("new", 4)]);
    let manual = standby(FailBack::Manual, true);
    let after = reload(&before, manual, renumbered, Instant::now());
    assert_eq!(after.order(2), ["b", "b"]);
    assert!(!at_b.is_recalled());
    assert_eq!(after.switches(SwitchKind::Failover), 1);
    assert_eq!(after.fail_back(), Ok(1));
}

#[test]
fn an_active_target_that_a_reload_removes_has_failed_over() {
    let before = three(FailBack::Manual, true);
    let left = of_priority(&[("b", 20), ("c", 30)]);
    let after = reload(
        &before,
        standby(FailBack::Manual, true),
        left,
        Instant::now(),
    );
    assert_eq!(after.order(2), ["b", "b"]);
    assert_eq!(after.switches(SwitchKind::Failover), 1);
}

#[test]
fn a_group_that_was_replaced_decides_nothing_more() {
    let before = three(FailBack::Automatic, true);
    let swapped = of_priority(&[("a", 20), ("b", 10), ("c", 30)]);
    let automatic = standby(FailBack::Automatic, true);
    let after = reload(&before, automatic, swapped, Instant::now());
    assert_eq!(after.order(1), ["b"]);
    assert_eq!(before.order(1), ["b"], "by what is in force");
    before.finds("c", timeout());
    assert_eq!(after.order(1), ["b"]);
    assert_eq!(after.switches(SwitchKind::FailBack), 1);
}

#[test]
fn without_health_checks_all_take_requests_and_the_first_is_active() {
    let settings = Settings {
        health_checked: false,
        ..standby(FailBack::Automatic, true)
    };
    let targets = of_priority(&[("b", 2), ("a", 1)]);
    let group = new_group(settings, targets, Scope::All);
    assert_eq!(group.order(2), ["a", "a"]);
    group.state("a").drain(Instant::now(), DELAY);
    assert_eq!(group.order(2), ["b", "b"]);
}
