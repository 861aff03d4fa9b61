//! A client that speaks HTTP/2, frame by frame if need be.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::SOON;

/// A connection that began with HTTP/2 (prior knowledge).
pub(crate) struct Http2Client {
    pub(crate) requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Http2Response {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Http2Response {
    pub(crate) fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Http2Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream).await
    }

    /// On a connection that has agreed on HTTP/2.
    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        Self {
            requests,
            connection: tokio::spawn(connection),
        }
    }

    /// Sends a head; with `ended` nothing follows.
    pub(crate) async fn send(
        &mut self,
        request: http::request::Builder,
        ended: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let mut ready = self.requests.clone().ready().await.unwrap();
        let request: Request<()> = request.body(()).unwrap();
        ready.send_request(request, ended).unwrap()
    }

    /// Sends a request without a body, and reads the response.
    pub(crate) async fn ask(&mut self, request: http::request::Builder) -> Http2Response {
        let (response, _) = self.send(request, true).await;
        read(soon(response).await.unwrap()).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Http2Response {
        self.ask(Request::get(format!("http://site.test{path}")))
            .await
    }

    /// Sends a request with this body, and reads the response.
    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> Http2Response {
        let request = Request::post(format!("http://site.test{path}"));
        let (response, mut sending) = self.send(request, false).await;
        let body = Bytes::copy_from_slice(body);
        sending.send_data(body, true).unwrap();
        read(soon(response).await.unwrap()).await
    }

    /// How the connection ended.
    pub(crate) async fn ended(self) -> Result<(), h2::Error> {
        drop(self.requests);
        soon(self.connection).await.unwrap()
    }
}

/// Reads a response to its end.
pub(crate) async fn read(response: Response<RecvStream>) -> Http2Response {
    let (head, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(data) = soon(stream.data()).await {
        let data = data.unwrap();
        stream.flow_control().release_capacity(data.len()).unwrap();
        body.extend_from_slice(&data);
    }
    let trailers = soon(stream.trailers()).await.unwrap();
    Http2Response {
        head,
        body,
        trailers,
    }
}

/// What should happen at once.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("it takes too long")
}
