//! Targets that do what a test scripts.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::{Message, Wire};

type Serve = dyn Fn(TcpStream, usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// A target on a socket of its own; ends with the test.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    serve: Arc<Serve>,
    seen: Arc<Seen>,
    accepting: Option<JoinHandle<()>>,
}

/// What a target has seen.
#[derive(Default)]
pub(crate) struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<Message>>,
}

impl Seen {
    pub(crate) fn note(&self, request: Message) {
        self.requests.lock().push(request);
    }
}

impl Target {
    /// Runs `serve` for each connection; the first has number 0.
    pub(crate) async fn raw<F>(
        serve: impl Fn(TcpStream, usize) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::begin(
            Arc::default(),
            Arc::new(move |stream, number| Box::pin(serve(stream, number))),
        )
    }

    /// Reads each connection's requests, records them, and lets `serve` answer: it gets the
    /// connection, the request, and the request's number on this connection, from 0. Returns
    /// whether the connection goes on.
    pub(crate) async fn scripted<F>(
        serve: impl Fn(Wire, Message, usize) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<Wire>> + Send + 'static,
    {
        let seen = Arc::<Seen>::default();
        let noted = Arc::clone(&seen);
        let serve = Arc::new(serve);
        let connection = move |stream, _| {
            let (serve, noted) = (Arc::clone(&serve), Arc::clone(&noted));
            let task = async move {
                let mut wire = Wire::new(stream);
                let mut number = 0;
                while let Some(request) = wire.request().await {
                    noted.note(request.clone());
                    match serve(wire, request, number).await {
                        Some(open) => wire = open,
                        None => return,
                    }
                    number += 1;
                }
            };
            Box::pin(task) as Pin<Box<dyn Future<Output = ()> + Send>>
        };
        Self::begin(seen, Arc::new(connection))
    }

    /// Answers each request with these bytes, and records it.
    pub(crate) async fn answering(response: impl AsRef<[u8]>) -> Self {
        let response: Arc<[u8]> = response.as_ref().into();
        Self::scripted(move |mut wire, _, _| {
            let response = Arc::clone(&response);
            async move { wire.try_send(&response).await.ok().map(|()| wire) }
        })
        .await
    }

    /// Answers 200 with `text`.
    pub(crate) async fn saying(text: &str) -> Self {
        let length = text.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}");
        Self::answering(head).await
    }

    /// Answers 200 with the body of the request, in chunks if that came in chunks.
    pub(crate) async fn echoing() -> Self {
        Self::scripted(|mut wire, request, _| async move {
            let length = request.body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            wire.try_send(head.as_bytes()).await.ok()?;
            wire.try_send(&request.body).await.ok().map(|()| wire)
        })
        .await
    }

    /// Answers 200 and `ok`; requests for a path that begins with `held` only while the gate is
    /// open.
    pub(crate) async fn holding(held: &'static str, gate: &Arc<Semaphore>) -> Self {
        let gate = Arc::clone(gate);
        Self::scripted(move |mut wire, request, _| {
            let gate = Arc::clone(&gate);
            async move {
                let path = request.start_line().split(' ').nth(1)?;
                if path.starts_with(held) {
                    let _open = gate.acquire().await.ok()?;
                }
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                wire.try_send(answer).await.ok().map(|()| wire)
            }
        })
        .await
    }

    fn begin(seen: Arc<Seen>, serve: Arc<Serve>) -> Self {
        let listener = listen(([127, 0, 0, 1], 0).into());
        let mut target = Self {
            address: listener.local_addr().unwrap(),
            serve,
            seen,
            accepting: None,
        };
        target.accept(listener);
        target
    }

    fn accept(&mut self, listener: TcpListener) {
        let (serve, seen) = (Arc::clone(&self.serve), Arc::clone(&self.seen));
        self.accepting = Some(tokio::spawn(async move {
            // Ends with this task: a target that stops takes its connections with it.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = seen.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream, number));
                while connections.try_join_next().is_some() {}
            }
        }));
    }

    /// Stops at once: the port refuses, open connections are closed.
    pub(crate) async fn stop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
    }

    /// Listens again on the same port.
    pub(crate) async fn start_again(&mut self) {
        self.stop().await;
        let listener = listen(self.address);
        self.accept(listener);
    }

    /// Listens again on the same port of another address, as a container that was started anew.
    pub(crate) async fn start_again_at(&mut self, address: IpAddr) {
        self.stop().await;
        self.address.set_ip(address);
        self.start_again().await;
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The requests that came, in order.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.seen.requests.lock().clone()
    }

    /// The only request that came.
    pub(crate) fn request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// The `targets` line of a group with just this target.
    pub(crate) fn line(&self) -> String {
        targets(&[self])
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
    }
}

/// The `targets` line of a group with these targets.
pub(crate) fn targets(targets: &[&Target]) -> String {
    let entries: Vec<String> = targets
        .iter()
        .map(|target| format!("{{ address = \"{}\" }}", target.address))
        .collect();
    format!("targets = [{}]", entries.join(", "))
}

/// With SO_REUSEADDR, so that a target can come back on its port.
fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(1024).unwrap()
}
