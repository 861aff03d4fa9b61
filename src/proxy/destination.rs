//! Where a connection to a target leads, and what must be said on it before anything else.
//!
//! A PROXY protocol header names one client's connection, so a connection that began with one serves
//! no other client: the introduction is part of what the pool knows a connection by. It names the
//! client's connection, not who a request says it comes from: that may be another for each request
//! and stands in X-Forwarded-For.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::ends::Ends;
use crate::net::{HandshakeError, Stream};
use crate::proxy_protocol::{self, Version};
use crate::tls::Secure;

/// What a connection is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Destination {
    /// First, for it decides the order: all that was made for one client lies together.
    pub(super) introduction: Option<Introduction>,
    pub(super) address: SocketAddr,
    /// The TLS that is spoken there, if any.
    pub(super) secure: Option<Secure>,
}

/// What the target is told first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Introduction {
    ends: proxy_protocol::Ends,
    version: Version,
}

impl Introduction {
    pub(super) fn new(version: Version, ends: &Ends) -> Self {
        Self {
            version,
            ends: proxy_protocol::Ends {
                source: ends.client,
                destination: ends.destination,
            },
        }
    }

    /// The first destination of all that may begin with it.
    pub(super) fn first(self) -> Destination {
        Destination {
            introduction: Some(self),
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            secure: None,
        }
    }
}

impl Destination {
    /// The target at `address`, which is told who the client is in this version, if at all.
    pub(super) fn new(address: SocketAddr, version: Option<Version>, ends: &Ends) -> Self {
        Self {
            introduction: version.map(|version| Introduction::new(version, ends)),
            address,
            secure: None,
        }
    }

    /// The same over TLS, if that is given.
    pub(super) fn with_tls(self, secure: Option<Secure>) -> Self {
        Self { secure, ..self }
    }

    /// Connects, and introduces the client.
    ///
    /// # Errors
    ///
    /// The target refuses, cannot be reached, or has closed the connection at once; over TLS also a
    /// [`HandshakeError`], within an error of the kind `Other`.
    pub(super) async fn connect(&self) -> io::Result<Stream> {
        let mut tcp = TcpStream::connect(self.address).await?;
        if let Some(Introduction { version, ends }) = &self.introduction {
            let mut header = Vec::new();
            version.write(&mut header, Some(ends));
            tcp.write_all(&header).await?;
        }
        let Some(Secure { connector, name }) = &self.secure else {
            return Ok(Stream::new(tcp));
        };
        // Boxed, so that plain connections do not keep room for it.
        let shaken = Box::pin(Stream::secure(tcp, connector.config(), name.clone()));
        let agreed = shaken.await.and_then(|stream| {
            match connector.missing(stream.application_protocol().as_deref()) {
                Some(wanted) => Err(HandshakeError::Protocol(wanted)),
                None => Ok(stream),
            }
        });
        agreed.map_err(|error| {
            let refused = match &error {
                HandshakeError::Tls(error) => connector.refused(error),
                _ => None,
            };
            io::Error::other(refused.map_or(error, HandshakeError::Protocol))
        })
    }
}
