//! What carries messages both ways: to a client or to a target, a connection or a stream.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::body::{BodyReader, BodyWriter};
use super::{http2, http3};
use crate::net::Stream;

/// Both directions.
#[derive(Debug)]
pub(super) enum Wire {
    /// A connection that carries one message after the other.
    Http1(Stream),
    /// A stream of a connection that carries many.
    Http2(http2::Stream),
    /// A stream of a client's over QUIC; boxed, for it is large and the others are moved about.
    Http3(Box<http3::Stream>),
}

impl Wire {
    /// Whether the framing of HTTP/1.1 is put on what goes out.
    pub(super) fn is_framed(&self) -> bool {
        matches!(self, Self::Http1(_))
    }

    /// Sends the head of a request to a target, given in the form of HTTP/1.1; on a connection
    /// more may follow in the same bytes. `ended` says that nothing follows at all, `switches` that it is a
    /// WebSocket handshake. `sent` counts
    /// what has been taken, also when this fails or is dropped.
    ///
    /// # Errors
    ///
    /// The target takes no request.
    pub(super) async fn request(
        &mut self,
        head: &[u8],
        ended: bool,
        switches: bool,
        sent: &AtomicU64,
    ) -> io::Result<()> {
        match self {
            Self::Http1(stream) => stream.split().1.send([head], sent).await,
            Self::Http2(stream) => {
                stream.request(head, ended, switches).await?;
                sent.fetch_add(head.len() as u64, Ordering::Relaxed);
                Ok(())
            }
            Self::Http3(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Resolves when a client is known to be gone, though nobody reads what it says.
    pub(super) async fn gone(&mut self) {
        match self {
            Self::Http1(stream) => stream.hung_up().await,
            Self::Http2(_) | Self::Http3(_) => self.split().1.gone().await,
        }
    }

    /// The two directions, to be used side by side.
    pub(super) fn split(&mut self) -> (BodyReader<'_>, BodyWriter<'_>) {
        match self {
            Self::Http1(stream) => {
                let (reader, writer) = stream.split();
                (BodyReader::Http1(reader), BodyWriter::Http1(writer))
            }
            Self::Http2(stream) => {
                let (inbound, outbound) = stream.split();
                (BodyReader::Http2(inbound), BodyWriter::Http2(outbound))
            }
            Self::Http3(stream) => {
                let (inbound, outbound) = stream.split();
                (BodyReader::Http3(inbound), BodyWriter::Http3(outbound))
            }
        }
    }
}
