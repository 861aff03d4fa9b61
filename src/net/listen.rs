//! Listening sockets, one for each worker on the same address.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// How many connections the kernel keeps for a worker that is busy. `net.core.somaxconn` caps it.
const BACKLOG: i32 = 4096;

/// Opens `count` listening sockets on one address: the kernel spreads new connections over them
/// (`SO_REUSEPORT`). With port 0 the system chooses one port for all of them.
///
/// The sockets are non-blocking, and what they accept sends small writes at once (`TCP_NODELAY`).
/// `[::]` accepts IPv4 as well.
///
/// # Errors
///
/// What `bind` or `listen` say; `AddrInUse` also when another process listens there with
/// `SO_REUSEPORT`. The kernel would let both share the port and send each a part of the clients,
/// which for two Elbows of one user is never meant. So the address is first tried without that
/// option. It is a guard against a mistake, not a lock: a rival that starts in the same instant
/// can slip through.
pub fn listen(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        drop(open(address, Sharing::Alone)?);
    }
    listen_beside_own(address, count)
}

/// Does the same without that guard, for a port on which this very process listens already: on all
/// addresses while `address` is one of them, or the other way round. The kernel sends a client to
/// the socket whose address is the more exact one.
///
/// # Errors
///
/// What `bind` or `listen` say.
pub fn listen_beside_own(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let mut sockets = Vec::with_capacity(count);
    let mut address = address;
    for _ in 0..count {
        let socket = open(address, Sharing::WithOtherWorkers)?;
        address = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Opens `count` sockets for datagrams on one address, for QUIC. The kernel spreads clients over them
/// by address and port.
///
/// # Errors
///
/// What `bind` says; `AddrInUse` also when another process has the port with `SO_REUSEPORT`.
pub fn listen_udp(address: SocketAddr, count: usize) -> io::Result<Vec<UdpSocket>> {
    drop(open_udp(address, Sharing::Alone)?);
    (0..count)
        .map(|_| open_udp(address, Sharing::WithOtherWorkers))
        .collect()
}

fn open_udp(address: SocketAddr, sharing: Sharing) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if sharing == Sharing::WithOtherWorkers {
        socket.set_reuse_port(true)?;
    }
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    WithOtherWorkers,
}

fn open(address: SocketAddr, sharing: Sharing) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a former process that are still in TIME_WAIT must not keep the port.
    socket.set_reuse_address(true)?;
    if sharing == Sharing::WithOtherWorkers {
        socket.set_reuse_port(true)?;
    }
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    // Linux hands this option on to accepted sockets: one system call less for each of them.
    SockRef::from(&socket).set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    fn loopback(port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    #[test]
    fn all_workers_listen_on_the_port_that_the_system_chose() {
        let sockets = listen(loopback(0), 3).unwrap();
        let ports: Vec<u16> = sockets
            .iter()
            .map(|socket| socket.local_addr().unwrap().port())
            .collect();
        assert_eq!(ports.len(), 3);
        assert_ne!(ports[0], 0);
        assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    }

    #[test]
    fn a_second_listener_on_the_port_is_an_error_although_the_kernel_would_share_it() {
        let first = listen(loopback(0), 2).unwrap();
        let address = first[0].local_addr().unwrap();
        let error = listen(address, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        listen(address, 1).unwrap();
    }

    #[test]
    fn all_ipv6_addresses_means_all_ipv4_addresses_too() {
        let sockets = listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)), 1).unwrap();
        let port = sockets[0].local_addr().unwrap().port();
        TcpStream::connect(loopback(port)).unwrap();
    }

    #[tokio::test]
    async fn accepted_sockets_send_small_writes_at_once() {
        let sockets = listen(loopback(0), 1).unwrap();
        let address = sockets[0].local_addr().unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let listener =
            tokio::net::TcpListener::from_std(sockets.into_iter().next().unwrap()).unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        assert!(accepted.nodelay().unwrap());
    }
}
