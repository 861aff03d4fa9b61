//! A connection that has switched protocols (WebSocket): bytes both ways, no more questions asked.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::body::{BodyReader, BodyWriter};
use super::client::Client;
use super::error::ProxyError;
use super::headers::BodyCoding;
use super::patience::Patience;
use super::pool::Connection;
use crate::metrics::NodeMetrics;
use crate::net::buffers;
use crate::target::Lease;

/// What went through a tunnel, and why it ended if not by itself.
#[derive(Debug)]
pub(super) struct Tunnelled {
    pub(super) from_client: u64,
    pub(super) to_client: u64,
    pub(super) error: Option<ProxyError>,
}

/// Copies both ways until both sides have finished, one breaks, nothing moves for `idle`, or the
/// target's deregistration delay elapses. `first` came from the target with its head, `early` from the
/// client before it knew.
pub(super) async fn tunnel(
    client: &mut Client,
    target: &mut Connection,
    (first, early): (&[u8], &[u8]),
    idle: Duration,
    lease: &Lease,
    node: &Arc<NodeMetrics>,
) -> Tunnelled {
    let _counted = Upgraded::new(node);
    let moved = AtomicBool::new(false);
    let (up, down) = (AtomicU64::new(0), AtomicU64::new(0));
    let (client_reader, client_writer) = client.wire.split();
    let (target_reader, target_writer) = target.wire.split();
    let both = async {
        tokio::try_join!(
            pump(client_reader, target_writer, early, &up, &moved),
            pump(target_reader, client_writer, first, &down, &moved),
        )
    };
    let mut patience = Patience {
        vigil: &mut client.vigil,
        lease,
        may_leave: false,
    };
    let busy = || moved.swap(false, Ordering::Relaxed);
    let outcome = patience.wait(idle, busy, pin!(both)).await;
    Tunnelled {
        from_client: up.into_inner(),
        to_client: down.into_inner(),
        error: match outcome {
            Ok(_) | Err(ProxyError::TargetTimeout) => None,
            Err(error) => Some(error),
        },
    }
}

/// One direction. A side that has finished may still be sent to.
async fn pump(
    mut from: BodyReader<'_>,
    mut to: BodyWriter<'_>,
    first: &[u8],
    count: &AtomicU64,
    moved: &AtomicBool,
) -> Result<(), Ended> {
    let raw = BodyCoding::Plain;
    to.send(raw, first, None, count).await.map_err(|_| Ended)?;
    let mut body = from.tunnelled();
    loop {
        let mut buffer = Vec::new();
        let found = from.read(&mut body, &mut buffer).await.map_err(|_| Ended)?;
        moved.store(true, Ordering::Relaxed);
        let content = &buffer[..found.content];
        to.send(raw, content, None, count)
            .await
            .map_err(|_| Ended)?;
        buffers::give(buffer);
        if found.done {
            return to.finish().await.map_err(|_| Ended);
        }
    }
}

/// A side is gone.
struct Ended;

/// Counts as one upgraded connection until it is dropped.
struct Upgraded<'n>(&'n NodeMetrics);

impl<'n> Upgraded<'n> {
    fn new(node: &'n NodeMetrics) -> Self {
        node.upgraded_connections.inc();
        Self(node)
    }
}

impl Drop for Upgraded<'_> {
    fn drop(&mut self) {
        self.0.upgraded_connections.dec();
    }
}
