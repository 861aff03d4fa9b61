//! A target that speaks HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Connection, SendResponse};
use http::{HeaderMap, Request, Response};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A target on a socket of its own; ends with the test.
pub(crate) struct Http2Target {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    accepting: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<(http::request::Parts, Vec<u8>)>>,
}

/// One request with its body, and where the response goes.
pub(crate) struct Exchange {
    pub(crate) parts: http::request::Parts,
    pub(crate) body: Vec<u8>,
    pub(crate) respond: SendResponse<Bytes>,
}

impl Exchange {
    /// Answers with this status, text and trailers.
    pub(crate) fn answer(mut self, status: u16, text: &str, trailers: Option<HeaderMap>) {
        let response = Response::builder().status(status).body(()).unwrap();
        let Ok(mut stream) = self.respond.send_response(response, false) else {
            return;
        };
        let _ = stream.send_data(Bytes::copy_from_slice(text.as_bytes()), trailers.is_none());
        if let Some(trailers) = trailers {
            let _ = stream.send_trailers(trailers);
        }
    }
}

impl Http2Target {
    /// Reads each request to its end, records it, and lets `serve` answer, in a task of its own.
    pub(crate) async fn scripted<F>(serve: impl Fn(Exchange) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let serve = Arc::new(serve);
        Self::raw(move |mut connection, seen: Seeing| {
            let serve = Arc::clone(&serve);
            async move {
                while let Some(Ok((request, respond))) = connection.accept().await {
                    let (serve, seen) = (Arc::clone(&serve), seen.clone());
                    tokio::spawn(async move {
                        let (parts, body) = whole(request).await;
                        seen.note(&parts, &body);
                        let exchange = Exchange {
                            parts,
                            body,
                            respond,
                        };
                        serve(exchange).await;
                    });
                }
            }
        })
        .await
    }

    /// Runs `serve` for each connection.
    pub(crate) async fn raw<F>(
        serve: impl Fn(Connection<TcpStream, Bytes>, Seeing) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let noted = Seeing(Arc::clone(&seen));
        let serve = Arc::new(serve);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                noted.0.connections.fetch_add(1, Ordering::SeqCst);
                let (serve, noted) = (Arc::clone(&serve), noted.clone());
                connections.spawn(async move {
                    let mut builder = h2::server::Builder::new();
                    builder.enable_connect_protocol();
                    if let Ok(connection) = builder.handshake(stream).await {
                        serve(connection, noted).await;
                    }
                });
            }
        });
        Self {
            address,
            seen,
            accepting,
        }
    }

    pub(crate) async fn saying(text: &'static str) -> Self {
        Self::scripted(move |exchange| async move { exchange.answer(200, text, None) }).await
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The requests that came, with their bodies.
    pub(crate) fn requests(&self) -> Vec<(http::request::Parts, Vec<u8>)> {
        self.seen.requests.lock().clone()
    }
}

impl Drop for Http2Target {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Where a target notes what it sees.
#[derive(Clone)]
pub(crate) struct Seeing(Arc<Seen>);

impl Seeing {
    pub(crate) fn note(&self, parts: &http::request::Parts, body: &[u8]) {
        self.0.requests.lock().push((parts.clone(), body.to_vec()));
    }
}

/// Reads a request to its end.
pub(crate) async fn whole(request: Request<RecvStream>) -> (http::request::Parts, Vec<u8>) {
    let (parts, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(data)) = stream.data().await {
        let _ = stream.flow_control().release_capacity(data.len());
        body.extend_from_slice(&data);
    }
    (parts, body)
}
