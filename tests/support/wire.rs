//! One connection as a script sees it: bytes out, messages in, each read by its framing.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::SOON;

/// A message as it came, with its body taken out of its framing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// The head, with all line ends.
    pub(crate) head: String,
    /// The content.
    pub(crate) body: Vec<u8>,
    /// The sizes of the chunks, if it came in chunks.
    pub(crate) chunks: Vec<usize>,
    /// The trailer section, with all line ends but the last.
    pub(crate) trailers: String,
    /// Whether only the end of the connection ended the body.
    pub(crate) until_close: bool,
}

impl Message {
    pub(crate) fn start_line(&self) -> &str {
        self.head.split("\r\n").next().unwrap()
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        let status = self.head.split(' ').nth(1);
        status.unwrap_or_default().parse().unwrap_or_default()
    }

    /// The field lines in order, without line ends.
    pub(crate) fn lines(&self) -> Vec<&str> {
        let lines = self.head.split("\r\n").skip(1);
        lines.filter(|line| !line.is_empty()).collect()
    }

    /// All values of a field.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let pairs = self
            .lines()
            .into_iter()
            .filter_map(|line| line.split_once(':'));
        let named = pairs.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    /// The one value of a field.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(values.len() < 2, "{name} came {} times", values.len());
        values.first().copied()
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}

/// A connection with what has been read and not used yet.
#[derive(Debug)]
pub(crate) struct Wire<S = TcpStream> {
    pub(crate) stream: S,
    pub(crate) unread: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// What a script says goes over TLS, for example.
    pub(crate) fn over(stream: S) -> Self {
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("sending");
    }

    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// The next request's head and body; `None` when the peer has closed before one began.
    pub(crate) async fn request(&mut self) -> Option<Message> {
        let mut message = self.head().await.ok()?;
        self.body(&mut message, false).await.ok()?;
        Some(message)
    }

    /// The next response to a request with this method, 1xx too.
    pub(crate) async fn try_response(&mut self, method: &str) -> io::Result<Message> {
        let mut message = self.head().await?;
        let bodiless = method == "HEAD" || matches!(message.status(), 100..200 | 204 | 304);
        if !bodiless {
            self.body(&mut message, true).await?;
        }
        Ok(message)
    }

    /// Reads a head up to its empty line.
    pub(crate) async fn head(&mut self) -> io::Result<Message> {
        loop {
            let end = self.unread.windows(4).position(|part| part == b"\r\n\r\n");
            if let Some(end) = end {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return Ok(Message {
                    head: String::from_utf8_lossy(&head).into_owned(),
                    ..Message::default()
                });
            }
            self.more().await?;
        }
    }

    /// Reads the body that a head announces.
    pub(crate) async fn body(&mut self, message: &mut Message, response: bool) -> io::Result<()> {
        if message.value("Transfer-Encoding").is_some() {
            return self.chunks(message).await;
        }
        match message.value("Content-Length") {
            Some(length) => {
                let length = length.parse().unwrap();
                message.body = self.take(length).await?;
            }
            None if response => {
                message.until_close = true;
                while self.more().await.is_ok() {}
                message.body = std::mem::take(&mut self.unread);
            }
            None => {}
        }
        Ok(())
    }

    async fn chunks(&mut self, message: &mut Message) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            let size = usize::from_str_radix(line.trim_end(), 16).expect("a chunk's size");
            if size == 0 {
                break;
            }
            message.chunks.push(size);
            message.body.extend(self.take(size).await?);
            assert_eq!(self.line().await?, "\r\n", "a chunk's end");
        }
        loop {
            let line = self.line().await?;
            if line == "\r\n" {
                return Ok(());
            }
            message.trailers.push_str(&line);
        }
    }

    pub(crate) async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line = self.unread.drain(..=end).collect();
                return Ok(String::from_utf8(line).unwrap());
            }
            self.more().await?;
        }
    }

    /// Exactly so many bytes.
    pub(crate) async fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < count {
            self.more().await?;
        }
        Ok(self.unread.drain(..count).collect())
    }

    /// Reads whatever comes next.
    async fn more(&mut self) -> io::Result<()> {
        let read = self.stream.read_buf(&mut self.unread);
        match timeout(SOON, read).await.expect("nothing came") {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads to the end of the connection; whether that was a clean one (FIN, not RST).
    pub(crate) async fn rest(&mut self) -> (Vec<u8>, bool) {
        let clean = loop {
            if let Err(error) = self.more().await {
                break error.kind() == io::ErrorKind::UnexpectedEof;
            }
        };
        (std::mem::take(&mut self.unread), clean)
    }
}
