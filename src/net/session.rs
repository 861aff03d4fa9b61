//! The TLS within a connection: records in, records out, and what of them waits.
//!
//! Both directions of a stream use one session side by side, in one task: the lock is never
//! contended. rustls keeps what has been deciphered and not read, and the records that the kernel has
//! not taken; between requests there is neither, and of buffers it holds 4 KiB.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufRead, IoSlice, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use parking_lot::{Mutex, MutexGuard};
use rustls::Connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How much is read from a socket at once: four of the largest records.
const SCRATCH: usize = 64 * 1024;
/// What rustls reads at once, and keeps room for. It keeps more after more came, until it reads on.
const KEPT: usize = 4 * 1024;
/// How much rustls takes of deciphered content before it refuses to read on.
const PLAINTEXT: usize = 16 * 1024;

thread_local! {
    static FREE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A TLS session whose handshake is done.
pub(super) struct Session {
    state: Mutex<State>,
    /// The end is to be a reset: no close_notify may call it an orderly one.
    abrupt: AtomicBool,
}

struct State {
    connection: Connection,
    /// Deciphered content that rustls has no room for: from `read` on it waits.
    overflow: Vec<u8>,
    read: usize,
    /// Whether rustls may keep more room than it needs.
    swollen: bool,
}

impl Session {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            state: Mutex::new(State {
                connection,
                overflow: Vec::new(),
                read: 0,
                swollen: false,
            }),
            abrupt: AtomicBool::new(false),
        }
    }

    /// What was agreed in the handshake.
    pub(super) fn connection(&self) -> impl std::ops::Deref<Target = Connection> + '_ {
        MutexGuard::map(self.state.lock(), |state| &mut state.connection)
    }

    pub(super) fn end_abruptly(&self) {
        self.abrupt.store(true, Ordering::Relaxed);
    }

    /// Ready when content has come, or the end.
    pub(super) fn poll_ready<R: AsyncRead + Unpin>(
        &self,
        tcp: &mut R,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        while !state.is_ready() {
            match state.poll_pull(tcp, cx, SCRATCH) {
                Poll::Ready(pulled) => pulled?,
                Poll::Pending => {
                    state.shrink();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Appends content to `buffer`, up to its capacity; 0 is the end.
    pub(super) fn poll_read<R: AsyncRead + Unpin>(
        &self,
        tcp: &mut R,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state.lock();
        loop {
            if let Some(count) = state.take(buffer)? {
                return Poll::Ready(Ok(count));
            }
            ready!(state.poll_pull(tcp, cx, SCRATCH))?;
        }
    }

    /// The same into a buffer of fixed size.
    pub(super) fn poll_read_buf<R: AsyncRead + Unpin>(
        &self,
        tcp: &mut R,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        loop {
            let before = buffer.filled().len();
            let room = buffer.remaining();
            let taken = state.take_with(room, |chunk| buffer.put_slice(chunk))?;
            if taken.is_some() || room == 0 || buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            ready!(state.poll_pull(tcp, cx, SCRATCH))?;
        }
    }

    /// Sends all parts; `sent` counts content whose records the kernel has taken, `held` is that of
    /// which it has not.
    pub(super) fn poll_send<W: AsyncWrite + Unpin, const N: usize>(
        &self,
        tcp: &mut W,
        cx: &mut Context<'_>,
        parts: &mut [&[u8]; N],
        held: &mut u64,
        sent: &AtomicU64,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        loop {
            // What a record adds to its content is counted with the last of it.
            let credit = |held: &mut u64, count: u64| {
                let count = count.min(*held);
                *held -= count;
                sent.fetch_add(count, Ordering::Relaxed);
            };
            ready!(state.poll_push(tcp, cx, |count| credit(held, count as u64)))?;
            credit(held, u64::MAX);
            let Some(first) = parts.iter().position(|part| !part.is_empty()) else {
                return Poll::Ready(Ok(()));
            };
            let only = parts[first + 1..].iter().all(|part| part.is_empty());
            let mut writer = state.connection.writer();
            let count = match only {
                true => writer.write(parts[first])?,
                false => writer.write_vectored(&parts.map(IoSlice::new))?,
            };
            *held += count as u64;
            super::stream::advance(parts, count);
        }
    }

    /// Takes content, and sends what the kernel takes now. The rest leaves with the next call of this,
    /// or of [`Session::poll_flush`].
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &self,
        tcp: &mut W,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state.lock();
        ready!(state.poll_push(tcp, cx, |_| {}))?;
        let count = state.connection.writer().write_vectored(parts)?;
        match state.poll_push(tcp, cx, |_| {}) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(count)),
        }
    }

    /// Sends all that waits.
    pub(super) fn poll_flush<W: AsyncWrite + Unpin>(
        &self,
        tcp: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.state.lock().poll_push(tcp, cx, |_| {})
    }

    /// Sends all that waits, and says that nothing more will come.
    pub(super) fn poll_finish<W: AsyncWrite + Unpin>(
        &self,
        tcp: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        state.connection.send_close_notify();
        state.poll_push(tcp, cx, |_| {})
    }

    /// Whether neither content nor an end has come. Reads, for a record need not be either: a server
    /// sends session tickets when it likes.
    pub(super) fn is_silent(&self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.is_ready() {
                return false;
            }
            let pulled = with_scratch(KEPT, |scratch| {
                let count = read(scratch)?;
                state.feed(&scratch[..count])
            });
            match pulled {
                Ok(()) => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Tells the peer why or that the connection ends, if the kernel takes that without waiting.
    pub(super) fn say_goodbye(&self, tcp: &TcpStream) {
        if self.abrupt.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state.lock();
        // Behind a part of a record nothing could be understood; an alert waits already.
        if !state.connection.wants_write() {
            state.connection.send_close_notify();
        }
        let _ = state.connection.write_tls(&mut NoWait(tcp));
    }
}

impl State {
    /// Whether content, an end or an error can be had without reading on.
    fn is_ready(&mut self) -> bool {
        if self.read < self.overflow.len() {
            return true;
        }
        let would_block = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        !self.connection.reader().fill_buf().is_err_and(would_block)
    }

    fn take(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let room = buffer.capacity() - buffer.len();
        self.take_with(room, |chunk| buffer.extend_from_slice(chunk))
    }

    /// Hands out up to `room` bytes of content. `Some(0)` is the end, `None` that nothing has come.
    fn take_with(&mut self, room: usize, mut put: impl FnMut(&[u8])) -> io::Result<Option<usize>> {
        let mut taken = self.overflow.len().saturating_sub(self.read).min(room);
        if taken > 0 {
            put(&self.overflow[self.read..self.read + taken]);
            self.read += taken;
            if self.read == self.overflow.len() {
                self.overflow = Vec::new();
                self.read = 0;
            }
        }
        let mut reader = self.connection.reader();
        while taken < room {
            match reader.fill_buf() {
                Ok([]) => return Ok(Some(taken)),
                Ok(chunk) => {
                    let count = chunk.len().min(room - taken);
                    put(&chunk[..count]);
                    reader.consume(count);
                    taken += count;
                }
                Err(_) if taken > 0 => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok((taken > 0).then_some(taken))
    }

    /// Reads once, and deciphers what came.
    fn poll_pull<R: AsyncRead + Unpin>(
        &mut self,
        tcp: &mut R,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<()>> {
        with_scratch(most, |scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(tcp).poll_read(cx, &mut buffer))?;
            Poll::Ready(self.feed(buffer.filled()))
        })
    }

    /// Deciphers; no bytes are the end of the connection.
    fn feed(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.swollen |= bytes.len() > KEPT;
        loop {
            let count = self.connection.read_tls(&mut bytes)?;
            let processed = self.connection.process_new_packets();
            let state =
                processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if bytes.is_empty() || count == 0 {
                return Ok(());
            }
            let waiting = state.plaintext_bytes_to_read();
            if waiting > PLAINTEXT {
                self.set_aside(waiting)?;
            }
        }
    }

    /// Makes room for more content where rustls would refuse it.
    fn set_aside(&mut self, waiting: usize) -> io::Result<()> {
        let mut aside = std::mem::take(&mut self.overflow);
        aside.drain(..std::mem::take(&mut self.read));
        aside.reserve(waiting);
        self.take_with(waiting, |chunk| aside.extend_from_slice(chunk))?;
        self.overflow = aside;
        Ok(())
    }

    /// Writes until the kernel has taken all.
    fn poll_push<W: AsyncWrite + Unpin>(
        &mut self,
        tcp: &mut W,
        cx: &mut Context<'_>,
        mut taken: impl FnMut(usize),
    ) -> Poll<io::Result<()>> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Sink { tcp, cx }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => taken(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Makes rustls give room back: it looks at that before it reads.
    fn shrink(&mut self) {
        if std::mem::take(&mut self.swollen) {
            let _ = self.connection.read_tls(&mut Nothing);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// Room to read into, one for each thread: no connection keeps any.
fn with_scratch<T>(size: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    FREE.with_borrow_mut(|scratch| {
        if scratch.is_empty() {
            scratch.resize(SCRATCH, 0);
        }
        work(&mut scratch[..size])
    })
}

/// A socket as rustls writes to it.
pub(super) struct Sink<'a, 'b, W> {
    pub(super) tcp: &'a mut W,
    pub(super) cx: &'a mut Context<'b>,
}

impl<W: AsyncWrite + Unpin> Write for Sink<'_, '_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        without_waiting(Pin::new(&mut *self.tcp).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match parts {
            // A plain write is the cheaper system call.
            [part] => self.write(part),
            _ => without_waiting(Pin::new(&mut *self.tcp).poll_write_vectored(self.cx, parts)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket as rustls reads from it, some KiB at a time.
pub(super) struct Source<'a, 'b, R> {
    pub(super) tcp: &'a mut R,
    pub(super) cx: &'a mut Context<'b>,
}

impl<R: AsyncRead + Unpin> io::Read for Source<'_, '_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(into);
        without_waiting(Pin::new(&mut *self.tcp).poll_read(self.cx, &mut buffer))?;
        Ok(buffer.filled().len())
    }
}

fn without_waiting<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// A socket that is written to once more, whoever waits for it.
struct NoWait<'a>(&'a TcpStream);

impl Write for NoWait<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives nothing, and is no end either.
struct Nothing;

impl io::Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;
    use crate::net::{Stream, greet};
    use crate::tls::sample;

    /// A client's and a server's end of one connection.
    async fn pair() -> (Stream, Stream) {
        let made = sample::ecdsa(&["site.test"]);
        let certificate = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connect = async {
            let tcp = TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from("site.test").unwrap();
            Stream::secure(tcp, Arc::new(client), name).await.unwrap()
        };
        let accept = async {
            let tcp = listener.accept().await.unwrap().0;
            let greeted = greet(tcp, &[]).await.unwrap();
            assert_eq!(greeted.hello().server_name(), Some("site.test"));
            greeted.answer(Arc::new(server)).await.unwrap()
        };
        tokio::join!(connect, accept)
    }

    #[tokio::test]
    async fn all_parts_arrive_in_order_however_large_and_are_counted() {
        let (mut near, mut far) = pair().await;
        let large: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
        let sent = AtomicU64::new(0);
        let (_, mut writer) = near.split();
        let (mut reader, _) = far.split();
        let receive = async {
            let mut received = Vec::new();
            while received.len() < 3_000_006 {
                // A buffer that is smaller than a record, and one that is larger.
                let mut buffer = Vec::with_capacity(if received.len() % 2 == 0 {
                    5_000
                } else {
                    70_000
                });
                reader.ready().await.unwrap();
                reader.read(&mut buffer).await.unwrap();
                received.extend_from_slice(&buffer);
            }
            received
        };
        let send = writer.send([b"abc", &large, b"", b"def"], &sent);
        let (outcome, received) = tokio::join!(send, receive);
        outcome.unwrap();
        assert_eq!(sent.into_inner(), 3_000_006);
        assert!(received.starts_with(b"abc") && received.ends_with(b"def"));
        assert!(received[3..3_000_003] == large[..]);
    }

    #[tokio::test]
    async fn what_a_stalled_peer_has_not_taken_is_not_counted() {
        let (mut near, far) = pair().await;
        let large = vec![7; 30_000_000];
        let sent = AtomicU64::new(0);
        let (_, mut writer) = near.split();
        let sending = writer.send([&large], &sent);
        assert!(timeout(Duration::from_millis(300), sending).await.is_err());
        let count = sent.into_inner();
        assert!(count > 0 && count < 30_000_000, "{count}");
        drop(far);
    }

    #[tokio::test]
    async fn session_tickets_do_not_break_the_silence_and_content_or_an_end_do() {
        async fn broken(near: &Stream) {
            let heard = async {
                while near.is_silent_now() && near.is_silent() {
                    tokio::task::yield_now().await;
                }
            };
            timeout(Duration::from_secs(10), heard).await.unwrap();
        }
        let (near, mut far) = pair().await;
        // The server's tickets have come, and nobody has read them.
        assert!(near.is_silent_now());
        assert!(near.is_silent());
        far.write_all(b"x").await.unwrap();
        far.flush().await.unwrap();
        broken(&near).await;

        let (near, far) = pair().await;
        drop(far);
        broken(&near).await;
    }

    #[tokio::test]
    async fn an_end_that_is_announced_is_an_end_and_another_is_an_error() {
        let (mut near, mut far) = pair().await;
        far.split().1.finish().await.unwrap();
        let mut buffer = Vec::new();
        assert_eq!(near.split().0.read(&mut buffer).await.unwrap(), 0);
        // One side that has finished may still be sent to.
        near.write_all(b"late").await.unwrap();
        near.shutdown().await.unwrap();
        far.read_to_end(&mut buffer).await.unwrap();
        assert_eq!(buffer, b"late");

        let (mut near, far) = pair().await;
        drop(far);
        assert_eq!(near.read(&mut [0; 9]).await.unwrap(), 0);

        let (mut near, far) = pair().await;
        far.reset_when_dropped();
        drop(far);
        near.read(&mut [0; 9]).await.unwrap_err();
    }

    #[tokio::test]
    async fn both_directions_go_side_by_side() {
        async fn exchange(stream: &mut Stream) {
            let large = vec![7; 2_000_000];
            let (mut reader, mut writer) = stream.split();
            let sent = AtomicU64::new(0);
            let receive = async {
                let mut received = 0;
                while received < large.len() {
                    let mut buffer = Vec::with_capacity(64 * 1024);
                    received += reader.read(&mut buffer).await.unwrap();
                }
            };
            let (outcome, ()) = tokio::join!(writer.send([&large], &sent), receive);
            outcome.unwrap();
        }
        let (mut near, mut far) = pair().await;
        tokio::join!(exchange(&mut near), exchange(&mut far));
    }

    #[tokio::test]
    async fn vectored_writes_and_small_reads_work_as_those_of_a_socket() {
        let (mut near, mut far) = pair().await;
        assert!(near.is_write_vectored());
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        assert_eq!(near.write_vectored(&parts).await.unwrap(), 5);
        near.flush().await.unwrap();
        let mut two = [0; 2];
        far.read_exact(&mut two).await.unwrap();
        let mut three = [0; 3];
        far.read_exact(&mut three).await.unwrap();
        assert_eq!((&two, &three), (b"ab", b"cde"));
    }
}
