//! One target for all traffic, and others that stand by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Connections;

/// Of an active/standby group, the healthy targets with the lowest `priority` take all traffic.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ActiveStandby {
    /// Who brings targets with a lower priority back into their place once they are healthy again:
    /// "automatic", or "manual": an operator, with `elbow fail-back`. Manual fail-back does not
    /// refuse the traffic of a standby that fails.
    pub fail_back: FailBack,
    /// What becomes of what is open at targets that are not active any more: "cut" or "keep".
    /// Default: cut for a group of protocol TCP, keep for one that takes requests.
    pub on_failover: Option<Connections>,
}

/// Who brings better targets back into their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailBack {
    /// Their health does.
    #[default]
    Automatic,
    /// An operator does.
    Manual,
}
