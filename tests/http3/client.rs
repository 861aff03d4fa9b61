//! A client that speaks HTTP/3.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3::client::{RequestStream, SendRequest};
use h3::error::Code;
use http::HeaderMap;
use quinn::Endpoint;
use quinn::crypto::rustls::QuicClientConfig;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{Certificates, soon};

type Stream = RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

/// One connection.
pub(crate) struct Http3Client {
    requests: SendRequest<h3_quinn::OpenStreams, Bytes>,
    _endpoint: Endpoint,
    connection: JoinHandle<()>,
}

impl Drop for Http3Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A whole response.
pub(crate) struct Http3Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Http3Response {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request whose response has not been read.
pub(crate) struct Waiting(Stream);

impl Waiting {
    /// Reads the response; `None` when it is cut short.
    pub(crate) async fn read(self) -> Option<Http3Response> {
        read(self.0.split().1).await
    }
}

impl Http3Client {
    /// Connects to `site.test` at an address.
    pub(crate) async fn connect(address: SocketAddr, certificates: &Certificates) -> Self {
        let (endpoint, quic) = Self::quic(address, certificates).await;
        Self::over(endpoint, quic).await
    }

    /// Opens a connection of QUIC to `site.test` at an address.
    pub(crate) async fn quic(
        address: SocketAddr,
        certificates: &Certificates,
    ) -> (Endpoint, quinn::Connection) {
        let tls = certificates.visitor().offering(&["h3"]).into_config();
        let tls = QuicClientConfig::try_from(tls).unwrap();
        let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(tls)));
        let connecting = endpoint.connect(address, "site.test").unwrap();
        (endpoint, soon(connecting).await.unwrap())
    }

    /// The same on a connection that `endpoint` has opened.
    pub(crate) async fn over(endpoint: Endpoint, quic: quinn::Connection) -> Self {
        let quic = h3_quinn::Connection::new(quic);
        let (mut connection, requests) = h3::client::new(quic).await.unwrap();
        Self {
            requests,
            _endpoint: endpoint,
            connection: tokio::spawn(async move {
                poll_fn(|cx| connection.poll_close(cx)).await;
            }),
        }
    }

    /// Sends a request without a body.
    pub(crate) async fn begin(&mut self, request: http::request::Builder) -> Waiting {
        let request = request.body(()).unwrap();
        let mut stream = soon(self.requests.send_request(request)).await.unwrap();
        stream.finish().await.unwrap();
        Waiting(stream)
    }

    /// Sends a request, and takes it back; false when the other side lets no more begin.
    pub(crate) async fn take_back(&mut self, request: http::request::Builder) -> bool {
        let request = request.body(()).unwrap();
        let sending = self.requests.send_request(request);
        let Ok(stream) = timeout(Duration::from_millis(500), sending).await else {
            return false;
        };
        let mut stream = stream.unwrap();
        // What has been said is on its way before it is taken back.
        tokio::time::sleep(Duration::from_millis(1)).await;
        stream.stop_stream(Code::H3_REQUEST_CANCELLED);
        stream.stop_sending(Code::H3_REQUEST_CANCELLED);
        true
    }

    /// Sends a request, and reads the response; `None` when it is cut short.
    pub(crate) async fn try_ask(
        &mut self,
        request: http::request::Builder,
        body: &[u8],
    ) -> Option<Http3Response> {
        let request = request.body(()).unwrap();
        let stream = soon(self.requests.send_request(request)).await.unwrap();
        let (mut sending, receiving) = stream.split();
        let body = Bytes::copy_from_slice(body);
        let sending = async move {
            if !body.is_empty() {
                sending.send_data(body).await.ok()?;
            }
            sending.finish().await.ok()
        };
        let (_, response) = soon(async { tokio::join!(sending, read(receiving)) }).await;
        response
    }

    /// The same, when it must succeed.
    pub(crate) async fn ask(
        &mut self,
        request: http::request::Builder,
        body: &[u8],
    ) -> Http3Response {
        self.try_ask(request, body).await.expect("a whole response")
    }
}

async fn read(mut stream: RequestStream<h3_quinn::RecvStream, Bytes>) -> Option<Http3Response> {
    let head = stream.recv_response().await.ok()?;
    let mut body = Vec::new();
    while let Some(mut data) = stream.recv_data().await.ok()? {
        body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    let trailers = stream.recv_trailers().await.ok()?;
    Some(Http3Response {
        status: head.status().as_u16(),
        body,
        trailers,
    })
}
