//! The little HTTP that both ends of the measurement speak: one request, the head of one message.
//! Not a parser to learn from: it trusts what it reads, because both ends are ours.

use anyhow::{Context, Result, bail};

/// The head of a message, as far as the measurement needs it.
pub(crate) struct Head<'a> {
    /// The request line or the status line.
    pub(crate) first_line: &'a str,
    /// Bytes of the head with its empty line.
    pub(crate) length: usize,
    /// What `Content-Length` says; 0 without it.
    pub(crate) content_length: u64,
}

impl<'a> Head<'a> {
    /// The head at the front of `bytes`, `None` while it is not complete.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Option<Self>> {
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes[..end]).context("a head that is not text")?;
        let mut lines = text.split("\r\n");
        let first_line = lines.next().unwrap_or_default();
        let mut content_length = 0;
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                bail!("a field without a colon: {line}");
            };
            if name.eq_ignore_ascii_case("content-length") {
                content_length = value.trim().parse().context("content-length")?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("chunked: the measurement expects the framing of the target");
            }
        }
        let length = end + 4;
        Ok(Some(Self {
            first_line,
            length,
            content_length,
        }))
    }

    /// Fails unless this is the head of an answer with status 200.
    pub(crate) fn expect_ok(&self) -> Result<()> {
        if self.first_line.split(' ').nth(1) != Some("200") {
            bail!("not a 200: {}", self.first_line);
        }
        Ok(())
    }
}

/// A request as a browser sends it to a site; `body` announces that many bytes.
pub(crate) fn request(method: &str, path: &str, body: u64) -> Vec<u8> {
    let length = match body {
        0 => String::new(),
        n => format!("Content-Length: {n}\r\n"),
    };
    format!(
        "{method} {path} HTTP/1.1\r\n\
         Host: bench.test\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
         Accept-Language: en-US,en;q=0.5\r\n\
         Accept-Encoding: gzip, deflate\r\n\
         Cookie: wordpress_test_cookie=WP%20Cookie%20check; wp-settings-time-1=1700000000\r\n\
         {length}\
         Connection: keep-alive\r\n\r\n"
    )
    .into_bytes()
}

/// The head of an answer as a site sends it.
pub(crate) fn answer_head(body: u64) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Server: bench\r\n\
         Cache-Control: max-age=600\r\n\
         Vary: Accept-Encoding\r\n\
         Content-Type: text/html; charset=UTF-8\r\n\
         Content-Length: {body}\r\n\r\n"
    )
    .into_bytes()
}
