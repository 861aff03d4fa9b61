//! The bytes under HTTP/2: a census is taken of them, and what is written in one turn is sent at once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::census::Census;
use crate::net::{Stream, buffers};

/// With what a client that speaks HTTP/2 begins (RFC 9113 section 3.4).
pub(in crate::proxy) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// After the last byte: how long, and how much of what the client still sends is read and thrown
/// away, so that it gets to see why it ends instead of a reset.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

/// A client's connection. `h2` reads and writes; the session, which has another handle, acts on the
/// census and sends what `h2` has written ([`Watched::poll_send`]). One thread takes the lock.
#[derive(Clone, Debug)]
pub(super) struct Watched(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    /// What was read before, as far as `read` taken already.
    first: Vec<u8>,
    read: usize,
    stream: Stream,
    census: Census,
    /// What `h2` has written, as far as `sent` taken by the stream. `h2` writes each DATA frame by
    /// itself; gathered, the answers of many streams leave in one system call, and in few TLS records.
    written: Vec<u8>,
    sent: usize,
    /// All has been said, and so much more may come until then.
    lingers: Option<(Pin<Box<Sleep>>, usize)>,
}

impl Watched {
    /// A connection of which the first bytes have been read already.
    pub(super) fn new(first: Vec<u8>, stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(Line {
            first,
            read: 0,
            stream,
            census: Census::new(PREFACE.len(), Instant::now()),
            written: Vec::new(),
            sent: 0,
            lingers: None,
        })))
    }

    pub(super) fn census(&self) -> MappedMutexGuard<'_, Census> {
        MutexGuard::map(self.0.lock(), |line| &mut line.census)
    }

    /// Sends what has been written. To be called whenever `h2` has been polled: it takes its bytes
    /// for sent.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_send(cx)
    }
}

impl Line {
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

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.written.len() {
            let rest = &self.written[self.sent..];
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.census.wrote(&rest[..count]);
                    self.sent += count;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.census.is_blocked();
                    return Poll::Pending;
                }
            }
        }
        if !self.written.is_empty() {
            buffers::give(std::mem::take(&mut self.written));
            self.sent = 0;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Takes as much of `parts` as there is room for; without any, what the stream takes makes room.
    fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.written.len() == buffers::CAPACITY {
            ready!(self.poll_send(cx))?;
        }
        if self.written.capacity() == 0 {
            self.written = buffers::take();
        }
        let before = self.written.len();
        for part in parts {
            let room = buffers::CAPACITY - self.written.len();
            self.written
                .extend_from_slice(&part[..part.len().min(room)]);
        }
        Poll::Ready(Ok(self.written.len() - before))
    }
}

impl AsyncRead for Watched {
    /// Nothing more is read of a client that has sent too much: `h2` would act on it, and the session
    /// is about to end the connection.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut line = self.0.lock();
        if line.census.found().is_some() {
            return Poll::Pending;
        }
        let before = into.filled().len();
        ready!(line.poll_receive(cx, into))?;
        line.census.read(&into.filled()[before..]);
        if line.census.found().is_some() {
            into.set_filled(before);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_gather(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_gather(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// After each DATA frame: what is written waits for the end of the turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends this direction, and waits for the client to end the other.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut line = self.0.lock();
        if line.lingers.is_none() {
            ready!(line.poll_send(cx))?;
            ready!(Pin::new(&mut line.stream).poll_shutdown(cx))?;
            line.lingers = Some((Box::pin(sleep(LINGER)), LINGER_BYTES));
        }
        let Line {
            stream, lingers, ..
        } = &mut *line;
        let Some((until, left)) = lingers else {
            return Poll::Ready(Ok(()));
        };
        let mut scrap = [0; 4096];
        while *left > 0 && until.as_mut().poll(cx).is_pending() {
            let mut scrap = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut scrap)) {
                Ok(()) if !scrap.filled().is_empty() => {
                    *left = left.saturating_sub(scrap.filled().len());
                }
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn watched() -> (Watched, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connect = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(connect, listener.accept());
        let stream = Stream::new(accepted.unwrap().0);
        (Watched::new(Vec::new(), stream), client.unwrap())
    }

    #[tokio::test]
    async fn what_is_written_in_one_turn_leaves_together() {
        let (mut watched, mut client) = watched().await;
        for part in ["a head", " and a body,", " several times"] {
            watched.write_all(part.as_bytes()).await.unwrap();
            watched.flush().await.unwrap();
        }
        let nothing = client.try_read(&mut [0; 1]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        poll_fn(|cx| watched.poll_send(cx)).await.unwrap();
        let mut all = [0; 100];
        let count = client.read(&mut all).await.unwrap();
        assert_eq!(&all[..count], b"a head and a body, several times");
    }

    #[tokio::test]
    async fn more_than_there_is_room_for_leaves_as_the_client_takes_it() {
        let (mut watched, mut client) = watched().await;
        let large: Vec<u8> = (0..5_000_000u32).map(|at| (at % 251) as u8).collect();
        let mut received = Vec::new();
        let write = async {
            watched.write_all(&large).await.unwrap();
            poll_fn(|cx| watched.poll_send(cx)).await.unwrap();
            drop(watched);
        };
        let (_, received) = tokio::join!(write, async {
            client.read_to_end(&mut received).await.unwrap();
            received
        });
        assert!(received == large);
    }

    #[tokio::test]
    async fn an_end_comes_behind_all_that_was_written() {
        let (mut watched, mut client) = watched().await;
        watched.write_all(b"goodbye").await.unwrap();
        let mut received = String::new();
        let read = async {
            client.read_to_string(&mut received).await.unwrap();
            drop(client);
        };
        let (ended, ()) = tokio::join!(watched.shutdown(), read);
        ended.unwrap();
        assert_eq!(received, "goodbye");
    }
}
