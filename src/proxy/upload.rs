//! The body of a request on its way to a target.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::buffers;
use super::error::ProxyError;
use super::vigil::{Elapsed, Vigil};
use crate::http1::{BodyDecoder, BodyError, Framing, RequestHead, chunk};
use crate::net::{Reader, Writer};

/// A first piece up to this size travels with the head, in one write.
const WITH_HEAD: usize = 16 * 1024;

/// The body of one request. What came with the head is kept until more is read, so that the request
/// can be sent again to another target.
#[derive(Debug)]
pub(super) struct Upload {
    decoder: BodyDecoder,
    chunked: bool,
    /// Content up to `content`, then what the decoder has used up, then from `raw` on what belongs to the
    /// next request.
    buffer: Vec<u8>,
    content: usize,
    raw: usize,
    /// How much of the content has been sent.
    sent: usize,
    /// Whether the end has been sent.
    ended: bool,
    /// Whether the first piece is gone.
    refilled: bool,
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
        let mut upload = Self {
            decoder: BodyDecoder::new(head.framing()),
            chunked: head.framing() == Framing::Chunked,
            ended: head.framing().is_empty(),
            ..Self::none()
        };
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
            decoder: BodyDecoder::new(Framing::Empty),
            chunked: false,
            buffer: Vec::new(),
            content: 0,
            raw: 0,
            sent: 0,
            ended: true,
            refilled: false,
            received: 0,
            vigil: Vigil::default(),
        }
    }

    /// Whether the body has been read to its end.
    pub(super) fn is_read(&self) -> bool {
        self.decoder.is_done()
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
        if !self.refilled {
            self.sent = 0;
            self.ended = self.decoder.is_done() && self.content == 0 && !self.chunked;
        }
        !self.refilled
    }

    /// Appends the first piece to the head, if it is small.
    pub(super) fn join(&mut self, head: &mut Vec<u8>) {
        if self.ended || self.content > WITH_HEAD {
            return;
        }
        let mut line = [0; 18];
        for part in self.piece(&mut line) {
            head.extend_from_slice(part);
        }
        self.note_piece();
    }

    /// Sends the rest of the body, reading on as the target takes it; `complete` is set when all
    /// is sent. Then watches whether the client stays.
    pub(super) async fn run(
        &mut self,
        mut client: Reader<'_>,
        mut target: Writer<'_>,
        idle: Duration,
        response: Duration,
        complete: &AtomicBool,
    ) -> UploadEnd {
        while !self.ended {
            if self.sent == self.content
                && !self.decoder.is_done()
                && let Err(error) = self.refill(&mut client, idle).await
            {
                return UploadEnd::Failed(error);
            }
            let (mut line, count) = ([0; 18], AtomicU64::new(0));
            let mut vigil = mem::take(&mut self.vigil);
            let sending = target.send(self.piece(&mut line), &count);
            let sent = vigil.wait_while_moving(response, &count, sending).await;
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

    async fn watch(&mut self, client: &mut Reader<'_>) -> UploadEnd {
        if self.buffer.len() > self.raw {
            return UploadEnd::NextRequest;
        }
        if client.ready().await.is_err() {
            return UploadEnd::ClientClosed;
        }
        match client.read(&mut self.buffer).await {
            Ok(1..) => UploadEnd::NextRequest,
            Ok(0) | Err(_) => UploadEnd::ClientClosed,
        }
    }

    /// Reads until there is content or the end.
    async fn refill(&mut self, client: &mut Reader<'_>, idle: Duration) -> Result<(), ProxyError> {
        loop {
            self.refilled = true;
            self.buffer.clear();
            let read = client.read(&mut self.buffer);
            match self.vigil.wait(idle, read).await {
                Err(Elapsed) => return Err(ProxyError::ClientTimeout),
                Ok(Ok(0) | Err(_)) => return Err(ProxyError::ClientClosedEarly),
                Ok(Ok(_)) => {}
            }
            self.decode().map_err(ProxyError::RequestBody)?;
            if self.content > 0 || self.decoder.is_done() {
                return Ok(());
            }
        }
    }

    fn decode(&mut self) -> Result<(), BodyError> {
        let found = self.decoder.decode(&mut self.buffer)?;
        self.content = found.content;
        self.raw = found.consumed;
        self.sent = 0;
        self.received += found.consumed as u64;
        Ok(())
    }

    /// What is to be sent next: the content that is there, and the end if it is known.
    fn piece<'a>(&'a self, line: &'a mut [u8; 18]) -> [&'a [u8]; 6] {
        let content = &self.buffer[self.sent..self.content];
        if !self.chunked {
            return [content, b"", b"", b"", b"", b""];
        }
        let end = self.decoder.is_done().then(|| self.decoder.trailers());
        chunk(content, end, line)
    }

    fn note_piece(&mut self) {
        self.sent = self.content;
        self.ended = self.decoder.is_done();
    }
}
