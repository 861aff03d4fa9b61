//! TLS handshakes, on both sides.
//!
//! A client is first heard ([`greet`]); what it says decides on the configuration with which it is
//! answered ([`Greeted::answer`]). That answer is where the processor time goes, so the caller says
//! when. No deadline is kept here.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls::server::{Accepted, AcceptedAlert, Acceptor, ClientHello};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, Connection, ProtocolVersion, ServerConfig,
};
use tokio::net::TcpStream;

use super::Stream;
use super::session::{Sink, Source};

/// Why there is no TLS session.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The peer closed the connection without a byte, as port scanners and TCP probes do.
    #[error("the peer closed the connection before it said anything")]
    Silent,
    /// The peer closed the connection within the handshake.
    #[error("the peer closed the connection within the handshake")]
    Closed,
    /// The connection broke.
    #[error("the connection broke within the handshake: {0}")]
    Io(#[from] io::Error),
    /// The peer does not speak the only application protocol that it was offered (ALPN).
    #[error("the target does not speak {0}: it did not agree on that (ALPN)")]
    Protocol(&'static str),
    /// The two do not come to terms, or what came is no TLS.
    #[error("{0}")]
    Tls(#[source] rustls::Error),
}

/// A client that has said what it wants.
pub struct Greeted {
    tcp: TcpStream,
    accepted: Accepted,
}

/// A client that was answered, and with which there is no session for all that.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub error: HandshakeError,
    /// What had been agreed on by then.
    pub version: Option<ProtocolVersion>,
    /// The same.
    pub suite: Option<CipherSuite>,
}

impl From<HandshakeError> for Unanswered {
    fn from(error: HandshakeError) -> Self {
        Self {
            error,
            version: None,
            suite: None,
        }
    }
}

/// Reads what a client says first; `first` is what has been read of it already.
///
/// # Errors
///
/// It closed the connection, or speaks no TLS. It has been told then.
pub async fn greet(mut tcp: TcpStream, mut first: &[u8]) -> Result<Greeted, HandshakeError> {
    let _ = tcp.set_nodelay(true); // Fails only on a socket that is dead already.
    let mut acceptor = Acceptor::default();
    let mut heard = false;
    let greeted = poll_fn(|cx| {
        loop {
            let read = match first.is_empty() {
                false => acceptor.read_tls(&mut first),
                true => acceptor.read_tls(&mut Source { tcp: &mut tcp, cx }),
            };
            match read {
                Ok(0) if heard => return Poll::Ready(Err(HandshakeError::Closed)),
                Ok(0) => return Poll::Ready(Err(HandshakeError::Silent)),
                Ok(_) => heard = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(broken(error))),
            }
            match acceptor.accept() {
                Ok(Some(accepted)) => return Poll::Ready(Ok(accepted)),
                Ok(None) => {}
                Err((error, alert)) => return Poll::Ready(Err(refuse(&mut tcp, cx, error, alert))),
            }
        }
    });
    let accepted = greeted.await?;
    Ok(Greeted { tcp, accepted })
}

impl Greeted {
    /// What the client said.
    pub fn hello(&self) -> ClientHello<'_> {
        self.accepted.client_hello()
    }

    /// Answers with `config`, and completes the handshake.
    ///
    /// # Errors
    ///
    /// They did not come to terms, or the client has gone.
    pub async fn answer(mut self, config: Arc<ServerConfig>) -> Result<Stream, Unanswered> {
        let mut connection = match self.accepted.into_connection(config) {
            Ok(connection) => Connection::Server(connection),
            Err((error, alert)) => {
                let tcp = &mut self.tcp;
                let mut refused = Some((error, alert));
                let refused = poll_fn(|cx| match refused.take() {
                    Some((error, alert)) => Poll::Ready(refuse(tcp, cx, error, alert)),
                    None => Poll::Ready(HandshakeError::Closed),
                });
                return Err(refused.await.into());
            }
        };
        match complete(&mut self.tcp, &mut connection).await {
            Ok(()) => Ok(Stream::secured(self.tcp, connection)),
            Err(error) => Err(Unanswered {
                error,
                version: connection.protocol_version(),
                suite: connection
                    .negotiated_cipher_suite()
                    .map(|suite| suite.suite()),
            }),
        }
    }
}

impl fmt::Debug for Greeted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Greeted").field(&self.tcp).finish()
    }
}

/// Does the handshake as the client, on a fresh connection.
pub(super) async fn connect(
    mut tcp: TcpStream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Result<Stream, HandshakeError> {
    let connection = ClientConnection::new(config, name).map_err(HandshakeError::Tls)?;
    let mut connection = Connection::Client(connection);
    complete(&mut tcp, &mut connection).await?;
    Ok(Stream::secured(tcp, connection))
}

/// Exchanges messages until both sides may send, and all that was to be said then has been sent.
async fn complete(tcp: &mut TcpStream, connection: &mut Connection) -> Result<(), HandshakeError> {
    poll_fn(|cx| {
        loop {
            // First what came with the last read: the client's first message may have had company.
            let processed = connection.process_new_packets();
            while connection.wants_write() {
                match connection.write_tls(&mut Sink { tcp, cx }) {
                    Ok(_) => {}
                    // An alert that cannot be sent at once is not worth waiting for.
                    Err(_) if processed.is_err() => break,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Poll::Pending;
                    }
                    Err(error) => return Poll::Ready(Err(broken(error))),
                }
            }
            if let Err(error) = processed {
                return Poll::Ready(Err(HandshakeError::Tls(error)));
            }
            if !connection.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            match connection.read_tls(&mut Source { tcp, cx }) {
                Ok(0) => return Poll::Ready(Err(HandshakeError::Closed)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(broken(error))),
            }
        }
    })
    .await
}

/// Tells the client, if that can be done at once.
fn refuse(
    tcp: &mut TcpStream,
    cx: &mut Context<'_>,
    error: rustls::Error,
    mut alert: AcceptedAlert,
) -> HandshakeError {
    let _ = alert.write_all(&mut Sink { tcp, cx });
    HandshakeError::Tls(error)
}

fn broken(error: io::Error) -> HandshakeError {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => HandshakeError::Closed,
        _ => HandshakeError::Io(error),
    }
}
