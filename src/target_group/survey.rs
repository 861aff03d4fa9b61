//! Who takes requests: the health of all targets at one moment, and the routes that follow.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::group_state::{Entry, GroupState, PoolName};
use super::route::{Pool, Route};
use super::slow_start;
use super::{AdministrativeOverride, PickError, Scope, Settings, Standing, ZonalShift, ZonePolicy};
use crate::target::{Target, TargetHealth, Zone};

/// The targets of a group as they are at one moment.
pub(super) struct Survey<'a> {
    settings: &'a Settings,
    state: &'a GroupState,
    seen: Vec<Seen<'a>>,
    shift: Option<Arc<ZonalShift>>,
    administrative_override: AdministrativeOverride,
    now: Instant,
}

/// Weights are counted in hundredths, so that a target can take a part of its share.
const WHOLE: u32 = 100;

/// One target at that moment.
#[derive(Clone, Copy)]
struct Seen<'a> {
    target: &'a Arc<Target>,
    health: TargetHealth,
    /// What it takes of its share, in hundredths.
    part: u32,
}

/// Which targets of those in reach take requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admission {
    /// The healthy ones, and those that are not checked.
    Healthy,
    /// The unhealthy ones as well, for want of better.
    FailOpen,
}

impl<'a> Survey<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        scope: &Scope,
        targets: &'a [Arc<Target>],
        state: &'a GroupState,
        now: Instant,
    ) -> Self {
        let seen = targets.iter().map(|target| {
            let excluded = scope.excludes(target.zone.as_ref()).is_some();
            let health = match target.state.health() {
                health @ (TargetHealth::Draining | TargetHealth::Unused) => health,
                _ if excluded => TargetHealth::Unused,
                _ if !settings.health_checked => TargetHealth::Unavailable,
                health => health,
            };
            let part = match health {
                TargetHealth::Healthy => {
                    slow_start::part(settings, &target.state, now).min(target.state.part())
                }
                _ => WHOLE,
            };
            Seen {
                target,
                health,
                part,
            }
        });
        let shift = state.shift.load_full();
        let mut survey = Self {
            settings,
            state,
            seen: seen.collect(),
            shift: shift.filter(|shift| shift.holds(now)),
            administrative_override: AdministrativeOverride::None,
            now,
        };
        survey.shift_away();
        survey
    }

    /// Overrides the targets of the zone that traffic is kept away from.
    fn shift_away(&mut self) {
        let Some(shift) = &self.shift else {
            return;
        };
        let is_there = |target: &Target| target.zone.as_ref() == Some(&shift.away_from);
        let mut elsewhere = self.seen.iter().filter(|seen| !is_there(seen.target));
        self.administrative_override = match self.settings.zones {
            ZonePolicy::OwnZone => AdministrativeOverride::ZonalShiftDelegatedToDns,
            _ if elsewhere.any(|seen| seen.is_admitted(Admission::Healthy)) => {
                AdministrativeOverride::ZonalShiftActive
            }
            _ => AdministrativeOverride::None,
        };
        if self.administrative_override == AdministrativeOverride::ZonalShiftActive {
            for seen in &mut self.seen {
                if is_there(seen.target) {
                    seen.health = TargetHealth::Unused;
                }
            }
        }
    }

    pub(super) fn administrative_override(&self) -> AdministrativeOverride {
        self.administrative_override
    }

    /// When the routes are to be made anew: a share has risen by then, or a shift has ended.
    pub(super) fn until(&self) -> Option<Instant> {
        let rises = self.seen.iter().any(|seen| seen.part < WHOLE);
        let step = slow_start::step(self.settings).filter(|_| rises);
        let ends = self.shift.as_ref().map(|shift| shift.until);
        let rises = step.map(|step| self.now + step);
        rises.into_iter().chain(ends).min()
    }

    /// Where requests that enter there go, by the group's zone policy. A node in no zone has no
    /// zone of its own to prefer or to keep to, so it sends to all zones alike.
    pub(super) fn route(&self, entry: &Entry) -> Result<Route, PickError> {
        match (&self.settings.zones, entry) {
            (ZonePolicy::CrossZone, _)
            | (ZonePolicy::OwnZone | ZonePolicy::PreferLocal, Entry::NoZone) => self.cross_zone(),
            (ZonePolicy::OwnZone, _) => self.own_zone(entry),
            (ZonePolicy::PreferLocal, _) => self.prefer_local(entry),
            (ZonePolicy::Weighted(weights), _) => match weights.table(entry.zone()) {
                // Where traffic is kept away from the only zone of a table, all others serve.
                Some(table) if self.shift.is_none() || self.has_healthy(entry) => {
                    self.weighted(entry, table)
                }
                _ => self.cross_zone(),
            },
        }
    }

    fn has_healthy(&self, entry: &Entry) -> bool {
        self.count(|target| self.reaches(entry, target)).0 > 0
    }

    /// How the group stands for requests that enter there.
    pub(super) fn standing(&self, entry: &Entry) -> Standing {
        let (healthy, registered) = self.count(|target| self.reaches(entry, target));
        let failover = &self.settings.failover;
        Standing {
            healthy,
            registered,
            healthy_dns: failover.dns.is_met(healthy, registered),
            healthy_routing: failover.routing.is_met(healthy, registered),
        }
    }

    /// Whether requests that enter there may go to the target, were it healthy.
    fn reaches(&self, entry: &Entry, target: &Target) -> bool {
        match (&self.settings.zones, entry) {
            (ZonePolicy::CrossZone | ZonePolicy::PreferLocal, _)
            | (ZonePolicy::OwnZone, Entry::NoZone) => true,
            (ZonePolicy::OwnZone, _) => serves(target, entry.zone()),
            (ZonePolicy::Weighted(weights), _) => weights.table(entry.zone()).is_none_or(|table| {
                let mut zones = table.iter().filter(|(_, weight)| **weight > 0);
                zones.any(|(zone, _)| serves(target, Some(zone)))
            }),
        }
    }

    /// How many of the targets in reach are healthy, and how many there are.
    fn count(&self, in_reach: impl Fn(&Target) -> bool) -> (usize, usize) {
        let counted = || {
            let weighing = self.seen.iter().filter(|seen| seen.counts());
            weighing.filter(|seen| in_reach(seen.target))
        };
        let healthy = counted().filter(|seen| seen.is_admitted(Admission::Healthy));
        (healthy.count(), counted().count())
    }

    fn cross_zone(&self) -> Result<Route, PickError> {
        let admission = self.admit(|_| true)?;
        let pool = self.pool(admission, &Entry::NoZone, PoolName::All, |_| true);
        Ok(self.spread(admission, &Entry::NoZone, vec![(1, pool)]))
    }

    fn own_zone(&self, entry: &Entry) -> Result<Route, PickError> {
        let admission = self.admit(|target| serves(target, entry.zone()))?;
        let pool = self.local_pool(admission, entry);
        Ok(self.spread(admission, entry, vec![(1, pool)]))
    }

    /// A zone without a target that takes requests leaves its share to the others in proportion,
    /// and so does one for the part that its targets do not take yet in slow start; a zone that
    /// the table does not name, or names with 0, gets nothing. Only if all zones with a weight
    /// together have too few healthy targets, they fail open together.
    fn weighted(&self, entry: &Entry, table: &BTreeMap<Zone, u32>) -> Result<Route, PickError> {
        let weighted = || table.iter().filter(|(_, weight)| **weight > 0);
        let admission = self.admit(|target| self.reaches(entry, target))?;
        let pools = weighted().map(|(zone, weight)| {
            let name = PoolName::Zone(zone.clone());
            let pool = self.pool(admission, entry, name, |target| serves(target, Some(zone)));
            (part_of(*weight, &pool), pool)
        });
        let pools = pools.filter(|(_, pool)| !pool.is_empty()).collect();
        Ok(self.spread(admission, entry, pools))
    }

    /// The entry zone keeps `healthy weight / registered weight` of its node's traffic; the rest
    /// goes to the targets of the other zones by their weights. All of it stays where there is no
    /// healthy target elsewhere, and all of it leaves a zone that has none. When no target of the
    /// group is healthy, the unhealthy ones stand in for them.
    fn prefer_local(&self, entry: &Entry) -> Result<Route, PickError> {
        let admission = self.admit(|_| true)?;
        let local = self.local_pool(admission, entry);
        let beyond = self.pool(admission, entry, PoolName::Beyond, |target| {
            !serves(target, entry.zone())
        });
        let pools = match (local.is_empty(), beyond.is_empty()) {
            (_, true) => vec![(1, local)],
            (true, false) => vec![(1, beyond)],
            (false, false) => {
                let healthy = local.weight();
                let lost = self.registered_weight(entry) - healthy;
                vec![(clip(healthy), local), (clip(lost), beyond)]
            }
        };
        Ok(self.spread(admission, entry, pools))
    }

    /// Who takes requests among the targets in reach. Deregistered ones are as if they were not
    /// there; those with the weight 0 take nothing, whatever their health, and so do not keep the
    /// others from failing open.
    fn admit(&self, in_reach: impl Fn(&Target) -> bool) -> Result<Admission, PickError> {
        let registered = || self.seen.iter().filter(|seen| seen.is_registered());
        if registered().next().is_none() {
            return Err(PickError::NoTargets);
        }
        let reach = || registered().filter(|seen| in_reach(seen.target));
        if reach().next().is_none() {
            return Err(PickError::EmptyZone);
        }
        let used = || reach().filter(|seen| seen.health != TargetHealth::Unused);
        if used().next().is_none() {
            return Err(PickError::AllUnused);
        }
        let weighing = || used().filter(|seen| seen.target.weight > 0);
        if weighing().next().is_none() {
            return Err(PickError::ZeroWeight);
        }
        let (healthy, registered) = self.count(&in_reach);
        let enough = self.settings.failover.routing.is_met(healthy, registered);
        if healthy > 0 && (enough || !self.settings.fail_open) {
            return Ok(Admission::Healthy);
        }
        match weighing().any(|seen| seen.is_admitted(Admission::FailOpen)) {
            true if self.settings.fail_open => Ok(Admission::FailOpen),
            true => Err(PickError::NoneHealthy),
            false => Err(PickError::AllInitial),
        }
    }

    fn local_pool(&self, admission: Admission, entry: &Entry) -> Pool {
        self.pool(admission, entry, PoolName::Local, |target| {
            serves(target, entry.zone())
        })
    }

    fn pool(
        &self,
        admission: Admission,
        entry: &Entry,
        name: PoolName,
        belongs: impl Fn(&Target) -> bool,
    ) -> Pool {
        let targets = self
            .seen
            .iter()
            .filter(|seen| seen.is_admitted(admission) && belongs(seen.target))
            .map(|seen| (Arc::clone(seen.target), seen.weight()));
        let turn = self.state.turn(entry, name);
        Pool::new(self.settings.algorithm, targets, turn)
    }

    fn spread(&self, admission: Admission, entry: &Entry, pools: Vec<(u32, Pool)>) -> Route {
        let turn = self.state.turn(entry, PoolName::Split);
        let most = self.settings.max_concurrency;
        Route::new(pools, turn, admission == Admission::FailOpen, most)
    }

    fn registered_weight(&self, entry: &Entry) -> u64 {
        self.seen
            .iter()
            .filter(|seen| serves(seen.target, entry.zone()))
            .map(|seen| u64::from(seen.target.weight) * u64::from(WHOLE))
            .sum()
    }
}

impl Seen<'_> {
    /// Its weight at this moment, in hundredths.
    fn weight(&self) -> u32 {
        self.target.weight * self.part
    }

    /// Whether it is one of those of which enough have to be healthy.
    fn counts(&self) -> bool {
        let used = !matches!(self.health, TargetHealth::Draining | TargetHealth::Unused);
        used && self.target.weight > 0
    }

    fn is_registered(&self) -> bool {
        self.health != TargetHealth::Draining
    }

    fn is_admitted(&self, admission: Admission) -> bool {
        let health = match self.health {
            TargetHealth::Healthy | TargetHealth::Unavailable => true,
            TargetHealth::Unhealthy => admission == Admission::FailOpen,
            TargetHealth::Initial | TargetHealth::Unused | TargetHealth::Draining => false,
        };
        health && self.target.weight > 0
    }
}

/// Whether the target belongs to the zone; one without a zone belongs to every zone.
fn serves(target: &Target, zone: Option<&Zone>) -> bool {
    target.zone.is_none() || target.zone.as_ref() == zone
}

/// A zone's weight, in hundredths, cut by what its targets do not take yet.
fn part_of(weight: u32, pool: &Pool) -> u32 {
    let full = pool.full_weight() * u64::from(WHOLE);
    let part = (u64::from(weight * WHOLE) * pool.weight()).div_ceil(full.max(1));
    clip(part)
}

fn clip(weight: u64) -> u32 {
    u32::try_from(weight).unwrap_or(u32::MAX)
}
