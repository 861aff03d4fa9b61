//! Clients that stay with their target.

use std::time::Duration;

use tokio::time::Instant;

use super::TargetGroup;
use crate::stickiness;
use crate::target::{Lease, TargetHealth, TargetKey};

impl TargetGroup {
    /// The group's tag and how long clients stay; none if they do not.
    pub fn stickiness(&self) -> Option<(u64, Duration)> {
        let duration = self.settings.stickiness?;
        Some((stickiness::tag(&[self.settings.name.as_bytes()]), duration))
    }

    /// What a cookie calls a target of this group.
    pub fn tag(&self, key: &TargetKey) -> u64 {
        let name = self.settings.name.as_bytes();
        stickiness::tag(&[name, key.id.as_bytes(), &key.port.to_be_bytes()])
    }

    /// A place at the target with this tag, if it is registered, takes requests, and was not tried.
    /// One of weight 0 keeps the clients that it has.
    pub fn pick_sticky(&self, tag: u64, tried: &[TargetKey], now: Instant) -> Option<Lease> {
        let by_tag = self.by_tag.get_or_init(|| {
            let targets = self.targets.iter().enumerate();
            targets
                .map(|(index, target)| (self.tag(&target.key), index))
                .collect()
        });
        let target = self.targets.get(*by_tag.get(&tag)?)?;
        let takes = matches!(
            target.state.health(),
            TargetHealth::Healthy | TargetHealth::Unavailable
        );
        let shifted = self.zonal_shift(now).is_some_and(|(zone, state)| {
            target.zone.as_ref() == Some(&zone)
                && state == super::AdministrativeOverride::ZonalShiftActive
        });
        let free = takes && !shifted && !tried.contains(&target.key);
        free.then(|| Lease::new(target.clone(), false))
    }
}
