//! A target that takes the connection: picked, connected to, and another one if that fails.

use std::net::SocketAddr;
use std::sync::Arc;

use prometheus::IntCounter;
use smallvec::SmallVec;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Ends;
use super::error::RelayError;
use super::record::ConnectionRecord;
use super::watch::Watch;
use crate::metrics::{CloseReason, RetryReason, TargetMetrics};
use crate::net::Stream;
use crate::proxy_protocol;
use crate::snapshot::{Entrance, Group};
use crate::target::{Lease, TargetKey, Zone};
use crate::target_group::{Moment, PickError};
use crate::tls::Secure;

/// A connection to a target, counted as open until it is dropped.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) stream: Stream,
    pub(super) lease: Lease,
    pub(super) metrics: Arc<TargetMetrics>,
    closed: CloseReason,
}

impl Reached {
    fn new(stream: Stream, lease: Lease, metrics: Arc<TargetMetrics>) -> Self {
        metrics.connections_opened.inc();
        metrics.connections.inc();
        Self {
            stream,
            lease,
            metrics,
            // What it is when the daemon ends first.
            closed: CloseReason::Cut,
        }
    }

    /// Notes how the connection ended: a target must not take one that was cut for a complete one.
    pub(super) fn ended(&mut self, error: Option<&RelayError>) {
        self.closed = error.map_or(CloseReason::Finished, RelayError::close_reason);
        if let Some(error) = error {
            self.metrics.relay().reset(error.side()).inc();
            self.stream.reset_when_dropped();
        }
    }
}

impl Drop for Reached {
    fn drop(&mut self) {
        self.metrics.connections.dec();
        self.metrics.connection_closed(self.closed).inc();
    }
}

/// Connects to a target of `group`. Nothing has been sent while that fails, so another one may be
/// tried, as often as the group's `retries` say.
pub(super) async fn reach(
    client: &Stream,
    entrance: &Entrance,
    group: &Group,
    record: &mut ConnectionRecord<'_>,
) -> Result<Reached, RelayError> {
    let mut tried: SmallVec<[TargetKey; 2]> = SmallVec::new();
    let mut left = group.settings().retries;
    let mut failed: Option<(RelayError, &IntCounter)> = None;
    loop {
        let picked = group.pick(
            entrance.zone.as_ref(),
            &tried,
            Moment {
                now: Instant::now(),
                chance: fastrand::u64(..),
            },
        );
        let lease = match (picked, failed.take()) {
            (Ok(lease), None) => lease,
            (Ok(lease), Some((_, retries))) => {
                retries.inc();
                lease
            }
            (Err(_), Some((error, _))) => return Err(error),
            (Err(PickError::Saturated), None) => queue(client, entrance, group, record).await?,
            (Err(error), None) => return Err(RelayError::NoTarget(error)),
        };
        let metrics = group.metrics.zone(lease.zone.as_ref().map(Zone::as_str));
        if lease.is_fail_open() {
            metrics.unhealthy_routing_requests.inc();
        }
        let error = match connect(&lease, group, record).await {
            Ok(stream) => return Ok(Reached::new(stream, lease, Arc::clone(metrics))),
            Err(error) => error,
        };
        match &error {
            RelayError::TargetTls(_) => metrics.tls_negotiation_errors.inc(),
            _ => metrics.connection_errors.inc(),
        }
        if left == 0 {
            return Err(error);
        }
        left -= 1;
        tried.push(lease.key.clone());
        let retries = metrics.retry(retry_reason(&error));
        failed = Some((error, retries));
    }
}

/// Waits in the group's surge queue.
async fn queue(
    client: &Stream,
    entrance: &Entrance,
    group: &Group,
    record: &ConnectionRecord<'_>,
) -> Result<Lease, RelayError> {
    // What has been read of it already is to be answered, even if it has said all by now.
    let gone = async {
        match record.hello.bytes.is_empty() {
            true => client.ran_dry().await,
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        picked = group.pick_in_turn(entrance.zone.as_ref()) => picked.map_err(RelayError::NoTarget),
        () = gone => Err(RelayError::ClientClosedEarly),
    }
}

async fn connect(
    lease: &Lease,
    group: &Group,
    record: &mut ConnectionRecord<'_>,
) -> Result<Stream, RelayError> {
    let address = lease.socket_address().ok_or(RelayError::Unresolved)?;
    record.target = Some(address);
    let watch = Watch {
        lease,
        must_be_healthy: true,
    };
    let limit = group.settings().connect_timeout;
    tokio::select! {
        biased;
        connected = timeout(limit, introduced(address, lease, group, &record.ends)) => match connected {
            Ok(connected) => connected,
            Err(_) => Err(RelayError::TargetConnectTimeout),
        },
        error = watch.lost() => Err(error),
    }
}

/// Connects, tells the target whose connection it is if the group says so, and begins TLS if it speaks that.
async fn introduced(
    address: SocketAddr,
    lease: &Lease,
    group: &Group,
    ends: &Ends,
) -> Result<Stream, RelayError> {
    let connecting = TcpStream::connect(address).await;
    let mut tcp = connecting.map_err(RelayError::TargetConnect)?;
    if let Some(version) = group.settings().proxy_protocol {
        let ends = proxy_protocol::Ends {
            source: ends.client,
            destination: ends.destination,
        };
        let mut header = Vec::new();
        version.write(&mut header, Some(&ends));
        let writing = tcp.write_all(&header).await;
        writing.map_err(RelayError::TargetConnect)?;
    }
    let secure = group.secure(&lease.address);
    let Some(Secure { connector, name }) = secure.map_err(RelayError::TargetTls)? else {
        return Ok(Stream::new(tcp));
    };
    // Boxed, so that plain connections do not keep room for it.
    let shaken = Box::pin(Stream::secure(tcp, connector.config(), name));
    shaken.await.map_err(RelayError::TargetTls)
}

fn retry_reason(error: &RelayError) -> RetryReason {
    match error {
        RelayError::TargetConnectTimeout => RetryReason::ConnectTimeout,
        RelayError::TargetUnhealthy | RelayError::FailedOver => RetryReason::TargetUnhealthy,
        _ => RetryReason::ConnectFailed,
    }
}
