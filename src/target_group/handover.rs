//! What changes hands when one snapshot's group follows another's.
//!
//! It is found out while the group is compiled, and done once the snapshot is published.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Registration, TargetGroup};
use crate::target::{Epoch, Target, TargetHealth, TargetKey, TargetState};

/// The targets whose live state has yet to learn of the new snapshot.
#[derive(Debug, Default)]
pub(super) struct Handover {
    /// Registered for the first time.
    arriving: Vec<Arc<TargetState>>,
    /// Registered again while they were draining.
    returning: Vec<Arc<TargetState>>,
    /// Registered with another address than before.
    relocated: Vec<Arc<TargetState>>,
    /// Not registered any more.
    pub(super) departed: Vec<Arc<Target>>,
}

impl Handover {
    /// A registered target, with the state that it had in `last`.
    pub(super) fn adopt(
        &mut self,
        registration: Registration,
        last: Option<&TargetGroup>,
        epoch: &Arc<Epoch>,
    ) -> Arc<Target> {
        let Registration {
            key,
            address,
            zone,
            weight,
            invalid_state,
            priority,
        } = registration;
        let state = match last.and_then(|last| before(last, &key)) {
            Some((target, departing)) => {
                if departing {
                    self.returning.push(Arc::clone(&target.state));
                }
                if target.address != address {
                    self.relocated.push(Arc::clone(&target.state));
                }
                Arc::clone(&target.state)
            }
            None => {
                let state = Arc::new(TargetState::new(Arc::clone(epoch)));
                self.arriving.push(Arc::clone(&state));
                state
            }
        };
        Arc::new(Target {
            key,
            address,
            zone,
            weight,
            invalid_state,
            priority,
            state,
        })
    }

    /// Notes the targets of `last` that are not registered any more.
    pub(super) fn leave_out(
        &mut self,
        last: &TargetGroup,
        is_registered: impl Fn(&TargetKey) -> bool,
    ) {
        let departed = last
            .targets
            .iter()
            .filter(|target| !is_registered(&target.key));
        self.departed.extend(departed.cloned());
    }

    /// Whether one of the registered targets, and not one that is only now registered, is healthy.
    pub(super) fn finds_healthy(&self, targets: &[Arc<Target>]) -> bool {
        targets.iter().any(|target| {
            let is_this = |state: &Arc<TargetState>| Arc::ptr_eq(state, &target.state);
            matches!(
                target.state.health(),
                TargetHealth::Healthy | TargetHealth::Unavailable
            ) && !self.relocated.iter().any(is_this)
        })
    }

    /// Tells the states. Those that are registered now are `founding` ones if no other is healthy.
    pub(super) fn apply(&self, now: Instant, deregistration_delay: Duration, founding: bool) {
        if founding {
            let registered = self.arriving.iter().chain(&self.returning);
            let registered = registered.chain(&self.relocated);
            registered.for_each(|state| state.found());
        }
        for state in &self.returning {
            state.register();
        }
        for state in &self.relocated {
            state.relocate();
        }
        for target in &self.departed {
            target.state.drain(now, deregistration_delay);
        }
    }
}

/// The target as `last` knew it, and whether it was departing.
fn before<'a>(last: &'a TargetGroup, key: &TargetKey) -> Option<(&'a Arc<Target>, bool)> {
    let registered = last.target(key).map(|target| (target, false));
    registered.or_else(|| {
        let departing = last.departing.iter().find(|target| target.key == *key);
        departing.map(|target| (target, true))
    })
}
