//! One request stream of HTTP/3.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::server::RequestStream;

use crate::net::buffers;
use crate::proxy::mapped::{field_lines, field_map, status_of};

/// A read gathers what has come, up to this much.
const GATHER: usize = buffers::CAPACITY - 16 * 1024;

/// The direction from which the request comes.
pub(in crate::proxy) struct Inbound {
    body: RequestStream<h3_quinn::RecvStream, Bytes>,
    /// Whether the end has been read already.
    ended: bool,
    /// What has been read already.
    first: Vec<u8>,
}

/// The direction in which the response goes.
pub(in crate::proxy) struct Outbound(RequestStream<h3_quinn::SendStream<Bytes>, Bytes>);

/// Both directions.
#[derive(Debug)]
pub(in crate::proxy) struct Stream {
    inbound: Inbound,
    outbound: Outbound,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").finish_non_exhaustive()
    }
}

impl Stream {
    /// A request of a client's whose head has been read.
    pub(super) fn accepted(stream: RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>) -> Self {
        let (outbound, body) = stream.split();
        Self {
            inbound: Inbound {
                body,
                ended: false,
                first: Vec::new(),
            },
            outbound: Outbound(outbound),
        }
    }

    pub(in crate::proxy) fn split(&mut self) -> (&mut Inbound, &mut Outbound) {
        (&mut self.inbound, &mut self.outbound)
    }

    /// Ends the stream so that nobody takes it for complete.
    pub(in crate::proxy) fn cut(&mut self) {
        self.outbound.0.stop_stream(Code::H3_INTERNAL_ERROR);
    }

    /// Waits until it is known whether the request has a body, which a head does not tell. Returns whether
    /// it has none.
    pub(super) async fn is_ended(&mut self) -> bool {
        let mut first = Vec::new();
        let read = self.inbound.read(&mut first).await;
        self.inbound.ended = matches!(read, Some(Some(_)));
        let nothing = first.is_empty();
        self.inbound.first = first;
        self.inbound.ended && nothing
    }
}

impl Inbound {
    /// Waits for content, and appends it to `buffer`, which gets memory when something has come.
    /// The inner answer is the trailers when the body has ended; `None` means that it was cut.
    pub(in crate::proxy) async fn read(&mut self, buffer: &mut Vec<u8>) -> Option<Option<Vec<u8>>> {
        if self.ended || !self.first.is_empty() {
            buffer.append(&mut self.first);
            return Some(self.ended.then(Vec::new));
        }
        while buffer.is_empty() {
            match self.body.recv_data().await {
                Ok(Some(data)) => take(data, buffer),
                Ok(None) => return self.trailers().await.map(Some),
                Err(_) => return None,
            }
        }
        while buffer.len() < GATHER {
            let more = poll_fn(|cx| {
                Poll::Ready(match self.body.poll_recv_data(cx) {
                    Poll::Ready(Ok(Some(data))) => {
                        take(data, buffer);
                        More::Data
                    }
                    Poll::Ready(Ok(None)) => More::End,
                    // What has come is delivered first; the next call meets the error again.
                    Poll::Ready(Err(_)) | Poll::Pending => More::Later,
                })
            });
            match more.await {
                More::Data => {}
                More::End => return self.trailers().await.map(Some),
                More::Later => break,
            }
        }
        Some(None)
    }

    async fn trailers(&mut self) -> Option<Vec<u8>> {
        match self.body.recv_trailers().await {
            Ok(Some(trailers)) => Some(field_lines(&trailers)),
            Ok(None) => Some(Vec::new()),
            Err(_) => None,
        }
    }
}

enum More {
    Data,
    End,
    Later,
}

fn take(mut data: impl Buf, buffer: &mut Vec<u8>) {
    if buffer.capacity() == 0 {
        *buffer = buffers::take();
    }
    while data.has_remaining() {
        let piece = data.chunk();
        let length = piece.len();
        buffer.extend_from_slice(piece);
        data.advance(length);
    }
}

impl Outbound {
    /// Sends the head of a response, given in the form of HTTP/1.1; `ended` says that nothing
    /// follows. An interim one may be followed by more heads.
    ///
    /// # Errors
    ///
    /// The client has stopped the stream, or the head has no form in HTTP/3.
    pub(in crate::proxy) async fn head(&mut self, head: &[u8], ended: bool) -> io::Result<()> {
        let mut response = http::Response::new(());
        *response.status_mut() = status_of(head).ok_or_else(broken)?;
        *response.headers_mut() = field_map(head);
        self.0.send_response(response).await.map_err(|_| broken())?;
        if ended {
            self.0.finish().await.map_err(|_| broken())?;
        }
        Ok(())
    }

    /// Sends content, and the end of the body (its trailers) if that is known.
    ///
    /// # Errors
    ///
    /// The client has stopped the stream or is gone.
    pub(in crate::proxy) async fn send(
        &mut self,
        content: &[u8],
        end: Option<&[u8]>,
        sent: &AtomicU64,
    ) -> io::Result<()> {
        if !content.is_empty() {
            let data = Bytes::copy_from_slice(content);
            self.0.send_data(data).await.map_err(|_| broken())?;
            sent.fetch_add(content.len() as u64, Ordering::Relaxed);
        }
        let Some(trailers) = end else {
            return Ok(());
        };
        if !trailers.is_empty() {
            let trailers = field_map(trailers);
            self.0.send_trailers(trailers).await.map_err(|_| broken())?;
        }
        self.0.finish().await.map_err(|_| broken())
    }
}

fn broken() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}
