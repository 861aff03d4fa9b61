//! Sockets that the service manager has opened before it started the program (`sd_listen_fds(3)`).

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::{env, io};

use listenfd::ListenFd;
use socket2::SockRef;

/// Sockets that whoever started this process has opened.
#[derive(Debug, Default)]
pub struct Activation {
    /// Listening ones.
    pub tcp: Vec<TcpListener>,
    /// For datagrams.
    pub udp: Vec<UdpSocket>,
}

impl Activation {
    /// What the environment speaks of (`LISTEN_FDS`, `LISTEN_PID`). Call it once, before there are
    /// other threads: the variables are taken out, so that no child takes them for its own.
    ///
    /// # Errors
    ///
    /// One of them is no socket that a load balancer could listen on.
    pub fn from_environment() -> io::Result<Self> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut given = ListenFd::from_env();
        let mut activation = Self::default();
        for index in 0..given.len() {
            let name = names.next().filter(|name| !name.is_empty());
            let name = name.unwrap_or("without a name");
            let wrong = |reason: &str| {
                io::Error::other(format!(
                    "the service manager has passed a socket ({name}, number {index}) {reason}"
                ))
            };
            if let Ok(Some(socket)) = given.take_tcp_listener(index) {
                if !SockRef::from(&socket).is_listener().unwrap_or(false) {
                    return Err(wrong(
                        "that does not listen: a socket unit must not say Accept=yes",
                    ));
                }
                activation.tcp.push(socket);
            } else if let Ok(Some(socket)) = given.take_udp_socket(index) {
                activation.udp.push(socket);
            } else {
                return Err(wrong(
                    "that is for neither TCP nor UDP: write ListenStream= or ListenDatagram= with an \
                     address and a port",
                ));
            }
        }
        Ok(activation)
    }

    /// Takes the listening socket of an address out, if there is one.
    pub fn take(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let listens =
            |socket: &TcpListener| socket.local_addr().is_ok_and(|bound| bound == address);
        let index = self.tcp.iter().position(listens)?;
        Some(self.tcp.swap_remove(index))
    }
}
