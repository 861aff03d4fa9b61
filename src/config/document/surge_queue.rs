//! Who waits while all targets are full.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Span;

/// Classic's surge queue: where requests, or connections, wait while every target has as many as its
/// group's `max_concurrency` permits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SurgeQueue {
    /// How many wait at each node, 0-1024; more are answered with 503, or closed, and counted as
    /// spillover. Default: 0, nobody waits; 1024 for a classic load balancer.
    pub length: Option<u32>,
    /// How long one waits, 1s-4000s; then the answer is 504.
    pub timeout: Span,
}

impl Default for SurgeQueue {
    fn default() -> Self {
        Self {
            length: None,
            timeout: Span::from_secs(60),
        }
    }
}
