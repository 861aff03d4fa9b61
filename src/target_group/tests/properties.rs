//! What holds for every group, whatever happens to its targets.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{hint, thread};

use proptest::prelude::*;

use super::*;

/// How often threads try to get into each other's way.
const ROUNDS: usize = 2000;

/// Something that happens to the target with this number.
#[derive(Clone, Copy, Debug)]
enum Event {
    Pass(usize),
    Fail(usize),
    Drain(usize),
    Register(usize),
}

fn event() -> impl Strategy<Value = Event> {
    (0..4, 0_usize..8).prop_map(|(kind, target)| match kind {
        0 => Event::Pass(target),
        1 => Event::Fail(target),
        2 => Event::Drain(target),
        _ => Event::Register(target),
    })
}

fn policy() -> impl Strategy<Value = ZonePolicy> {
    let table = BTreeMap::from([(zone("a"), 2), (zone("b"), 1)]);
    prop_oneof![
        Just(ZonePolicy::CrossZone),
        Just(ZonePolicy::OwnZone),
        Just(ZonePolicy::PreferLocal),
        Just(ZonePolicy::Weighted(ZoneWeights::alike(table).unwrap())),
    ]
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        Just(Algorithm::RoundRobin),
        Just(Algorithm::LeastOutstandingRequests),
    ]
}

fn eight(weights: &[u32]) -> Vec<Registration> {
    let ids = ["a1", "a2", "b1", "b2", "b3", "c1", "*1", "*2"];
    let targets = ids.iter().zip(weights);
    targets.map(|(id, weight)| target(id, *weight)).collect()
}

proptest! {
    #[test]
    fn over_a_round_each_target_takes_its_weights_share(
        weights in prop::collection::vec(1_u32..=30, 8),
    ) {
        let group = group(ZonePolicy::CrossZone, eight(&weights));
        let total: u32 = weights.iter().sum();
        let shares = group.shares("a", total as usize);
        for target in group.targets() {
            prop_assert_eq!(shares[&*target.key.id], target.weight as usize);
        }
    }

    #[test]
    fn only_a_target_that_may_take_requests_takes_one(
        policy in policy(),
        algorithm in algorithm(),
        weights in prop::collection::vec(0_u32..=3, 8),
        events in prop::collection::vec(event(), 0..60),
        entries in prop::collection::vec(prop::option::of("[abcd]"), 3),
    ) {
        let settings = Settings { algorithm, ..settings(policy) };
        let group = new_group(settings, eight(&weights), zones(&["a", "b"]));
        let mut held = Vec::new();
        for event in events {
            let state = |target: usize| &group.targets()[target].state;
            match event {
                Event::Pass(target) => pass(state(target)),
                Event::Fail(target) => fail(state(target)),
                Event::Drain(target) => state(target).drain(Instant::now(), DELAY),
                Event::Register(target) => state(target).register(),
            }
            for entry in &entries {
                let entry = entry.as_deref().map(Zone::from);
                let Ok(lease) = group.next(entry.as_ref(), &[]) else { continue };
                let expected = match lease.is_fail_open() {
                    true => TargetHealth::Unhealthy,
                    false => TargetHealth::Healthy,
                };
                prop_assert_eq!(lease.state.health(), expected);
                prop_assert!(lease.weight > 0);
                prop_assert!(lease.zone.as_ref() != Some(&zone("c")), "no node there");
                held.push(lease);
            }
        }
        prop_assert_eq!(in_flight(&group) as usize, held.len());
        held.clear();
        prop_assert_eq!(in_flight(&group), 0);
    }

    #[test]
    fn retries_reach_every_eligible_target_once(
        policy in policy(),
        algorithm in algorithm(),
        failed in prop::collection::vec(any::<bool>(), 8),
    ) {
        let settings = Settings { algorithm, ..settings(policy.clone()) };
        let group = new_group(settings, eight(&[1; 8]), Scope::All);
        for (target, failed) in group.targets().iter().zip(failed) {
            if failed { fail(&target.state) } else { pass(&target.state) }
        }
        let mut tried = Vec::new();
        while let Ok(lease) = group.next(Some(&zone("a")), &tried) {
            prop_assert!(!tried.contains(&lease.key));
            tried.push(lease.key.clone());
        }
        if matches!(policy, ZonePolicy::CrossZone | ZonePolicy::PreferLocal) {
            let healthy = group.health().filter(|(_, h)| *h == TargetHealth::Healthy);
            let healthy = healthy.count();
            prop_assert_eq!(tried.len(), if healthy == 0 { 8 } else { healthy });
        }
    }
}

/// The list is made while a target fails, at every stage of the making: one that has missed the
/// failure must not pass for current.
#[test]
fn the_first_pick_after_a_failure_knows_of_it() {
    let mut targets = targets(&["a1", "a2", "b1"]);
    // Many more that take nothing, so that making a list takes long enough to be overtaken.
    targets.extend((0..300).map(|n| target(&format!("c{n}"), 0)));
    let group = group(ZonePolicy::CrossZone, targets);
    let out = |round: usize| ["a2", "b1"][round % 2];
    let (failed, checked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut missed = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                (0..round % 100 * 20).for_each(|_| hint::spin_loop());
                group.fail(&[out(round)]);
                failed.store(round, Ordering::Release);
                while checked.load(Ordering::Acquire) < round {
                    thread::yield_now();
                }
                pass(group.state(out(round)));
            }
        });
        let mut done = 0;
        while done < ROUNDS {
            let round = failed.load(Ordering::Acquire);
            let picked: Vec<_> = (0..3).map(|_| group.pick_from("a").unwrap()).collect();
            if round > done {
                missed += usize::from(picked.iter().any(|t| &*t.key.id == out(round)));
                checked.store(round, Ordering::Release);
                done = round;
            }
        }
    });
    assert_eq!(missed, 0);
}

#[test]
fn no_request_is_refused_while_targets_come_and_go() {
    let group = group(ZonePolicy::CrossZone, targets(&["a1", "a2", "b1"]));
    let done = AtomicBool::new(false);
    let refused = AtomicUsize::new(0);
    thread::scope(|scope| {
        for entry in ["a", "b"] {
            let (group, done, refused) = (&group, &done, &refused);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    let picked = group.pick_from(entry);
                    refused.fetch_add(usize::from(picked.is_err()), Ordering::Relaxed);
                }
            });
        }
        let (a1, a2) = (group.state("a1"), group.state("a2"));
        for _ in 0..ROUNDS {
            fail(a1);
            a2.drain(Instant::now(), DELAY);
            pass(a1);
            a2.register();
            fail(group.state("b1"));
            pass(a2);
            pass(group.state("b1"));
        }
        done.store(true, Ordering::Release);
    });
    assert_eq!(refused.into_inner(), 0);
    assert_eq!(in_flight(&group), 0);
    assert_shares(&group.shares("a", 9), &[("a1", 3), ("a2", 3), ("b1", 3)]);
}
