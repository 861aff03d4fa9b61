//! One stream of HTTP/2, to a client or to a target: a request and its response.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};

use super::targets::Using;
use crate::net::buffers;
use crate::proxy::mapped::{field_lines, field_map, outgoing_request, status_of};

/// A read gathers what has come, up to this much.
const GATHER: usize = buffers::CAPACITY - 16 * 1024;

/// The direction from which a message comes.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Inbound {
    /// A target's response, before its head has come.
    pub(super) response: Option<ResponseFuture>,
    pub(super) body: Option<RecvStream>,
    /// Whether the request was an extended CONNECT: what its success means is a switch of protocols.
    switches: bool,
    /// The connection to a target that it is on.
    using: Option<Using>,
}

/// Why the head of a response did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum NoHead {
    /// The stream or its connection broke.
    Closed,
    /// The target has not begun with the request (RFC 9113 section 8.7): it may be sent again.
    Unprocessed,
}

/// The direction in which a message goes.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Outbound {
    /// To a client, before the head of its response has been sent.
    pub(super) respond: Option<SendResponse<Bytes>>,
    pub(super) body: Option<SendStream<Bytes>>,
}

/// Both directions of a stream.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Stream {
    /// The target's connection, before the request has been sent.
    opener: Option<SendRequest<Bytes>>,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
}

impl Stream {
    /// A request of a client's whose head has been read.
    pub(super) fn accepted(body: RecvStream, respond: SendResponse<Bytes>) -> Self {
        Self {
            inbound: Inbound {
                body: Some(body),
                ..Inbound::default()
            },
            outbound: Outbound {
                respond: Some(respond),
                body: None,
            },
            ..Self::default()
        }
    }

    /// For a request to a target.
    pub(super) fn opening(connection: SendRequest<Bytes>, using: Using) -> Self {
        Self {
            opener: Some(connection),
            inbound: Inbound {
                using: Some(using),
                ..Inbound::default()
            },
            ..Self::default()
        }
    }

    /// Opens the stream with the head of a request, given in the form of HTTP/1.1.
    ///
    /// # Errors
    ///
    /// The target takes no more requests on this connection, or the head has no form in HTTP/2.
    pub(in crate::proxy) async fn request(
        &mut self,
        head: &[u8],
        ended: bool,
        switches: bool,
    ) -> io::Result<()> {
        let opener = self.opener.as_mut().ok_or_else(broken)?;
        let request = outgoing_request(head, switches).ok_or_else(broken)?;
        self.inbound.switches = switches;
        let ended = ended && !switches;
        let opened = match poll_fn(|cx| opener.poll_ready(cx)).await {
            Ok(()) => opener.send_request(request, ended),
            Err(error) => Err(error),
        };
        let (response, body) = opened.map_err(|_| {
            self.inbound.using.iter().for_each(Using::is_over);
            broken()
        })?;
        self.inbound.response = Some(response);
        self.outbound.body = Some(body);
        self.opener = None;
        Ok(())
    }

    pub(in crate::proxy) fn split(&mut self) -> (&mut Inbound, &mut Outbound) {
        (&mut self.inbound, &mut self.outbound)
    }

    /// Whether a client has been sent the head of a final response.
    pub(in crate::proxy) fn is_answered(&self) -> bool {
        self.outbound.body.is_some()
    }

    /// Ends the stream so that nobody takes it for complete.
    pub(in crate::proxy) fn cut(&mut self) {
        let Outbound { respond, body } = &mut self.outbound;
        match (body, respond) {
            (Some(body), _) => body.send_reset(Reason::INTERNAL_ERROR),
            (None, Some(respond)) => respond.send_reset(Reason::INTERNAL_ERROR),
            (None, None) => {}
        }
    }
}

impl Inbound {
    /// Waits for the next head of a target's response, and leaves it in `buffer` in the form of
    /// HTTP/1.1.
    ///
    /// # Errors
    ///
    /// The stream was reset, or its connection is gone.
    pub(in crate::proxy) async fn head(&mut self, buffer: &mut Vec<u8>) -> Result<(), NoHead> {
        let waiting = self.response.as_mut().ok_or(NoHead::Closed)?;
        let head = poll_fn(|cx| {
            if let Poll::Ready(Some(Ok(interim))) = waiting.poll_informational(cx) {
                return Poll::Ready(Ok(interim.map(|()| None)));
            }
            Pin::new(&mut *waiting)
                .poll(cx)
                .map_ok(|response| response.map(Some))
        });
        let head = head.await.map_err(|error| {
            if error.is_go_away() || error.is_io() {
                self.using.iter().for_each(Using::is_over);
            }
            no_head(&error)
        });
        let (parts, body) = head?.into_parts();
        if body.is_some() {
            self.body = body;
            self.response = None;
        }
        if buffer.capacity() == 0 {
            *buffer = buffers::take();
        }
        buffer.clear();
        buffer.extend_from_slice(b"HTTP/1.1 ");
        if self.switches && parts.status.is_success() {
            buffer.extend_from_slice(b"101 \r\nConnection: upgrade\r\nUpgrade: websocket");
        } else {
            buffer.extend_from_slice(parts.status.as_str().as_bytes());
            buffer.push(b' ');
        }
        buffer.extend_from_slice(b"\r\n");
        buffer.extend_from_slice(&field_lines(&parts.headers));
        buffer.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Whether nothing follows what has been read.
    pub(in crate::proxy) fn is_ended(&self) -> bool {
        self.body.as_ref().is_some_and(RecvStream::is_end_stream)
    }

    /// Waits for content, and appends it to `buffer`, which gets memory when something has come.
    /// The inner answer is the trailers when the body has ended; `None` means that it was cut.
    pub(in crate::proxy) async fn read(&mut self, buffer: &mut Vec<u8>) -> Option<Option<Vec<u8>>> {
        let body = self.body.as_mut()?;
        while buffer.is_empty() {
            match poll_fn(|cx| body.poll_data(cx)).await {
                Some(Ok(data)) => take(body, &data, buffer),
                Some(Err(_)) => return None,
                None => return trailers(body).await.map(Some),
            }
        }
        while buffer.len() < GATHER {
            match poll_fn(|cx| Poll::Ready(body.poll_data(cx))).await {
                Poll::Ready(Some(Ok(data))) => take(body, &data, buffer),
                Poll::Ready(None) => return trailers(body).await.map(Some),
                // What has come is delivered first; the next call meets the error again.
                Poll::Ready(Some(Err(_))) | Poll::Pending => break,
            }
        }
        Some(body.is_end_stream().then(Vec::new))
    }
}

fn take(body: &mut RecvStream, data: &Bytes, buffer: &mut Vec<u8>) {
    if buffer.capacity() == 0 {
        *buffer = buffers::take();
    }
    buffer.extend_from_slice(data);
    // The peer may send as much again: what is read here is sent on before the next read. Fails
    // only if more is released than was received.
    let _ = body.flow_control().release_capacity(data.len());
}

async fn trailers(body: &mut RecvStream) -> Option<Vec<u8>> {
    match poll_fn(|cx| body.poll_trailers(cx)).await {
        Ok(Some(trailers)) => Some(field_lines(&trailers)),
        Ok(None) => Some(Vec::new()),
        Err(_) => None,
    }
}

impl Outbound {
    /// Sends the head of a response to a client, given in the form of HTTP/1.1; `ended` says that
    /// nothing follows. An interim one may be followed by more heads.
    ///
    /// # Errors
    ///
    /// The client has reset the stream, or the head has no form in HTTP/2.
    pub(in crate::proxy) fn head(&mut self, head: &[u8], ended: bool) -> io::Result<()> {
        let respond = self.respond.as_mut().ok_or_else(broken)?;
        let status = status_of(head).ok_or_else(broken)?;
        let mut response = http::Response::new(());
        // To a client of HTTP/2 an agreed upgrade is a plain success (RFC 8441 section 5).
        *response.status_mut() = match status {
            http::StatusCode::SWITCHING_PROTOCOLS => http::StatusCode::OK,
            status => status,
        };
        *response.headers_mut() = field_map(head);
        if response.status().is_informational() {
            return respond.send_informational(response).map_err(|_| broken());
        }
        let body = respond.send_response(response, ended);
        self.body = Some(body.map_err(|_| broken())?);
        Ok(())
    }

    /// Sends content, and the end of the body (its trailers) if that is known.
    ///
    /// # Errors
    ///
    /// The peer has reset the stream or is gone.
    pub(in crate::proxy) async fn send(
        &mut self,
        content: &[u8],
        end: Option<&[u8]>,
        sent: &AtomicU64,
    ) -> io::Result<()> {
        let body = self.body.as_mut().ok_or_else(broken)?;
        let trailers = end.filter(|lines| !lines.is_empty());
        let ends_with_content = end.is_some() && trailers.is_none();
        let mut rest = content;
        while !rest.is_empty() {
            let room = room(body, rest.len()).await?;
            let (part, after) = rest.split_at(room.min(rest.len()));
            rest = after;
            let last = ends_with_content && rest.is_empty();
            body.send_data(Bytes::copy_from_slice(part), last)
                .map_err(|_| broken())?;
            sent.fetch_add(part.len() as u64, Ordering::Relaxed);
        }
        if let Some(lines) = trailers {
            body.send_trailers(field_map(lines)).map_err(|_| broken())?;
        } else if ends_with_content && content.is_empty() {
            body.send_data(Bytes::new(), true).map_err(|_| broken())?;
        }
        Ok(())
    }

    /// Resolves when the peer has reset the stream or is gone.
    pub(in crate::proxy) async fn gone(&mut self) {
        poll_fn(|cx| {
            let Self { respond, body } = self;
            let reset = match (body, respond) {
                (Some(body), _) => body.poll_reset(cx),
                (None, Some(respond)) => respond.poll_reset(cx),
                (None, None) => return Poll::Pending,
            };
            reset.map(|_| ())
        })
        .await;
    }
}

/// A stream that is refused, or is beyond the last one that a GOAWAY takes, has not been looked at.
fn no_head(error: &h2::Error) -> NoHead {
    let refused = error.reason() == Some(Reason::REFUSED_STREAM);
    let left_out = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
    match error.is_remote() && (refused || left_out) {
        true => NoHead::Unprocessed,
        false => NoHead::Closed,
    }
}

/// Waits until something may be sent, at most `wanted`.
async fn room(body: &mut SendStream<Bytes>, wanted: usize) -> io::Result<usize> {
    body.reserve_capacity(wanted);
    poll_fn(|cx| {
        loop {
            let room = body.capacity();
            if room > 0 {
                return Poll::Ready(Ok(room));
            }
            match std::task::ready!(body.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(broken())),
            }
        }
    })
    .await
}

fn broken() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}
