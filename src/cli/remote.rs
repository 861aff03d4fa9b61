//! Asking a running daemon by its admin address.

use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A reload may have to wait for others; nothing else takes long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The daemon could not be asked.
#[derive(Debug, Error)]
pub(super) enum RemoteError {
    #[error("no daemon answers at {address} (does one run here? --admin names another address)")]
    Connect {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("the daemon at {address} did not answer within {} seconds", patience.as_secs())]
    Slow {
        address: SocketAddr,
        patience: Duration,
    },
    #[error("what answers at {address} is not an Elbow, or not of this version: {detail}")]
    Answer { address: SocketAddr, detail: String },
}

/// What it answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Sends one request without a body, and waits for the whole answer.
pub(super) fn ask(address: SocketAddr, method: Method, path: &str) -> Result<Answer, RemoteError> {
    ask_patiently(address, method, path, PATIENCE)
}

/// The same, when the answer takes its time.
pub(super) fn ask_patiently(
    address: SocketAddr,
    method: Method,
    path: &str,
    patience: Duration,
) -> Result<Answer, RemoteError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| RemoteError::Connect { address, source })?;
    runtime.block_on(async {
        match timeout(patience, exchange(address, method, path)).await {
            Ok(answer) => answer,
            Err(_) => Err(RemoteError::Slow { address, patience }),
        }
    })
}

/// What is in an answer.
pub(super) fn parse<T: serde::de::DeserializeOwned>(
    address: SocketAddr,
    answer: &Answer,
) -> Result<T, RemoteError> {
    serde_json::from_slice(&answer.body).map_err(|error| unexpected(address, error))
}

async fn exchange(address: SocketAddr, method: Method, path: &str) -> Result<Answer, RemoteError> {
    let wrong = |error| unexpected(address, error);
    let stream = TcpStream::connect(address)
        .await
        .map_err(|source| RemoteError::Connect { address, source })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(wrong)?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|error| unexpected(address, error))?;
    let response = sender.send_request(request).await.map_err(wrong)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(wrong)?;
    connection.abort();
    Ok(Answer {
        status,
        body: body.to_bytes(),
    })
}

fn unexpected(address: SocketAddr, detail: impl fmt::Display) -> RemoteError {
    RemoteError::Answer {
        address,
        detail: detail.to_string(),
    }
}
