//! Whether the target of a connection may keep it.

use std::pin::pin;

use tokio::time::sleep_until;

use super::error::RelayError;
use crate::target::Lease;

/// What ends a connection besides its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch<'w> {
    pub(super) lease: &'w Lease,
    /// Whether the target must be healthy, if it was when it was chosen.
    pub(super) must_be_healthy: bool,
}

impl Watch<'_> {
    /// Waits until the target loses the connection, and says why. Woken by changes alone: many
    /// connections that rest cost nothing.
    pub(super) async fn lost(self) -> RelayError {
        let lease = self.lease;
        loop {
            let mut changed = pin!(lease.state.changed());
            changed.as_mut().enable();
            if lease.is_recalled() {
                return RelayError::FailedOver;
            }
            if self.must_be_healthy && lease.has_turned_unhealthy() {
                return RelayError::TargetUnhealthy;
            }
            match lease.cut_at() {
                None => changed.await,
                Some(at) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(at) => return RelayError::Deregistered,
                },
            }
        }
    }
}
