//! Stickiness of a target group.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Span;

/// Whether a client stays with the target that answered it first.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stickiness {
    /// ALB: stickiness.enabled. Needs cross-zone load balancing, and keys that outlive a restart
    /// (`state_directory` or `cookie_keys`) if clients are to stay over one.
    pub enabled: bool,
    /// ALB: stickiness.lb_cookie.duration_seconds, 1s-604800s. How long after its last response a
    /// client stays.
    pub duration: Span,
}

impl Default for Stickiness {
    fn default() -> Self {
        Self {
            enabled: false,
            duration: Span::from_secs(24 * 3600),
        }
    }
}
