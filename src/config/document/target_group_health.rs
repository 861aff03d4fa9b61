//! How many healthy targets a group needs, in ALB's keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many healthy targets a group needs, for its nodes to be used and for its unhealthy targets
/// to be left alone. Counted are the targets that a node sends to: those of its own zone without
/// cross-zone load balancing, else all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetGroupHealth {
    /// Below it a node is unhealthy: what asks the admin address about it (DNS, another balancer)
    /// is to leave it out.
    pub dns_failover: DnsFailover,
    /// Below it requests go to all targets, unhealthy ones too.
    pub unhealthy_state_routing: UnhealthyStateRouting,
}

/// When a node is unhealthy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DnsFailover {
    /// Fewer than either are too few.
    pub minimum_healthy_targets: MinimumHealthyTargets,
}

/// When requests go to all targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UnhealthyStateRouting {
    /// Fewer than either are too few.
    pub minimum_healthy_targets: MinimumHealthyTargets,
}

/// A number of healthy targets, a percentage of the registered ones, or both.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MinimumHealthyTargets {
    /// 1-1000, or "off" (not for unhealthy_state_routing).
    pub count: Threshold,
    /// 1-100, or "off".
    pub percentage: Threshold,
}

impl Default for MinimumHealthyTargets {
    fn default() -> Self {
        Self {
            count: Threshold::Number(1),
            percentage: Threshold::Off(Off::Off),
        }
    }
}

/// A number, or "off".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Threshold {
    /// The number.
    Number(u32),
    /// None.
    Off(Off),
}

impl Threshold {
    /// The number, if there is one.
    pub fn number(self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(number),
            Self::Off(Off::Off) => None,
        }
    }
}

/// The word for no threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// "off".
    Off,
}
