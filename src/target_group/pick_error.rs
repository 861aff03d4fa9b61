//! Why no target takes a request.

use thiserror::Error;

/// Why no target takes a request. All of them are 503 to the client, but the queue's timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum PickError {
    /// No target is registered.
    #[error("no target is registered")]
    NoTargets,
    /// No target is registered in the zones that the node may send to.
    #[error("no target is registered in the zones that this node sends to")]
    EmptyZone,
    /// Every target that could be asked is unused.
    #[error("all targets are unused")]
    AllUnused,
    /// Every target that could be asked has the weight 0.
    #[error("all targets have the weight 0")]
    ZeroWeight,
    /// No target is healthy, and the group does not fail open.
    #[error("no target is healthy, and the target group does not fail open")]
    NoneHealthy,
    /// No target has been decided upon yet. ALB does not document what it does then.
    #[error("all targets are initial: no health check has decided yet")]
    AllInitial,
    /// Every target that could be asked has been tried for this request.
    #[error("all targets have been tried")]
    AllTried,
    /// Every target has as many requests as it may have, and the surge queue is full, or there is none.
    #[error("all targets are at their max_concurrency, and the surge queue is full")]
    Saturated,
    /// The request has waited in the surge queue for as long as it may: 504.
    #[error("no target was free for as long as a request may wait")]
    QueueTimeout,
}

impl PickError {
    /// A short name for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoTargets => "NoTargets",
            Self::EmptyZone => "EmptyZone",
            Self::AllUnused => "AllTargetsUnused",
            Self::ZeroWeight => "AllWeightsZero",
            Self::NoneHealthy => "NoHealthyTarget",
            Self::AllInitial => "AllTargetsInitial",
            Self::AllTried => "AllTargetsTried",
            Self::Saturated => "SurgeQueueFull",
            Self::QueueTimeout => "SurgeQueueTimeout",
        }
    }
}
