//! The last word to clients over QUIC whose connections are cut at the deadline of a shutdown.
//!
//! The kernel closes TCP connections when their process ends, and clients notice. Of a connection over QUIC
//! it knows nothing: its client would go on sending until a timeout, unless it is told.

use std::time::Duration;

use quinn::{Connection, ConnectionError, VarInt};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a worker takes to tell all.
const TELLING: Duration = Duration::from_millis(250);
/// H3_NO_ERROR (RFC 9114 section 8.1): none of the client's making.
const NO_ERROR: VarInt = VarInt::from_u32(0x100);

/// The connections over QUIC of one worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Farewell {
    cut: CancellationToken,
    served: TaskTracker,
}

impl Farewell {
    /// Serves a connection to its end, or until all are cut.
    pub(super) async fn serve(&self, connection: Connection, serving: impl Future<Output = ()>) {
        let _served = self.served.token();
        tokio::select! {
            biased;
            // Requests that are under way end with what is dropped here.
            () = self.cut.cancelled() => {}
            () = serving => return,
        }
        connection.close(NO_ERROR, b"shutdown");
        if connection.close_reason() != Some(ConnectionError::LocallyClosed) {
            return; // It had ended by itself.
        }
        // Nothing but that is sent from now on.
        let before = connection.stats().udp_tx.datagrams;
        while connection.stats().udp_tx.datagrams == before {
            yield_now().await;
        }
    }

    /// Cuts all, and tells their clients.
    pub(super) async fn say(&self) {
        self.served.close();
        self.cut.cancel();
        let _ = timeout(TELLING, self.served.wait()).await;
    }
}
