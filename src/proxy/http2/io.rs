//! The bytes under HTTP/2, of which a census is taken.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::census::Census;
use crate::net::Stream;

/// With what a client that speaks HTTP/2 begins (RFC 9113 section 3.4).
pub(in crate::proxy) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// After the last byte: how long, and how much of what the client still sends is read and thrown
/// away, so that it gets to see why it ends instead of a reset.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

/// A client's connection of which the first bytes have been read already.
#[derive(Debug)]
pub(super) struct Watched {
    first: Vec<u8>,
    read: usize,
    stream: Stream,
    /// Shared with the connection's session, which acts on it. One thread takes the lock.
    census: Arc<Mutex<Census>>,
    /// All has been said, and so much more may come until then.
    lingers: Option<(Pin<Box<Sleep>>, usize)>,
}

impl Watched {
    pub(super) fn new(first: Vec<u8>, stream: Stream) -> Self {
        Self {
            first,
            read: 0,
            stream,
            census: Arc::new(Mutex::new(Census::new(PREFACE.len(), Instant::now()))),
            lingers: None,
        }
    }

    pub(super) fn census(&self) -> Arc<Mutex<Census>> {
        Arc::clone(&self.census)
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let waiting = &self.first[self.read..];
        if waiting.is_empty() {
            self.first = Vec::new();
            self.read = 0;
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let count = waiting.len().min(into.remaining());
        into.put_slice(&waiting[..count]);
        self.read += count;
        Poll::Ready(Ok(()))
    }

    /// Notes what became of a write.
    fn wrote(&self, outcome: &Poll<io::Result<usize>>, parts: &[io::IoSlice<'_>]) {
        match outcome {
            Poll::Ready(Ok(taken)) => {
                let mut census = self.census.lock();
                let mut left = *taken;
                for part in parts {
                    if left == 0 {
                        break;
                    }
                    census.wrote(&part[..left.min(part.len())]);
                    left = left.saturating_sub(part.len());
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.census.lock().is_blocked(),
        }
    }
}

impl AsyncRead for Watched {
    /// Nothing more is read of a client that has sent too much: `h2` would act on it, and the session
    /// is about to end the connection.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.census.lock().found().is_some() {
            return Poll::Pending;
        }
        let before = into.filled().len();
        ready!(this.poll_receive(cx, into))?;
        let mut census = this.census.lock();
        census.read(&into.filled()[before..]);
        if census.found().is_some() {
            into.set_filled(before);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&outcome, &[io::IoSlice::new(bytes)]);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.wrote(&outcome, parts);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Ends this direction, and waits for the client to end the other.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingers.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let (until, left) = this
            .lingers
            .get_or_insert_with(|| (Box::pin(sleep(LINGER)), LINGER_BYTES));
        let mut scrap = [0; 4096];
        while *left > 0 && until.as_mut().poll(cx).is_pending() {
            let mut scrap = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut scrap)) {
                Ok(()) if !scrap.filled().is_empty() => {
                    *left = left.saturating_sub(scrap.filled().len());
                }
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
