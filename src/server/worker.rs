//! A worker: a thread with a runtime of its own, its sockets, and its proxy with the connections
//! to targets. Nothing on the path of a request leaves it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::access_log::LogBuffer;
use crate::metrics::ServerMetrics;
use crate::net::Drain;
use crate::proxy::Proxy;
use crate::relay::Relay;
use crate::snapshot::{EntranceKey, Shared};

use super::accept::Acceptor;
use super::connection_log::ConnectionLog;
use super::farewell::Farewell;
use super::handshake::Turns;
use super::{Socket, Spot};

/// The handle of a worker.
#[derive(Debug)]
pub(super) struct Worker {
    commands: mpsc::UnboundedSender<Command>,
    thread: thread::JoinHandle<()>,
    /// Connections still open when the thread ended.
    cut: Arc<AtomicUsize>,
}

/// What a worker is told.
#[derive(Debug)]
pub(super) enum Command {
    /// Accept from this socket.
    Listen {
        spot: Spot,
        entrance: EntranceKey,
        socket: Socket,
    },
    /// Close the socket, and say when it is closed; open connections finish the request in flight.
    Close {
        spot: Spot,
        closed: oneshot::Sender<()>,
    },
    /// Leave all sockets, and say when the last connection has ended.
    Drain {
        ending: Ending,
        done: oneshot::Sender<()>,
    },
}

/// How a worker leaves its sockets, and its connections go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The sockets are closed; a connection at rest closes at once.
    Close,
    /// Another process accepts from the same sockets, so what waits in their queues is left to it;
    /// each connection ends with its next answer.
    HandOver,
}

impl Worker {
    pub(super) fn start(
        number: usize,
        shared: Arc<Shared>,
        metrics: ServerMetrics,
        (proxy, relay, connection_log): (Arc<Proxy>, Arc<Relay>, LogBuffer),
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (commands, orders) = mpsc::unbounded_channel();
        let cut = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&cut);
        let thread = thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                let connections = TaskTracker::new();
                let acceptor = Acceptor {
                    shared,
                    metrics,
                    proxy,
                    relay,
                    connection_log: ConnectionLog(connection_log),
                    connections: connections.clone(),
                    turns: Turns::default(),
                    farewell: Farewell::default(),
                };
                let farewell = acceptor.farewell.clone();
                obey(&runtime, acceptor, orders);
                left.store(connections.len(), Ordering::Relaxed);
                runtime.block_on(farewell.say());
                // Dropping the runtime drops what is still open.
            })?;
        Ok(Self {
            commands,
            thread,
            cut,
        })
    }

    pub(super) fn tell(&self, command: Command) {
        // A worker that is gone has panicked, and has said so on standard error: its sockets are
        // closed with it, and the other workers carry on.
        let _ = self.commands.send(command);
    }

    /// Closes a socket. Resolves when it is closed.
    pub(super) fn close(&self, spot: &Spot) -> oneshot::Receiver<()> {
        let (closed, closing) = oneshot::channel();
        let spot = spot.clone();
        self.tell(Command::Close { spot, closed });
        closing
    }

    /// Resolves when the last connection of this worker has ended.
    pub(super) fn drain(&self, ending: Ending) -> oneshot::Receiver<()> {
        let (done, drained) = oneshot::channel();
        self.tell(Command::Drain { ending, done });
        drained
    }

    /// Ends the thread. Returns how many connections were cut.
    pub(super) fn stop(self) -> usize {
        drop(self.commands);
        if self.thread.join().is_err() {
            return 0;
        }
        self.cut.load(Ordering::Relaxed)
    }
}

struct Listening {
    /// The accept loop, which holds the socket.
    accepting: JoinHandle<()>,
    /// Ends the accept loop, and the connections that came by it.
    drain: Drain,
}

fn obey(runtime: &Runtime, acceptor: Acceptor, mut orders: mpsc::UnboundedReceiver<Command>) {
    let acceptor = Arc::new(acceptor);
    runtime.block_on(async {
        tokio::spawn(Arc::clone(&acceptor.proxy).tend());
        // More than one on a spot where there were more workers when the sockets were opened.
        let mut listening: HashMap<Spot, Vec<Listening>> = HashMap::new();
        while let Some(command) = orders.recv().await {
            match command {
                Command::Listen {
                    spot,
                    entrance,
                    socket,
                } => {
                    let drain = Drain::default();
                    // Tracked, so that a drain does not end before the queue is empty.
                    let (accepts, told) = (Arc::clone(&acceptor), drain.clone());
                    let accepting = match socket {
                        Socket::Tcp(socket) => acceptor
                            .connections
                            .spawn(accepts.accept(socket, entrance, told)),
                        Socket::Quic(socket) => acceptor
                            .connections
                            .spawn(accepts.accept_quic(socket, entrance, told)),
                    };
                    let sockets = listening.entry(spot).or_default();
                    sockets.push(Listening { accepting, drain });
                }
                Command::Close { spot, closed } => {
                    let sockets = listening.remove(&spot).unwrap_or_default();
                    for listening in &sockets {
                        listening.drain.close();
                    }
                    tokio::spawn(async move {
                        for listening in sockets {
                            let _ = listening.accepting.await;
                        }
                        let _ = closed.send(());
                    });
                }
                Command::Drain { ending, done } => {
                    for listening in listening.drain().flat_map(|(_, sockets)| sockets) {
                        match ending {
                            Ending::Close => listening.drain.close(),
                            Ending::HandOver => listening.drain.finish(),
                        }
                    }
                    acceptor.connections.close();
                    let connections = acceptor.connections.clone();
                    tokio::spawn(async move {
                        connections.wait().await;
                        let _ = done.send(());
                    });
                }
            }
        }
    });
}
