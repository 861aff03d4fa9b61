//! One request from headers in to last byte out.
//!
//! A placeholder: answers 503 and closes.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::snapshot::{EntranceKey, Shared};

/// What serves the connections of one worker.
#[derive(Debug)]
pub struct Proxy {
    _shared: Arc<Shared>,
}

impl Proxy {
    /// For one worker.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { _shared: shared }
    }

    /// Serves one client connection to its end. `drain` asks it to finish the request in flight
    /// and to close; an idle connection closes at once.
    pub async fn serve(
        self: Arc<Self>,
        mut stream: TcpStream,
        _client: SocketAddr,
        _local: SocketAddr,
        _entrance: EntranceKey,
        drain: CancellationToken,
    ) {
        let mut head = [0; 1024];
        tokio::select! {
            () = drain.cancelled() => return,
            _ = stream.read(&mut head) => {}
        }
        let answer =
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
    }
}
