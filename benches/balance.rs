//! What picking a target costs: from the group to a lease, and the lease's end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench may fail loudly"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use divan::{Bencher, black_box};
use tokio::time::Instant;

use elbow::balance::Algorithm;
use elbow::target::{
    HealthReason, Lease, Outcome, ProbeRecord, Target, TargetAddress, TargetKey, Thresholds, Zone,
};
use elbow::target_group::{Moment, Registration, Scope, Settings, TargetGroup, ZonePolicy};

const ALGORITHMS: [Algorithm; 3] = [
    Algorithm::RoundRobin,
    Algorithm::LeastOutstandingRequests,
    Algorithm::WeightedRandom,
];
const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];

fn main() {
    divan::main();
}

#[divan::bench(args = ALGORITHMS)]
fn pick_among_3(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    bench_pick(bencher, &group(settings(algorithm), 3, alike));
}

#[divan::bench(args = ALGORITHMS)]
fn pick_among_3_by_weight(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    bench_pick(bencher, &group(settings(algorithm), 3, by_number));
}

#[divan::bench(args = ALGORITHMS, threads = 2)]
fn pick_among_3_on_two_threads(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    bench_pick(bencher, &group(settings(algorithm), 3, alike));
}

#[divan::bench(args = ALGORITHMS)]
fn pick_among_3_where_a_zone_spills_over(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let prefer_local = Settings {
        zones: ZonePolicy::PreferLocal,
        ..settings(algorithm)
    };
    let group = group(prefer_local, 6, alike);
    probe(&group.targets()[0], Outcome::Fail(HealthReason::Timeout));
    bench_pick(bencher, &group);
}

#[divan::bench(args = ALGORITHMS)]
fn pick_among_1000_half_unhealthy(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    bench_pick(bencher, &half_unhealthy(settings(algorithm), by_number));
}

/// Every target has requests in flight, so that the least loaded has to be looked for.
#[divan::bench(args = ALGORITHMS)]
fn pick_among_3_busy(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let group = group(settings(algorithm), 3, alike);
    let _in_flight = occupy(&group);
    bench_pick(bencher, &group);
}

#[divan::bench(args = ALGORITHMS)]
fn pick_among_1000_half_unhealthy_and_busy(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let group = half_unhealthy(settings(algorithm), by_number);
    let _in_flight = occupy(&group);
    bench_pick(bencher, &group);
}

/// The first pick after a change of health makes the list of eligible targets anew.
#[divan::bench]
fn first_pick_among_1000_after_a_change(bencher: Bencher<'_, '_>) {
    let group = half_unhealthy(settings(Algorithm::RoundRobin), by_number);
    let entry = Zone::from(ZONES[0]);
    let mut healthy = true;
    bencher
        .with_inputs(|| {
            healthy = !healthy;
            let outcome = match healthy {
                true => Outcome::Pass,
                false => Outcome::Fail(HealthReason::Timeout),
            };
            probe(&group.targets()[0], outcome);
        })
        .bench_local_values(|()| drop(group.pick(Some(&entry), &[], moment())));
}

#[divan::bench]
fn compile_a_group_of_10(bencher: Bencher<'_, '_>) {
    let last = group(settings(Algorithm::RoundRobin), 10, alike);
    let now = Instant::now();
    bencher
        .with_inputs(|| (settings(Algorithm::RoundRobin), registrations(10, alike)))
        .bench_values(|(settings, registrations)| {
            TargetGroup::new(settings, registrations, Scope::All, Some(&last), now)
        });
}

fn bench_pick(bencher: Bencher<'_, '_>, group: &TargetGroup) {
    let entry = Zone::from(ZONES[0]);
    assert!(group.pick(Some(&entry), &[], moment()).is_ok());
    let now = Instant::now();
    bencher.bench(|| {
        let chance = fastrand::u64(..);
        let moment = Moment { now, chance };
        drop(black_box(group).pick(Some(black_box(&entry)), &[], moment));
    });
}

fn moment() -> Moment {
    Moment {
        now: Instant::now(),
        chance: fastrand::u64(..),
    }
}

/// As many requests in flight at each target as its weight says.
fn occupy(group: &TargetGroup) -> Vec<Lease> {
    let leases = |target: &Arc<Target>| {
        let target = Arc::clone(target);
        (0..target.weight).map(move |_| Lease::new(Arc::clone(&target), false))
    };
    group.targets().iter().flat_map(leases).collect()
}

fn half_unhealthy(settings: Settings, weight: fn(u32) -> u32) -> TargetGroup {
    let group = group(settings, 1000, weight);
    for target in group.targets().iter().step_by(2) {
        probe(target, Outcome::Fail(HealthReason::Timeout));
    }
    group
}

fn group(settings: Settings, count: u32, weight: fn(u32) -> u32) -> TargetGroup {
    let now = Instant::now();
    let group = TargetGroup::new(
        settings,
        registrations(count, weight),
        Scope::All,
        None,
        now,
    );
    group.take_over(now);
    for target in group.targets() {
        probe(target, Outcome::Pass);
    }
    group
}

fn settings(algorithm: Algorithm) -> Settings {
    Settings {
        algorithm,
        ..Settings::new("web")
    }
}

fn registrations(count: u32, weight: fn(u32) -> u32) -> Vec<Registration> {
    let registration = |number: u32| Registration {
        key: TargetKey {
            id: format!("target-{number}").into(),
            port: 80,
        },
        address: TargetAddress::Ip(SocketAddr::from(([127, 0, 0, 1], 80))),
        zone: Some(Zone::from(ZONES[number as usize % ZONES.len()])),
        weight: weight(number),
        invalid_state: None,
        priority: 1,
    };
    (0..count).map(registration).collect()
}

fn alike(_number: u32) -> u32 {
    1
}

fn by_number(number: u32) -> u32 {
    number % 5 + 1
}

fn probe(target: &Target, outcome: Outcome) {
    let thresholds = Thresholds {
        healthy: 1,
        unhealthy: 1,
    };
    let record = ProbeRecord {
        at: SystemTime::UNIX_EPOCH,
        address: None,
        outcome,
        status: None,
        latency: Duration::ZERO,
        detail: String::new(),
    };
    target.state.observe(record, &thresholds, None);
}
