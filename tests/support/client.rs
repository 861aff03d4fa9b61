//! A client that says exactly what a test tells it to.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

use super::{Message, Wire};

/// One client connection. Every wait has a deadline.
#[derive(Debug)]
pub(crate) struct Client<S = TcpStream> {
    pub(crate) wire: Wire<S>,
    pub(crate) address: SocketAddr,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.expect("connecting"))
    }

    /// The same from another address of this machine.
    pub(crate) async fn connect_from(own: IpAddr, address: SocketAddr) -> Self {
        Self::try_connect_from(own, address)
            .await
            .expect("connecting")
    }

    /// The same where the connection may be refused.
    pub(crate) async fn try_connect_from(own: IpAddr, address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((own, 0).into()).unwrap();
        Ok(Self::over(socket.connect(address).await?))
    }

    fn over(stream: TcpStream) -> Self {
        Self {
            address: stream.local_addr().unwrap(),
            wire: Wire::new(stream),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire.send(bytes).await;
    }

    /// The next response, also a 1xx one, to a request that was not HEAD.
    pub(crate) async fn response(&mut self) -> Message {
        self.response_to("GET").await
    }

    /// The next response to a request with this method.
    pub(crate) async fn response_to(&mut self, method: &str) -> Message {
        self.wire.try_response(method).await.expect("a response")
    }

    /// Sends a request and reads the response.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        self.send(request).await;
        self.response().await
    }

    /// GETs a path on this connection.
    pub(crate) async fn get(&mut self, path: &str) -> Message {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: site.test\r\n\r\n"))
            .await
    }

    /// POSTs nothing to a path on this connection, as one does to the admin address.
    pub(crate) async fn post(&mut self, path: &str) -> Message {
        self.ask(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .await
    }

    /// Waits for the end of the connection; nothing may come before it.
    pub(crate) async fn expect_closed(&mut self) {
        let (rest, _) = self.wire.rest().await;
        let rest = String::from_utf8_lossy(&rest);
        assert_eq!(rest, "", "more came before the connection closed");
    }
}
