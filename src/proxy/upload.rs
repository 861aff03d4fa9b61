//! The body of a request on its way to a target.

use std::mem;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::body::{BodyReader, BodyWriter, Broken, Inflow, coded};
use super::error::ProxyError;
use super::headers::BodyCoding;
use super::vigil::{Elapsed, Vigil};
use crate::http1::{BodyError, Decoded, Framing, RequestHead};
use crate::net::buffers;

/// A first piece up to this size travels with the head, in one write.
const WITH_HEAD: usize = 16 * 1024;

/// The body of one request. What came with the head is kept until more is read, so that the request
/// can be sent again to another target.
#[derive(Debug)]
pub(super) struct Upload {
    body: Inflow,
    /// How it goes to a target that speaks HTTP/1.1.
    coding: BodyCoding,
    /// Content up to `content`, then what the decoder has used up, then from `raw` on what belongs to the
    /// next request.
    buffer: Vec<u8>,
    content: usize,
    raw: usize,
    /// How much of the content has been sent.
    sent: usize,
    /// Whether the end has been sent.
    ended: bool,
    /// Whether content has left the buffer: the body cannot be sent from its start any more.
    consumed: bool,
    received: u64,
    vigil: Vigil,
}

/// How an upload ended, or what it saw afterwards.
#[derive(Debug)]
pub(super) enum UploadEnd {
    /// The client has closed its connection after the body's end.
    ClientClosed,
    /// The client broke off, was too slow, or sent what is no body.
    Failed(ProxyError),
    /// The target's connection takes no more; it may have answered already.
    TargetStopped,
    /// The target has taken nothing for as long as it may be silent; it may have answered already.
    TargetStalled,
    /// The client has sent its next request already; there is no telling when it closes.
    NextRequest,
}

impl Upload {
    /// Begins with what came with the head.
    ///
    /// # Errors
    ///
    /// The body does not follow its framing.
    pub(super) fn new(head: &RequestHead) -> Result<Self, ProxyError> {
        let on_stream = head.version().has_streams();
        let mut upload = Self {
            body: match on_stream {
                true => Inflow::stream(head.framing().is_empty()),
                false => Inflow::framed(head.framing()),
            },
            coding: match head.framing() {
                Framing::Chunked => BodyCoding::Chunked,
                _ => BodyCoding::Plain,
            },
            ended: head.framing().is_empty(),
            ..Self::none()
        };
        if on_stream {
            return Ok(upload);
        }
        if !upload.ended || !head.rest().is_empty() {
            upload.buffer = buffers::take();
            upload.buffer.extend_from_slice(head.rest());
            upload.decode().map_err(ProxyError::RequestBody)?;
        }
        Ok(upload)
    }

    /// No body.
    pub(super) fn none() -> Self {
        Self {
            body: Inflow::framed(Framing::Empty),
            coding: BodyCoding::Plain,
            buffer: Vec::new(),
            content: 0,
            raw: 0,
            sent: 0,
            ended: true,
            consumed: false,
            received: 0,
            vigil: Vigil::default(),
        }
    }

    /// Whether the body has been read to its end.
    pub(super) fn is_read(&self) -> bool {
        self.body.is_done()
    }

    /// Whether the body has been sent to its end.
    pub(super) fn is_sent(&self) -> bool {
        self.ended
    }

    /// Bytes of the body received so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Makes ready to send the body from its start once more; false if its start is gone.
    pub(super) fn rewind(&mut self) -> bool {
        if !self.consumed {
            self.sent = 0;
            self.ended =
                self.body.is_done() && self.content == 0 && self.coding == BodyCoding::Plain;
        }
        !self.consumed
    }

    /// Appends the first piece to the head, if it is small.
    pub(super) fn join(&mut self, head: &mut Vec<u8>) {
        if self.ended || self.content > WITH_HEAD {
            return;
        }
        let mut line = [0; 18];
        let (content, end) = self.piece();
        for part in coded(self.coding, content, end, &mut line) {
            head.extend_from_slice(part);
        }
        self.note_piece();
    }

    /// Sends the rest of the body, reading on as the target takes it; `complete` is set when all
    /// is sent. Then watches whether the client stays.
    pub(super) async fn run(
        &mut self,
        mut client: BodyReader<'_>,
        mut target: BodyWriter<'_>,
        idle: Duration,
        response: Duration,
        complete: &AtomicBool,
    ) -> UploadEnd {
        while !self.ended {
            if self.sent == self.content
                && !self.body.is_done()
                && let Err(error) = self.refill(&mut client, idle).await
            {
                return UploadEnd::Failed(error);
            }
            let count = AtomicU64::new(0);
            let mut vigil = mem::take(&mut self.vigil);
            let (content, end) = self.piece();
            let sending = target.send(self.coding, content, end, &count);
            let sent = vigil
                .wait_while_moving(response, &count, pin!(sending))
                .await;
            self.vigil = vigil;
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return UploadEnd::TargetStopped,
                Err(Elapsed) => return UploadEnd::TargetStalled,
            }
            self.note_piece();
        }
        complete.store(true, Ordering::Relaxed);
        self.watch(&mut client).await
    }

    /// What the decoder left over: the start of the next request.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        self.buffer.drain(..self.raw);
        self.buffer
    }

    async fn watch(&mut self, client: &mut BodyReader<'_>) -> UploadEnd {
        if self.buffer.len() > self.raw || client.watch(&mut self.buffer).await {
            return UploadEnd::NextRequest;
        }
        UploadEnd::ClientClosed
    }

    /// Reads until there is content or the end.
    async fn refill(
        &mut self,
        client: &mut BodyReader<'_>,
        idle: Duration,
    ) -> Result<(), ProxyError> {
        loop {
            self.consumed |= self.content > 0;
            let read = client.read(&mut self.body, &mut self.buffer);
            let found = match self.vigil.wait(idle, pin!(read)).await {
                Err(Elapsed) => return Err(ProxyError::ClientTimeout),
                Ok(Err(Broken::Closed)) => return Err(ProxyError::ClientClosedEarly),
                Ok(Err(Broken::Malformed(error))) => return Err(ProxyError::RequestBody(error)),
                Ok(Ok(found)) => found,
            };
            self.found(found);
            if self.content > 0 || self.body.is_done() {
                return Ok(());
            }
        }
    }

    fn decode(&mut self) -> Result<(), BodyError> {
        let found = self.body.decode(&mut self.buffer)?;
        self.found(found);
        Ok(())
    }

    fn found(&mut self, found: Decoded) {
        self.content = found.content;
        self.raw = found.consumed;
        self.sent = 0;
        self.received += found.consumed as u64;
    }

    /// What is to be sent next: the content that is there, and the end if it is known.
    fn piece(&self) -> (&[u8], Option<&[u8]>) {
        let content = &self.buffer[self.sent..self.content];
        let end = self.body.is_done().then(|| self.body.trailers());
        (content, end)
    }

    fn note_piece(&mut self) {
        self.sent = self.content;
        self.ended = self.body.is_done();
    }
}
