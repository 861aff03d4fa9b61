//! How a new process takes over from the one that runs.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Span;

/// How a new process takes over from the one that runs, with its sockets and what it knows.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Upgrade {
    /// How long connections may take to finish in the process that was taken over from, 0s-24h.
    /// WebSockets last so long; all others end with their next answer, or when they have been idle.
    pub deadline: Span,
    /// A Unix socket where a process that somebody else has started asks to take over, with
    /// `elbow run --take-over SOCKET`: where a supervisor or a container starts it. Default: none;
    /// `elbow upgrade` needs none.
    pub socket: Option<PathBuf>,
}

impl Default for Upgrade {
    fn default() -> Self {
        Self {
            deadline: Span::from_secs(600),
            socket: None,
        }
    }
}
