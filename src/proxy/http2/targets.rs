//! Connections to targets that speak HTTP/2: the requests of a worker share them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Stream;
use crate::metrics::{CloseReason, TargetMetrics};
use crate::net;
use crate::proxy::destination::Destination;
use crate::target::{TargetHealth, TargetState};

/// What a target may send ahead on one stream, and on all of a connection's.
const STREAM_WINDOW: u32 = 512 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// What is kept for a target that does not take it, on one stream.
const SEND_BUFFER: usize = 128 * 1024;

/// The connections of one worker. The lock is never contended: all that takes it runs on the
/// worker's own thread.
#[derive(Debug, Default)]
pub(in crate::proxy) struct SharedConnections(Mutex<BTreeMap<Destination, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    connections: Vec<Shared>,
    /// Held while a connection is being made: whoever comes meanwhile waits for that one.
    gate: Arc<tokio::sync::Mutex<()>>,
}

/// One connection.
#[derive(Debug)]
struct Shared {
    requests: SendRequest<Bytes>,
    usage: Usage,
    target: Arc<TargetState>,
    /// How long it may rest without a stream, and since when it does.
    rest: Duration,
    rests_since: Option<Instant>,
}

/// What a connection's owner, its streams and its driver know of each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    streams: Arc<AtomicUsize>,
    /// Whether it takes no more requests.
    over: Arc<AtomicBool>,
}

/// Counts as one open stream until it is dropped.
#[derive(Debug)]
pub(super) struct Using(Usage);

impl Usage {
    fn begin(&self) -> Using {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Using(self.clone())
    }
}

impl Using {
    /// Notes that the connection takes no more requests.
    pub(super) fn is_over(&self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that is counted as open until it is dropped.
struct Counted {
    metrics: Arc<TargetMetrics>,
    reason: CloseReason,
}

impl Counted {
    fn new(metrics: Arc<TargetMetrics>) -> Self {
        metrics.connections_opened.inc();
        metrics.connections.inc();
        Self {
            metrics,
            reason: CloseReason::Broken,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.metrics.connections.dec();
        self.metrics.connection_closed(self.reason).inc();
    }
}

/// Whose connection is wanted, and how long it may rest.
#[derive(Debug)]
pub(in crate::proxy) struct Wanted<'a> {
    pub(in crate::proxy) destination: &'a Destination,
    pub(in crate::proxy) target: &'a Arc<TargetState>,
    pub(in crate::proxy) metrics: &'a Arc<TargetMetrics>,
    pub(in crate::proxy) rest: Duration,
    /// The most that the fields of a response may have.
    pub(in crate::proxy) most_fields: usize,
}

impl SharedConnections {
    /// A stream on a connection that is there and has room for one.
    pub(in crate::proxy) fn stream(&self, to: &Destination) -> Option<Stream> {
        let mut entries = self.0.lock();
        let entry = entries.get_mut(to)?;
        entry.connections.retain(|shared| !shared.is_over());
        let shared = entry
            .connections
            .iter_mut()
            .find(|shared| shared.has_room())?;
        shared.rests_since = None;
        Some(Stream::opening(
            shared.requests.clone(),
            shared.usage.begin(),
        ))
    }

    /// Waits for the connection that is being made, or makes one, and gives a stream on it. The second
    /// answer is whether others use it, too.
    ///
    /// # Errors
    ///
    /// The target cannot be reached, or does not speak HTTP/2.
    pub(in crate::proxy) async fn connect(
        &self,
        wanted: &Wanted<'_>,
    ) -> io::Result<(Stream, bool)> {
        let gate = Arc::clone(
            &self
                .0
                .lock()
                .entry(wanted.destination.clone())
                .or_default()
                .gate,
        );
        let _connecting = gate.lock().await;
        if let Some(stream) = self.stream(wanted.destination) {
            return Ok((stream, true));
        }
        let connection = wanted.destination.connect().await?;
        let shared = begin(connection, wanted).await?;
        let stream = Stream::opening(shared.requests.clone(), shared.usage.begin());
        let mut entries = self.0.lock();
        let entry = entries.entry(wanted.destination.clone()).or_default();
        entry.connections.push(shared);
        Ok((stream, false))
    }

    /// Gives up what has ended, what has rested long enough, and what rests at targets that are
    /// deregistered.
    pub(in crate::proxy) fn sweep(&self) {
        let now = Instant::now();
        self.0.lock().retain(|_, entry| {
            entry.connections.retain_mut(|shared| shared.is_wanted(now));
            !entry.connections.is_empty() || Arc::strong_count(&entry.gate) > 1
        });
    }
}

impl Shared {
    fn is_over(&self) -> bool {
        self.usage.over.load(Ordering::Relaxed)
    }

    fn has_room(&self) -> bool {
        let used = self.usage.streams.load(Ordering::Relaxed);
        !self.is_over() && used < self.requests.current_max_send_streams()
    }

    fn is_wanted(&mut self, now: Instant) -> bool {
        if self.is_over() {
            return false;
        }
        if self.usage.streams.load(Ordering::Relaxed) > 0 {
            self.rests_since = None;
            return true;
        }
        let since = *self.rests_since.get_or_insert(now);
        self.target.health() != TargetHealth::Draining && now - since < self.rest
    }
}

/// Begins HTTP/2 on a connection, and lets a task drive it for as long as anybody uses it.
async fn begin(stream: net::Stream, wanted: &Wanted<'_>) -> io::Result<Shared> {
    let counted = Counted::new(Arc::clone(wanted.metrics));
    let most = u32::try_from(wanted.most_fields).unwrap_or(u32::MAX);
    let (requests, connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        // h2 counts 32 bytes more for each field than the limit does, which is looked at afterwards.
        .max_header_list_size(most.saturating_mul(2))
        .handshake(stream)
        .await
        .map_err(io::Error::other)?;
    let usage = Usage::default();
    let over = Arc::clone(&usage.over);
    tokio::spawn(async move {
        let mut counted = counted;
        if connection.await.is_ok() {
            // It was given up here, or the target said GOAWAY and has finished.
            counted.reason = match over.load(Ordering::Relaxed) {
                true => CloseReason::TargetClosed,
                false => CloseReason::IdleTimeout,
            };
        }
        over.store(true, Ordering::Relaxed);
    });
    Ok(Shared {
        requests,
        usage,
        target: Arc::clone(wanted.target),
        rest: wanted.rest,
        rests_since: None,
    })
}
