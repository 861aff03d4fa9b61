//! A client: a connection from which requests come one after the other, or a stream that carries
//! one.

use std::mem;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

use super::error::ProxyError;
use super::headers::BodyCoding;
use super::http2;
use super::record::RequestRecord;
use super::vigil::{Elapsed, Vigil};
use super::wire::Wire;
use crate::config::Attributes;
use crate::http1::{HeadError, HeadLimits, HeadScanner, Reason, RequestHead};
use crate::net::{Drain, buffers};

/// After an answer to a request that was not read to its end: how long, and how much of the rest is
/// read and thrown away, so that the client gets to see the answer instead of a reset.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

/// One client connection, or one stream of it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) wire: Wire,
    pub(super) vigil: Vigil,
    pub(super) stay: Stay,
    /// Whether it did not go on taking a response.
    pub(super) stalled: bool,
    /// What came after the last request's end.
    carried: Vec<u8>,
    /// Whether a request has come on this connection.
    begun: bool,
}

/// How long a client's connection may stay open.
#[derive(Clone, Debug)]
pub(super) struct Stay {
    /// Asks for an end.
    drain: Drain,
    opened: Instant,
}

impl Stay {
    pub(super) fn new(drain: Drain) -> Self {
        Self {
            drain,
            opened: Instant::now(),
        }
    }

    /// Whether the connection may serve another request: not while draining, and not longer than
    /// `client_keep_alive`.
    pub(super) fn goes_on(&self, attributes: &Attributes, now: Instant) -> bool {
        !self.is_draining() && now - self.opened < attributes.client_keep_alive
    }

    /// Resolves when the connection may not serve another request.
    pub(super) async fn ends(&self, attributes: &Attributes) {
        let old = sleep_until(self.opened + attributes.client_keep_alive);
        tokio::select! {
            () = self.drain.finishing() => {}
            () = old => {}
        }
    }

    /// Whether it was asked to end.
    pub(super) fn is_draining(&self) -> bool {
        self.drain.is_finishing()
    }
}

/// When the first byte of a request came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) at: Instant,
    pub(super) time: SystemTime,
}

impl Arrival {
    pub(super) fn now() -> Self {
        Self {
            at: Instant::now(),
            time: SystemTime::now(),
        }
    }
}

/// What a client's connection brings next.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are requests, and a box would be an allocation for each"
)]
#[derive(Debug)]
pub(super) enum Incoming {
    /// A request whose head is complete.
    Request(RequestHead, Arrival),
    /// The connection speaks HTTP/2 from its first byte; these have been read.
    Http2(Vec<u8>),
    /// Something that is no request, or came too slowly.
    Refused {
        error: ProxyError,
        /// What AWS calls it.
        reason: Reason,
        /// So many bytes of it were read.
        received: usize,
        arrival: Arrival,
    },
    /// Nothing more.
    End,
}

impl Client {
    pub(super) fn new(wire: Wire, stay: Stay) -> Self {
        Self {
            wire,
            vigil: Vigil::default(),
            stay,
            stalled: false,
            carried: Vec::new(),
            begun: false,
        }
    }

    /// Goes on with another stream of the same connection.
    pub(super) fn renew(&mut self, wire: Wire) {
        self.wire = wire;
        self.stalled = false;
        self.carried = Vec::new();
    }

    /// Gives up the connection, to be read in another way.
    pub(super) fn into_wire(self) -> (Wire, Stay) {
        (self.wire, self.stay)
    }

    /// Keeps what came after the request that has just been served.
    pub(super) fn carry(&mut self, rest: Vec<u8>) {
        if rest.is_empty() {
            buffers::give(rest);
        } else {
            self.carried = rest;
        }
    }

    /// Whether something of the next request has come already.
    pub(super) fn carries(&self) -> bool {
        !self.carried.is_empty()
    }

    /// Waits for the next request. Between requests no buffer is held.
    pub(super) async fn next(&mut self, attributes: &Attributes) -> Incoming {
        let mut bytes = mem::take(&mut self.carried);
        let mut arrival = (!bytes.is_empty()).then(Arrival::now);
        let mut scanner = HeadScanner::request(HeadLimits {
            start_line: attributes.limits.request_line,
            field: attributes.limits.header,
            fields: attributes.limits.headers,
        });
        loop {
            if skip_blank_lines(&mut bytes) {
                arrival = None;
                buffers::give(mem::take(&mut bytes));
            }
            if !bytes.is_empty() && bytes != b"\r" {
                let begun = *arrival.get_or_insert_with(Arrival::now);
                let may_be_http2 = attributes.http2 && !self.begun;
                if may_be_http2 && bytes.starts_with(http2::PREFACE) {
                    return Incoming::Http2(bytes);
                }
                match scanner.scan(&bytes) {
                    Ok(_) if may_be_http2 && http2::PREFACE.starts_with(&bytes) => {}
                    // A TLS handshake on a plain port, say: no method begins like that, and no line
                    // may ever end.
                    Ok(None) if !bytes[0].is_ascii_graphic() => {
                        return refused(HeadError::Malformed, Reason::BadMethod, &bytes, begun);
                    }
                    Ok(None) => {
                        if let Some(end) = RequestHead::simple(&bytes) {
                            return read(bytes, end, scanner.objection(), begun);
                        }
                    }
                    Ok(Some(end)) => {
                        self.begun = true;
                        return read(bytes, end, scanner.objection(), begun);
                    }
                    Err(error) => return refused(error, Reason::Compliant, &bytes, begun),
                }
            }
            let more = self.more(&mut bytes, arrival, attributes).await;
            let begun = *arrival.get_or_insert_with(Arrival::now);
            let error = match more {
                More::Bytes => continue,
                More::End if bytes.is_empty() => return Incoming::End,
                More::End => ProxyError::ClientClosedEarly,
                More::TooSlow => ProxyError::ClientTimeout,
            };
            return Incoming::Refused {
                error,
                reason: Reason::Compliant,
                received: bytes.len(),
                arrival: begun,
            };
        }
    }

    /// Reads on. A connection on which nothing has come yet may wait for the idle timeout and ends
    /// without a word; a request that has begun has the header timeout from its first byte.
    async fn more(
        &mut self,
        bytes: &mut Vec<u8>,
        arrival: Option<Arrival>,
        attributes: &Attributes,
    ) -> More {
        let limit = match arrival {
            Some(arrival) => attributes
                .header_timeout
                .saturating_sub(arrival.at.elapsed()),
            None => attributes.idle_timeout,
        };
        let Wire::Http1(stream) = &mut self.wire else {
            return More::End;
        };
        let (mut reader, _) = stream.split();
        let reading = async {
            loop {
                tokio::select! {
                    biased;
                    ready = reader.ready() => if ready.is_err() {
                        return More::End;
                    },
                    () = self.stay.drain.closing(), if arrival.is_none() => return More::End,
                }
                if bytes.capacity() == 0 {
                    *bytes = buffers::take();
                }
                match reader.try_read(bytes).await {
                    Ok(Some(1..)) => return More::Bytes,
                    Ok(Some(0)) | Err(_) => return More::End,
                    Ok(None) if bytes.is_empty() => buffers::give(mem::take(bytes)),
                    Ok(None) => {}
                }
            }
        };
        match self.vigil.wait(limit, pin!(reading)).await {
            Ok(more) => more,
            Err(Elapsed) if arrival.is_some() => More::TooSlow,
            Err(Elapsed) => More::End,
        }
    }

    /// Tells a client that waits for it to send its body (ALB answers Expect by itself, at once).
    pub(super) async fn tell_to_continue(
        &mut self,
        record: &mut RequestRecord<'_>,
    ) -> Result<(), ProxyError> {
        let mut head = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
        record.sent_heads += head.len() as u64;
        let (_, mut writer) = self.wire.split();
        let telling = writer.start(&mut head, BodyCoding::Plain, b"", None, &record.sent);
        let told = self.vigil.wait(LINGER, pin!(telling)).await;
        told.is_ok_and(|told| told.is_ok())
            .then_some(())
            .ok_or(ProxyError::ClientClosedEarly)
    }

    /// Whether a final response has been begun on its stream.
    pub(super) fn is_answered(&self) -> bool {
        matches!(&self.wire, Wire::Http2(stream) if stream.is_answered())
    }

    /// Makes sure that the client does not take the response for complete. On a connection it does not,
    /// unless only the end of the connection ends the body.
    pub(super) fn cut(&mut self, ends_with_connection: bool) {
        match &mut self.wire {
            Wire::Http1(stream) if ends_with_connection => stream.reset_when_dropped(),
            Wire::Http1(_) => {}
            Wire::Http2(stream) => stream.cut(),
            Wire::Http3(stream) => stream.cut(),
        }
    }

    /// Ends the connection so that the client sees the last answer although it is still sending.
    pub(super) async fn linger(&mut self) {
        let Wire::Http1(stream) = &mut self.wire else {
            return;
        };
        let (mut reader, mut writer) = stream.split();
        let discard = async {
            let _ = writer.finish().await;
            let mut scrap = buffers::take();
            let mut left = LINGER_BYTES;
            while let Ok(count @ 1..) = reader.read(&mut scrap).await {
                scrap.clear();
                left = left.saturating_sub(count);
                if left == 0 {
                    break;
                }
            }
            buffers::give(scrap);
        };
        let _ = self.vigil.wait(LINGER, pin!(discard)).await;
    }
}

enum More {
    Bytes,
    End,
    TooSlow,
}

/// RFC 9112 section 2.2: empty lines before a request are skipped. True if there is nothing else:
/// no request has begun then.
fn skip_blank_lines(bytes: &mut Vec<u8>) -> bool {
    while bytes.starts_with(b"\r\n") {
        bytes.drain(..2);
    }
    bytes.is_empty()
}

fn read(bytes: Vec<u8>, end: usize, objection: Option<HeadError>, arrival: Arrival) -> Incoming {
    match RequestHead::read(bytes, end, objection) {
        Ok(head) => Incoming::Request(head, arrival),
        Err(refusal) => refused(refusal.error, refusal.reason, &refusal.bytes, arrival),
    }
}

fn refused(error: HeadError, reason: Reason, bytes: &[u8], arrival: Arrival) -> Incoming {
    Incoming::Refused {
        error: ProxyError::RequestHead(error),
        reason,
        received: bytes.len(),
        arrival,
    }
}
