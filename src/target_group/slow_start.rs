//! Slow start (ALB: `slow_start.duration_seconds`): the share of a target that has turned healthy
//! rises linearly to its full weight.
//!
//! A target enters when it turns healthy, after registration and after recovery alike, while
//! another healthy target of its group is not in slow start itself. Targets that are registered
//! while none is healthy, as at start-up, take their full share at once. Turning unhealthy,
//! deregistration and the end of the duration end it; switching it on puts nobody in.
//!
//! The share goes up in a hundred steps, from one hundredth: a target that takes nothing would
//! never show what it can take. In a zone whose targets are all in slow start the zone's own share
//! rises likewise, where zones have shares.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Settings;
use crate::target::{Target, TargetHealth, TargetState};

const STEPS: u32 = 100;

/// How far a target is in slow start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowStart {
    /// What it takes of its share, in hundredths: 1-99.
    pub percent: u32,
    /// When it takes all.
    pub ends: Instant,
}

impl SlowStart {
    pub(super) fn of(settings: &Settings, state: &TargetState, now: Instant) -> Option<Self> {
        let duration = settings.slow_start?;
        let since = state.slow_since()?;
        let elapsed = now.saturating_duration_since(since);
        (elapsed < duration).then(|| Self {
            percent: percent(elapsed, duration),
            ends: since + duration,
        })
    }
}

/// What a healthy target takes of its share, in hundredths.
pub(super) fn part(settings: &Settings, state: &TargetState, now: Instant) -> u32 {
    SlowStart::of(settings, state, now).map_or(STEPS, |slow_start| slow_start.percent)
}

/// How long a share stays as it is.
pub(super) fn step(settings: &Settings) -> Option<Duration> {
    let step = settings.slow_start? / STEPS;
    Some(step.max(Duration::from_millis(1)))
}

/// Whether a target that turns healthy at `now` enters slow start, beside these `others`.
pub(super) fn begins<'a>(
    settings: &Settings,
    mut others: impl Iterator<Item = &'a Arc<Target>>,
    now: Instant,
) -> bool {
    settings.slow_start.is_some()
        && others.any(|other| {
            let healthy = other.state.health() == TargetHealth::Healthy;
            healthy && SlowStart::of(settings, &other.state, now).is_none()
        })
}

/// The whole hundredths of the duration that have elapsed, at least 1.
fn percent(elapsed: Duration, duration: Duration) -> u32 {
    let steps = elapsed.as_nanos() * u128::from(STEPS) / duration.as_nanos().max(1);
    u32::try_from(steps).map_or(STEPS, |steps| steps.max(1))
}
