//! A target's health in the words of the Classic load balancer (AWS: `DescribeInstanceHealth` of the
//! 2012 API): three states, whose fault it is, and a sentence.

use tokio::time::Instant;

use super::{HealthReason, InvalidState, Outcome, Target, TargetHealth};

/// What `DescribeInstanceHealth` says of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceState {
    /// `InService`, `OutOfService` or `Unknown`.
    pub state: &'static str,
    /// `ELB`, `Instance` or `N/A`: whose fault it is that it is not in service.
    pub reason_code: &'static str,
    /// Why, in a sentence; `N/A` for an instance that is in service.
    pub description: &'static str,
}

const NOT_APPLICABLE: &str = "N/A";

impl InstanceState {
    /// Of a target, at `now`.
    pub fn at(target: &Target, now: Instant) -> Self {
        let health = target.state.describe(now);
        let last = target.state.probes().pop();
        let recovering = last.is_some_and(|probe| probe.outcome == Outcome::Pass);
        Self::of(health.state, health.reason.as_ref(), recovering)
    }

    /// Of a target with this health; `recovering` says that its last probe passed.
    pub fn of(health: TargetHealth, reason: Option<&HealthReason>, recovering: bool) -> Self {
        use HealthReason as R;
        match (health, reason) {
            (_, Some(R::InternalError)) => Self {
                state: "Unknown",
                reason_code: "ELB",
                description: "A transient error occurred. Please try again later.",
            },
            (TargetHealth::Healthy | TargetHealth::Unavailable, _) => Self {
                state: "InService",
                reason_code: NOT_APPLICABLE,
                description: NOT_APPLICABLE,
            },
            // It is still in service for the requests that it has.
            (TargetHealth::Draining, _) => Self {
                state: "InService",
                reason_code: NOT_APPLICABLE,
                description: "Instance deregistration currently in progress.",
            },
            (TargetHealth::Initial, _) => {
                Self::out("ELB", "Instance registration is still in progress.")
            }
            (TargetHealth::Unhealthy, _) if recovering => Self::out(
                "Instance",
                "Instance has not passed the configured HealthyThreshold number of health checks \
                 consecutively.",
            ),
            (TargetHealth::Unhealthy, _) => Self::out(
                "Instance",
                "Instance has failed at least the UnhealthyThreshold number of health checks \
                 consecutively.",
            ),
            (TargetHealth::Unused, Some(R::InvalidState(state))) => Self::out(
                "Instance",
                match state {
                    InvalidState::Stopping | InvalidState::Stopped => {
                        "Instance is in stopped state."
                    }
                    InvalidState::Terminated => "Instance is in terminated state.",
                    InvalidState::Invalid => "Instance is in pending state.",
                },
            ),
            (TargetHealth::Unused, Some(R::ZoneNotEnabled)) => Self::out(
                "ELB",
                "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured \
                 to route traffic to.",
            ),
            (TargetHealth::Unused, _) => Self::out(
                "Instance",
                "Instance is not currently registered with the LoadBalancer.",
            ),
        }
    }

    fn out(reason_code: &'static str, description: &'static str) -> Self {
        Self {
            state: "OutOfService",
            reason_code,
            description,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(
        health: TargetHealth,
        reason: Option<HealthReason>,
        recovering: bool,
    ) -> (&'static str, &'static str, &'static str) {
        let InstanceState {
            state,
            reason_code,
            description,
        } = InstanceState::of(health, reason.as_ref(), recovering);
        (state, reason_code, description)
    }

    #[test]
    fn every_state_is_told_in_the_words_of_the_2012_api() {
        use HealthReason as R;
        use TargetHealth as H;
        let out = "OutOfService";
        for (health, reason, recovering, told) in [
            (H::Healthy, None, false, ("InService", "N/A", "N/A")),
            (
                H::Unhealthy,
                Some(R::Timeout),
                false,
                (
                    out,
                    "Instance",
                    "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
                ),
            ),
            (
                H::Unhealthy,
                Some(R::Timeout),
                true,
                (
                    out,
                    "Instance",
                    "Instance has not passed the configured HealthyThreshold number of health checks consecutively.",
                ),
            ),
            (
                H::Initial,
                Some(R::InitialHealthChecking),
                false,
                (out, "ELB", "Instance registration is still in progress."),
            ),
            (
                H::Draining,
                Some(R::DeregistrationInProgress),
                false,
                (
                    "InService",
                    "N/A",
                    "Instance deregistration currently in progress.",
                ),
            ),
            (
                H::Unused,
                Some(R::NotRegistered),
                false,
                (
                    out,
                    "Instance",
                    "Instance is not currently registered with the LoadBalancer.",
                ),
            ),
            (
                H::Unused,
                Some(R::ZoneNotEnabled),
                false,
                (
                    out,
                    "ELB",
                    "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.",
                ),
            ),
            (
                H::Unused,
                Some(R::InvalidState(InvalidState::Stopped)),
                false,
                (out, "Instance", "Instance is in stopped state."),
            ),
            (
                H::Unused,
                Some(R::InvalidState(InvalidState::Terminated)),
                false,
                (out, "Instance", "Instance is in terminated state."),
            ),
            (
                H::Unhealthy,
                Some(R::InternalError),
                false,
                (
                    "Unknown",
                    "ELB",
                    "A transient error occurred. Please try again later.",
                ),
            ),
        ] {
            assert_eq!(
                said(health, reason.clone(), recovering),
                told,
                "{health} {reason:?}"
            );
        }
    }
}
