//! The list that a pick reads: a route for each entry zone, as of one epoch of the group.
//!
//! It is built when a pick notices that the group's epoch has moved on, or that a share has risen
//! with time, not at every pick, and never changes afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::group_state::{Entry, GroupState};
use super::route::{Route, Shares};
use super::survey::Survey;
use super::{Moment, PickError, Scope, Settings, ZonePolicy};
use crate::target::{Lease, Target, TargetKey, Zone};

/// Who takes requests, by entry zone.
#[derive(Debug)]
pub(super) struct Eligible {
    epoch: u64,
    /// When time alone makes it stale.
    until: Option<Instant>,
    no_zone: Way,
    zones: Box<[(Zone, Way)]>,
    elsewhere: Way,
}

/// A route, or why there is none.
type Way = Result<Arc<Route>, PickError>;

impl Eligible {
    /// Surveys the targets. The epoch is read first: a change that the survey misses has a later
    /// epoch, and the list is seen to be stale.
    pub(super) fn build(
        settings: &Settings,
        scope: &Scope,
        targets: &[Arc<Target>],
        state: &GroupState,
        now: Instant,
    ) -> Self {
        let epoch = state.epoch.current();
        let survey = Survey::new(settings, scope, targets, state, now);
        let way = |entry: &Entry| survey.route(entry).map(Arc::new);
        let no_zone = way(&Entry::NoZone);
        let zones = told_apart(&settings.zones, targets);
        let elsewhere = match settings.zones {
            ZonePolicy::CrossZone | ZonePolicy::Weighted(_) => no_zone.clone(),
            ZonePolicy::OwnZone | ZonePolicy::PreferLocal => way(&Entry::Elsewhere),
        };
        let zones = zones.into_iter().map(|zone| {
            let way = way(&Entry::Zone(zone.clone()));
            (zone.clone(), way)
        });
        Self {
            epoch,
            until: survey.until(),
            no_zone,
            zones: zones.collect(),
            elsewhere,
        }
    }

    /// Whether nothing has changed since the list was built.
    pub(super) fn is_current(&self, state: &GroupState, now: Instant) -> bool {
        self.epoch == state.epoch.current() && self.until.is_none_or(|until| now < until)
    }

    /// A place at the next target for a request that entered there.
    pub(super) fn pick(
        &self,
        entry: Option<&Zone>,
        tried: &[TargetKey],
        moment: Moment,
    ) -> Result<Lease, PickError> {
        match self.way(entry) {
            Ok(route) => route.pick(tried, moment),
            Err(error) => Err(*error),
        }
    }

    /// What each target takes of the requests that enter there.
    pub(super) fn shares(&self, entry: Option<&Zone>) -> Result<Shares, PickError> {
        match self.way(entry) {
            Ok(route) => Ok(route.shares()),
            Err(error) => Err(*error),
        }
    }

    fn way(&self, entry: Option<&Zone>) -> &Way {
        let Some(entry) = entry else {
            return &self.no_zone;
        };
        self.zones
            .iter()
            .find(|(zone, _)| zone == entry)
            .map_or(&self.elsewhere, |(_, way)| way)
    }
}

/// The entry zones whose routes differ from those of an unknown zone.
fn told_apart<'a>(policy: &'a ZonePolicy, targets: &'a [Arc<Target>]) -> BTreeSet<&'a Zone> {
    match policy {
        ZonePolicy::CrossZone => BTreeSet::new(),
        ZonePolicy::Weighted(weights) => weights.entries().collect(),
        ZonePolicy::OwnZone | ZonePolicy::PreferLocal => targets
            .iter()
            .filter_map(|target| target.zone.as_ref())
            .collect(),
    }
}
