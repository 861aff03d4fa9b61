//! A connection's bytes, in both directions: plain TCP, or TLS over it.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, Connection};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::sleep;

use super::handshake::{self, HandshakeError};
use super::session::Session;

/// Room that a read finds at least; a shorter rest of the buffer is not worth a system call.
const ROOM: usize = 4 * 1024;

/// How often somebody who does not read looks whether the peer is still there.
const GLANCE: Duration = Duration::from_millis(250);

/// One connection, to a client or to a target. With TLS, its end is announced (close_notify) when it
/// is dropped, unless it is to be a reset.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    /// Boxed: a plain connection has none, and pays one word for it.
    session: Option<Box<Session>>,
}

impl Stream {
    /// Takes a connection over. Small writes leave at once (no Nagle): heads are written whole.
    pub fn new(tcp: TcpStream) -> Self {
        // Fails only on a socket that is dead already, which the first read will tell.
        let _ = tcp.set_nodelay(true);
        Self { tcp, session: None }
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// The target refuses, or cannot be reached.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(address).await.map(Self::new)
    }

    /// What was agreed on to be spoken within TLS (ALPN).
    pub fn application_protocol(&self) -> Option<Vec<u8>> {
        self.tls()?.alpn_protocol().map(<[u8]>::to_vec)
    }

    /// Connects, and does a TLS handshake as the client; `name` is asked for and, if `config` wants
    /// that, verified.
    ///
    /// # Errors
    ///
    /// They did not come to terms, or the peer has gone.
    pub async fn secure(
        tcp: TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, HandshakeError> {
        let _ = tcp.set_nodelay(true);
        handshake::connect(tcp, config, name).await
    }

    /// Takes a connection over whose handshake is done.
    pub(super) fn secured(tcp: TcpStream, connection: Connection) -> Self {
        Self {
            tcp,
            session: Some(Box::new(Session::new(connection))),
        }
    }

    /// What was agreed in the TLS handshake, if there was one.
    pub fn tls(&self) -> Option<impl Deref<Target = Connection> + '_> {
        self.session.as_ref().map(|session| session.connection())
    }

    /// The two directions, to be used side by side in one task.
    pub fn split(&mut self) -> (Reader<'_>, Writer<'_>) {
        let (reader, writer) = self.tcp.split();
        let session = self.session.as_deref();
        let reader = Reader {
            tcp: reader,
            session,
        };
        let writer = Writer {
            tcp: writer,
            session,
        };
        (reader, writer)
    }

    /// Makes the end of this connection a reset, which nobody takes for an orderly end.
    pub fn reset_when_dropped(&self) {
        if let Some(session) = &self.session {
            session.end_abruptly();
        }
        // Fails only on a socket that is dead already.
        let _ = SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
    }

    /// Whether nothing has come from the peer, no data and no end, as far as the runtime knows. No
    /// system call unless something has.
    pub fn is_silent(&self) -> bool {
        if let Some(session) = &self.session {
            return session.is_silent(|scratch| self.tcp.try_read(scratch));
        }
        let nothing = self.tcp.try_read(&mut [0; 1]);
        matches!(nothing, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Waits until the peer has ended its direction of the connection, or all of it. Reads nothing, so
    /// that whoever waits for something else can notice that nobody waits with them any more; late by
    /// a quarter of a second at most.
    pub async fn hung_up(&self) {
        while !self.has_hung_up() {
            sleep(GLANCE).await;
        }
    }

    /// The same for one who may still be waiting for an answer when it has said all (half-close): until
    /// there is nothing left to read either.
    pub async fn ran_dry(&self) {
        while !(self.has_hung_up() && (self.session.is_some() || self.is_drained())) {
            sleep(GLANCE).await;
        }
    }

    fn has_hung_up(&self) -> bool {
        let ready = self.tcp.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
    }

    fn is_drained(&self) -> bool {
        let mut byte = [MaybeUninit::uninit(); 1];
        !matches!(SockRef::from(&self.tcp).peek(&mut byte), Ok(1..))
    }

    /// Whether nothing has come from the peer, asked of the kernel itself.
    pub fn is_silent_now(&self) -> bool {
        let socket = SockRef::from(&self.tcp);
        if let Some(session) = &self.session {
            return session.is_silent(|scratch| io::Read::read(&mut &*socket, scratch));
        }
        let mut byte = [MaybeUninit::uninit(); 1];
        let peeked = socket.peek(&mut byte);
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            session.say_goodbye(&self.tcp);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { tcp, session } = &mut *self;
        match session {
            None => Pin::new(tcp).poll_read(cx, buffer),
            Some(session) => session.poll_read_buf(tcp, cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { tcp, session } = &mut *self;
        match session {
            None => Pin::new(tcp).poll_write(cx, bytes),
            Some(session) => session.poll_write(tcp, cx, &[IoSlice::new(bytes)]),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { tcp, session } = &mut *self;
        match session {
            None => Pin::new(tcp).poll_write_vectored(cx, parts),
            Some(session) => session.poll_write(tcp, cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, session } = &mut *self;
        match session {
            None => Pin::new(tcp).poll_flush(cx),
            Some(session) => session.poll_flush(tcp, cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, session } = &mut *self;
        if let Some(session) = session {
            ready!(session.poll_finish(tcp, cx))?;
        }
        Pin::new(tcp).poll_shutdown(cx)
    }
}

/// What comes from the peer.
#[derive(Debug)]
pub struct Reader<'a> {
    tcp: ReadHalf<'a>,
    session: Option<&'a Session>,
}

impl Reader<'_> {
    /// Waits until there is something to read: data, an end or an error. Holding no buffer while
    /// waiting is what keeps idle connections small.
    ///
    /// # Errors
    ///
    /// The runtime is gone, or what came is no TLS record of this session.
    pub async fn ready(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// As [`Reader::ready`].
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.session {
            None => self.tcp.as_ref().poll_read_ready(cx),
            Some(session) => session.poll_ready(&mut self.tcp, cx),
        }
    }

    /// Appends what has come to `buffer`, up to its capacity; 0 is the end.
    ///
    /// # Errors
    ///
    /// The connection is broken. With TLS also: it ended without being announced (close_notify), so
    /// that what came may have been cut short (RFC 8446 section 6.1).
    pub async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if buffer.capacity() - buffer.len() < ROOM {
            buffer.reserve(4 * ROOM);
        }
        match self.session {
            None => self.tcp.read_buf(buffer).await,
            Some(session) => poll_fn(|cx| session.poll_read(&mut self.tcp, cx, buffer)).await,
        }
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
pub struct Writer<'a> {
    tcp: WriteHalf<'a>,
    session: Option<&'a Session>,
}

impl Writer<'_> {
    /// Writes all parts in order, in as few system calls as the peer's window permits. `sent`
    /// counts what the kernel has taken of them, also when this fails or is dropped.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub async fn send<const N: usize>(
        &mut self,
        mut parts: [&[u8]; N],
        sent: &AtomicU64,
    ) -> io::Result<()> {
        let mut held = 0;
        poll_fn(|cx| match self.session {
            None => self.poll_send(cx, &mut parts, sent),
            Some(session) => session.poll_send(&mut self.tcp, cx, &mut parts, &mut held, sent),
        })
        .await
    }

    fn poll_send<const N: usize>(
        &mut self,
        cx: &mut Context<'_>,
        parts: &mut [&[u8]; N],
        sent: &AtomicU64,
    ) -> Poll<io::Result<()>> {
        while let Some(first) = parts.iter().position(|part| !part.is_empty()) {
            let writer = Pin::new(&mut self.tcp);
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
            advance(parts, count);
        }
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub async fn finish(&mut self) -> io::Result<()> {
        if let Some(session) = self.session {
            poll_fn(|cx| session.poll_finish(&mut self.tcp, cx)).await?;
        }
        self.tcp.shutdown().await
    }
}

pub(super) fn advance(parts: &mut [&[u8]], mut count: usize) {
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
    async fn a_peer_that_hangs_up_is_noticed_without_reading_what_it_said() {
        let (mut near, mut far) = pair().await;
        assert!(!near.has_hung_up());
        far.split()
            .1
            .send([b"a"], &AtomicU64::new(0))
            .await
            .unwrap();
        near.tcp.readable().await.unwrap();
        assert!(!near.has_hung_up());
        far.split().1.finish().await.unwrap();
        near.hung_up().await;
        assert!(!near.is_drained());
        let mut received = Vec::new();
        near.split().0.read(&mut received).await.unwrap();
        assert_eq!(received, b"a");
        near.ran_dry().await;
    }

    #[tokio::test]
    async fn a_connection_is_silent_until_its_peer_closes_it() {
        let (near, far) = pair().await;
        assert!(near.is_silent_now());
        drop(far);
        near.tcp.readable().await.unwrap();
        assert!(!near.is_silent());
        assert!(!near.is_silent_now());
    }
}
