//! Clients that stay with their target.

use tokio::time::Instant;

use super::{TargetGroup, ZonePolicy};
use crate::stickiness;
use crate::target::{Lease, Target, TargetHealth, TargetKey, Zone};

impl TargetGroup {
    /// What cookies call the group.
    pub fn tag(&self) -> u64 {
        self.tag
    }

    /// What cookies call a target of the group.
    pub fn tag_of(&self, key: &TargetKey) -> u64 {
        let name = self.settings.name.as_bytes();
        stickiness::tag(&[name, key.id.as_bytes(), &key.port.to_be_bytes()])
    }

    /// A place at the target with this tag for a request that entered through a node in the zone
    /// `entry`, if it is registered, takes requests, and was not tried. One of weight 0 keeps the
    /// clients that it has.
    pub fn pick_sticky(
        &self,
        tag: u64,
        entry: Option<&Zone>,
        tried: &[TargetKey],
        now: Instant,
    ) -> Option<Lease> {
        let by_tag = self.by_tag.get_or_init(|| {
            let targets = self.targets.iter().enumerate();
            targets
                .map(|(index, target)| (self.tag_of(&target.key), index))
                .collect()
        });
        let target = self.targets.get(*by_tag.get(&tag)?)?;
        let takes = matches!(
            target.state.health(),
            TargetHealth::Healthy | TargetHealth::Unavailable
        );
        let free = takes
            && self.is_reached(target, entry)
            && !self.is_shifted(target, now)
            && !tried.contains(&target.key);
        match self.settings.max_concurrency.filter(|_| free) {
            Some(most) => Lease::within(most, target, false),
            None => free.then(|| Lease::new(target.clone(), false)),
        }
    }

    /// A Classic load balancer sticks without cross-zone load balancing, too: within the node's zone.
    fn is_reached(&self, target: &Target, entry: Option<&Zone>) -> bool {
        let zone = target.zone.as_ref();
        self.settings.zones != ZonePolicy::OwnZone || zone.is_none() || zone == entry
    }

    fn is_shifted(&self, target: &Target, now: Instant) -> bool {
        self.zonal_shift(now).is_some_and(|(zone, state)| {
            target.zone.as_ref() == Some(&zone)
                && state == super::AdministrativeOverride::ZonalShiftActive
        })
    }
}
