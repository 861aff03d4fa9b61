//! ALB's health states, their reasons, and the machine that moves between them.
//!
//! The machine is pure: an outcome and the thresholds go in, a transition comes out. Thresholds are
//! arguments, so a reload may change them while the counts go on.

use std::fmt;

use super::InvalidState;
use super::bequest::Verdict;

/// The state of a target as `DescribeTargetHealth` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TargetHealth {
    /// Registered, and no probe has decided yet. Takes no requests.
    Initial,
    /// Takes requests.
    Healthy,
    /// Takes requests only while no target of the group is healthy (fail-open).
    Unhealthy,
    /// Registered, but nothing sends it traffic: no rule names its group, its zone is not enabled,
    /// what runs it is stopped, or it was deregistered and its delay has elapsed.
    Unused,
    /// Deregistered; requests in flight may finish until the delay elapses.
    Draining,
    /// Health checks are switched off for its group; takes requests.
    Unavailable,
}

impl TargetHealth {
    /// Every state, in the order of declaration.
    pub const ALL: [Self; 6] = [
        Self::Initial,
        Self::Healthy,
        Self::Unhealthy,
        Self::Unused,
        Self::Draining,
        Self::Unavailable,
    ];

    /// ALB's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unused => "unused",
            Self::Draining => "draining",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for TargetHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a target is in its state: ALB's reason codes, with what their descriptions need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthReason {
    /// `Elb.RegistrationInProgress`
    RegistrationInProgress,
    /// `Elb.InitialHealthChecking`
    InitialHealthChecking,
    /// `Target.ResponseCodeMismatch`: the probe was answered with this status.
    ResponseCodeMismatch(u16),
    /// `Target.Timeout`
    Timeout,
    /// `Target.FailedHealthChecks`: no connection, or no well-formed answer.
    FailedHealthChecks,
    /// `Elb.InternalError`
    InternalError,
    /// `Target.NotRegistered`
    NotRegistered,
    /// `Target.NotInUse`: no listener rule names the group.
    NotInUse,
    /// `Target.NotInUse`: the target's zone has no node.
    ZoneNotEnabled,
    /// `Target.InvalidState`: what runs the target is stopped, paused or cut off.
    InvalidState(InvalidState),
    /// `Target.DeregistrationInProgress`
    DeregistrationInProgress,
    /// `Target.HealthCheckDisabled`
    HealthCheckDisabled,
}

impl HealthReason {
    /// The code as `DescribeTargetHealth` gives it in `Reason`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RegistrationInProgress => "Elb.RegistrationInProgress",
            Self::InitialHealthChecking => "Elb.InitialHealthChecking",
            Self::ResponseCodeMismatch(_) => "Target.ResponseCodeMismatch",
            Self::Timeout => "Target.Timeout",
            Self::FailedHealthChecks => "Target.FailedHealthChecks",
            Self::InternalError => "Elb.InternalError",
            Self::NotRegistered => "Target.NotRegistered",
            Self::NotInUse | Self::ZoneNotEnabled => "Target.NotInUse",
            Self::InvalidState(_) => "Target.InvalidState",
            Self::DeregistrationInProgress => "Target.DeregistrationInProgress",
            Self::HealthCheckDisabled => "Target.HealthCheckDisabled",
        }
    }
}

/// The description as `DescribeTargetHealth` gives it.
impl fmt::Display for HealthReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RegistrationInProgress => "Target registration is in progress",
            Self::InitialHealthChecking => "Initial health checks in progress",
            Self::ResponseCodeMismatch(code) => {
                return write!(f, "Health checks failed with these codes: [{code}]");
            }
            Self::Timeout => "Request timed out",
            Self::FailedHealthChecks => "Health checks failed",
            Self::InternalError => "Health checks failed due to an internal error",
            Self::NotRegistered => "Target is not registered to the target group",
            Self::NotInUse => {
                "Target group is not configured to receive traffic from the load balancer"
            }
            Self::ZoneNotEnabled => {
                "Target is in an Availability Zone that is not enabled for the load balancer"
            }
            Self::InvalidState(state) => return state.fmt(f),
            Self::DeregistrationInProgress => "Target deregistration is in progress",
            Self::HealthCheckDisabled => "Health checks are disabled",
        })
    }
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer matched.
    Pass,
    /// It did not, and why.
    Fail(HealthReason),
    /// It said that it is being maintained, and this was not held against it.
    Maintenance,
}

/// How many probes in a row decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Passes in a row that readmit an unhealthy target, 2-10.
    pub healthy: u32,
    /// Failures in a row that take a target out, 2-10.
    pub unhealthy: u32,
}

/// A change of state, for the log and the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Before.
    pub from: TargetHealth,
    /// After.
    pub to: TargetHealth,
}

/// The probe-driven part of a target's health: `initial`, `healthy` and `unhealthy` (facts: a new
/// target needs one pass, an unhealthy one the full threshold, any opposite outcome starts the
/// count anew).
#[derive(Clone, Debug)]
pub struct HealthMachine {
    state: TargetHealth,
    reason: Option<HealthReason>,
    passes: u32,
    failures: u32,
}

impl Default for HealthMachine {
    fn default() -> Self {
        Self {
            state: TargetHealth::Initial,
            reason: Some(HealthReason::RegistrationInProgress),
            passes: 0,
            failures: 0,
        }
    }
}

impl HealthMachine {
    /// A target that takes requests before a probe has passed.
    pub fn presumed_healthy() -> Self {
        Self {
            state: TargetHealth::Healthy,
            reason: None,
            passes: 0,
            failures: 0,
        }
    }

    /// One that another process has left in this state: `Healthy`, `Unhealthy` for a reason, else
    /// `Initial`.
    pub(super) fn left_at(health: &Verdict, passes: u32, failures: u32) -> Self {
        let state = match health {
            Verdict::Initial => return Self::default(),
            Verdict::Healthy => TargetHealth::Healthy,
            Verdict::Unhealthy(..) => TargetHealth::Unhealthy,
        };
        Self {
            state,
            reason: health.reason(),
            passes,
            failures,
        }
    }

    /// The passes in a row, and the failures in a row.
    pub(super) fn counts(&self) -> (u32, u32) {
        (self.passes, self.failures)
    }

    /// The state now: `Initial`, `Healthy` or `Unhealthy`.
    pub fn state(&self) -> TargetHealth {
        self.state
    }

    /// Why; `None` when healthy.
    pub fn reason(&self) -> Option<&HealthReason> {
        self.reason.as_ref()
    }

    /// Notes that the first probe is on its way.
    pub fn checking(&mut self) {
        if self.reason == Some(HealthReason::RegistrationInProgress) {
            self.reason = Some(HealthReason::InitialHealthChecking);
        }
    }

    /// Takes one outcome in; returns the transition that it caused, if any.
    pub fn observe(&mut self, outcome: &Outcome, thresholds: &Thresholds) -> Option<Transition> {
        let from = self.state;
        match outcome {
            // Neither a pass nor a failure: whatever has been counted stands.
            Outcome::Maintenance => {}
            Outcome::Pass => {
                self.failures = 0;
                self.passes = self.passes.saturating_add(1);
                let needed = match from {
                    TargetHealth::Unhealthy => thresholds.healthy,
                    _ => 1,
                };
                if self.passes >= needed {
                    self.state = TargetHealth::Healthy;
                    self.reason = None;
                }
            }
            Outcome::Fail(reason) => {
                self.passes = 0;
                self.failures = self.failures.saturating_add(1);
                if from == TargetHealth::Unhealthy || self.failures >= thresholds.unhealthy {
                    self.state = TargetHealth::Unhealthy;
                    self.reason = Some(reason.clone());
                } else if from == TargetHealth::Initial {
                    self.checking();
                }
            }
        }
        let to = self.state;
        (from != to).then_some(Transition { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALB: Thresholds = Thresholds {
        healthy: 5,
        unhealthy: 2,
    };
    const FAIL: Outcome = Outcome::Fail(HealthReason::Timeout);

    fn unhealthy() -> HealthMachine {
        let mut machine = HealthMachine::default();
        machine.observe(&FAIL, &ALB);
        machine.observe(&FAIL, &ALB);
        assert_eq!(machine.state(), TargetHealth::Unhealthy);
        machine
    }

    #[test]
    fn a_new_target_is_healthy_after_one_pass() {
        let mut machine = HealthMachine::default();
        let transition = machine.observe(&Outcome::Pass, &ALB);
        assert_eq!(
            transition,
            Some(Transition {
                from: TargetHealth::Initial,
                to: TargetHealth::Healthy
            })
        );
        assert_eq!(machine.reason(), None);
    }

    #[test]
    fn a_healthy_target_is_out_after_exactly_the_unhealthy_threshold() {
        let mut machine = HealthMachine::default();
        machine.observe(&Outcome::Pass, &ALB);
        assert_eq!(machine.observe(&FAIL, &ALB), None);
        assert!(machine.observe(&FAIL, &ALB).is_some());
        assert_eq!(machine.reason(), Some(&HealthReason::Timeout));
    }

    #[test]
    fn a_pass_between_two_failures_starts_the_failure_count_anew() {
        let mut machine = HealthMachine::default();
        for outcome in [&Outcome::Pass, &FAIL, &Outcome::Pass, &FAIL] {
            machine.observe(outcome, &ALB);
        }
        assert_eq!(machine.state(), TargetHealth::Healthy);
    }

    #[test]
    fn an_unhealthy_target_needs_the_full_healthy_threshold() {
        let mut machine = unhealthy();
        for _ in 0..4 {
            assert_eq!(machine.observe(&Outcome::Pass, &ALB), None);
        }
        assert!(machine.observe(&Outcome::Pass, &ALB).is_some());
    }

    #[test]
    fn one_failure_at_the_fourth_pass_starts_the_pass_count_anew() {
        let mut machine = unhealthy();
        for _ in 0..4 {
            machine.observe(&Outcome::Pass, &ALB);
        }
        machine.observe(&FAIL, &ALB);
        for _ in 0..4 {
            assert_eq!(machine.observe(&Outcome::Pass, &ALB), None);
        }
        assert!(machine.observe(&Outcome::Pass, &ALB).is_some());
    }

    #[test]
    fn a_new_target_that_fails_is_unhealthy_after_the_unhealthy_threshold() {
        let mut machine = HealthMachine::default();
        assert_eq!(machine.observe(&FAIL, &ALB), None);
        assert_eq!(machine.reason(), Some(&HealthReason::InitialHealthChecking));
        assert_eq!(
            machine.observe(&FAIL, &ALB).map(|t| t.to),
            Some(TargetHealth::Unhealthy)
        );
    }

    #[test]
    fn the_latest_failure_gives_the_reason() {
        let mut machine = unhealthy();
        machine.observe(
            &Outcome::Fail(HealthReason::ResponseCodeMismatch(301)),
            &ALB,
        );
        assert_eq!(
            machine.reason().map(ToString::to_string).as_deref(),
            Some("Health checks failed with these codes: [301]")
        );
    }

    #[test]
    fn maintenance_that_is_not_held_against_a_target_counts_neither_way() {
        let mut machine = HealthMachine::default();
        machine.observe(&Outcome::Pass, &ALB);
        machine.observe(&FAIL, &ALB);
        for _ in 0..9 {
            assert_eq!(machine.observe(&Outcome::Maintenance, &ALB), None);
        }
        assert_eq!(machine.state(), TargetHealth::Healthy);
        assert!(machine.observe(&FAIL, &ALB).is_some());
    }
}
