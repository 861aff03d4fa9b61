//! Waiting for a target, with an eye on what becomes of it meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::error::ProxyError;
use super::vigil::Vigil;
use crate::target::Lease;

/// How often a wait looks up: a target that is taken out is noticed within this time.
const TICK: Duration = Duration::from_secs(1);
/// What a client must take of a response within an idle timeout. A window that it opens by a byte a
/// minute would keep a target's connection busy for years.
const LEAST: u64 = 1024;

/// Waits for one target on behalf of one request.
#[derive(Debug)]
pub(super) struct Patience<'p> {
    pub(super) vigil: &'p mut Vigil,
    pub(super) lease: &'p Lease,
    /// Whether the request may go to another target when this one turns unhealthy: a target that
    /// hangs would otherwise hold it until the response timeout, though its probes have failed.
    pub(super) may_leave: bool,
}

impl Patience<'_> {
    /// Waits for `future`, at most `limit` during which `busy` is false whenever it is asked.
    ///
    /// # Errors
    ///
    /// The limit has passed ([`ProxyError::TargetTimeout`]), the deregistration delay has
    /// ([`ProxyError::Deregistered`]), the target has turned unhealthy
    /// ([`ProxyError::TargetUnhealthy`]), or another one has become active instead
    /// ([`ProxyError::FailedOver`]).
    pub(super) async fn wait<T>(
        &mut self,
        limit: Duration,
        busy: impl Fn() -> bool,
        mut future: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, ProxyError> {
        let mut left = limit;
        loop {
            // Asked before each wait: a transfer that never has to wait is cut, too.
            if self.lease.is_recalled() {
                return Err(ProxyError::FailedOver);
            }
            let cut_in = match self.lease.cut_at() {
                None => TICK,
                Some(cut) => cut.saturating_duration_since(Instant::now()),
            };
            if cut_in.is_zero() {
                return Err(ProxyError::Deregistered);
            }
            let slice = left.min(TICK).min(cut_in);
            if let Ok(output) = self.vigil.wait(slice, future.as_mut()).await {
                return Ok(output);
            }
            if self.may_leave && self.lease.has_turned_unhealthy() {
                return Err(ProxyError::TargetUnhealthy);
            }
            left = if busy() { limit } else { left - slice };
            if left.is_zero() {
                return Err(ProxyError::TargetTimeout);
            }
        }
    }

    /// Waits for the client to take a part of the response, of which it must take [`LEAST`], or all
    /// that is left, in each `limit`.
    ///
    /// # Errors
    ///
    /// The limit has passed ([`ProxyError::ClientTimeout`]), or the deregistration delay of the
    /// target has ([`ProxyError::Deregistered`]).
    pub(super) async fn deliver<T>(
        &mut self,
        limit: Duration,
        moved: &AtomicU64,
        future: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, ProxyError> {
        let seen = AtomicU64::new(moved.load(Ordering::Relaxed));
        let busy = || {
            let now = moved.load(Ordering::Relaxed);
            let enough = now - seen.load(Ordering::Relaxed) >= LEAST;
            if enough {
                seen.store(now, Ordering::Relaxed);
            }
            enough
        };
        let mut patience = Patience {
            vigil: self.vigil,
            lease: self.lease,
            may_leave: false,
        };
        match patience.wait(limit, busy, future).await {
            Err(ProxyError::TargetTimeout) => Err(ProxyError::ClientTimeout),
            outcome => outcome,
        }
    }
}

/// For waits in which nothing else moves.
pub(super) fn never() -> bool {
    false
}
