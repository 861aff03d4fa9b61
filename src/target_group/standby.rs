//! Active/standby: which priority's targets take all of the group's traffic.
//!
//! [`decide`] is the rule, pure: tiers of targets with one priority each, and what was active
//! before. [`Standby`] is what a group takes along from snapshot to snapshot: the active targets by
//! name, so that a reload may renumber priorities, and how often they have changed.
//!
//! The lowest priority number with a target that takes traffic is active. When it has none any more, the
//! next one takes over. What comes back with a lower number takes over at once (`automatic`) or
//! when an operator says so (`manual`); but as long as probes have not decided about the lower numbers
//! for the first time, the choice is only for the time being, whichever it is. When no tier takes
//! traffic, the active one stays: the group then fails open to it, or not at all.

use std::fmt;

use crate::target::TargetKey;

/// How a group of which one tier takes all traffic changes from one to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveStandby {
    /// Who brings a better target back into its place.
    pub fail_back: FailBack,
    /// Whether what is open at the targets that were active is cut when they are not any more.
    pub cut: bool,
}

/// Who brings a better target back into its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailBack {
    /// Its health does.
    #[default]
    Automatic,
    /// An operator does.
    Manual,
}

impl FailBack {
    /// The word that the configuration uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        }
    }
}

/// The targets of one priority at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tier {
    pub(super) priority: u32,
    /// Whether one of them takes traffic.
    pub(super) takes: bool,
    /// Whether one of them has not been decided about since it was registered.
    pub(super) undecided: bool,
}

/// The tier that takes all traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Active {
    pub(super) priority: u32,
    /// Whether it was chosen knowing of all better ones.
    pub(super) settled: bool,
}

/// Which tier takes all traffic. `tiers` are in order of priority; `active` is the one that did.
/// None as long as none ever took any.
pub(super) fn decide(
    tiers: &[Tier],
    active: Option<Active>,
    fail_back: FailBack,
) -> Option<Active> {
    let best = tiers.iter().find(|tier| tier.takes);
    let current = active.and_then(|active| {
        let tier = tiers.iter().find(|tier| tier.priority == active.priority);
        tier.map(|tier| (active, tier))
    });
    let (priority, settled) = match (current, best) {
        (Some((active, current)), Some(best)) if current.takes => {
            let moves = fail_back == FailBack::Automatic || !active.settled;
            match moves && best.priority < current.priority {
                true => (best.priority, active.settled),
                false => (current.priority, active.settled),
            }
        }
        (before, Some(best)) => (
            best.priority,
            before.is_some_and(|(active, _)| active.settled),
        ),
        (Some((active, current)), None) => (current.priority, active.settled),
        (None, None) => return None,
    };
    let better = tiers.iter().take_while(|tier| tier.priority < priority);
    let settled = settled || !better.clone().any(|tier| tier.undecided);
    Some(Active { priority, settled })
}

/// What kind of change it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SwitchKind {
    /// The active targets did not take traffic any more.
    Failover,
    /// Better targets took traffic again.
    FailBack,
    /// An operator said so.
    Switchover,
}

impl SwitchKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Failover, Self::FailBack, Self::Switchover];

    /// The word in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::FailBack => "fail_back",
            Self::Switchover => "switchover",
        }
    }
}

impl fmt::Display for SwitchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failover => "failover",
            Self::FailBack => "fail-back",
            Self::Switchover => "switchover",
        })
    }
}

/// Who was active, and how often that has changed; adopted by the group's next snapshot.
#[derive(Debug, Default)]
pub(super) struct Standby {
    /// Which snapshot's group decides: one that has been replaced may still be picked from, by
    /// priorities that do not hold any more.
    pub(super) decider: u64,
    /// The targets of the active tier; empty before the first choice.
    pub(super) members: Vec<TargetKey>,
    pub(super) settled: bool,
    counts: [u64; SwitchKind::ALL.len()],
}

impl Standby {
    pub(super) fn count(&mut self, kind: SwitchKind) {
        self.counts[kind as usize] += 1;
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = (SwitchKind, u64)> {
        SwitchKind::ALL.into_iter().zip(self.counts)
    }

    /// The active tier by the priorities that hold now: the lowest that one of its targets has.
    pub(super) fn active<'a>(
        &self,
        priorities: impl Iterator<Item = (&'a TargetKey, u32)>,
    ) -> Option<Active> {
        let members = priorities.filter(|(key, _)| self.members.contains(key));
        let priority = members.map(|(_, priority)| priority).min()?;
        Some(Active {
            priority,
            settled: self.settled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::FailBack::{Automatic, Manual};
    use super::*;

    /// Tiers of priority 1, 2, ...: `+` takes traffic, `-` does not, `?` is not decided about.
    fn tiers(states: &str) -> Vec<Tier> {
        let tier = |(place, state): (usize, char)| Tier {
            priority: place as u32 + 1,
            takes: state == '+',
            undecided: state == '?',
        };
        states.chars().enumerate().map(tier).collect()
    }

    /// Who is active after each of the states in turn.
    fn course(states: &[&str], fail_back: FailBack) -> Vec<u32> {
        let mut active = None;
        let step = |states: &&str| {
            active = decide(&tiers(states), active, fail_back);
            active.map_or(0, |active| active.priority)
        };
        states.iter().map(step).collect()
    }

    #[test]
    fn the_lowest_priority_that_takes_traffic_is_active() {
        for fail_back in [Automatic, Manual] {
            assert_eq!(course(&["+++"], fail_back), [1]);
            assert_eq!(course(&["-++"], fail_back), [2]);
            assert_eq!(course(&["--+"], fail_back), [3]);
            assert_eq!(course(&["---"], fail_back), [0]);
            assert_eq!(course(&[""], fail_back), [0]);
        }
    }

    #[test]
    fn the_next_one_takes_over_when_the_active_one_fails() {
        for fail_back in [Automatic, Manual] {
            assert_eq!(course(&["+++", "-++", "--+"], fail_back), [1, 2, 3]);
        }
    }

    #[test]
    fn what_comes_back_takes_over_automatically_or_when_an_operator_says_so() {
        let there_and_back = ["++", "-+", "++"];
        assert_eq!(course(&there_and_back, Automatic), [1, 2, 1]);
        assert_eq!(course(&there_and_back, Manual), [1, 2, 2]);
    }

    #[test]
    fn manual_fail_back_does_not_refuse_the_only_one_that_is_left() {
        assert_eq!(course(&["++", "-+", "++", "+-"], Manual), [1, 2, 2, 1]);
    }

    #[test]
    fn the_active_one_stays_when_none_takes_traffic() {
        for fail_back in [Automatic, Manual] {
            assert_eq!(course(&["++", "-+", "--"], fail_back), [1, 2, 2]);
        }
        assert_eq!(course(&["++", "-+", "--", "+-"], Manual), [1, 2, 2, 1]);
        assert_eq!(course(&["++", "-+", "--", "-+"], Manual), [1, 2, 2, 2]);
    }

    #[test]
    fn who_is_decided_about_last_is_not_late() {
        // Both are started at once, and the standby's first probe is answered first.
        for fail_back in [Automatic, Manual] {
            assert_eq!(course(&["??", "?+", "++"], fail_back), [0, 2, 1]);
            assert_eq!(course(&["??", "?+", "?-", "+-"], fail_back), [0, 2, 2, 1]);
        }
        // Decided against is decided.
        assert_eq!(course(&["?+", "-+", "++"], Manual), [2, 2, 2]);
        // A better one that is registered later has to wait.
        let settled = Some(Active {
            priority: 2,
            settled: true,
        });
        let stays = decide(&tiers("?+"), settled, Manual);
        assert_eq!(decide(&tiers("++"), stays, Manual), settled);
    }

    #[test]
    fn a_tier_that_is_gone_has_failed() {
        let gone = Some(Active {
            priority: 7,
            settled: true,
        });
        for fail_back in [Automatic, Manual] {
            let active = decide(&tiers("-+"), gone, fail_back);
            assert_eq!(active.map(|active| active.priority), Some(2));
        }
    }

    #[test]
    fn the_active_targets_are_known_by_name_when_priorities_are_renumbered() {
        let key = |id: &str| TargetKey {
            id: id.into(),
            port: 1,
        };
        let standby = Standby {
            members: vec![key("b"), key("c")],
            settled: true,
            ..Standby::default()
        };
        let (a, b, c) = (key("a"), key("b"), key("c"));
        let active = |priorities: [(&TargetKey, u32); 3]| {
            let active = standby.active(priorities.into_iter());
            active.map(|active| active.priority)
        };
        assert_eq!(active([(&a, 10), (&b, 20), (&c, 20)]), Some(20));
        assert_eq!(active([(&a, 10), (&b, 30), (&c, 20)]), Some(20));
        assert_eq!(standby.active([(&a, 10)].into_iter()), None);
    }
}
