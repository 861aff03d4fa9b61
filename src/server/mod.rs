//! Workers, sockets, connections, drain: how clients reach the proxy, and how they are let go.
//!
//! Look at [`Server`]: [`Server::prepare`] binds what a snapshot needs and may fail without a
//! trace; [`Server::commit`] makes it so and cannot fail; [`Server::shutdown`] ends it all.
//! What is said on a connection is [`crate::proxy`]'s question, or [`crate::relay`]'s.

mod accept;
mod addresses;
mod connection;
mod connection_log;
mod datagrams;
mod farewell;
mod handshake;
mod introduction;
mod newcomer;
mod quic;
mod sockets;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::info;

use crate::access_log::LogBuffer;
use crate::metrics::Metrics;
use crate::net;
use crate::proxy::Proxy;
use crate::relay::Relay;
use crate::snapshot::{Entrance, EntranceKey, Shared, Snapshot};

pub use addresses::{Addresses, Bound};
use datagrams::{Datagrams, Sharing};
use sockets::Inherited;
pub use sockets::{Bequest, Left, SocketRecord};
use worker::{Command, Ending, Worker};

/// All workers, and the addresses on which they listen.
#[derive(Debug)]
pub struct Server {
    workers: Vec<Worker>,
    spots: BTreeMap<Spot, Place>,
    /// Not opened by this process, and not wanted by a listener yet.
    inherited: Vec<Inherited>,
    /// What workers are told when the server opens; none once it has.
    waiting: Option<Vec<(usize, Command)>>,
    addresses: Addresses,
    /// Resolve when sockets that workers were told to close are closed.
    closing: Vec<oneshot::Receiver<()>>,
}

/// How long a reload waits for a worker to close the sockets that the last one took away.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// Sockets that listen and that nobody accepts from yet. Dropping it closes them.
#[derive(Debug)]
pub struct Prepared {
    opened: Vec<(Spot, Place, Vec<Dealt>)>,
    kept: BTreeMap<Spot, EntranceKey>,
}

/// Why the server could not start, or an address not be bound.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A worker's thread or runtime could not be made.
    #[error("worker {number} cannot start")]
    Worker {
        /// Which one, from 1.
        number: usize,
        /// The system's answer.
        source: io::Error,
    },
    /// The address belongs to somebody else.
    #[error(
        "cannot listen on {address} for load balancer {load_balancer:?}: the address is in use \
         (by another process, perhaps another Elbow; `ss -ltnp` names it). Stop that one, or \
         choose another port"
    )]
    InUse {
        /// Who wants it.
        load_balancer: Arc<str>,
        /// What it wants.
        address: SocketAddr,
    },
    /// The system refuses the address.
    #[error(
        "cannot listen on {address} for load balancer {load_balancer:?}: {}",
        advice(source)
    )]
    Listen {
        /// Who wants it.
        load_balancer: Arc<str>,
        /// What it wants.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
}

/// Identifies a listening socket over reloads. A load balancer that is renamed keeps its sockets;
/// port 0 is another port each time, so there its name belongs to the identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Spot {
    address: SocketAddr,
    owner: Option<Arc<str>>,
    transport: Transport,
}

/// What a socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Transport {
    Tcp,
    /// QUIC over UDP.
    Quic,
}

/// A socket for one worker.
#[derive(Debug)]
enum Socket {
    Tcp(std::net::TcpListener),
    Quic(Datagrams),
}

/// Where the server listens, with copies of the sockets: for the process that takes over from this one.
#[derive(Debug)]
struct Place {
    bound: Bound,
    kept: Vec<Kept>,
}

/// A socket, and the worker that is to accept from it.
#[derive(Debug)]
struct Dealt {
    worker: usize,
    socket: Socket,
}

/// A copy of a worker's socket.
#[derive(Debug)]
enum Kept {
    Tcp(std::net::TcpListener),
    Quic(std::net::UdpSocket, Arc<Sharing>),
}

impl Spot {
    fn new(key: &EntranceKey, transport: Transport) -> Self {
        Self {
            address: key.address,
            owner: (key.address.port() == 0).then(|| Arc::clone(&key.load_balancer)),
            transport,
        }
    }
}

impl Server {
    /// Starts the workers; they have nothing to listen on yet. `serve` is called once for
    /// each, and gives what serves its connections.
    ///
    /// # Errors
    ///
    /// [`ServerError::Worker`].
    pub fn start(
        workers: NonZeroUsize,
        shared: &Arc<Shared>,
        metrics: &Metrics,
        mut serve: impl FnMut() -> (Arc<Proxy>, Arc<Relay>, LogBuffer),
    ) -> Result<Self, ServerError> {
        let workers = (1..=workers.get())
            .map(|number| {
                Worker::start(number, Arc::clone(shared), metrics.server.clone(), serve())
                    .map_err(|source| ServerError::Worker { number, source })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            workers,
            spots: BTreeMap::new(),
            inherited: Vec::new(),
            waiting: None,
            addresses: Addresses::default(),
            closing: Vec::new(),
        })
    }

    /// Where the server listens, kept up to date over reloads.
    pub fn addresses(&self) -> Addresses {
        self.addresses.clone()
    }

    /// From now on nothing accepts before [`Server::open`].
    pub fn hold(&mut self) {
        self.waiting.get_or_insert_default();
    }

    /// Begins to accept.
    pub fn open(&mut self) {
        for (worker, command) in self.waiting.take().unwrap_or_default() {
            self.workers[worker].tell(command);
        }
    }

    /// Binds the addresses of `snapshot` that are new, one socket for each worker, once those that
    /// were given up before are free: one of them may be wanted again.
    ///
    /// # Errors
    ///
    /// The first address that cannot be bound; everything is as it was before.
    pub async fn prepare(&mut self, snapshot: &Snapshot) -> Result<Prepared, ServerError> {
        let until = Instant::now() + CLOSED_WITHIN;
        for closed in self.closing.drain(..) {
            // A worker that has gone answers at once, with an error: its sockets went with it.
            let _ = tokio::time::timeout_at(until, closed).await;
        }
        let mut prepared = Prepared {
            opened: Vec::new(),
            kept: BTreeMap::new(),
        };
        for (key, entrance) in &snapshot.entrances {
            let address = self.prepare_tcp(key, entrance, &mut prepared)?;
            if entrance.listener.http3 {
                self.prepare_quic(key, entrance, address, &mut prepared)?;
            }
        }
        Ok(prepared)
    }

    /// Returns where the entrance listens.
    fn prepare_tcp(
        &mut self,
        key: &EntranceKey,
        entrance: &Entrance,
        prepared: &mut Prepared,
    ) -> Result<SocketAddr, ServerError> {
        let spot = Spot::new(key, Transport::Tcp);
        if let Some(place) = self.spots.get(&spot) {
            prepared.kept.insert(spot, key.clone());
            return Ok(place.bound.address);
        }
        if let Some((address, sockets)) = self.inherited(&spot) {
            self.prepared(spot, (key, entrance, address), sockets, prepared)?;
            return Ok(address);
        }
        let listen = match self.listens_around(key.address) {
            true => net::listen_beside_own,
            false => net::listen,
        };
        let sockets =
            listen(key.address, self.workers.len()).map_err(|source| refused(key, source))?;
        let address = sockets
            .first()
            .map_or(Ok(key.address), std::net::TcpListener::local_addr)
            .map_err(|source| refused(key, source))?;
        let sockets = sockets.into_iter().map(Socket::Tcp).collect();
        self.prepared(spot, (key, entrance, address), sockets, prepared)?;
        Ok(address)
    }

    /// Notes sockets that nobody accepts from yet.
    fn prepared(
        &self,
        spot: Spot,
        (key, entrance, address): (&EntranceKey, &Entrance, SocketAddr),
        sockets: Vec<Socket>,
        prepared: &mut Prepared,
    ) -> Result<(), ServerError> {
        let (kept, dealt) = self.deal(sockets).map_err(|source| refused(key, source))?;
        let bound = Bound::new(key, entrance, address);
        prepared.opened.push((spot, Place { bound, kept }, dealt));
        Ok(())
    }

    /// QUIC uses the port of UDP with the number that the entrance has in TCP.
    fn prepare_quic(
        &mut self,
        key: &EntranceKey,
        entrance: &Entrance,
        address: SocketAddr,
        prepared: &mut Prepared,
    ) -> Result<(), ServerError> {
        let spot = Spot::new(key, Transport::Quic);
        if self.spots.contains_key(&spot) {
            prepared.kept.insert(spot, key.clone());
            return Ok(());
        }
        if let Some((address, sockets)) = self.inherited(&spot) {
            return self.prepared(spot, (key, entrance, address), sockets, prepared);
        }
        let sockets = net::listen_udp(address, self.workers.len());
        let sockets = sockets.map_err(|source| refused(key, source))?;
        let own = |socket| Socket::Quic(Datagrams::new(socket, Vec::new()));
        let sockets = sockets.into_iter().map(own).collect();
        self.prepared(spot, (key, entrance, address), sockets, prepared)
    }

    /// Whether a socket of this server has the port already: on all addresses, or on one while
    /// `address` is all of them. The configuration wants one or the other, so that one is about to
    /// be closed.
    fn listens_around(&self, address: SocketAddr) -> bool {
        let all = |address: SocketAddr| address.ip().is_unspecified();
        let tcp = |spot: &&Spot| spot.transport == Transport::Tcp;
        self.spots.keys().filter(tcp).any(|spot| {
            spot.address.port() == address.port() && (all(spot.address) || all(address))
        })
    }

    /// Starts accepting on the new sockets and closes those that the snapshot does not name any
    /// more: connections that wait in their queues are closed, those that are open finish the
    /// request in flight. Call it after the snapshot was published.
    pub fn commit(&mut self, prepared: Prepared) {
        let mut current: BTreeSet<Spot> = BTreeSet::new();
        for (spot, key) in prepared.kept {
            if let Some(place) = self.spots.get_mut(&spot) {
                place.bound.entrance = key;
            }
            current.insert(spot);
        }
        for (spot, place, sockets) in prepared.opened {
            let bound = &place.bound;
            for Dealt { worker, socket } in sockets {
                let command = Command::Listen {
                    spot: spot.clone(),
                    entrance: bound.entrance.clone(),
                    socket,
                };
                match &mut self.waiting {
                    Some(waiting) => waiting.push((worker, command)),
                    None => self.workers[worker].tell(command),
                }
            }
            info!(
                load_balancer = %bound.entrance.load_balancer,
                zone = bound.zone.as_ref().map(tracing::field::display),
                address = %bound.address,
                quic = (spot.transport == Transport::Quic).then_some(true),
                "listening"
            );
            current.insert(spot.clone());
            self.spots.insert(spot, place);
        }
        self.spots.retain(|spot, Place { bound, .. }| {
            let stays = current.contains(spot);
            if !stays {
                info!(
                    load_balancer = %bound.entrance.load_balancer,
                    address = %bound.address,
                    "not listening any more"
                );
                let closing = self.workers.iter().map(|worker| worker.close(spot));
                self.closing.extend(closing);
            }
            stays
        });
        let tcp = |(spot, _): &(&Spot, &Place)| spot.transport == Transport::Tcp;
        let bound = self
            .spots
            .iter()
            .filter(tcp)
            .map(|(_, place)| place.bound.clone());
        self.addresses.replace(bound);
    }

    /// Closes all listeners, lets requests in flight finish, closes idle connections at once, and
    /// ends the workers. What is still open at the deadline is cut. Returns how many connections
    /// that were.
    pub async fn shutdown(self, deadline: Duration) -> usize {
        self.end(Ending::Close, deadline).await
    }

    /// The same when another process accepts from the same sockets: what waits in their queues is
    /// left to it, and each connection, also an idle one, ends with its next answer.
    pub async fn retire(self, deadline: Duration) -> usize {
        self.end(Ending::HandOver, deadline).await
    }

    async fn end(self, ending: Ending, deadline: Duration) -> usize {
        let until = Instant::now() + deadline;
        self.addresses.replace([]);
        // The copies go first: a socket is closed when the last one is.
        drop(self.spots);
        let done: Vec<_> = self.workers.iter().map(|it| it.drain(ending)).collect();
        for done in done {
            // A worker that has gone answers at once, with an error: it has nothing to finish.
            let _ = tokio::time::timeout_at(until, done).await;
        }
        self.workers.into_iter().map(Worker::stop).sum()
    }
}

fn refused(key: &EntranceKey, source: io::Error) -> ServerError {
    let load_balancer = Arc::clone(&key.load_balancer);
    let address = key.address;
    match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::InUse {
            load_balancer,
            address,
        },
        _ => ServerError::Listen {
            load_balancer,
            address,
            source,
        },
    }
}

/// What an operator can do about it.
fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "{error}. Ports below 1024 need the capability CAP_NET_BIND_SERVICE (`setcap \
             cap_net_bind_service=+ep elbow`, or AmbientCapabilities= in a systemd unit)"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "{error}. No interface of this machine has that address (`ip address add` gives it \
             one); a node's address must be the machine's own"
        ),
        _ => error.to_string(),
    }
}
