//! A connection's bytes, in both directions.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// Room that a read finds at least; a shorter rest of the buffer is not worth a system call.
const ROOM: usize = 4 * 1024;

/// One connection, to a client or to a target. Plain TCP now; TLS is another variant's business.
#[derive(Debug)]
pub struct Stream(TcpStream);

impl Stream {
    /// Takes a connection over. Small writes leave at once (no Nagle): heads are written whole.
    pub fn new(tcp: TcpStream) -> Self {
        // Fails only on a socket that is dead already, which the first read will tell.
        let _ = tcp.set_nodelay(true);
        Self(tcp)
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// The target refuses, or cannot be reached.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(address).await.map(Self::new)
    }

    /// The two directions, to be used side by side.
    pub fn split(&mut self) -> (Reader<'_>, Writer<'_>) {
        let (reader, writer) = self.0.split();
        (Reader(reader), Writer(writer))
    }

    /// Makes the end of this connection a reset, which nobody takes for an orderly end.
    pub fn reset_when_dropped(&self) {
        // Fails only on a socket that is dead already.
        let _ = SockRef::from(&self.0).set_linger(Some(Duration::ZERO));
    }

    /// Whether nothing has come from the peer, no data and no end, as far as the runtime knows. No
    /// system call unless something has.
    pub fn is_silent(&self) -> bool {
        let nothing = self.0.try_read(&mut [0; 1]);
        matches!(nothing, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The same, asked of the kernel itself.
    pub fn is_silent_now(&self) -> bool {
        let mut byte = [MaybeUninit::uninit(); 1];
        let peeked = SockRef::from(&self.0).peek(&mut byte);
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// What comes from the peer.
#[derive(Debug)]
pub struct Reader<'a>(ReadHalf<'a>);

impl Reader<'_> {
    /// Waits until there is something to read: data, an end or an error. Holding no buffer while
    /// waiting is what keeps idle connections small.
    ///
    /// # Errors
    ///
    /// The runtime is gone.
    pub async fn ready(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// As [`Reader::ready`].
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_ref().poll_read_ready(cx)
    }

    /// Appends what has come to `buffer`, up to its capacity; 0 is the end.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if buffer.capacity() - buffer.len() < ROOM {
            buffer.reserve(4 * ROOM);
        }
        self.0.read_buf(buffer).await
    }

    /// The same without waiting; `None` if there was nothing after all. The runtime calls every new
    /// connection ready once, until a read has shown otherwise.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub async fn try_read(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
        // Not tokio's try_read_buf: that leaves the connection ready after a read that took all
        // there was, and the next wait for readiness would cost a system call for nothing.
        let mut read = pin!(self.read(buffer));
        poll_fn(|cx| match read.as_mut().poll(cx) {
            Poll::Ready(read) => Poll::Ready(read.map(Some)),
            Poll::Pending => Poll::Ready(Ok(None)),
        })
        .await
    }
}

/// What goes to the peer.
#[derive(Debug)]
pub struct Writer<'a>(WriteHalf<'a>);

impl Writer<'_> {
    /// Writes all parts in order, in as few system calls as the peer's window permits. `sent`
    /// counts what the kernel has taken, also when this fails or is dropped.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub async fn send<const N: usize>(
        &mut self,
        mut parts: [&[u8]; N],
        sent: &AtomicU64,
    ) -> io::Result<()> {
        poll_fn(|cx| {
            while let Some(first) = parts.iter().position(|part| !part.is_empty()) {
                let writer = Pin::new(&mut self.0);
                // A plain write is the cheaper system call.
                let only = parts[first + 1..].iter().all(|part| part.is_empty());
                let count = ready!(match only {
                    true => writer.poll_write(cx, parts[first]),
                    false => writer.poll_write_vectored(cx, &parts.map(IoSlice::new)),
                })?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                sent.fetch_add(count as u64, Ordering::Relaxed);
                advance(&mut parts, count);
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

fn advance(parts: &mut [&[u8]], mut count: usize) {
    for part in parts {
        let taken = count.min(part.len());
        *part = &part[taken..];
        count -= taken;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Stream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connect = Stream::connect(listener.local_addr().unwrap());
        let (near, far) = tokio::join!(connect, listener.accept());
        (near.unwrap(), Stream::new(far.unwrap().0))
    }

    #[tokio::test]
    async fn all_parts_arrive_in_order_however_large() {
        let (mut near, mut far) = pair().await;
        let large = vec![7; 3_000_000];
        let sent = AtomicU64::new(0);
        let (_, mut writer) = near.split();
        let (mut reader, _) = far.split();
        let mut received = Vec::new();
        let receive = async {
            while received.len() < 3_000_006 {
                reader.read(&mut received).await.unwrap();
            }
        };
        let (outcome, ()) = tokio::join!(writer.send([b"abc", &large, b"def"], &sent), receive);
        outcome.unwrap();
        assert_eq!(sent.into_inner(), 3_000_006);
        assert!(received.starts_with(b"abc\x07") && received.ends_with(b"\x07def"));
    }

    #[tokio::test]
    async fn what_was_read_without_waiting_is_not_waited_for_again() {
        let (mut near, mut far) = pair().await;
        let (mut reader, _) = far.split();
        let mut received = Vec::new();
        let (mut nothing, sent) = (0, AtomicU64::new(0));
        while reader.try_read(&mut received).await.unwrap().is_none() {
            nothing += 1;
            if sent.load(Ordering::Relaxed) == 0 {
                near.split().1.send([b"a"], &sent).await.unwrap();
            }
            reader.ready().await.unwrap();
        }
        assert!(nothing > 0);
        let ready = poll_fn(|cx| Poll::Ready(reader.poll_ready(cx).is_ready()));
        assert!(
            !ready.await,
            "the next wait would begin with a read for nothing"
        );
    }

    #[tokio::test]
    async fn a_connection_is_silent_until_its_peer_closes_it() {
        let (near, far) = pair().await;
        assert!(near.is_silent_now());
        drop(far);
        near.0.readable().await.unwrap();
        assert!(!near.is_silent());
        assert!(!near.is_silent_now());
    }
}
