//! Whether the daemon wants traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the daemon wants traffic: not before its first configuration is in force, and not any
/// more once it shuts down. Clones say the same.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says from now on whether the daemon wants traffic.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether it does.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
