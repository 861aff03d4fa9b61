//! A connection that has switched protocols (WebSocket): bytes both ways, no more questions asked.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::buffers;
use super::client::Client;
use super::error::ProxyError;
use super::patience::Patience;
use super::pool::Connection;
use crate::metrics::NodeMetrics;
use crate::net::{Reader, Writer};
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
    let (client_reader, client_writer) = client.stream.split();
    let (target_reader, target_writer) = target.stream.split();
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
    let outcome = patience.wait(idle, busy, both).await;
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
    mut from: Reader<'_>,
    mut to: Writer<'_>,
    first: &[u8],
    count: &AtomicU64,
    moved: &AtomicBool,
) -> io::Result<()> {
    to.send([first], count).await?;
    loop {
        from.ready().await?;
        let mut buffer = buffers::take();
        if from.read(&mut buffer).await? == 0 {
            return to.finish().await;
        }
        moved.store(true, Ordering::Relaxed);
        to.send([&buffer], count).await?;
        buffers::give(buffer);
    }
}

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
