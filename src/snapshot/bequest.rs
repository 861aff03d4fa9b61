//! What one process tells the next of all that is live: target groups, and zonal shifts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Shared, Snapshot};
use crate::target::Zone;
use crate::target_group::{GroupBequest, ZonalShift};

/// What is known of targets and zones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LiveBequest {
    groups: BTreeMap<String, GroupBequest>,
    /// By load balancer.
    shifts: BTreeMap<String, ShiftBequest>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ShiftBequest {
    away_from: String,
    lasts: Duration,
    comment: String,
}

impl Snapshot {
    /// What is known at `now`.
    pub fn bequeath(&self, now: Instant) -> LiveBequest {
        let groups = self.groups.iter();
        let shifts = self.load_balancers.iter().filter_map(|load_balancer| {
            let shift = load_balancer.shift.active(now)?;
            let bequest = ShiftBequest {
                away_from: shift.away_from.to_string(),
                lasts: shift.until.saturating_duration_since(now),
                comment: shift.comment.clone(),
            };
            Some((load_balancer.name.to_string(), bequest))
        });
        LiveBequest {
            groups: groups
                .map(|(name, group)| (name.to_string(), group.bequeath(now)))
                .collect(),
            shifts: shifts.collect(),
        }
    }
}

impl Shared {
    /// Takes over what another process knew of whatever is new in the current snapshot. Call it right
    /// after the snapshot has taken over.
    pub fn inherit(&self, bequest: &mut LiveBequest, now: Instant) {
        let snapshot = self.load();
        for (name, group) in &snapshot.groups {
            if let Some(bequest) = bequest.groups.get_mut(&**name) {
                group.inherit(bequest, now);
            }
        }
        for (name, shift) in std::mem::take(&mut bequest.shifts) {
            let Some(load_balancer) = snapshot.load_balancer(&name) else {
                continue;
            };
            let zones = load_balancer
                .nodes
                .iter()
                .filter_map(|node| node.zone.as_ref());
            let known = |zone: &&Zone| zone.as_str() == shift.away_from;
            if let Some(zone) = zones.into_iter().find(known)
                && load_balancer.attributes.zonal_shift
            {
                let shift = ZonalShift {
                    away_from: zone.clone(),
                    until: now + shift.lasts,
                    comment: shift.comment,
                };
                self.set(&load_balancer.name, Some(Arc::new(shift)));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::snapshot::sample::compile_at;
    use crate::target::{HealthReason, Outcome, ProbeRecord, TargetHealth, TargetKey};

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
        targets = [
          { id = "a", address = "10.0.0.6:80", zone = "1a" },
          { id = "c", address = "10.0.2.9:80", zone = "1c" },
          { id = "d", address = "10.0.2.10:80", zone = "1c" },
        ]
    "#;

    fn published(text: &str, now: Instant) -> Shared {
        let shared = Shared::default();
        let snapshot = Arc::new(compile_at(text, &shared.load(), now));
        shared.publish(Arc::clone(&snapshot));
        snapshot.take_over(now);
        shared
    }

    fn probe(shared: &Shared, id: &str, outcome: Outcome) {
        let snapshot = shared.load();
        let group = &snapshot.groups["site"];
        let record = ProbeRecord {
            at: SystemTime::UNIX_EPOCH,
            address: None,
            outcome,
            status: None,
            latency: Duration::ZERO,
            detail: String::new(),
        };
        let target = group.target(&key(id)).unwrap();
        let thresholds = group.health_check.thresholds;
        group.observe(target, record, &thresholds, Instant::now());
    }

    fn key(id: &str) -> TargetKey {
        let id = id.into();
        TargetKey { id, port: 80 }
    }

    fn health(shared: &Shared, id: &str) -> TargetHealth {
        let snapshot = shared.load();
        snapshot.groups["site"]
            .target(&key(id))
            .unwrap()
            .state
            .health()
    }

    /// As it goes to the other process and comes out there.
    fn passed(shared: &Shared, now: Instant) -> LiveBequest {
        let text = serde_json::to_string(&shared.load().bequeath(now)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[tokio::test]
    async fn the_next_process_knows_health_counts_drains_and_shifts() {
        let now = Instant::now();
        let before = published(SITE, now);
        probe(&before, "a", Outcome::Pass);
        let mismatch = || Outcome::Fail(HealthReason::ResponseCodeMismatch(503));
        for _ in 0..2 {
            probe(&before, "c", mismatch());
        }
        probe(&before, "a", mismatch());
        let minute = Duration::from_secs(60);
        let snapshot = before.load();
        let drained = snapshot.groups["site"].target(&key("d")).unwrap();
        drained.state.drain(now, minute);
        before
            .start_zonal_shift("web", "1a", minute, "gray", now)
            .unwrap();

        let after = published(SITE, now);
        assert_eq!(health(&after, "a"), TargetHealth::Initial);
        after.inherit(&mut passed(&before, now), now);
        assert_eq!(health(&after, "a"), TargetHealth::Healthy);
        assert_eq!(health(&after, "c"), TargetHealth::Unhealthy);
        assert_eq!(health(&after, "d"), TargetHealth::Draining);
        let snapshot = after.load();
        let group = &snapshot.groups["site"];
        let reason = group.target(&key("c")).unwrap().state.describe(now).reason;
        assert_eq!(reason, Some(HealthReason::ResponseCodeMismatch(503)));
        let until = group.target(&key("d")).unwrap().state.drains_until();
        assert_eq!(until, Some(now + minute));
        let (zone, _) = group.zonal_shift(now).unwrap();
        assert_eq!(zone.as_str(), "1a");
        // One failure was counted before; the second takes it out.
        probe(&after, "a", mismatch());
        assert_eq!(health(&after, "a"), TargetHealth::Unhealthy);
    }

    #[tokio::test]
    async fn nothing_is_known_of_a_target_that_has_moved_or_was_probed_meanwhile() {
        let now = Instant::now();
        let before = published(SITE, now);
        for id in ["a", "c", "d"] {
            probe(&before, id, Outcome::Pass);
        }
        let after = published(&SITE.replace("10.0.0.6", "10.0.0.7"), now);
        for _ in 0..2 {
            probe(&after, "c", Outcome::Fail(HealthReason::Timeout));
        }
        after.inherit(&mut passed(&before, now), now);
        assert_eq!(health(&after, "a"), TargetHealth::Initial);
        assert_eq!(health(&after, "c"), TargetHealth::Unhealthy);
        assert_eq!(health(&after, "d"), TargetHealth::Healthy);
    }

    #[tokio::test]
    async fn who_is_active_stays_active() {
        let now = Instant::now();
        let text = SITE.replace(
            "name = \"site\"",
            "name = \"site\"\nactive_standby = { fail_back = \"manual\" }",
        );
        let text = text.replace("id = \"c\"", "id = \"c\", priority = 2");
        let text = text.replace("id = \"d\"", "id = \"d\", priority = 3");
        let before = published(&text, now);
        probe(&before, "c", Outcome::Pass);
        for _ in 0..2 {
            probe(&before, "a", Outcome::Fail(HealthReason::Timeout));
        }
        probe(&before, "d", Outcome::Pass);
        for _ in 0..5 {
            probe(&before, "a", Outcome::Pass);
        }
        let active = |shared: &Shared| shared.load().groups["site"].active_priority();
        assert_eq!(active(&before), Some(2));
        let after = published(&text, now);
        after.inherit(&mut passed(&before, now), now);
        assert_eq!(active(&after), Some(2));
    }
}
