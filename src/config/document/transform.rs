//! A transform: what a rule changes of a request before a target gets it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A regular expression and what stands in the place of its first match; what is around it stays.
/// Where it is not found, nothing changes. At most 1024 characters each.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// ALB: Regex. What to look for: in the host without its port, or in path and query.
    pub regex: String,
    /// ALB: Replace. What to put there: "$1" or "${1}" is a group of the expression, "$$" a dollar sign.
    pub replace: String,
}
