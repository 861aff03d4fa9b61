//! Active/standby in a group that is in force: who is active, and the change from one to the other.
//!
//! The rule is `standby`'s. Here it meets live targets: whatever may have changed their health calls
//! [`TargetGroup::reconsider`]; a change is counted, said in the log, and tells the targets that
//! were active that what is open at them is to be cut.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use super::group_state::GroupState;
use super::standby::{Active, FailBack, Standby, SwitchKind, Tier, decide};
use super::{ActiveStandby, Settings, TargetGroup};
use crate::target::{Target, TargetHealth};

/// Why the active targets are not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SwitchError {
    /// All targets of the group share its traffic.
    #[error("the target group is not active/standby")]
    NotActiveStandby,
    /// They are active already.
    #[error("it is active already")]
    AlreadyActive,
    /// None of them takes traffic.
    #[error("it takes no traffic: it is not healthy, or drained, or has the weight 0")]
    TakesNothing,
    /// The better ones that take traffic would take over again at once.
    #[error(
        "fail_back is automatic: the target with the lower priority would take over again at once"
    )]
    WouldFailBack,
}

impl TargetGroup {
    /// The priority whose targets take all traffic; none before the first choice, and in a group
    /// whose targets share it.
    pub fn active_priority(&self) -> Option<u32> {
        self.settings.active_standby?;
        let standby = self.state.standby.lock();
        self.active(&standby).map(|active| active.priority)
    }

    /// How often the active targets have changed, by kind; over reloads.
    pub fn failovers(&self) -> Vec<(SwitchKind, u64)> {
        self.state.standby.lock().counts().collect()
    }

    /// Looks whether other targets are to be active now. Cheap, and does nothing in a group whose
    /// targets share its traffic.
    pub fn reconsider(&self) {
        let Some(settings) = self.settings.active_standby else {
            return;
        };
        let mut standby = self.state.standby.lock();
        if standby.decider != self.number {
            return;
        }
        let before = self.active(&standby);
        let Some(after) = decide(&self.tiers(), before, settings.fail_back) else {
            return;
        };
        let kind = match before {
            _ if standby.members.is_empty() || !standby.settled => None,
            Some(before) if before.priority == after.priority => None,
            Some(before) if after.priority < before.priority && self.takes(before.priority) => {
                Some(SwitchKind::FailBack)
            }
            _ => Some(SwitchKind::Failover),
        };
        self.switch(&mut standby, settings, before, after, kind);
    }

    /// Makes the targets with the priority of `target` the active ones.
    ///
    /// # Errors
    ///
    /// Why that cannot be, or would not last.
    pub fn activate(&self, target: &Target) -> Result<(), SwitchError> {
        let priority = target.priority;
        self.switch_to(|_| Ok(priority))
    }

    /// Makes the targets with the lowest priority that take traffic the active ones: what `automatic`
    /// would have done. Returns that priority.
    ///
    /// # Errors
    ///
    /// Why that cannot be.
    pub fn fail_back(&self) -> Result<u32, SwitchError> {
        let best = |tiers: &[Tier]| {
            tiers
                .iter()
                .find(|tier| tier.takes)
                .map(|tier| tier.priority)
        };
        let mut priority = 0;
        self.switch_to(|tiers| {
            priority = best(tiers).ok_or(SwitchError::TakesNothing)?;
            Ok(priority)
        })?;
        Ok(priority)
    }

    fn switch_to(
        &self,
        choose: impl FnOnce(&[Tier]) -> Result<u32, SwitchError>,
    ) -> Result<(), SwitchError> {
        let settings = self.settings.active_standby;
        let settings = settings.ok_or(SwitchError::NotActiveStandby)?;
        let mut standby = self.state.standby.lock();
        let tiers = self.tiers();
        let priority = choose(&tiers)?;
        let before = self.active(&standby);
        if before.is_some_and(|before| before.priority == priority) {
            return Err(SwitchError::AlreadyActive);
        }
        if !tiers
            .iter()
            .any(|tier| tier.priority == priority && tier.takes)
        {
            return Err(SwitchError::TakesNothing);
        }
        let mut better = tiers.iter().take_while(|tier| tier.priority < priority);
        if settings.fail_back == FailBack::Automatic && better.any(|tier| tier.takes) {
            return Err(SwitchError::WouldFailBack);
        }
        let after = Active {
            priority,
            settled: true,
        };
        let kind = Some(SwitchKind::Switchover);
        self.switch(&mut standby, settings, before, after, kind);
        Ok(())
    }

    /// Makes a choice take effect: first for all picks to come, then for what is open.
    fn switch(
        &self,
        standby: &mut Standby,
        settings: ActiveStandby,
        before: Option<Active>,
        after: Active,
        kind: Option<SwitchKind>,
    ) {
        let members = self.of_priority(after.priority);
        standby.members = members.map(|target| target.key.clone()).collect();
        standby.settled = after.settled;
        let before = before.map(|before| before.priority);
        if before == Some(after.priority) {
            return;
        }
        self.state.epoch.advance();
        let left = before
            .into_iter()
            .flat_map(|before| self.of_priority(before));
        // One that drains is let go by its deregistration delay: an operator has said so.
        let left = left.filter(|target| target.state.health() != TargetHealth::Draining);
        if settings.cut {
            left.for_each(|target| target.state.recall());
        }
        if let Some(kind) = kind {
            standby.count(kind);
        }
        self.tell(before, after.priority, kind);
    }

    fn tell(&self, before: Option<u32>, after: u32, kind: Option<SwitchKind>) {
        let group = &*self.settings.name;
        let names = |priority: u32| {
            let keys = self
                .of_priority(priority)
                .map(|target| target.key.to_string());
            keys.collect::<Vec<_>>().join(", ")
        };
        let from = before.map(names).unwrap_or_default();
        let to = names(after);
        match kind {
            None => tracing::info!(group, priority = after, "{to} is active"),
            Some(kind @ SwitchKind::Failover) => {
                tracing::warn!(
                    group,
                    priority = after,
                    from,
                    to,
                    "{kind}: {to} is active now"
                );
            }
            Some(kind) => {
                tracing::info!(
                    group,
                    priority = after,
                    from,
                    to,
                    "{kind}: {to} is active now"
                );
            }
        }
    }

    fn of_priority(&self, priority: u32) -> impl Iterator<Item = &Arc<Target>> {
        let targets = self.targets.iter();
        targets.filter(move |target| target.priority == priority)
    }

    fn active(&self, standby: &Standby) -> Option<Active> {
        active(&self.targets, standby)
    }

    fn tiers(&self) -> Vec<Tier> {
        let mut tiers = BTreeMap::new();
        for target in &self.targets {
            let priority = target.priority;
            let tier = tiers.entry(priority).or_insert(Tier {
                priority,
                takes: false,
                undecided: false,
            });
            let health = self.health_now(target);
            tier.takes |= takes(target, health);
            tier.undecided |= health == TargetHealth::Initial;
        }
        tiers.into_values().collect()
    }

    fn takes(&self, priority: u32) -> bool {
        let mut targets = self.of_priority(priority);
        targets.any(|target| takes(target, self.health_now(target)))
    }

    fn health_now(&self, target: &Target) -> TargetHealth {
        match target.state.health() {
            health @ (TargetHealth::Draining | TargetHealth::Unused) => health,
            _ if self.scope.excludes(target.zone.as_ref()).is_some() => TargetHealth::Unused,
            _ if !self.settings.health_checked => TargetHealth::Unavailable,
            health => health,
        }
    }
}

/// The targets among which a pick chooses: the active ones, and before the first choice those with
/// the lowest priority. All of them, where they share the traffic.
pub(super) fn in_turn<'t>(
    settings: &Settings,
    targets: &'t [Arc<Target>],
    state: &GroupState,
) -> Cow<'t, [Arc<Target>]> {
    if settings.active_standby.is_none() {
        return Cow::Borrowed(targets);
    }
    let active = active(targets, &state.standby.lock()).map(|active| active.priority);
    let lowest = || targets.iter().map(|target| target.priority).min();
    let priority = active.or_else(lowest).unwrap_or_default();
    let in_turn = targets.iter().filter(|target| target.priority == priority);
    Cow::Owned(in_turn.cloned().collect())
}

fn active(targets: &[Arc<Target>], standby: &Standby) -> Option<Active> {
    let targets = targets.iter();
    standby.active(targets.map(|target| (&target.key, target.priority)))
}

fn takes(target: &Target, health: TargetHealth) -> bool {
    target.weight > 0 && matches!(health, TargetHealth::Healthy | TargetHealth::Unavailable)
}
