//! The keys of the cookies that the balancer gives out.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Span;

/// The keys of the cookies for stickiness and sessions. They are kept in the state directory; with
/// neither that nor a secret they end with the process, and every client is balanced anew then.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CookieKeys {
    /// A file with a secret of at least 32 bytes, from which the keys are derived instead: nodes
    /// with the same secret open each other's cookies.
    pub secret_file: Option<PathBuf>,
    /// From one key to the next, 1h-30d. Old keys open cookies for 7 days more.
    pub rotation: Span,
}

impl Default for CookieKeys {
    fn default() -> Self {
        Self {
            secret_file: None,
            rotation: Span::from_secs(24 * 3600),
        }
    }
}
