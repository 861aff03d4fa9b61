//! Placeholder.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::target::{Lease, Target, TargetAddress, TargetKey, Thresholds, Zone};

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub name: Arc<str>,
    pub fail_open: bool,
    pub deregistration_delay: Duration,
    pub connect_timeout: Duration,
    pub response_timeout: Option<Duration>,
    pub retries: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    pub enabled: bool,
    pub path: String,
    pub interval: Duration,
    pub timeout: Duration,
    pub thresholds: Thresholds,
}

#[derive(Clone, Debug)]
pub struct Registration {
    pub key: TargetKey,
    pub address: TargetAddress,
    pub zone: Option<Zone>,
    pub weight: u32,
}

#[derive(Clone, Debug)]
pub enum Scope {
    All,
    Zones(BTreeSet<Zone>),
    NotInUse,
}

#[derive(Debug)]
pub struct TargetGroup {
    settings: Settings,
    targets: Vec<Arc<Target>>,
}

impl TargetGroup {
    pub fn new(
        settings: Settings,
        _registrations: Vec<Registration>,
        _enabled: Scope,
        _last: Option<&TargetGroup>,
        _now: Instant,
    ) -> TargetGroup {
        Self {
            settings,
            targets: Vec::new(),
        }
    }
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
    pub fn take_over(&self, _now: Instant) {}
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }
    pub fn departing(&self, _now: Instant) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.iter()
    }
    pub fn pick(&self, _entry: Option<&Zone>, _tried: &[TargetKey]) -> Result<Lease, PickError> {
        Err(PickError::NoTargets)
    }
}

#[derive(Clone, Copy, Debug)]
pub enum PickError {
    NoTargets,
    EmptyZone,
    AllUnused,
    NoneHealthy,
    AllInitial,
    AllTried,
}
