//! The direction in which a body goes.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::http1::chunk;
use crate::net::Writer;
use crate::proxy::headers::BodyCoding;
use crate::proxy::http2::Outbound;
use crate::proxy::http3;

/// Where a body goes.
#[derive(Debug)]
pub(in crate::proxy) enum BodyWriter<'a> {
    /// A connection that carries one message after the other.
    Http1(Writer<'a>),
    /// A stream of HTTP/2, whose head has been sent.
    Http2(&'a mut Outbound),
    /// A stream of HTTP/3.
    Http3(&'a mut http3::Outbound),
}

/// Content up to this size is copied behind the head: one plain write costs less than a vectored
/// one.
const WITH_HEAD: usize = 8 * 1024;

impl BodyWriter<'_> {
    /// Sends the head of a response, given in the form of HTTP/1.1, with the first content and the
    /// end of the body (its trailers) if that is known. A head that stands alone may be an interim one.
    ///
    /// # Errors
    ///
    /// The peer takes no more.
    pub(in crate::proxy) async fn start(
        &mut self,
        head: &mut Vec<u8>,
        coding: BodyCoding,
        content: &[u8],
        end: Option<&[u8]>,
        sent: &AtomicU64,
    ) -> io::Result<()> {
        match self {
            Self::Http1(writer) => {
                let mut line = [0; 18];
                let parts = coded(coding, content, end, &mut line);
                if content.len() <= WITH_HEAD {
                    parts.iter().for_each(|part| head.extend_from_slice(part));
                    writer.send([head], sent).await
                } else {
                    let [a, b, c, d, e, f] = parts;
                    writer.send([head, a, b, c, d, e, f], sent).await
                }
            }
            Self::Http2(outbound) => {
                let ended = content.is_empty() && end.is_some_and(<[u8]>::is_empty);
                outbound.head(head, ended)?;
                sent.fetch_add(head.len() as u64, Ordering::Relaxed);
                match (content, end) {
                    ([], None) => Ok(()),
                    _ if ended => Ok(()),
                    _ => outbound.send(content, end, sent).await,
                }
            }
            Self::Http3(outbound) => {
                let starting = async {
                    let ended = content.is_empty() && end.is_some_and(<[u8]>::is_empty);
                    outbound.head(head, ended).await?;
                    sent.fetch_add(head.len() as u64, Ordering::Relaxed);
                    match ended {
                        true => Ok(()),
                        false => outbound.send(content, end, sent).await,
                    }
                };
                // Boxed, so that connections of other versions do not keep room for it.
                Box::pin(starting).await
            }
        }
    }

    /// Sends content, and the end of the body (its trailers) if that is known. A connection frames
    /// it as `coding` says, a stream in its own way. `sent` counts what has been taken, also when
    /// this fails or is dropped.
    ///
    /// # Errors
    ///
    /// The peer takes no more.
    pub(in crate::proxy) async fn send(
        &mut self,
        coding: BodyCoding,
        content: &[u8],
        end: Option<&[u8]>,
        sent: &AtomicU64,
    ) -> io::Result<()> {
        match self {
            Self::Http1(writer) => {
                let mut line = [0; 18];
                writer
                    .send(coded(coding, content, end, &mut line), sent)
                    .await
            }
            Self::Http2(outbound) => outbound.send(content, end, sent).await,
            Self::Http3(outbound) => Box::pin(outbound.send(content, end, sent)).await,
        }
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    ///
    /// The peer is gone.
    pub(in crate::proxy) async fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Http1(writer) => writer.finish().await,
            Self::Http2(outbound) => outbound.send(b"", Some(b""), &AtomicU64::new(0)).await,
            Self::Http3(outbound) => {
                let sent = AtomicU64::new(0);
                Box::pin(outbound.send(b"", Some(b""), &sent)).await
            }
        }
    }

    /// Resolves when the peer is known to be gone. On a connection that is noticed by whoever reads
    /// from it, so this waits forever there; the library for HTTP/3 tells it only to whoever writes.
    pub(in crate::proxy) async fn gone(&mut self) {
        match self {
            Self::Http1(_) | Self::Http3(_) => std::future::pending().await,
            Self::Http2(outbound) => outbound.gone().await,
        }
    }
}

/// Content as it goes over a connection, with the end of the body if that is known: parts to be
/// written in order.
pub(in crate::proxy) fn coded<'a>(
    coding: BodyCoding,
    content: &'a [u8],
    end: Option<&'a [u8]>,
    line: &'a mut [u8; 18],
) -> [&'a [u8]; 6] {
    match coding {
        BodyCoding::Chunked => chunk(content, end, line),
        BodyCoding::Plain | BodyCoding::UntilClose => [content, b"", b"", b"", b"", b""],
    }
}
