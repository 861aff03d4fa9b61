//! The accept loop: one for each worker and listening socket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use crate::config::Service;
use crate::inbound::Transport;
use crate::metrics::ServerMetrics;
use crate::net::{Drain, Hush, Stream};
use crate::proxy::{self, Proxy};
use crate::relay::{self, Relay};
use crate::snapshot::{EntranceKey, Shared};

use super::connection::ConnectionGuard;
use super::connection_log::ConnectionLog;
use super::farewell::Farewell;
use super::handshake::{Turns, handshake};
use super::introduction;

/// The pause after an error that goes on until something else is closed (EMFILE, ENFILE, ENOBUFS,
/// ENOMEM). Without it the loop would spin: the socket stays readable.
const PAUSE: Duration = Duration::from_millis(50);

/// How long connections that were waiting in the queue of a closing socket may take to send their
/// first request. They could not know that the balancer is about to leave.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What a worker needs to turn an accepted socket into a served connection.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) shared: Arc<Shared>,
    pub(super) metrics: ServerMetrics,
    pub(super) proxy: Arc<Proxy>,
    pub(super) relay: Arc<Relay>,
    pub(super) connection_log: ConnectionLog,
    pub(super) connections: TaskTracker,
    pub(super) turns: Turns,
    pub(super) farewell: Farewell,
}

impl Acceptor {
    /// Accepts until `drain` asks for an end, then closes the socket. What waits in its queue is taken
    /// first where connections are to close, too; where they may rest on, another process accepts from
    /// the same queue.
    pub(super) async fn accept(
        self: Arc<Self>,
        socket: std::net::TcpListener,
        entrance: EntranceKey,
        drain: Drain,
    ) {
        let listener = match TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(error) => {
                error!(address = %entrance.address, %error, "cannot accept connections");
                return;
            }
        };
        let hush = Hush::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = drain.finishing() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => self.admit(stream, client, &entrance, &drain),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.metrics.accept_errors.inc();
                    report(&hush, &entrance, &error);
                    tokio::select! {
                        () = drain.finishing() => break,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
        if drain.is_closing() {
            self.take_the_rest(listener, &entrance);
        }
    }

    /// Serves the connection in a task of its own, or closes it when its peer is not let in, of whom no byte is read
    /// then, or when there are too many.
    fn admit(&self, stream: TcpStream, client: SocketAddr, entrance: &EntranceKey, drain: &Drain) {
        let snapshot = self.shared.load();
        let Some(entrance) = snapshot.entrance(entrance) else {
            // The listener has just been removed; dropping the stream closes the connection.
            return;
        };
        if !entrance.admits(client, Transport::Tcp) {
            return reset(&stream);
        }
        let Some(guard) = ConnectionGuard::open(entrance, &self.metrics) else {
            return;
        };
        let (proxy, relay) = (Arc::clone(&self.proxy), Arc::clone(&self.relay));
        let entrance = Arc::clone(entrance);
        let (drain, turns) = (drain.clone(), self.turns.clone());
        let log = self.connection_log.clone();
        // Made inside of the task: a future handed in would be kept in it twice.
        self.connections.spawn(async move {
            // Held as long as the connection is served, even if serving it panics: tokio ends that
            // task alone, and the guard counts it.
            let _guard = guard;
            let Some(ends) = introduction::ends(&stream, client, &entrance, &drain).await else {
                return;
            };
            let (stream, ends) = match &entrance.listener.tls {
                None if entrance.listener.is_secure => return,
                None => (Stream::new(stream), ends),
                // Boxed, so that plain connections do not keep room for it.
                Some(terminator) => {
                    let shaken = handshake(stream, terminator, &entrance, &turns, &drain);
                    match Box::pin(shaken).await {
                        Ok((stream, facts)) => (stream, ends.with_tls(facts)),
                        Err(failed) => {
                            if let Some(failed) = failed {
                                log.failed(&ends, &failed);
                            }
                            return;
                        }
                    }
                }
            };
            log.established(&ends);
            drop(log);
            match entrance.listener.service {
                Service::Http => {
                    let key = entrance.key.clone();
                    drop(entrance);
                    proxy.serve(stream, ends, key, drain).await;
                }
                Service::Relay(settings) => {
                    let ends = relayed(&ends);
                    relay.serve(stream, ends, entrance, settings, drain).await;
                }
            }
        });
    }

    /// Closing a socket resets the connections in its queue, which their clients believe to be
    /// open. So they are taken out first. One that arrives between the last accept and the close
    /// is lost; the kernel offers no way around that.
    fn take_the_rest(&self, listener: TcpListener, entrance: &EntranceKey) {
        let Ok(listener) = listener.into_std() else {
            return;
        };
        let drain = Drain::default();
        while let Ok((stream, client)) = listener.accept() {
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            if let Ok(stream) = TcpStream::from_std(stream) {
                self.admit(stream, client, entrance, &drain);
            }
        }
        tokio::spawn(async move {
            tokio::time::sleep(LAST_CALL).await;
            drain.close();
        });
    }
}

/// Refuses a connection that the kernel has accepted already: a reset says so at once, and leaves nothing behind that
/// would wait for the peer. (A security group of AWS's drops the peer's first packet, which only a firewall can do.)
fn reset(stream: &TcpStream) {
    // Fails when the peer has gone already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// The ends of a connection as the relay knows them.
fn relayed(ends: &proxy::Ends) -> relay::Ends {
    relay::Ends {
        client: ends.client(),
        node: ends.node(),
        destination: ends.destination(),
        tls: ends.tls().cloned(),
    }
}

/// Whether the error belongs to a connection that failed before it was accepted (`accept(2)`).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Tells the log that accepting fails, but not each time.
fn report(hush: &Hush, entrance: &EntranceKey, error: &io::Error) {
    if let Some(failures) = hush.speak(Instant::now()) {
        warn!(
            load_balancer = %entrance.load_balancer,
            address = %entrance.address,
            failures,
            %error,
            "connections cannot be accepted; if it says \"too many open files\", raise the limit \
             (`ulimit -n`, LimitNOFILE= in a systemd unit)"
        );
    }
}
