//! A target group seen from outside: what a request meets, in the words of ALB's manual.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod anomaly;
mod eligibility;
mod failover;
mod properties;
mod reload;
mod slow_start;
mod standby;
mod surge_queue;
mod zonal_shift;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{
    AdministrativeOverride, Failover, Minimum, Moment, PickError, Registration, Scope, Settings,
    TargetGroup, ZonalShift, ZonePolicy, ZoneWeights,
};
use crate::balance::Algorithm;
use crate::target::{
    HealthReason, InvalidState, Lease, Outcome, ProbeRecord, TargetAddress, TargetHealth,
    TargetKey, TargetState, Thresholds, Zone,
};

const DELAY: Duration = Duration::from_secs(300);

fn settings(zones: ZonePolicy) -> Settings {
    Settings {
        zones,
        ..Settings::new("web")
    }
}

fn key(id: &str) -> TargetKey {
    TargetKey {
        id: id.into(),
        port: 80,
    }
}

fn zone(name: &str) -> Zone {
    Zone::from(name)
}

/// A target that stands in the zone that the first letter of its id says; `*` is no zone.
fn target(id: &str, weight: u32) -> Registration {
    let zone = id.get(..1).filter(|zone| *zone != "*").map(Zone::from);
    Registration {
        key: key(id),
        address: TargetAddress::Ip(SocketAddr::from(([127, 0, 0, 1], 80))),
        zone,
        weight,
        invalid_state: None,
        priority: 1,
    }
}

fn targets(ids: &[&str]) -> Vec<Registration> {
    ids.iter().map(|id| target(id, 1)).collect()
}

fn zones(names: &[&str]) -> Scope {
    Scope::Zones(names.iter().copied().map(Zone::from).collect())
}

/// A published group in use, whose targets are still initial.
fn new_group(settings: Settings, targets: Vec<Registration>, scope: Scope) -> TargetGroup {
    let now = Instant::now();
    let group = TargetGroup::new(settings, targets, scope, None, now);
    group.take_over(now);
    group
}

/// A published group whose targets are all healthy.
fn group(policy: ZonePolicy, targets: Vec<Registration>) -> TargetGroup {
    let group = new_group(settings(policy), targets, Scope::All);
    for target in group.targets() {
        pass(&target.state);
    }
    group
}

/// The group that a reload makes of another.
fn reload(
    last: &TargetGroup,
    settings: Settings,
    targets: Vec<Registration>,
    now: Instant,
) -> TargetGroup {
    let next = TargetGroup::new(settings, targets, last.scope().clone(), Some(last), now);
    next.take_over(now);
    next
}

fn moment() -> Moment {
    Moment {
        now: Instant::now(),
        chance: fastrand::u64(..),
    }
}

fn probe(state: &TargetState, outcome: Outcome) {
    let thresholds = Thresholds {
        healthy: 1,
        unhealthy: 1,
    };
    state.observe(record(outcome), &thresholds, None);
}

fn record(outcome: Outcome) -> ProbeRecord {
    ProbeRecord {
        at: SystemTime::UNIX_EPOCH,
        address: None,
        outcome,
        status: None,
        latency: Duration::ZERO,
        detail: String::new(),
    }
}

fn pass(state: &TargetState) {
    probe(state, Outcome::Pass);
}

fn fail(state: &TargetState) {
    probe(state, Outcome::Fail(HealthReason::Timeout));
}

impl TargetGroup {
    /// The state of the target with this id, registered on port 80.
    fn state(&self, id: &str) -> &TargetState {
        &self.target(&key(id)).unwrap().state
    }

    fn fail(&self, ids: &[&str]) {
        ids.iter().for_each(|id| fail(self.state(id)));
    }

    fn next(&self, entry: Option<&Zone>, tried: &[TargetKey]) -> Result<Lease, PickError> {
        self.pick(entry, tried, moment())
    }

    fn pick_from(&self, entry: &str) -> Result<Lease, PickError> {
        self.next(Some(&zone(entry)), &[])
    }

    /// The ids of those who take the next requests that enter through a node in no zone.
    fn order(&self, requests: usize) -> Vec<String> {
        (0..requests)
            .map(|_| self.next(None, &[]).unwrap().key.id.to_string())
            .collect()
    }

    /// How many of so many requests from this entry zone each target takes.
    fn shares(&self, entry: &str, requests: usize) -> BTreeMap<String, usize> {
        let mut shares = BTreeMap::new();
        for _ in 0..requests {
            let lease = self.pick_from(entry).unwrap();
            *shares.entry(lease.key.id.to_string()).or_default() += 1;
        }
        shares
    }

    /// How many of so many requests from this entry zone each zone takes.
    fn zone_shares(&self, entry: &str, requests: usize) -> BTreeMap<String, usize> {
        let mut shares = BTreeMap::new();
        for (id, count) in self.shares(entry, requests) {
            *shares.entry(id[..1].to_owned()).or_default() += count;
        }
        shares
    }
}

/// Compares shares with a table.
fn assert_shares(shares: &BTreeMap<String, usize>, expected: &[(&str, usize)]) {
    let expected = expected.iter().map(|(id, n)| ((*id).to_owned(), *n));
    assert_eq!(*shares, expected.collect());
}

/// How many requests are in flight at all targets together.
fn in_flight(group: &TargetGroup) -> u32 {
    group.targets().iter().map(|t| t.state.in_flight()).sum()
}

fn ids(group: &TargetGroup, now: Instant) -> BTreeSet<String> {
    group.departing(now).map(|t| t.key.id.to_string()).collect()
}
