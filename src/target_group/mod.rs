//! Which target takes a request: who is eligible, then which zone, then whose turn it is.
//!
//! A [`TargetGroup`] belongs to one snapshot and never changes. What must survive a reload is
//! shared with the group of the snapshot before: the targets' states by [`TargetKey`], and whose
//! turn it is. [`TargetGroup::pick`] gives a [`Lease`].
//!
//! The list of eligible targets is kept, not made for each pick: every change of a target's
//! eligibility advances the group's epoch, and the first pick that notices rebuilds the list.
//!
//! Nothing here probes: outcomes of health checks arrive at the target's state by themselves.

mod anomaly;
mod bequest;
mod eligible;
mod failover;
mod group_state;
mod handover;
mod health_check;
mod maintenance;
mod matcher;
mod pick_error;
mod registration;
mod response_timeout;
mod route;
mod settings;
mod slow_start;
mod standby;
mod sticky;
mod surge_queue;
mod survey;
mod switch;
#[cfg(test)]
mod tests;
mod zonal_shift;
mod zone_weights;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::time::Instant;

pub use anomaly::{Anomaly, PERIOD as ANOMALY_PERIOD};
pub use bequest::GroupBequest;
pub use failover::{Failover, Minimum, Standing};
pub use health_check::{HealthCheck, ProbeProtocol};
pub use matcher::{Matcher, MatcherError};
pub use pick_error::PickError;
pub use registration::{Registration, Scope};
pub use response_timeout::ResponseTimeout;
pub use route::Shares;
pub use settings::{ProtocolVersion, Settings, TargetProtocol, ZonePolicy};
pub use slow_start::SlowStart;
pub use standby::{ActiveStandby, FailBack, SwitchKind};
pub use surge_queue::{SurgeQueueLimits, SurgeQueueStanding};
pub use switch::SwitchError;
pub use zonal_shift::{AdministrativeOverride, ZonalShift};
pub use zone_weights::{ZoneWeights, ZoneWeightsError};

use crate::stickiness;
use crate::target::{
    HealthReason, Lease, Outcome, ProbeRecord, Target, TargetHealth, TargetKey, Thresholds,
    Transition, Zone,
};
use eligible::Eligible;
use group_state::{Entry, GroupState};
use handover::Handover;
use survey::Survey;

/// When a pick is made, and the lot that it draws: both come from outside.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub now: Instant,
    /// Any number, each as likely as the others.
    pub chance: u64,
}

/// A target group of one snapshot.
#[derive(Debug)]
pub struct TargetGroup {
    /// One more than that of the group that it follows.
    number: u64,
    settings: Settings,
    scope: Scope,
    targets: Vec<Arc<Target>>,
    /// What cookies call the group.
    tag: u64,
    by_key: HashMap<TargetKey, usize>,
    /// Made when a cookie first asks for it.
    by_tag: OnceLock<HashMap<u64, usize>>,
    departing: Vec<Arc<Target>>,
    state: Arc<GroupState>,
    eligible: ArcSwap<Eligible>,
    rebuilding: Mutex<()>,
    handover: Mutex<Option<Handover>>,
}

impl TargetGroup {
    /// Compiles a group. Targets that `last` has registered, or is still draining, keep their
    /// state. No live state changes before [`TargetGroup::take_over`], so the group may be thrown
    /// away. The keys of the registrations are unique: the configuration sees to it.
    pub fn new(
        settings: Settings,
        registrations: Vec<Registration>,
        scope: Scope,
        last: Option<&TargetGroup>,
        now: Instant,
    ) -> Self {
        let state = last.map_or_else(Arc::default, |last| Arc::clone(&last.state));
        let mut handover = Handover::default();
        let targets: Vec<_> = registrations
            .into_iter()
            .map(
                |registration| match last.filter(|_| settings.keeps_address) {
                    Some(last) => registration.where_it_was(last),
                    None => registration,
                },
            )
            .map(|registration| handover.adopt(registration, last, &state.epoch))
            .collect();
        let by_key: HashMap<_, _> = targets
            .iter()
            .enumerate()
            .map(|(index, target)| (target.key.clone(), index))
            .collect();
        let departing = last.map_or_else(Vec::new, |last| {
            handover.leave_out(last, |key| by_key.contains_key(key));
            let still_draining = last.departing(now).cloned();
            let mut departing = handover.departed.clone();
            departing.extend(still_draining.filter(|target| !by_key.contains_key(&target.key)));
            departing
        });
        let in_turn = switch::in_turn(&settings, &targets, &state);
        let eligible = Eligible::build(&settings, &scope, &in_turn, &state, now);
        Self {
            number: last.map_or(0, |last| last.number) + 1,
            tag: stickiness::tag(&[settings.name.as_bytes()]),
            settings,
            scope,
            targets,
            by_key,
            by_tag: OnceLock::new(),
            departing,
            state,
            eligible: ArcSwap::from_pointee(eligible),
            rebuilding: Mutex::default(),
            handover: Mutex::new(Some(handover)),
        }
    }

    /// Makes the live state of the targets what this group says: called once, right after its
    /// snapshot has been published. Calling it again changes nothing.
    ///
    /// * A target that was deregistered and is registered again starts as a new one.
    /// * So does a target whose address has changed: its identity, and with it the requests in
    ///   flight, goes on, but nothing is known of the health of whatever answers there.
    /// * A target that is not registered any more drains, for the deregistration delay that is
    ///   set now. One that drains already keeps its deadline.
    /// * A target that an operator drained by hand stays so, as long as it is registered.
    pub fn take_over(&self, now: Instant) {
        let Some(handover) = self.handover.lock().take() else {
            return;
        };
        let founding = !handover.finds_healthy(&self.targets);
        handover.apply(now, self.settings.deregistration_delay, founding);
        for target in &self.targets {
            let renewed = target.state.stand(self.standing(target));
            if renewed && founding {
                target.state.found();
            }
            if self.settings.slow_start.is_none() {
                target.state.end_slow_start();
            }
        }
        self.state.standby.lock().decider = self.number;
        self.reconsider();
        self.take_queues_over();
    }

    /// Takes in what a probe of one of the group's targets found at `now`; returns the change of
    /// health that it caused, if any. A target that turns healthy may enter slow start. Maintenance
    /// counts as the failure that it is, unless nobody else could serve.
    pub fn observe(
        &self,
        target: &Target,
        mut record: ProbeRecord,
        thresholds: &Thresholds,
        now: Instant,
    ) -> Option<Transition> {
        let others = || self.targets.iter().filter(|other| other.key != target.key);
        let maintained = record.outcome == Outcome::Maintenance;
        target.state.maintained(maintained);
        if maintained && !maintenance::is_tolerated(target, others()) {
            record.outcome = Outcome::Fail(HealthReason::ResponseCodeMismatch(maintenance::STATUS));
        }
        let slow = slow_start::begins(&self.settings, others(), now).then_some(now);
        let transition = target.state.observe(record, thresholds, slow);
        if transition.is_some() {
            self.reconsider();
        }
        transition
    }

    /// Takes a place at the target that is next for a request that entered through a node in the
    /// zone `entry`, leaving out the targets that the request has `tried`. While all are full, and
    /// while others wait for their turn, that is [`PickError::Saturated`]: see
    /// [`TargetGroup::pick_in_turn`].
    pub fn pick(
        &self,
        entry: Option<&Zone>,
        tried: &[TargetKey],
        moment: Moment,
    ) -> Result<Lease, PickError> {
        let limited = self.settings.max_concurrency.is_some();
        if limited && tried.is_empty() && self.state.queues.is_queued(entry) {
            return Err(PickError::Saturated);
        }
        self.pick_now(entry, tried, moment)
    }

    fn pick_now(
        &self,
        entry: Option<&Zone>,
        tried: &[TargetKey],
        moment: Moment,
    ) -> Result<Lease, PickError> {
        let eligible = self.eligible.load();
        let is_current = || eligible.is_current(&self.state, moment.now);
        if !is_current() {
            return self.pick_anew(entry, tried, moment);
        }
        match eligible.pick(entry, tried, moment) {
            // The list has become stale this very moment.
            Err(_) if !is_current() => self.pick_anew(entry, tried, moment),
            // So that nothing is left at a target whose connections were cut this very moment.
            Ok(_) if self.settings.active_standby.is_some() && !is_current() => {
                self.pick_anew(entry, tried, moment)
            }
            picked => picked,
        }
    }

    /// Rebuilds the list, unless another pick is about it, and picks. While another one is, the
    /// old list serves; but a request is refused by a current list only.
    #[cold]
    fn pick_anew(
        &self,
        entry: Option<&Zone>,
        tried: &[TargetKey],
        moment: Moment,
    ) -> Result<Lease, PickError> {
        if let Some(_rebuilding) = self.rebuilding.try_lock() {
            self.rebuild(moment.now);
        } else if let Ok(lease) = self.eligible.load().pick(entry, tried, moment) {
            return Ok(lease);
        } else {
            let _rebuilding = self.rebuilding.lock();
            self.rebuild(moment.now);
        }
        self.eligible.load().pick(entry, tried, moment)
    }

    fn rebuild(&self, now: Instant) {
        if self.eligible.load().is_current(&self.state, now) {
            return;
        }
        self.reconsider();
        let (settings, state) = (&self.settings, &self.state);
        let in_turn = switch::in_turn(settings, &self.targets, state);
        let eligible = Eligible::build(settings, &self.scope, &in_turn, state, now);
        self.eligible.store(Arc::new(eligible));
        self.state.forget_unused_turns();
    }

    /// What each target takes of the requests that enter through a node in the zone `entry`, as of
    /// `now`; or why no target takes any.
    pub fn long_run_shares(&self, entry: Option<&Zone>, now: Instant) -> Result<Shares, PickError> {
        Eligible::build(&self.settings, &self.scope, &self.targets, &self.state, now).shares(entry)
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the load balancer reaches of the group.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The registered targets, as the configuration orders them.
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// A registered target by its identity.
    pub fn target(&self, key: &TargetKey) -> Option<&Arc<Target>> {
        self.targets.get(*self.by_key.get(key)?)
    }

    /// The registered targets that are to be probed: those in scope of a group that is checked.
    pub fn probed(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.targets
            .iter()
            .filter(|target| self.standing(target).is_none())
    }

    /// The deregistered targets whose delay has not elapsed at `now`; before the group takes over,
    /// also those that will be deregistered then.
    pub fn departing(&self, now: Instant) -> impl Iterator<Item = &Arc<Target>> {
        self.departing.iter().filter(move |target| {
            let until = target.state.drains_until();
            until.is_none_or(|until| now < until)
        })
    }

    /// The zone and the health of each registered target.
    pub fn health(&self) -> impl Iterator<Item = (Option<&Zone>, TargetHealth)> {
        self.targets
            .iter()
            .map(|target| (target.zone.as_ref(), target.state.health()))
    }

    /// How many registered targets of the zone are healthy (ALB: `HealthyHostCount`). `None` asks
    /// for those without a zone.
    pub fn healthy_count(&self, zone: Option<&Zone>) -> usize {
        self.count(zone, TargetHealth::Healthy)
    }

    /// How many registered targets of the zone are unhealthy (ALB: `UnHealthyHostCount`). `None`
    /// asks for those without a zone.
    pub fn unhealthy_count(&self, zone: Option<&Zone>) -> usize {
        self.count(zone, TargetHealth::Unhealthy)
    }

    fn count(&self, zone: Option<&Zone>, health: TargetHealth) -> usize {
        self.health().filter(|seen| *seen == (zone, health)).count()
    }

    /// How the group stands for requests that enter through a node in this zone: whether it has as
    /// many healthy targets as it needs.
    pub fn standing_for(&self, entry: Option<&Zone>, now: Instant) -> Standing {
        let entry = entry.map_or(Entry::NoZone, |zone| Entry::Zone(zone.clone()));
        let survey = Survey::new(&self.settings, &self.scope, &self.targets, &self.state, now);
        survey.standing(&entry)
    }

    /// Evaluates how the targets have treated requests since the last time, and shifts weight away
    /// from anomalous ones if that is switched on. Returns the targets whose verdict has changed.
    /// Called every [`ANOMALY_PERIOD`].
    pub fn evaluate(&self) -> Vec<&Arc<Target>> {
        if self.settings.protocol.is_relayed() {
            return Vec::new();
        }
        let (healthy, others): (Vec<_>, Vec<_>) = self
            .targets
            .iter()
            .partition(|target| target.state.health() == TargetHealth::Healthy);
        let mut changed = Vec::new();
        for target in others {
            let mut conduct = target.state.look();
            conduct.forget();
            target.state.judged(conduct, 100);
        }
        let mut conducts: Vec<_> = healthy.iter().map(|target| target.state.look()).collect();
        let before: Vec<bool> = conducts.iter().map(|conduct| conduct.anomalous).collect();
        anomaly::judge(&mut conducts);
        for ((target, conduct), before) in healthy.into_iter().zip(conducts).zip(before) {
            let part = match self.settings.anomaly_mitigation {
                true => anomaly::next_part(target.state.part(), conduct.anomalous),
                false => 100,
            };
            if conduct.anomalous != before {
                changed.push(target);
            }
            target.state.judged(conduct, part);
        }
        changed
    }

    /// Whether the group has as many healthy targets as it takes to tell an anomalous one.
    pub fn detects_anomalies(&self) -> bool {
        let healthy = self
            .health()
            .filter(|(_, health)| *health == TargetHealth::Healthy);
        !self.settings.protocol.is_relayed() && healthy.count() >= anomaly::FEWEST_TARGETS
    }

    /// Keeps traffic away from a zone, or lets it back.
    pub fn shift(&self, shift: Option<Arc<ZonalShift>>) {
        let before = self.state.shift.swap(shift.clone());
        if before != shift {
            self.state.epoch.advance();
        }
    }

    /// Whether traffic is kept away from a zone at `now`, from which, and what that means for its
    /// targets.
    pub fn zonal_shift(&self, now: Instant) -> Option<(Zone, AdministrativeOverride)> {
        let shift = self.state.shift.load_full();
        let shift = shift.filter(|shift| shift.holds(now))?;
        let survey = Survey::new(&self.settings, &self.scope, &self.targets, &self.state, now);
        Some((shift.away_from.clone(), survey.administrative_override()))
    }

    /// How far a target is in slow start at `now`, if it is.
    pub fn slow_start(&self, target: &Target, now: Instant) -> Option<SlowStart> {
        SlowStart::of(&self.settings, &target.state, now)
    }

    /// What a target takes of its weight at `now`, in hundredths.
    pub fn share_percent(&self, target: &Target, now: Instant) -> u32 {
        slow_start::part(&self.settings, &target.state, now).min(target.state.part())
    }

    /// Why nothing probes the target, if nothing does.
    fn standing(&self, target: &Target) -> Option<HealthReason> {
        let unchecked =
            (!self.settings.health_checked).then_some(HealthReason::HealthCheckDisabled);
        let invalid = target.invalid_state.map(HealthReason::InvalidState);
        let excluded = self.scope.excludes(target.zone.as_ref());
        excluded.or(invalid).or(unchecked)
    }
}
