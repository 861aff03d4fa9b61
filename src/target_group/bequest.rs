//! What one process tells the next of a target group: of each target, and who is active.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::TargetGroup;
use crate::target::{Target, TargetBequest, TargetKey};

/// What is known of a group's targets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GroupBequest {
    /// By id and port. Each is taken once.
    targets: Vec<(String, u16, TargetBequest)>,
    /// The active ones of an active/standby group.
    active: Vec<(String, u16)>,
    settled: bool,
}

impl TargetGroup {
    /// What is known of the registered targets at `now`.
    pub fn bequeath(&self, now: Instant) -> GroupBequest {
        let target = |target: &Arc<Target>| {
            let address = target.address.to_string();
            let known = target.state.bequeath(address, now);
            (target.key.id.to_string(), target.key.port, known)
        };
        let standby = self.state.standby.lock();
        let active = standby.members.iter();
        GroupBequest {
            targets: self.targets.iter().map(target).collect(),
            active: active.map(|key| (key.id.to_string(), key.port)).collect(),
            settled: standby.settled,
        }
    }

    /// Takes over what another process knew, of targets that are new to this one. Call it right
    /// after [`TargetGroup::take_over`], each time that targets may have come.
    pub fn inherit(&self, bequest: &mut GroupBequest, now: Instant) {
        let key = |id: &str, port| TargetKey {
            id: id.into(),
            port,
        };
        bequest.targets.retain(|(id, port, known)| {
            let Some(target) = self.target(&key(id, *port)) else {
                return true;
            };
            if target.address.to_string() == known.address {
                target.state.inherit(known, now);
            }
            false
        });
        if self.settings.active_standby.is_some() {
            let mut standby = self.state.standby.lock();
            let active = std::mem::take(&mut bequest.active);
            if standby.members.is_empty() {
                let active = active.iter().map(|(id, port)| key(id, *port));
                standby.members = active.collect();
                standby.settled = bequest.settled;
            }
        }
        self.state.epoch.advance();
        self.reconsider();
    }
}
