//! Connections to targets: made, kept, reused, closed before the target would close them.
//!
//! One pool a worker. A target that closes an idle connection just when a request is sent on it is
//! what makes other balancers answer 502; so a connection is closed before the time that its target
//! announced, looked at before it is used, and what nevertheless meets a dead one is sent again if
//! it safely can be (see `retry`). A request that cannot be repeated never takes a connection that
//! has rested for more than a moment, unless its target said how long it keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::destination::{Destination, Introduction};
use super::download::Reuse;
use super::ends::Ends;
use super::http2;
use super::wire::Wire;
use crate::metrics::{CloseReason, TargetMetrics};
use crate::net::Stream;
use crate::proxy_protocol::Version;
use crate::target::{TargetHealth, TargetState};

/// How many idle connections to one address a worker keeps.
const MOST: usize = 256;
/// How long a connection may have rested that carries a request which cannot be repeated, when its
/// target does not say how long it keeps it. No server is known to close sooner.
const MOMENT: Duration = Duration::from_secs(1);

/// A connection to a target, counted as open until it is dropped; or a stream of one that others use,
/// too.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) wire: Wire,
    /// Requests that it has served.
    pub(super) served: u32,
    metrics: Arc<TargetMetrics>,
    closed: CloseReason,
}

impl Connection {
    pub(super) fn new(stream: Stream, metrics: Arc<TargetMetrics>) -> Self {
        metrics.connections_opened.inc();
        metrics.connections.inc();
        Self {
            wire: Wire::Http1(stream),
            served: 0,
            metrics,
            closed: CloseReason::Broken,
        }
    }

    /// A stream of a connection that is counted elsewhere; `shared` if others have used it.
    pub(super) fn stream(
        stream: http2::Stream,
        shared: bool,
        metrics: &Arc<TargetMetrics>,
    ) -> Self {
        if shared {
            metrics.connections_reused.inc();
        }
        Self {
            wire: Wire::Http2(stream),
            served: shared.into(),
            metrics: Arc::clone(metrics),
            closed: CloseReason::Broken,
        }
    }

    /// The connection itself, if it carries one message after the other.
    fn own(&self) -> Option<&Stream> {
        match &self.wire {
            Wire::Http1(stream) => Some(stream),
            Wire::Http2(_) | Wire::Http3(_) => None,
        }
    }

    /// Closes it, for this reason.
    pub(super) fn close(mut self, reason: CloseReason) {
        self.closed = reason;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.own().is_some() {
            self.metrics.connections.dec();
            self.metrics.connection_closed(self.closed).inc();
        }
    }
}

/// A connection at rest.
#[derive(Debug)]
struct Idle {
    connection: Connection,
    /// Whose it is: a target that is deregistered may wait for its connections to end.
    target: Arc<TargetState>,
    since: Instant,
    /// When it is closed if nobody takes it, and why.
    expires: Instant,
    reason: CloseReason,
}

impl Idle {
    /// Why it is of no more use, if it is.
    fn ailment(&self, now: Instant) -> Option<CloseReason> {
        if self.target.health() == TargetHealth::Draining {
            Some(CloseReason::TargetGone)
        } else if now >= self.expires {
            Some(self.reason)
        } else if !self.connection.own().is_some_and(Stream::is_silent) {
            Some(CloseReason::TargetClosed)
        } else {
            None
        }
    }

    /// Whether a request that cannot be repeated may go on it.
    fn is_certain(&self, now: Instant) -> bool {
        let announced = self.reason == CloseReason::TargetTimeout;
        (announced || now - self.since < MOMENT)
            && self.connection.own().is_some_and(Stream::is_silent_now)
    }

    fn wake(self) -> Connection {
        self.connection.metrics.idle_connections.dec();
        self.connection
    }
}

/// The connections at rest of one worker. The lock is never contended: all that takes it runs on
/// the worker's own thread.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<BTreeMap<Destination, Vec<Idle>>>);

/// The stay of a client's connection; with it end the connections that were made in its name.
#[derive(Debug)]
pub(super) struct Visit<'p> {
    pool: &'p Pool,
    introductions: [Introduction; 2],
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        for introduction in &self.introductions {
            self.pool.leave(introduction);
        }
    }
}

impl Pool {
    /// Begins the stay of a client.
    pub(super) fn visit(&self, ends: &Ends) -> Visit<'_> {
        Visit {
            pool: self,
            introductions: [Version::V1, Version::V2]
                .map(|version| Introduction::new(version, ends)),
        }
    }

    /// Closes the connections at rest that began with the introduction of a client that has gone.
    fn leave(&self, introduction: &Introduction) {
        let mut pool = self.0.lock();
        let last = pool.last_key_value();
        if last.is_none_or(|(last, _)| last.introduction.is_none()) {
            return;
        }
        let own =
            |(found, _): &(&Destination, _)| found.introduction.as_ref() == Some(introduction);
        let first = introduction.clone().first();
        let gone: Vec<_> = pool
            .range(first..)
            .take_while(own)
            .map(|(key, _)| key.clone())
            .collect();
        for idle in gone.iter().filter_map(|key| pool.remove(key)).flatten() {
            idle.wake().close(CloseReason::ClientGone);
        }
    }

    /// A connection that is open as far as can be known; the one that rested least. With `certain`,
    /// one on which a request may go that cannot be repeated.
    pub(super) fn take(&self, to: &Destination, certain: bool) -> Option<Connection> {
        let mut pool = self.0.lock();
        let resting = pool.get_mut(to)?;
        let now = Instant::now();
        while let Some(idle) = resting.pop() {
            if let Some(reason) = idle.ailment(now) {
                idle.wake().close(reason);
            } else if certain && !idle.is_certain(now) {
                // The others have rested longer still.
                resting.push(idle);
                return None;
            } else {
                let connection = idle.wake();
                connection.metrics.connections_reused.inc();
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection to a target for the next request, at most for `rest` from `now` on, or as the target says.
    pub(super) fn put(
        &self,
        to: Destination,
        target: &Arc<TargetState>,
        connection: Connection,
        reuse: Reuse,
        (rest, now): (Duration, Instant),
    ) {
        if reuse.max == Some(0) {
            return connection.close(CloseReason::TargetMaximum);
        }
        let (rest, reason) = match reuse.timeout.map(before_the_target) {
            Some(announced) if announced < rest => (announced, CloseReason::TargetTimeout),
            _ => (rest, CloseReason::IdleTimeout),
        };
        if rest.is_zero() {
            return connection.close(reason);
        }
        let mut pool = self.0.lock();
        let resting = pool.entry(to).or_default();
        if resting.len() >= MOST {
            return connection.close(CloseReason::PoolFull);
        }
        connection.metrics.idle_connections.inc();
        resting.push(Idle {
            connection,
            target: Arc::clone(target),
            since: now,
            expires: now + rest,
            reason,
        });
    }

    /// Closes what has expired or was closed by its target.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.0.lock().retain(|_, resting| {
            let mut index = 0;
            while let Some(idle) = resting.get(index) {
                match idle.ailment(now) {
                    Some(reason) => resting.remove(index).wake().close(reason),
                    None => index += 1,
                }
            }
            !resting.is_empty()
        });
    }
}

/// When to close a connection that its target closes after so many seconds: a fifth earlier, and at
/// least one second.
fn before_the_target(seconds: u32) -> Duration {
    let announced = Duration::from_secs(seconds.into());
    announced.saturating_sub((announced / 5).max(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::net::SocketAddr;

    use prometheus::Registry;
    use tokio::net::TcpListener;

    use super::*;
    use crate::metrics::Metrics;

    const MINUTE: Duration = Duration::from_secs(60);
    const SILENT: Reuse = Reuse {
        timeout: None,
        max: None,
    };

    struct Peer {
        pool: Pool,
        address: SocketAddr,
        listener: TcpListener,
        metrics: Arc<TargetMetrics>,
        target: Arc<TargetState>,
    }

    impl Peer {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let metrics = Metrics::new(&Registry::new()).unwrap();
            Self {
                pool: Pool::default(),
                address: listener.local_addr().unwrap(),
                listener,
                metrics: Arc::clone(metrics.group("lb", "group", &[None]).zone(None)),
                target: Arc::new(TargetState::new(Arc::default())),
            }
        }

        async fn rest(&self, reuse: Reuse) -> tokio::net::TcpStream {
            let connect = Stream::connect(self.address);
            let (near, far) = tokio::join!(connect, self.listener.accept());
            let connection = Connection::new(near.unwrap(), Arc::clone(&self.metrics));
            self.put(connection, reuse);
            far.unwrap().0
        }

        fn destination(&self) -> Destination {
            Destination {
                secure: None,
                introduction: None,
                address: self.address,
            }
        }

        fn take(&self, certain: bool) -> Option<Connection> {
            self.pool.take(&self.destination(), certain)
        }

        fn put(&self, connection: Connection, reuse: Reuse) {
            self.put_to(self.destination(), connection, reuse);
        }

        fn put_to(&self, to: Destination, connection: Connection, reuse: Reuse) {
            self.pool.put(
                to,
                &self.target,
                connection,
                reuse,
                (MINUTE, Instant::now()),
            );
        }
    }

    #[tokio::test]
    async fn a_connection_is_used_again() {
        let peer = Peer::start().await;
        let _far = peer.rest(SILENT).await;
        assert_eq!(peer.metrics.idle_connections.get(), 1);
        assert!(peer.take(false).is_some());
        assert_eq!(peer.metrics.idle_connections.get(), 0);
        assert!(peer.take(false).is_none());
    }

    #[tokio::test]
    async fn a_connection_that_its_target_has_closed_is_not_handed_out() {
        let peer = Peer::start().await;
        drop(peer.rest(SILENT).await);
        let closed = peer.metrics.connection_closed(CloseReason::TargetClosed);
        let deadline = Instant::now() + MINUTE;
        while closed.get() == 0 {
            assert!(Instant::now() < deadline);
            tokio::task::yield_now().await;
            peer.pool.sweep();
        }
        assert!(peer.take(false).is_none());
    }

    #[tokio::test]
    async fn an_unrepeatable_request_gets_no_connection_that_the_kernel_knows_to_be_closed() {
        let peer = Peer::start().await;
        drop(peer.rest(SILENT).await);
        // The runtime has not looked at the socket since: only the kernel knows.
        assert!(peer.take(true).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_closed_before_its_target_would() {
        let peer = Peer::start().await;
        let five = Reuse {
            timeout: Some(5),
            max: Some(99),
        };
        let _far = peer.rest(five).await;
        tokio::time::advance(Duration::from_millis(3900)).await;
        let connection = peer.take(true).unwrap();
        peer.put(connection, five);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(peer.take(false).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_unrepeatable_request_gets_no_connection_that_rested_long() {
        let peer = Peer::start().await;
        let _far = peer.rest(SILENT).await;
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(peer.take(true).is_none());
        assert!(peer.take(false).is_some());
    }

    #[tokio::test]
    async fn a_target_that_is_deregistered_keeps_no_connection_at_rest() {
        let peer = Peer::start().await;
        let _far = peer.rest(SILENT).await;
        peer.pool.sweep();
        assert_eq!(peer.metrics.idle_connections.get(), 1);
        peer.target.drain(Instant::now(), MINUTE);
        peer.pool.sweep();
        assert_eq!(peer.metrics.idle_connections.get(), 0);
        let gone = peer.metrics.connection_closed(CloseReason::TargetGone);
        assert_eq!(gone.get(), 1);
    }

    #[tokio::test]
    async fn a_connection_that_takes_no_more_requests_is_closed() {
        let peer = Peer::start().await;
        let _far = peer
            .rest(Reuse {
                max: Some(0),
                ..SILENT
            })
            .await;
        assert!(peer.take(false).is_none());
    }

    #[tokio::test]
    async fn a_connection_that_names_a_client_serves_no_other_and_ends_with_it() {
        let peer = Peer::start().await;
        let client = |port| Ends::new(SocketAddr::from(([192, 0, 2, 7], port)), peer.address);
        let (first, second) = (client(1), client(2));
        let to = |ends| Destination::new(peer.address, Some(Version::V2), ends);
        let visits = [peer.pool.visit(&first), peer.pool.visit(&second)];
        let mut far = Vec::new();
        for to in [to(&first), to(&second), peer.destination()] {
            far.push(peer.rest(SILENT).await);
            let connection = peer.take(false).unwrap();
            peer.put_to(to, connection, SILENT);
        }
        let v1 = Destination::new(peer.address, Some(Version::V1), &first);
        assert!(peer.pool.take(&v1, false).is_none());
        let own = peer.pool.take(&to(&first), false).unwrap();
        assert!(peer.pool.take(&to(&first), false).is_none());
        peer.put_to(to(&first), own, SILENT);

        let [first_visit, _second_visit] = visits;
        drop(first_visit);
        let gone = peer.metrics.connection_closed(CloseReason::ClientGone);
        assert_eq!((gone.get(), peer.metrics.idle_connections.get()), (1, 2));
        assert!(peer.pool.take(&to(&first), false).is_none());
        assert!(peer.pool.take(&to(&second), false).is_some());
        assert!(peer.take(false).is_some());
    }
}
