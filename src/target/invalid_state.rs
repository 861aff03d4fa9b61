//! Why a target that stays registered can take no requests: what runs it says so.
//!
//! ALB hears this from EC2 when an instance is stopped; Elbow hears it from a provider, for example
//! from the engine that runs a container.

use std::fmt;

/// The state of whatever runs a target, when it is not running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidState {
    /// It was told to stop, and may be about its last requests.
    Stopping,
    /// It is stopped, and may be started again.
    Stopped,
    /// It is gone for good.
    Terminated,
    /// It runs, but cannot serve: it is paused, or reached by no network.
    Invalid,
}

/// The description as `DescribeTargetHealth` gives it.
impl fmt::Display for InvalidState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopping | Self::Stopped => "Target is in the stopped state",
            Self::Terminated => "Target is in the terminated state",
            Self::Invalid => "Target is in an invalid state",
        })
    }
}
