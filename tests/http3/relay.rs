//! A relay of datagrams between a client and the balancer, which holds back what a test wants held.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// What becomes of the datagrams of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// They go on.
    Open,
    /// They are kept, and go on when the way is opened.
    Held,
    /// They are lost; those of the client are noted, too.
    Lost,
}

/// Stands between one client and an address.
pub(crate) struct Relay {
    /// Where the client connects to.
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Debug)]
struct State {
    client: Option<SocketAddr>,
    /// To the balancer, and to the client.
    ways: [Way; 2],
    held: [Vec<Vec<u8>>; 2],
    lost: Vec<Vec<u8>>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Relay {
    /// To `address`; the first way is that of the client's datagrams.
    pub(crate) async fn to(address: SocketAddr, ways: [Way; 2]) -> Self {
        let near = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        let far = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        far.connect(address).await.unwrap();
        let state = Arc::new(Mutex::new(State {
            client: None,
            ways,
            held: Default::default(),
            lost: Vec::new(),
        }));
        Self {
            address: near.local_addr().unwrap(),
            tasks: [
                tokio::spawn(Self::forth(near.clone(), far.clone(), state.clone())),
                tokio::spawn(Self::back(near, far, state.clone())),
            ],
            state,
        }
    }

    async fn forth(near: Arc<UdpSocket>, far: Arc<UdpSocket>, state: Arc<Mutex<State>>) {
        let mut buffer = vec![0; 65_536];
        loop {
            let (length, client) = near.recv_from(&mut buffer).await.unwrap();
            let due = {
                let mut state = state.lock();
                state.client = Some(client);
                state.due(0, buffer[..length].to_vec())
            };
            for datagram in due {
                let _ = far.send(&datagram).await;
            }
        }
    }

    async fn back(near: Arc<UdpSocket>, far: Arc<UdpSocket>, state: Arc<Mutex<State>>) {
        let mut buffer = vec![0; 65_536];
        loop {
            // Fails once when the balancer has closed its socket.
            let Ok(length) = far.recv(&mut buffer).await else {
                continue;
            };
            let (due, client) = {
                let mut state = state.lock();
                let due = state.due(1, buffer[..length].to_vec());
                (due, state.client.unwrap())
            };
            for datagram in due {
                let _ = near.send_to(&datagram, client).await;
            }
        }
    }

    /// Changes both ways. What was held goes on with the next datagram of its way.
    pub(crate) fn turn(&self, ways: [Way; 2]) {
        self.state.lock().ways = ways;
    }

    /// What the client sent in vain, in order.
    pub(crate) fn lost(&self) -> Vec<Vec<u8>> {
        self.state.lock().lost.clone()
    }
}

impl State {
    /// What goes on now that a datagram has come.
    fn due(&mut self, way: usize, datagram: Vec<u8>) -> Vec<Vec<u8>> {
        match self.ways[way] {
            Way::Open => {
                let mut due = std::mem::take(&mut self.held[way]);
                due.push(datagram);
                due
            }
            Way::Held => {
                self.held[way].push(datagram);
                Vec::new()
            }
            Way::Lost => {
                if way == 0 {
                    self.lost.push(datagram);
                }
                Vec::new()
            }
        }
    }
}
