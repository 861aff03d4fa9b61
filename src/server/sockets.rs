//! Sockets that this process did not open itself: those of the process that it takes over from, or of
//! systemd (socket activation); and what is passed on when another process takes over from this one.
//!
//! There may be more or fewer of them on an address than workers. A worker then accepts from several,
//! or several accept from one: the kernel gives no client up either way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use socket2::SockRef;

use super::datagrams::{Datagrams, Elder, Sharing};
use super::{Dealt, Kept, Server, Socket, Spot, Transport};

/// What one process tells the next about the sockets on one address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SocketRecord {
    /// The address as configured; its port may be 0.
    address: SocketAddr,
    /// Whose they are, where the port is 0.
    owner: Option<String>,
    quic: bool,
    /// Where they listen.
    bound: SocketAddr,
    /// One for each socket: the keys of the processes that still have QUIC connections there.
    elders: Vec<Vec<u64>>,
}

/// All listening sockets, to be sent to another process.
#[derive(Debug)]
pub struct Bequest {
    /// What they are.
    pub records: Vec<SocketRecord>,
    /// The sockets, each followed by the channels of its elders, in the order of the records.
    pub sockets: Vec<OwnedFd>,
    channels: Vec<(Arc<Sharing>, UnixDatagram)>,
}

/// The datagrams that another process reads now.
#[derive(Debug)]
pub struct Left(Vec<Arc<Sharing>>);

/// Sockets that wait for a listener that wants them. Dropping them closes them.
#[derive(Debug)]
pub(super) struct Inherited {
    spot: Spot,
    bound: SocketAddr,
    sockets: Vec<Socket>,
}

impl Bequest {
    /// Leaves all datagrams to the other process, which passes on what belongs to connections of this
    /// one. Call it within a tokio runtime, just before the other process begins to read.
    ///
    /// # Errors
    ///
    /// What the system says; nothing is left then.
    pub fn leave(self) -> io::Result<Left> {
        let mut left = Left(Vec::new());
        for (sharing, channel) in self.channels {
            if let Err(error) = sharing.leave(channel) {
                left.resume();
                return Err(error);
            }
            left.0.push(sharing);
        }
        Ok(left)
    }
}

impl Left {
    /// Reads them again: the other process has failed.
    pub fn resume(&self) {
        self.0.iter().for_each(|sharing| sharing.resume());
    }
}

impl Server {
    /// Copies of all listening sockets, for another process to accept from.
    ///
    /// # Errors
    ///
    /// There can be no more open files.
    pub fn bequeath(&self) -> io::Result<Bequest> {
        let mut bequest = Bequest {
            records: Vec::new(),
            sockets: Vec::new(),
            channels: Vec::new(),
        };
        for (spot, place) in &self.spots {
            let mut keys = Vec::new();
            for kept in &place.kept {
                let elders = match kept {
                    Kept::Tcp(socket) => {
                        bequest.sockets.push(socket.try_clone()?.into());
                        Vec::new()
                    }
                    Kept::Quic(socket, sharing) => {
                        bequest.sockets.push(socket.try_clone()?.into());
                        let (channel, elders) = sharing.elders()?;
                        bequest.channels.push((Arc::clone(sharing), channel));
                        elders
                    }
                };
                keys.push(elders.iter().map(|elder| elder.key).collect());
                let channels = elders.into_iter().map(|elder| elder.channel.into());
                bequest.sockets.extend(channels);
            }
            bequest.records.push(SocketRecord {
                address: spot.address,
                owner: spot.owner.as_ref().map(ToString::to_string),
                quic: spot.transport == Transport::Quic,
                bound: place.bound.address,
                elders: keys,
            });
        }
        Ok(bequest)
    }

    /// Takes what another process has passed on, for the listeners that will want it.
    ///
    /// # Errors
    ///
    /// What came is not what the records say.
    pub fn inherit(
        &mut self,
        records: Vec<SocketRecord>,
        sockets: impl IntoIterator<Item = OwnedFd>,
    ) -> io::Result<()> {
        let missing = || io::Error::other("a socket that was announced has not come");
        let mut sockets = sockets.into_iter();
        for record in records {
            let mut inherited = Inherited {
                spot: Spot {
                    address: record.address,
                    owner: record.owner.map(Arc::from),
                    transport: match record.quic {
                        true => Transport::Quic,
                        false => Transport::Tcp,
                    },
                },
                bound: record.bound,
                sockets: Vec::new(),
            };
            for keys in record.elders {
                let socket = sockets.next().ok_or_else(missing)?;
                let mut elders = Vec::new();
                for key in keys {
                    let channel = UnixDatagram::from(sockets.next().ok_or_else(missing)?);
                    elders.push(Elder { key, channel });
                }
                inherited.sockets.push(match record.quic {
                    true => Socket::Quic(Datagrams::new(UdpSocket::from(socket), elders)),
                    false => Socket::Tcp(TcpListener::from(socket)),
                });
            }
            self.inherited.push(inherited);
        }
        Ok(())
    }

    /// Takes listening sockets that whoever started this process has opened.
    ///
    /// # Errors
    ///
    /// One of them cannot be used.
    pub fn given(&mut self, tcp: Vec<TcpListener>, udp: Vec<UdpSocket>) -> io::Result<()> {
        for socket in tcp {
            socket.set_nonblocking(true)?;
            SockRef::from(&socket).set_tcp_nodelay(true)?;
            let bound = socket.local_addr()?;
            self.give(bound, Transport::Tcp, Socket::Tcp(socket));
        }
        for socket in udp {
            socket.set_nonblocking(true)?;
            let bound = socket.local_addr()?;
            let socket = Socket::Quic(Datagrams::new(socket, Vec::new()));
            self.give(bound, Transport::Quic, socket);
        }
        Ok(())
    }

    fn give(&mut self, address: SocketAddr, transport: Transport, socket: Socket) {
        let spot = Spot {
            address,
            owner: None,
            transport,
        };
        if let Some(same) = self.inherited.iter_mut().find(|it| it.spot == spot) {
            return same.sockets.push(socket);
        }
        self.inherited.push(Inherited {
            spot,
            bound: address,
            sockets: vec![socket],
        });
    }

    /// The addresses of inherited sockets that no listener has wanted; they are closed. Call it when
    /// the first configuration is in force.
    pub fn unwanted(&mut self) -> Vec<(SocketAddr, &'static str)> {
        let unwanted = self.inherited.drain(..).map(|it| {
            let transport = match it.spot.transport {
                Transport::Tcp => "TCP",
                Transport::Quic => "UDP",
            };
            (it.bound, transport)
        });
        unwanted.collect()
    }

    /// The inherited sockets for a spot, and where they listen. One on `[::]` that takes IPv4, too, does
    /// for `0.0.0.0`.
    pub(super) fn inherited(&mut self, spot: &Spot) -> Option<(SocketAddr, Vec<Socket>)> {
        let exact = self.inherited.iter().position(|it| it.spot == *spot);
        let wide = || {
            let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            let mut found = self.inherited.iter();
            found.position(|it| {
                spot.address.ip() == any
                    && it.spot.address.ip() == Ipv6Addr::UNSPECIFIED
                    && it.spot.address.port() == spot.address.port()
                    && it.spot.transport == spot.transport
                    && it.sockets.iter().all(takes_ipv4)
            })
        };
        let found = exact.or_else(wide)?;
        let Inherited { bound, sockets, .. } = self.inherited.swap_remove(found);
        Some((bound, sockets))
    }

    /// Deals sockets out to the workers, and keeps copies to be passed on.
    pub(super) fn deal(&self, sockets: Vec<Socket>) -> io::Result<(Vec<Kept>, Vec<Dealt>)> {
        let workers = self.workers.len();
        let kept: io::Result<Vec<Kept>> = sockets.iter().map(Socket::kept).collect();
        let kept = kept?;
        let count = sockets.len();
        let mut dealt = Vec::with_capacity(count.max(workers));
        for (index, socket) in sockets.into_iter().enumerate() {
            let worker = index % workers;
            dealt.push(Dealt { worker, socket });
        }
        for worker in count..workers {
            // An endpoint of QUIC must have its socket for itself.
            if let Some(Kept::Tcp(socket)) = kept.get(worker % count.max(1)) {
                let socket = Socket::Tcp(socket.try_clone()?);
                dealt.push(Dealt { worker, socket });
            }
        }
        Ok((kept, dealt))
    }
}

impl Socket {
    fn kept(&self) -> io::Result<Kept> {
        Ok(match self {
            Self::Tcp(socket) => Kept::Tcp(socket.try_clone()?),
            Self::Quic(datagrams) => Kept::Quic(
                datagrams.socket.try_clone()?,
                Arc::clone(&datagrams.sharing),
            ),
        })
    }
}

fn takes_ipv4(socket: &Socket) -> bool {
    let only_v6 = match socket {
        Socket::Tcp(socket) => SockRef::from(socket).only_v6(),
        Socket::Quic(datagrams) => SockRef::from(&datagrams.socket).only_v6(),
    };
    only_v6.is_ok_and(|only| !only)
}
