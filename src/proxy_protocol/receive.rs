//! Takes a header from a socket, and not one byte more: what follows may be a TLS handshake, whose
//! reader must find its first byte.

use std::io;

use tokio::net::TcpStream;

use super::{Header, HeaderError, find_end, parse};

/// How much is looked at in one go; nearly every header is shorter.
const GLANCE: usize = 512;

/// Why no header was received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// What came is refused.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The peer left within its header, or before it.
    #[error("the peer closed the connection before the PROXY protocol header was complete")]
    Closed,
    /// The connection is broken.
    #[error("no PROXY protocol header: {0}")]
    Io(#[from] io::Error),
}

impl ReceiveError {
    /// A word for metrics and logs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Header(error) => error.reason(),
            Self::Closed | Self::Io(_) => "closed",
        }
    }
}

/// Reads the header with which the connection must begin, however many pieces it comes in. Has no
/// timeout of its own.
///
/// # Errors
///
/// There is none, or it is refused. Nothing that is left in the socket can be made sense of then.
pub async fn receive(stream: &TcpStream) -> Result<Header, ReceiveError> {
    let mut header = Vec::new();
    let mut seen = [0; GLANCE];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 {
            return Err(ReceiveError::Closed);
        }
        let before = header.len();
        header.extend_from_slice(&seen[..count]);
        let end = find_end(&header)?;
        header.truncate(end.unwrap_or(header.len()));
        take(stream, &mut seen[..header.len() - before]).await?;
        if end.is_some() {
            return Ok(parse(&header)?);
        }
    }
}

/// Removes from the socket what has just been seen in it.
async fn take(stream: &TcpStream, mut seen: &mut [u8]) -> io::Result<()> {
    while !seen.is_empty() {
        stream.readable().await?;
        match stream.try_read(seen) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => seen = &mut seen[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
