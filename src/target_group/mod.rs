//! Who is eligible, which zone, then `balance`; gives a `Lease`.

mod health_check;
mod matcher;
mod pick_error;
mod registration;
mod settings;
mod zone_weights;

use std::sync::Arc;

use tokio::time::Instant;

pub use health_check::{HealthCheck, ProbeProtocol};
pub use matcher::{Matcher, MatcherError};
pub use pick_error::PickError;
pub use registration::{Registration, Scope};
pub use settings::{Settings, ZonePolicy};
pub use zone_weights::{ZoneWeights, ZoneWeightsError};

use crate::target::{Epoch, Lease, Target, TargetHealth, TargetKey, TargetState, Zone};

/// A target group of one snapshot: its settings, its targets, and what it adopted from the
/// snapshot before.
#[derive(Debug)]
pub struct TargetGroup {
    settings: Settings,
    scope: Scope,
    targets: Vec<Arc<Target>>,
    departing: Vec<Arc<Target>>,
    epoch: Arc<Epoch>,
}

impl TargetGroup {
    /// Compiles a group. Targets that `last` has registered, or is still draining, keep their
    /// state by [`TargetKey`]. Changes no live state: see [`TargetGroup::take_over`].
    pub fn new(
        settings: Settings,
        registrations: Vec<Registration>,
        scope: Scope,
        last: Option<&TargetGroup>,
        now: Instant,
    ) -> Self {
        let _ = now;
        let epoch = last.map_or_else(Arc::default, |last| Arc::clone(&last.epoch));
        let targets = registrations.into_iter().map(|registration| {
            let state = last
                .and_then(|last| last.target(&registration.key))
                .map_or_else(
                    || Arc::new(TargetState::new(Arc::clone(&epoch))),
                    |target| Arc::clone(&target.state),
                );
            Arc::new(Target {
                key: registration.key,
                address: registration.address,
                zone: registration.zone,
                weight: registration.weight,
                state,
            })
        });
        Self {
            targets: targets.collect(),
            departing: Vec::new(),
            settings,
            scope,
            epoch,
        }
    }

    /// Makes the live state of the targets what this group says: called once, after the snapshot
    /// has been published. Calling it again changes nothing.
    pub fn take_over(&self, now: Instant) {
        let _ = now;
        for target in &self.targets {
            target
                .state
                .stand(self.scope.excludes(target.zone.as_ref()));
        }
    }

    /// Takes a place at the target that is next for a request that entered through a node in the
    /// zone `entry`, leaving out those in `tried`.
    pub fn pick(&self, entry: Option<&Zone>, tried: &[TargetKey]) -> Result<Lease, PickError> {
        let _ = entry;
        self.targets
            .iter()
            .filter(|target| target.state.health() == TargetHealth::Healthy)
            .find(|target| !tried.contains(&target.key))
            .map(|target| Lease::new(Arc::clone(target), false))
            .ok_or(PickError::NoTargets)
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

    /// The registered targets that are to be probed: those in scope, if the group is checked.
    pub fn probed(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.iter().filter(|target| {
            self.settings.health_checked && self.scope.excludes(target.zone.as_ref()).is_none()
        })
    }

    /// The deregistered targets whose delay has not elapsed at `now`.
    pub fn departing(&self, now: Instant) -> impl Iterator<Item = &Arc<Target>> {
        self.departing
            .iter()
            .filter(move |target| target.state.drains_until().is_some_and(|until| now < until))
    }

    /// A registered target by its identity.
    pub fn target(&self, key: &TargetKey) -> Option<&Arc<Target>> {
        self.targets.iter().find(|target| target.key == *key)
    }

    /// How many registered targets of the zone are healthy (ALB: `HealthyHostCount`). `None` asks
    /// for the targets without a zone.
    pub fn healthy_count(&self, zone: Option<&Zone>) -> usize {
        self.count(zone, TargetHealth::Healthy)
    }

    /// How many registered targets of the zone are unhealthy (ALB: `UnHealthyHostCount`).
    pub fn unhealthy_count(&self, zone: Option<&Zone>) -> usize {
        self.count(zone, TargetHealth::Unhealthy)
    }

    fn count(&self, zone: Option<&Zone>, health: TargetHealth) -> usize {
        self.targets
            .iter()
            .filter(|target| target.zone.as_ref() == zone && target.state.health() == health)
            .count()
    }
}
