//! What one process tells the next of a target, so that it need not find out anew: its health and the
//! counts on the way to another, a drain, slow start, the address that its name stood for.
//!
//! A document of its own, because two versions of the program read it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{HealthReason, TargetHealth};

/// What is known of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetBequest {
    /// Where it is reached, as configured: at another address nothing is known of it.
    pub address: String,
    pub(super) health: Verdict,
    pub(super) passes: u32,
    pub(super) failures: u32,
    pub(super) founding: bool,
    pub(super) slow_for: Option<Duration>,
    pub(super) drains_for: Option<Duration>,
    pub(super) resolved: Option<SocketAddr>,
}

/// What probes have decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Nothing yet.
    Initial,
    Healthy,
    /// With the reason's code, and the status that was answered.
    Unhealthy(String, Option<u16>),
}

impl Verdict {
    pub(super) fn of(state: TargetHealth, reason: Option<&HealthReason>) -> Self {
        match (state, reason) {
            (TargetHealth::Healthy, _) => Self::Healthy,
            (TargetHealth::Unhealthy, Some(reason)) => {
                let status = match reason {
                    HealthReason::ResponseCodeMismatch(status) => Some(*status),
                    _ => None,
                };
                Self::Unhealthy(reason.code().to_owned(), status)
            }
            _ => Self::Initial,
        }
    }

    /// The reason, of a target that is unhealthy.
    pub(super) fn reason(&self) -> Option<HealthReason> {
        let Self::Unhealthy(code, status) = self else {
            return None;
        };
        let plain = [
            HealthReason::Timeout,
            HealthReason::FailedHealthChecks,
            HealthReason::InternalError,
        ];
        let mismatch = status.map(HealthReason::ResponseCodeMismatch);
        let mut known = mismatch.into_iter().chain(plain);
        // A version to come may have others.
        let found = known.find(|reason| reason.code() == code);
        found.or(Some(HealthReason::FailedHealthChecks))
    }
}
