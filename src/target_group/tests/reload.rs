//! What a reload changes, and what goes on.

use super::*;

fn cross_zone() -> Settings {
    settings(ZonePolicy::CrossZone)
}

fn two() -> TargetGroup {
    group(ZonePolicy::CrossZone, targets(&["a1", "a2"]))
}

#[test]
fn health_and_requests_in_flight_go_on() {
    let before = two();
    before.fail(&["a2"]);
    let lease = before.pick_from("a").unwrap();
    let heavier = vec![target("a1", 7), target("a2", 2)];
    let after = reload(&before, cross_zone(), heavier, Instant::now());
    assert_eq!(after.state("a1").health(), TargetHealth::Healthy);
    assert_eq!(after.state("a2").health(), TargetHealth::Unhealthy);
    assert_eq!(after.state("a1").in_flight(), 1);
    drop(lease);
    assert_eq!(in_flight(&after), 0);
}

#[test]
fn the_round_goes_on() {
    let before = two();
    assert_eq!(before.order(1), ["a1"]);
    let after = reload(
        &before,
        cross_zone(),
        targets(&["a1", "a2"]),
        Instant::now(),
    );
    assert_eq!(after.order(2), ["a2", "a1"]);
}

#[test]
fn a_compiled_group_changes_nothing_before_it_takes_over() {
    let before = two();
    let now = Instant::now();
    let refused = TargetGroup::new(
        Settings {
            health_checked: false,
            ..cross_zone()
        },
        targets(&["a2", "a3"]),
        Scope::NotInUse,
        Some(&before),
        now,
    );
    assert_eq!(ids(&refused, now), ["a1".to_owned()].into());
    drop(refused);
    assert_eq!(before.order(3), ["a1", "a2", "a1"]);
    assert_eq!(before.state("a1").health(), TargetHealth::Healthy);
    assert_eq!(before.state("a1").drains_until(), None);
}

#[test]
fn a_target_that_is_not_registered_any_more_drains_for_the_whole_delay() {
    let before = two();
    let lease = before.pick_from("a").unwrap();
    let now = Instant::now();
    let after = reload(&before, cross_zone(), targets(&["a2"]), now);
    assert_eq!(before.state("a1").health(), TargetHealth::Draining);
    assert_shares(&after.shares("a", 4), &[("a2", 4)]);
    // A worker that still has the snapshot before sends it nothing either.
    assert_shares(&before.shares("a", 4), &[("a2", 4)]);
    assert_eq!(lease.cut_at(), Some(now + DELAY));
    assert_eq!(ids(&after, now + DELAY - Duration::from_millis(1)).len(), 1);
    assert_eq!(ids(&after, now + DELAY).len(), 0);
}

#[test]
fn a_draining_target_stays_listed_through_further_reloads_and_keeps_its_deadline() {
    let now = Instant::now();
    let first = reload(&two(), cross_zone(), targets(&["a2"]), now);
    let quick = Settings {
        deregistration_delay: Duration::from_secs(10),
        ..cross_zone()
    };
    let minute = Duration::from_secs(60);
    let second = reload(&first, quick, targets(&["a2"]), now + minute);
    assert_eq!(ids(&second, now + minute), ["a1".to_owned()].into());
    let third = reload(&second, cross_zone(), targets(&["a2"]), now + DELAY);
    assert_eq!(ids(&third, now).len(), 0);
}

#[test]
fn a_deregistration_delay_of_0_lets_a_target_go_at_once() {
    let before = two();
    let lease = before.pick_from("a").unwrap();
    let at_once = Settings {
        deregistration_delay: Duration::ZERO,
        ..cross_zone()
    };
    let now = Instant::now();
    let after = reload(&before, at_once, targets(&["a2"]), now);
    assert_eq!(ids(&after, now).len(), 0);
    assert_eq!(lease.cut_at(), Some(now));
}

#[test]
fn a_target_registered_again_while_it_drains_needs_one_pass() {
    let before = two();
    let lease = before.pick_from("a").unwrap();
    let now = Instant::now();
    let without = reload(&before, cross_zone(), targets(&["a2"]), now);
    let again = reload(&without, cross_zone(), targets(&["a1", "a2"]), now);
    assert_eq!(again.state("a1").health(), TargetHealth::Initial);
    assert_eq!(again.state("a1").in_flight(), 1, "the state was adopted");
    assert_eq!(lease.cut_at(), None);
    assert_eq!(ids(&again, now).len(), 0);
    assert_shares(&again.shares("a", 4), &[("a2", 4)]);
    pass(again.state("a1"));
    assert_shares(&again.shares("a", 4), &[("a1", 2), ("a2", 2)]);
}

#[test]
fn a_target_that_was_drained_by_hand_stays_so() {
    let before = two();
    let now = Instant::now();
    before.state("a1").drain(now, DELAY);
    let after = reload(&before, cross_zone(), targets(&["a1", "a2"]), now);
    assert_eq!(after.state("a1").health(), TargetHealth::Draining);
    assert_shares(&after.shares("a", 4), &[("a2", 4)]);
}

#[test]
fn a_target_with_another_address_is_initial_and_keeps_its_requests_in_flight() {
    let before = two();
    let lease = before.pick_from("a").unwrap();
    let mut moved = targets(&["a1", "a2"]);
    moved[0].address = TargetAddress::Ip(SocketAddr::from(([127, 0, 0, 2], 80)));
    let after = reload(&before, cross_zone(), moved, Instant::now());
    assert_eq!(after.state("a1").health(), TargetHealth::Initial);
    assert_eq!(after.state("a2").health(), TargetHealth::Healthy);
    assert_eq!(after.state("a1").in_flight(), 1);
    drop(lease);
    assert_eq!(in_flight(&after), 0);
}

#[test]
fn weight_and_zone_may_change_without_a_new_start() {
    let before = two();
    let mut changed = vec![target("a1", 3), target("a2", 1)];
    changed[1].zone = Some(zone("b"));
    let after = reload(&before, cross_zone(), changed, Instant::now());
    assert_shares(&after.shares("a", 8), &[("a1", 6), ("a2", 2)]);
}

#[test]
fn taking_over_again_changes_nothing() {
    let before = two();
    let now = Instant::now();
    let mut moved = targets(&["a1"]);
    moved[0].address = TargetAddress::Name("a1.test".into(), 80);
    let after = reload(&before, cross_zone(), moved, now);
    pass(after.state("a1"));
    before.state("a2").register();
    after.take_over(now);
    assert_eq!(after.state("a1").health(), TargetHealth::Healthy);
    assert_eq!(before.state("a2").health(), TargetHealth::Initial);
}

#[test]
fn a_group_that_comes_into_use_starts_its_targets_as_new() {
    let now = Instant::now();
    let unused = new_group(cross_zone(), targets(&["a1"]), Scope::NotInUse);
    let used = TargetGroup::new(
        cross_zone(),
        targets(&["a1"]),
        zones(&["a"]),
        Some(&unused),
        now,
    );
    used.take_over(now);
    assert_eq!(used.pick_from("a").unwrap_err(), PickError::AllInitial);
    pass(used.state("a1"));
    assert!(used.pick_from("a").is_ok());
}

#[test]
fn switching_health_checks_on_or_off_interrupts_nothing() {
    let before = two();
    before.fail(&["a2"]);
    let now = Instant::now();
    let unchecked = Settings {
        health_checked: false,
        ..cross_zone()
    };
    let off = TargetGroup::new(
        unchecked,
        targets(&["a1", "a2"]),
        Scope::All,
        Some(&before),
        now,
    );
    assert_shares(&off.shares("a", 4), &[("a1", 2), ("a2", 2)]);
    off.take_over(now);
    assert_shares(&off.shares("a", 4), &[("a1", 2), ("a2", 2)]);
    let on = TargetGroup::new(
        cross_zone(),
        targets(&["a1", "a2"]),
        Scope::All,
        Some(&off),
        now,
    );
    assert_shares(&on.shares("a", 4), &[("a1", 2), ("a2", 2)]);
    on.take_over(now);
    assert_shares(&on.shares("a", 4), &[("a1", 2), ("a2", 2)]);
}

#[test]
fn the_targets_of_a_deleted_group_drain() {
    let before = two();
    let now = Instant::now();
    let deleted = TargetGroup::new(
        cross_zone(),
        Vec::new(),
        Scope::NotInUse,
        Some(&before),
        now,
    );
    assert_eq!(ids(&deleted, now).len(), 2, "it is worth keeping");
    deleted.take_over(now);
    assert_eq!(ids(&deleted, now).len(), 2);
    assert_eq!(ids(&deleted, now + DELAY).len(), 0);
    assert_eq!(before.pick_from("a").unwrap_err(), PickError::NoTargets);
}

#[test]
fn a_target_that_was_stopped_and_started_elsewhere_is_the_same_target_and_needs_one_pass() {
    let before = two();
    let lease = before.pick_from("a").unwrap();
    let mut stopped = targets(&["a1", "a2"]);
    stopped[0].invalid_state = Some(InvalidState::Stopped);
    let while_stopped = reload(&before, cross_zone(), stopped, Instant::now());
    let reason = while_stopped.state("a1").describe(Instant::now()).reason;
    assert_eq!(
        reason,
        Some(HealthReason::InvalidState(InvalidState::Stopped))
    );
    assert_eq!(while_stopped.order(2), ["a2", "a2"]);
    assert_eq!(while_stopped.probed().count(), 1);

    let mut moved = targets(&["a1", "a2"]);
    moved[0].address = TargetAddress::Ip(SocketAddr::from(([127, 0, 0, 9], 80)));
    let after = reload(&while_stopped, cross_zone(), moved, Instant::now());
    assert_eq!(after.state("a1").health(), TargetHealth::Initial);
    assert_eq!(after.state("a1").in_flight(), 1);
    pass(after.state("a1"));
    assert_eq!(after.state("a1").health(), TargetHealth::Healthy);
    drop(lease);
}

#[test]
fn targets_that_are_all_stopped_take_no_requests_even_fail_open() {
    let mut stopped = targets(&["a1", "a2"]);
    for registration in &mut stopped {
        registration.invalid_state = Some(InvalidState::Stopped);
    }
    let group = new_group(cross_zone(), stopped, Scope::All);
    assert_eq!(group.pick_from("a").unwrap_err(), PickError::AllUnused);
}
