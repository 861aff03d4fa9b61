//! Messages, and sockets with them, from one process to another on the same machine.
//!
//! A frame is eight bytes (the length of the message, the number of sockets; big-endian), then the
//! sockets (`SCM_RIGHTS`, `unix(7)`), then the message. What is received is closed by itself when a
//! program is started. Everything here blocks; set timeouts on the stream.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Sockets with one byte of the stream; the kernel allows 253.
const AT_ONCE: usize = 64;
/// A message of more bytes is none of ours.
const LONGEST: usize = 64 << 20;
/// More sockets than that are not sent.
const MOST: usize = 1 << 16;

/// Sends a message with sockets.
///
/// # Errors
///
/// The other end has gone, or takes nothing within the stream's timeout.
pub fn send(mut stream: &UnixStream, message: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    if message.len() > LONGEST || sockets.len() > MOST {
        return Err(io::Error::other("too much for one message"));
    }
    let mut head = [0; 8];
    head[..4].copy_from_slice(&(message.len() as u32).to_be_bytes());
    head[4..].copy_from_slice(&(sockets.len() as u32).to_be_bytes());
    stream.write_all(&head)?;
    for some in sockets.chunks(AT_ONCE) {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(AT_ONCE))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(some)) {
            return Err(io::Error::other("too many sockets at once"));
        }
        sendmsg(
            stream,
            &[IoSlice::new(b"+")],
            &mut control,
            SendFlags::NOSIGNAL,
        )?;
    }
    stream.write_all(message)
}

/// Receives a message with its sockets; none at the end of the stream.
///
/// # Errors
///
/// What came is no message, or nothing came within the stream's timeout.
pub fn receive(mut stream: &UnixStream) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut head = [0; 8];
    let first = stream.read(&mut head)?;
    if first == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut head[first..])?;
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (length, count) = (number(&head[..4]), number(&head[4..]));
    if length > LONGEST || count > MOST {
        return Err(io::Error::other("what came is no message of another Elbow"));
    }
    let mut sockets = Vec::with_capacity(count);
    while sockets.len() < count {
        receive_some(stream, &mut sockets)?;
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message)?;
    Ok(Some((message, sockets)))
}

fn receive_some(stream: &UnixStream, sockets: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(AT_ONCE))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut place = [IoSliceMut::new(&mut byte)];
    let received = recvmsg(stream, &mut place, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let before = sockets.len();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            sockets.extend(some);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::other(
            "too many open files: raise the limit (`ulimit -n`, LimitNOFILE= in a systemd unit)",
        ));
    }
    match sockets.len() > before {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_message_arrives_with_its_sockets_in_their_order() {
        let (one, other) = UnixStream::pair().unwrap();
        let listeners: Vec<TcpListener> = (0..150)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let fds: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
        send(&one, b"hello", &fds).unwrap();
        send(&one, b"", &[]).unwrap();
        drop(one);
        let (message, sockets) = receive(&other).unwrap().unwrap();
        assert_eq!(message, b"hello");
        assert_eq!(sockets.len(), listeners.len());
        for (socket, listener) in sockets.into_iter().zip(&listeners) {
            let passed = TcpListener::from(socket);
            assert_eq!(passed.local_addr().unwrap(), listener.local_addr().unwrap());
        }
        assert_eq!(receive(&other).unwrap().unwrap().0, b"");
        assert!(receive(&other).unwrap().is_none());
    }

    #[test]
    fn a_socket_outlives_the_one_who_sent_it() {
        let (one, other) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        send(&one, b"", &[listener.as_fd()]).unwrap();
        drop((listener, one));
        let (_, sockets) = receive(&other).unwrap().unwrap();
        TcpStream::connect(address).unwrap();
        drop(sockets);
        TcpStream::connect(address).unwrap_err();
    }

    #[test]
    fn something_else_than_a_message_is_refused() {
        let (one, other) = UnixStream::pair().unwrap();
        (&one).write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        receive(&other).unwrap_err();
    }
}
