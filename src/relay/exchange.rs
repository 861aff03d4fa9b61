//! Bytes both ways: half-close, back-pressure, and the limits on a connection.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::time::{Instant, sleep, sleep_until};

use super::error::RelayError;
use super::reach::Reached;
use super::record::ConnectionRecord;
use super::watch::Watch;
use crate::access_log::FirstBytes;
use crate::config::RelaySettings;
use crate::net::{Drain, Reader, Stream, Writer, buffers};
use crate::snapshot::Group;

/// What has gone through a connection, and when something last did.
#[derive(Debug)]
pub(super) struct Traffic {
    /// Bytes that came from the client.
    pub(super) received: AtomicU64,
    /// Bytes that the client was sent.
    pub(super) sent: AtomicU64,
    delivered: AtomicU64,
    opened: Instant,
    /// Nanoseconds after `opened`.
    moved: AtomicU64,
    pub(super) first: First,
}

/// When something first went through, in nanoseconds after the connection was opened; 0 is never.
#[derive(Debug, Default)]
pub(super) struct First {
    to_target: AtomicU64,
    from_target: AtomicU64,
    to_client: AtomicU64,
}

impl First {
    /// From accept to the first byte to the target, to the first one from it, to the first to the client.
    pub(super) fn times(&self) -> FirstBytes {
        let at = |moment: &AtomicU64| match moment.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        };
        let (request, answer) = (at(&self.to_target), at(&self.from_target));
        FirstBytes {
            request,
            target: request
                .zip(answer)
                .map(|(from, to)| to.saturating_sub(from)),
            response: answer
                .zip(at(&self.to_client))
                .map(|(from, to)| to.saturating_sub(from)),
        }
    }
}

impl Traffic {
    pub(super) fn new(opened: Instant) -> Self {
        Self {
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            opened,
            moved: AtomicU64::new(0),
            first: First::default(),
        }
    }

    fn stamp(&self) {
        let nanos = self.opened.elapsed().as_nanos();
        // Enough for five centuries.
        self.moved.store(nanos as u64, Ordering::Relaxed);
    }

    /// Notes that something has just been moved for the first time, if it is that.
    fn note_first(&self, first: Option<&AtomicU64>) {
        if let Some(first) = first.filter(|first| first.load(Ordering::Relaxed) == 0) {
            first.store(self.moved.load(Ordering::Relaxed).max(1), Ordering::Relaxed);
        }
    }

    fn last_move(&self) -> Instant {
        self.opened + Duration::from_nanos(self.moved.load(Ordering::Relaxed))
    }

    /// Bytes that the two sides have taken: a write that is not complete has moved something, too.
    fn taken(&self) -> u64 {
        self.sent.load(Ordering::Relaxed) + self.delivered.load(Ordering::Relaxed)
    }

    /// Waits until nothing has moved for `limit`.
    async fn stalled(&self, limit: Duration) {
        let mut taken = self.taken();
        loop {
            sleep_until(self.last_move() + limit).await;
            let before = mem::replace(&mut taken, self.taken());
            let is_over = || self.last_move() + limit <= Instant::now();
            if is_over() && taken != before {
                // A write goes on slowly, and is not complete yet.
                self.stamp();
            }
            if is_over() {
                return;
            }
        }
    }
}

/// Which end of a direction broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Source,
    Sink,
}

/// Passes on what either side sends until both have finished.
///
/// # Errors
///
/// A side has reset the connection, or a limit has been reached.
pub(super) async fn exchange(
    client: &mut Stream,
    target: &mut Reached,
    group: &Group,
    settings: &RelaySettings,
    drain: &Drain,
    record: &mut ConnectionRecord<'_>,
) -> Result<(), RelayError> {
    let first = mem::take(&mut record.hello.bytes);
    let record = &*record;
    let group_settings = group.settings();
    let traffic = &record.traffic;
    traffic.stamp();
    let (client_reader, client_writer) = client.split();
    let (target_reader, target_writer) = target.stream.split();
    let (node, relay) = (&record.entrance.metrics, target.metrics.relay());
    let up = Direction {
        traffic,
        read: Some(&traffic.received),
        written: &traffic.delivered,
        first_read: None,
        first_written: &traffic.first.to_target,
        figures: [&node.received_bytes, &relay.received_bytes],
    };
    let down = Direction {
        traffic,
        read: None,
        written: &traffic.sent,
        first_read: Some(&traffic.first.from_target),
        first_written: &traffic.first.to_client,
        figures: [&node.sent_bytes, &relay.sent_bytes],
    };
    let both = both(
        up.pump(first, client_reader, target_writer),
        down.pump(Vec::new(), target_reader, client_writer),
    );
    let removed = async {
        drain.closing().await;
        sleep(group_settings.deregistration_delay).await;
    };
    let watch = Watch {
        lease: &target.lease,
        must_be_healthy: group_settings.cut_unhealthy,
    };
    tokio::select! {
        biased;
        ended = both => ended,
        error = watch.lost() => Err(error),
        () = traffic.stalled(settings.idle_timeout) => Err(RelayError::IdleTimeout),
        () = removed => Err(RelayError::ListenerRemoved),
    }
}

/// Both directions. One whose sink is broken ends alone: what the other side has sent before it
/// broke is still delivered. Its source being broken ends both.
async fn both(
    up: impl Future<Output = Result<(), Broken>>,
    down: impl Future<Output = Result<(), Broken>>,
) -> Result<(), RelayError> {
    let up = async {
        match up.await {
            Err(Broken::Source) => Err(RelayError::ClientReset),
            Err(Broken::Sink) => Ok(Some(RelayError::TargetReset)),
            Ok(()) => Ok(None),
        }
    };
    let down = async {
        match down.await {
            Err(Broken::Source) => Err(RelayError::TargetReset),
            Err(Broken::Sink) => Ok(Some(RelayError::ClientReset)),
            Ok(()) => Ok(None),
        }
    };
    let (up, down) = tokio::try_join!(up, down)?;
    match up.or(down) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// One direction, and where it is counted.
struct Direction<'d> {
    traffic: &'d Traffic,
    read: Option<&'d AtomicU64>,
    written: &'d AtomicU64,
    first_read: Option<&'d AtomicU64>,
    first_written: &'d AtomicU64,
    figures: [&'d IntCounter; 2],
}

impl Direction<'_> {
    /// Passes on `first` and all that comes, then says that nothing more will. A buffer is held only
    /// while there is something in it.
    async fn pump(
        self,
        first: Vec<u8>,
        mut from: Reader<'_>,
        mut to: Writer<'_>,
    ) -> Result<(), Broken> {
        if !first.is_empty() {
            self.pass(first, &mut to).await?;
        }
        loop {
            from.ready().await.map_err(|_| Broken::Source)?;
            let mut buffer = buffers::take();
            match from.try_read(&mut buffer).await {
                Ok(Some(0)) => {
                    buffers::give(buffer);
                    return to.finish().await.map_err(|_| Broken::Sink);
                }
                Ok(Some(_)) => self.pass(buffer, &mut to).await?,
                Ok(None) => buffers::give(buffer),
                Err(_) => return Err(Broken::Source),
            }
        }
    }

    /// Passes on what is in a buffer.
    async fn pass(&self, buffer: Vec<u8>, to: &mut Writer<'_>) -> Result<(), Broken> {
        let count = buffer.len() as u64;
        self.traffic.stamp();
        self.traffic.note_first(self.first_read);
        if let Some(read) = self.read {
            read.fetch_add(count, Ordering::Relaxed);
        }
        let sent = to.send([&buffer], self.written).await;
        buffers::give(buffer);
        sent.map_err(|_| Broken::Sink)?;
        self.traffic.stamp();
        self.traffic.note_first(Some(self.first_written));
        for figure in self.figures {
            figure.inc_by(count);
        }
        Ok(())
    }
}
