//! Response timeouts of some paths.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Span;

/// How long targets may take to answer requests for some paths.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseTimeout {
    /// Patterns with * and ?, as in a rule's `path`; one must fit.
    pub path: Vec<String>,
    /// How long, 1s-4000s.
    pub timeout: Span,
}
