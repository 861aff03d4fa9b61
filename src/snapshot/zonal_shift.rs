//! Starting and ending a zonal shift: the order of an operator, which is live state of a load
//! balancer and goes on over reloads, until it ends by itself.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use thiserror::Error;
use tokio::time::Instant;

use super::{LoadBalancer, Shared, Snapshot};
use crate::target::Zone;
use crate::target_group::ZonalShift;

/// The shortest and the longest shift, as AWS has them.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(72 * 3600);

/// The shift of one load balancer, if there is one; the next snapshot adopts it.
#[derive(Debug, Default)]
pub struct Shift(ArcSwapOption<ZonalShift>);

/// Why a shift does not start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShiftError {
    /// The load balancer does not exist.
    #[error("there is no load balancer {0:?}")]
    NoLoadBalancer(String),
    /// The attribute is off.
    #[error("zonal shift is not enabled for load balancer {0:?}")]
    NotEnabled(String),
    /// None of its nodes and targets stands in the zone.
    #[error("load balancer {load_balancer:?} has no node in zone {zone:?}")]
    NoZone {
        /// The load balancer.
        load_balancer: String,
        /// The zone.
        zone: String,
    },
    /// One zone at a time.
    #[error("traffic is shifted away from zone {0} already")]
    OtherZone(Zone),
    /// It has to end in 1 minute to 72 hours.
    #[error("a zonal shift ends after 1 minute to 72 hours")]
    Expiry,
}

impl Shift {
    /// The shift that holds at `now`.
    pub fn active(&self, now: Instant) -> Option<Arc<ZonalShift>> {
        self.0.load_full().filter(|shift| shift.holds(now))
    }
}

impl Shared {
    /// Keeps traffic away from a zone for a while. A shift away from the same zone is replaced.
    ///
    /// # Errors
    ///
    /// Why not; nothing has changed then.
    pub fn start_zonal_shift(
        &self,
        load_balancer: &str,
        zone: &str,
        lasts: Duration,
        comment: &str,
        now: Instant,
    ) -> Result<(), ShiftError> {
        let snapshot = self.load();
        let found = find(&snapshot, load_balancer)?;
        if !found.attributes.zonal_shift {
            return Err(ShiftError::NotEnabled(load_balancer.to_owned()));
        }
        let zones = found.nodes.iter().filter_map(|node| node.zone.as_ref());
        let Some(zone) = zones.into_iter().find(|known| known.as_str() == zone) else {
            return Err(ShiftError::NoZone {
                load_balancer: load_balancer.to_owned(),
                zone: zone.to_owned(),
            });
        };
        if let Some(other) = found.shift.active(now)
            && other.away_from != *zone
        {
            return Err(ShiftError::OtherZone(other.away_from.clone()));
        }
        if !(SHORTEST..=LONGEST).contains(&lasts) {
            return Err(ShiftError::Expiry);
        }
        let shift = ZonalShift {
            away_from: zone.clone(),
            until: now + lasts,
            comment: comment.to_owned(),
        };
        self.set(&found.name, Some(Arc::new(shift)));
        Ok(())
    }

    /// Ends the shift of a load balancer. Returns the one that there was.
    ///
    /// # Errors
    ///
    /// There is no such load balancer.
    pub fn cancel_zonal_shift(
        &self,
        load_balancer: &str,
        now: Instant,
    ) -> Result<Option<Arc<ZonalShift>>, ShiftError> {
        let snapshot = self.load();
        let found = find(&snapshot, load_balancer)?;
        let before = found.shift.active(now);
        self.set(&found.name, None);
        Ok(before)
    }

    /// Sets the shift, and tells the groups. A snapshot published meanwhile has adopted the shift
    /// of the load balancer, but may have told its groups before it was set.
    pub(super) fn set(&self, name: &Arc<str>, shift: Option<Arc<ZonalShift>>) {
        let mut snapshot = self.load();
        loop {
            if let Some(found) = snapshot.load_balancer(name) {
                found.shift.0.store(shift.clone());
            }
            for group in snapshot.groups.values() {
                if group.load_balancer.as_ref() == Some(name) {
                    group.shift(shift.clone());
                }
            }
            let current = self.load();
            if Arc::ptr_eq(&current, &snapshot) {
                return;
            }
            snapshot = current;
        }
    }
}

fn find<'a>(snapshot: &'a Snapshot, name: &str) -> Result<&'a LoadBalancer, ShiftError> {
    let found = snapshot.load_balancer(name).map(|found| &**found);
    found.ok_or_else(|| ShiftError::NoLoadBalancer(name.to_owned()))
}

impl Snapshot {
    /// Tells the groups of the shifts that their load balancers have adopted; one whose attribute
    /// is off now ends.
    pub(super) fn take_over_shifts(&self, now: Instant) {
        for load_balancer in &self.load_balancers {
            if !load_balancer.attributes.zonal_shift {
                load_balancer.shift.0.store(None);
            }
        }
        for group in self.groups.values() {
            let user = group.load_balancer.as_deref();
            let user = user.and_then(|name| self.load_balancer(name));
            group.shift(user.and_then(|user| user.shift.active(now)));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::snapshot::sample::{compile, compile_at};
    use crate::target_group::AdministrativeOverride;

    const HOUR: Duration = Duration::from_secs(3600);

    const SITE: &str = r#"
        [[load_balancer]]
        name = "web"
        zonal_shift = true
        nodes = [{ zone = "1a", address = "127.0.0.11" }, { zone = "1c", address = "127.0.0.12" }]
        [[load_balancer.listener]]
        port = 8080
        default = { forward = "site" }

        [[target_group]]
        name = "site"
        health_check = { enabled = false }
        targets = [
          { id = "a", address = "10.0.0.6:80", zone = "1a" },
          { id = "c", address = "10.0.2.9:80", zone = "1c" },
        ]
    "#;

    fn publish(shared: &Shared, text: &str, now: Instant) {
        let snapshot = Arc::new(compile_at(text, &shared.load(), now));
        shared.publish(Arc::clone(&snapshot));
        snapshot.take_over(now);
    }

    fn site() -> (Shared, Instant) {
        let (shared, now) = (Shared::default(), Instant::now());
        publish(&shared, SITE, now);
        (shared, now)
    }

    fn overridden(shared: &Shared, group: &str, now: Instant) -> Option<String> {
        let snapshot = shared.load();
        let (zone, kind) = snapshot.groups[group].zonal_shift(now)?;
        assert_eq!(kind, AdministrativeOverride::ZonalShiftActive);
        Some(zone.to_string())
    }

    #[test]
    fn a_shift_ends_by_itself() {
        let (shared, now) = site();
        shared
            .start_zonal_shift("web", "1a", HOUR, "", now)
            .unwrap();
        assert_eq!(overridden(&shared, "site", now).as_deref(), Some("1a"));
        let late = now + HOUR;
        assert_eq!(overridden(&shared, "site", late), None);
        assert_eq!(shared.load().load_balancers[0].shift.active(late), None);
    }

    #[test]
    fn a_shift_goes_on_over_a_reload_and_holds_for_groups_that_it_brings() {
        let (shared, now) = site();
        shared
            .start_zonal_shift("web", "1a", HOUR, "", now)
            .unwrap();
        let more = SITE.replace("forward = \"site\"", "forward = \"new\"")
            + &SITE[SITE.find("[[target_group]]").unwrap()..].replace("\"site\"", "\"new\"");
        publish(&shared, &more, now);
        assert_eq!(overridden(&shared, "new", now).as_deref(), Some("1a"));
    }

    #[test]
    fn a_shift_ends_with_the_attribute() {
        let (shared, now) = site();
        shared
            .start_zonal_shift("web", "1a", HOUR, "", now)
            .unwrap();
        publish(&shared, &SITE.replace("zonal_shift = true", ""), now);
        assert_eq!(overridden(&shared, "site", now), None);
        publish(&shared, SITE, now);
        assert_eq!(overridden(&shared, "site", now), None);
    }

    #[test]
    fn one_zone_at_a_time_until_a_time_and_only_where_it_is_enabled() {
        let (shared, now) = site();
        let start = |zone: &str, lasts| shared.start_zonal_shift("web", zone, lasts, "", now);
        for lasts in [Duration::ZERO, HOUR / 61, HOUR * 73] {
            assert_eq!(start("1a", lasts), Err(ShiftError::Expiry));
        }
        start("1a", HOUR).unwrap();
        assert_eq!(start("1c", HOUR), Err(ShiftError::OtherZone("1a".into())));
        start("1a", HOUR * 2).unwrap();
        assert!(matches!(start("1d", HOUR), Err(ShiftError::NoZone { .. })));
        assert!(shared.cancel_zonal_shift("web", now).unwrap().is_some());
        start("1c", HOUR).unwrap();
        assert!(matches!(
            shared.start_zonal_shift("wep", "1a", HOUR, "", now),
            Err(ShiftError::NoLoadBalancer(_))
        ));
        let off = compile(
            &SITE.replace("zonal_shift = true", ""),
            &Snapshot::default(),
        );
        shared.publish(Arc::new(off));
        assert!(matches!(start("1a", HOUR), Err(ShiftError::NotEnabled(_))));
    }
}
