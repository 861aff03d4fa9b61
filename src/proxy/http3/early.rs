//! Requests that come before their client's handshake is complete (0-RTT, RFC 8470).
//!
//! Whoever has recorded a client's first packets may send them again. A safe request goes on all the same,
//! for whatever it does once it may do twice, and its target is told. Any other waits: a handshake that is
//! played again never gets complete.

use http::Method;
use tokio_util::sync::CancellationToken;

use crate::metrics::NodeMetrics;

/// How far a client's handshake is.
#[derive(Clone, Debug, Default)]
pub struct Handshake {
    /// Cancelled when it is complete.
    complete: CancellationToken,
}

impl Handshake {
    /// One that is complete.
    pub fn completed() -> Self {
        let handshake = Self::default();
        handshake.complete();
        handshake
    }

    /// Notes that it is complete: nothing that comes from now on was recorded.
    pub fn complete(&self) {
        self.complete.cancel();
    }

    /// Lets a request go on when it may. Returns whether that is before the handshake is complete.
    pub(super) async fn admit(&self, method: &Method, metrics: &NodeMetrics) -> bool {
        if self.complete.is_cancelled() {
            return false;
        }
        // The safe methods (RFC 9110 section 9.2.1) without TRACE, which is refused.
        let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        metrics.early_request(if safe { "served" } else { "waited" });
        if !safe {
            self.complete.cancelled().await;
        }
        safe
    }
}
