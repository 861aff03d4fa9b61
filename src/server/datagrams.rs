//! The socket of a QUIC endpoint, which two processes may share while one takes over from the other.
//!
//! A connection belongs to the process that accepted it, and all packets come in at one socket. So the
//! process that took over reads it, tells by the connection id which packets are for a predecessor (ids
//! are made with a key of their own for each process, RFC 9000 section 5.1), and passes these on by a
//! channel between the two. The predecessor goes on to send by the socket itself. A packet that does not
//! fit into the channel is lost, as any packet may be.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use quinn::udp::{EcnCodepoint, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, ConnectionId, Runtime, TokioRuntime, UdpPoller};
use quinn_proto::{ConnectionIdGenerator, HashedConnectionIdGenerator};
use tokio::io::ReadBuf;

/// What stands before a packet in a channel.
const HEAD: usize = 37;
/// How long the ids are that this daemon makes.
const ID: usize = 8;

/// The socket of one endpoint, with whom it is shared.
#[derive(Debug)]
pub(super) struct Datagrams {
    pub(super) socket: UdpSocket,
    pub(super) sharing: Arc<Sharing>,
}

/// A process that had the socket before and still has connections.
#[derive(Debug)]
pub(super) struct Elder {
    /// What its connection ids are made with.
    pub(super) key: u64,
    /// Where its packets go.
    pub(super) channel: UnixDatagram,
}

/// With whom a socket is shared, and who reads it.
#[derive(Debug)]
pub(super) struct Sharing {
    /// What this process' connection ids are made with.
    key: u64,
    elders: Vec<Elder>,
    reading: Mutex<Reading>,
}

#[derive(Debug, Default)]
struct Reading {
    source: Source,
    /// Whom to wake when that changes.
    reader: Option<Waker>,
}

/// Where this process has its packets from.
#[derive(Debug, Default)]
enum Source {
    #[default]
    Socket,
    /// The channel from the process that reads the socket now.
    Successor(tokio::net::UnixDatagram),
}

impl Datagrams {
    pub(super) fn new(socket: UdpSocket, elders: Vec<Elder>) -> Self {
        let sharing = Arc::new(Sharing {
            key: fastrand::u64(..),
            elders,
            reading: Mutex::default(),
        });
        Self { socket, sharing }
    }

    /// As the library wants it. Call it within a tokio runtime.
    pub(super) fn into_endpoint_socket(self) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(EndpointSocket {
            inner: TokioRuntime.wrap_udp_socket(self.socket)?,
            sharing: self.sharing,
        }))
    }
}

impl Sharing {
    /// Makes the connection ids of the endpoint.
    pub(super) fn connection_ids(
        &self,
    ) -> impl Fn() -> Box<dyn ConnectionIdGenerator> + Send + Sync + 'static {
        let key = self.key;
        move || Box::new(HashedConnectionIdGenerator::from_key(key))
    }

    /// The processes whose packets a successor is to pass on: this one, whose end of the channel is
    /// returned, and those that this one has passed packets on to.
    pub(super) fn elders(&self) -> io::Result<(UnixDatagram, Vec<Elder>)> {
        let (mine, channel) = UnixDatagram::pair()?;
        mine.set_nonblocking(true)?;
        channel.set_nonblocking(true)?;
        let mut elders = vec![Elder {
            key: self.key,
            channel,
        }];
        for elder in &self.elders {
            // An empty packet, which nobody takes for one: whether anybody is there.
            if elder.channel.send(&[]).is_ok() {
                elders.push(Elder {
                    key: elder.key,
                    channel: elder.channel.try_clone()?,
                });
            }
        }
        Ok((mine, elders))
    }

    /// Leaves the socket to a successor, and takes from it what comes by the channel. Call it within
    /// a tokio runtime.
    pub(super) fn leave(&self, channel: UnixDatagram) -> io::Result<()> {
        let channel = tokio::net::UnixDatagram::from_std(channel)?;
        self.read(Source::Successor(channel));
        Ok(())
    }

    /// Reads the socket again: the successor has failed.
    pub(super) fn resume(&self) {
        self.read(Source::Socket);
    }

    fn read(&self, source: Source) {
        let mut reading = self.reading.lock();
        reading.source = source;
        if let Some(reader) = reading.reader.take() {
            reader.wake();
        }
    }

    /// The one whose connection a packet belongs to, if it is not this process'.
    fn elder_of(&self, packet: &[u8]) -> Option<&Elder> {
        let id = destination(packet)?;
        let made = |elder: &&Elder| {
            let generator = HashedConnectionIdGenerator::from_key(elder.key);
            generator.validate(&id).is_ok()
        };
        self.elders.iter().find(made)
    }

    /// Passes on what is for others. What is left is closed up; nothing may be left.
    fn sort(&self, buffer: &mut [u8], meta: &mut RecvMeta) {
        let (length, stride) = (meta.len, meta.stride.max(1));
        let (mut read, mut kept) = (0, 0);
        while read < length {
            let end = (read + stride).min(length);
            match self.elder_of(&buffer[read..end]) {
                Some(elder) => elder.pass_on(&buffer[read..end], meta),
                None => {
                    buffer.copy_within(read..end, kept);
                    kept += end - read;
                }
            }
            read = end;
        }
        meta.len = kept;
    }
}

impl Elder {
    fn pass_on(&self, packet: &[u8], meta: &RecvMeta) {
        let mut message = Vec::with_capacity(HEAD + packet.len());
        message.push(meta.ecn.map_or(0, |ecn| ecn as u8));
        push_ip(&mut message, meta.dst_ip);
        push_ip(&mut message, Some(meta.addr.ip()));
        message.extend_from_slice(&meta.addr.port().to_be_bytes());
        message.extend_from_slice(packet);
        // Lost if there is no room, or nobody there any more.
        let _ = self.channel.send(&message);
    }
}

/// The connection id that a packet is sent to, if it has the length of ours (RFC 8999 section 5).
fn destination(packet: &[u8]) -> Option<ConnectionId> {
    const LONG: u8 = 0x80;
    let id = match packet.first()? & LONG {
        0 => packet.get(1..1 + ID)?,
        _ if usize::from(*packet.get(5)?) == ID => packet.get(6..6 + ID)?,
        _ => return None,
    };
    Some(ConnectionId::new(id))
}

fn push_ip(message: &mut Vec<u8>, ip: Option<IpAddr>) {
    let (kind, bytes) = match ip {
        None => (0, [0; 16]),
        Some(IpAddr::V4(ip)) => (4, ip.to_ipv6_mapped().octets()),
        Some(IpAddr::V6(ip)) => (6, ip.octets()),
    };
    message.push(kind);
    message.extend_from_slice(&bytes);
}

fn read_ip(bytes: &[u8]) -> Option<IpAddr> {
    let (kind, bytes) = bytes.split_first()?;
    let ip = std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    match kind {
        4 => ip.to_ipv4_mapped().map(IpAddr::V4),
        6 => Some(IpAddr::V6(ip)),
        _ => None,
    }
}

/// Takes a message of a channel apart: its packet is moved to the front of the buffer.
fn unpack(buffer: &mut [u8], length: usize) -> Option<RecvMeta> {
    let message = buffer.get(..length)?;
    let head = message.get(..HEAD)?;
    let ip = read_ip(&head[18..35])?;
    let port = u16::from_be_bytes([head[35], head[36]]);
    let meta = RecvMeta {
        addr: SocketAddr::new(ip, port),
        len: length - HEAD,
        stride: length - HEAD,
        ecn: EcnCodepoint::from_bits(head[0]),
        dst_ip: read_ip(&head[1..18]),
    };
    buffer.copy_within(HEAD..length, 0);
    Some(meta)
}

/// What the library reads from and sends by.
#[derive(Debug)]
struct EndpointSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    sharing: Arc<Sharing>,
}

impl AsyncUdpSocket for EndpointSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut reading = self.sharing.reading.lock();
        let reader = reading.reader.get_or_insert_with(|| cx.waker().clone());
        // Nothing is cloned where it is the same one, which it nearly always is.
        reader.clone_from(cx.waker());
        if let Source::Successor(channel) = &reading.source {
            return poll_channel(channel, cx, buffers, metas);
        }
        drop(reading);
        let polled = self.inner.poll_recv(cx, buffers, metas);
        if let Poll::Ready(Ok(count)) = polled
            && !self.sharing.elders.is_empty()
        {
            for (buffer, meta) in buffers.iter_mut().zip(metas.iter_mut()).take(count) {
                self.sharing.sort(buffer, meta);
            }
        }
        polled
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

fn poll_channel(
    channel: &tokio::net::UnixDatagram,
    cx: &mut Context<'_>,
    buffers: &mut [IoSliceMut<'_>],
    metas: &mut [RecvMeta],
) -> Poll<io::Result<usize>> {
    let mut count = 0;
    while let (Some(buffer), Some(meta)) = (buffers.get_mut(count), metas.get_mut(count)) {
        let received = match count {
            // Only the first may wait.
            0 => {
                let mut place = ReadBuf::new(buffer);
                match channel.poll_recv(cx, &mut place) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(received) => received.map(|()| place.filled().len()),
                }
            }
            _ => channel.try_recv(buffer),
        };
        match received {
            Ok(length) => {
                if let Some(unpacked) = unpack(buffer, length) {
                    *meta = unpacked;
                    count += 1;
                }
            }
            Err(_) if count > 0 => break,
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(count))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn datagrams(elders: Vec<Elder>) -> Datagrams {
        Datagrams::new(UdpSocket::bind("127.0.0.1:0").unwrap(), elders)
    }

    /// A packet with a short header that the endpoint of `sharing` would take for its own.
    fn packet(sharing: &Sharing, text: &[u8]) -> Vec<u8> {
        let id = sharing.connection_ids()().generate_cid();
        [&[0x40], &id[..], text].concat()
    }

    #[tokio::test]
    async fn packets_of_a_predecessors_connections_reach_it_and_no_others_do() {
        let before = datagrams(Vec::new());
        let (channel, elders) = before.sharing.elders().unwrap();
        let after = datagrams(elders);
        let other = datagrams(Vec::new());
        let mine = packet(&after.sharing, b"mine");
        let unknown = packet(&other.sharing, b"none");
        let theirs = packet(&before.sharing, b"hers");
        // As the kernel gives a run of packets of one size.
        let mut buffer = [&mine[..], &theirs, &unknown].concat();
        let mut meta = RecvMeta {
            addr: "192.0.2.7:4433".parse().unwrap(),
            len: buffer.len(),
            stride: mine.len(),
            ecn: Some(EcnCodepoint::Ect0),
            dst_ip: Some("127.0.0.9".parse().unwrap()),
        };
        after.sharing.sort(&mut buffer, &mut meta);
        assert_eq!(buffer[..meta.len], [mine, unknown].concat());

        let client = meta.addr;
        before.sharing.leave(channel).unwrap();
        let socket = before.into_endpoint_socket().unwrap();
        let mut place = [0; 1500];
        let mut metas = [RecvMeta::default()];
        let received = std::future::poll_fn(|cx| {
            socket.poll_recv(cx, &mut [IoSliceMut::new(&mut place)], &mut metas)
        });
        assert_eq!(received.await.unwrap(), 1);
        assert_eq!(place[..metas[0].len], theirs);
        assert_eq!(metas[0].addr, client);
        assert_eq!(metas[0].ecn, Some(EcnCodepoint::Ect0));
        assert_eq!(metas[0].dst_ip, Some("127.0.0.9".parse().unwrap()));
    }

    #[test]
    fn a_successor_learns_of_all_who_are_still_there() {
        let first = datagrams(Vec::new());
        let (first_channel, elders) = first.sharing.elders().unwrap();
        let second = datagrams(elders);
        let (_channel, elders) = second.sharing.elders().unwrap();
        let keys = |elders: &[Elder]| elders.iter().map(|elder| elder.key).collect::<Vec<_>>();
        assert_eq!(keys(&elders), [second.sharing.key, first.sharing.key]);
        drop(first_channel);
        let (_channel, elders) = second.sharing.elders().unwrap();
        assert_eq!(keys(&elders), [second.sharing.key]);
    }

    #[test]
    fn a_first_packet_is_nobodys_whatever_id_its_client_chose() {
        let before = datagrams(Vec::new());
        let (_channel, elders) = before.sharing.elders().unwrap();
        let after = datagrams(elders);
        let initial = [&[0xc0, 0, 0, 0, 1, 8], &b"its own!"[..], &[0, 0]].concat();
        assert!(after.sharing.elder_of(&initial).is_none());
        let id = before.sharing.connection_ids()().generate_cid();
        let handshake = [&[0xe0, 0, 0, 0, 1, 8], &id[..], &[0, 0]].concat();
        assert!(after.sharing.elder_of(&handshake).is_some());
        assert!(after.sharing.elder_of(&[]).is_none());
    }
}
