//! A response on its way from a target to the client.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use super::body::{BodyReader, BodyWriter, Broken, HeadCut, Inflow};
use super::client::Stay;
use super::error::ProxyError;
use super::headers::{BodyCoding, Cookies, ToClient, to_client};
use super::patience::{Patience, never};
use super::record::RequestRecord;
use super::request::Request;
use crate::http1::{BodyError, FieldName, Framing, ResponseHead};
use crate::net::buffers;

/// What both directions of an exchange tell each other.
#[derive(Debug)]
pub(super) struct Progress {
    /// The request has been sent to its end.
    pub(super) uploaded: AtomicBool,
    /// The client has been sent the head of the final response.
    pub(super) answered: AtomicBool,
}

impl Progress {
    /// `uploaded`: the request is only a head, or has been sent whole with it.
    pub(super) fn new(uploaded: bool) -> Self {
        Self {
            uploaded: AtomicBool::new(uploaded),
            answered: AtomicBool::new(false),
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    fn is_uploading(&self) -> bool {
        !self.uploaded.load(Ordering::Relaxed)
    }
}

/// How a response ended well.
#[derive(Debug)]
pub(super) enum Downloaded {
    /// Sent to its last byte.
    Response {
        /// Whether the client's connection may stay open.
        keep_alive: bool,
        /// What the target says about its own; none if it closes.
        reuse: Option<Reuse>,
    },
    /// The target switched protocols; these bytes of the new one came with its head.
    Upgrade(Vec<u8>),
}

/// What a target says about keeping its connection open (`Keep-Alive: timeout=5, max=100`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reuse {
    /// Seconds after which an idle connection is closed.
    pub(super) timeout: Option<u32>,
    /// How many more requests it takes.
    pub(super) max: Option<u32>,
}

/// One response on its way.
#[derive(Debug)]
pub(super) struct Download<'d, 'r> {
    pub(super) target: BodyReader<'d>,
    pub(super) client: BodyWriter<'d>,
    pub(super) request: &'d Request<'r>,
    pub(super) record: &'d mut RequestRecord<'r>,
    pub(super) patience: Patience<'d>,
    pub(super) progress: &'d Progress,
    pub(super) stay: &'d Stay,
    /// When the head of the response came; before that, when the request was sent.
    pub(super) at: Instant,
}

impl Download<'_, '_> {
    /// Passes interim responses and the final one on to the client.
    ///
    /// # Errors
    ///
    /// Nothing has been sent to the client unless [`Progress::answered`] is set.
    pub(super) async fn run(&mut self) -> Result<Downloaded, ProxyError> {
        let mut buffer = Vec::new();
        loop {
            let head = self.head(&mut buffer).await?;
            self.at = Instant::now();
            match head.status() {
                101 => return self.switch(&head, buffer).await,
                // The client was told to continue already (ALB answers Expect at once).
                100 => {}
                102..200 => self.interim(&head, &buffer).await?,
                _ => return self.response(&head, buffer).await,
            }
            buffer.drain(..head.len());
        }
    }

    /// Reads the next head into `buffer`; whatever comes with it stays behind it.
    async fn head(&mut self, buffer: &mut Vec<u8>) -> Result<ResponseHead, ProxyError> {
        let limit = self.request.response_timeout;
        let most = self.request.attributes().limits.response_headers;
        // The clock runs only once the target has the whole request.
        let busy = || self.progress.is_uploading();
        let head = async {
            let head = pin!(self.target.head(buffer, most));
            or_gone(&mut self.client, head).await
        };
        let head = self.patience.wait(limit, busy, pin!(head)).await?;
        head?.map_err(|cut| match cut {
            HeadCut::Closed => ProxyError::TargetClosed,
            HeadCut::Unprocessed => ProxyError::TargetRefused,
            HeadCut::Refused(error) => ProxyError::ResponseHead(error),
        })
    }

    /// Passes a 1xx on. HTTP/1.0 knows none (RFC 9110 section 15.2).
    async fn interim(&mut self, head: &ResponseHead, bytes: &[u8]) -> Result<(), ProxyError> {
        if self.request.is_http_1_0() {
            return Ok(());
        }
        let decided = ToClient {
            framing: Framing::Empty,
            coding: BodyCoding::Plain,
            keep_alive: true,
            http3: None,
        };
        let mut out = buffers::take();
        to_client(
            &mut out,
            self.request.head,
            head,
            bytes,
            (decided, Cookies::default()),
            None,
        );
        self.start(&mut out, BodyCoding::Plain, b"", None).await?;
        buffers::give(out);
        Ok(())
    }

    async fn switch(
        &mut self,
        head: &ResponseHead,
        mut buffer: Vec<u8>,
    ) -> Result<Downloaded, ProxyError> {
        if self.request.head.upgrade().is_none() {
            return Err(ProxyError::UnaskedUpgrade);
        }
        let decided = ToClient {
            framing: Framing::Empty,
            coding: BodyCoding::Plain,
            keep_alive: true,
            http3: None,
        };
        self.answer(head, &buffer, decided, 0, None).await?;
        buffer.drain(..head.len());
        Ok(Downloaded::Upgrade(buffer))
    }

    /// Passes the final response on: its head with what came of the body, then the rest.
    async fn response(
        &mut self,
        head: &ResponseHead,
        mut buffer: Vec<u8>,
    ) -> Result<Downloaded, ProxyError> {
        let framing = head
            .framing(&buffer, self.request.head.has_method("HEAD"))
            .map_err(ProxyError::ResponseHead)?;
        let (mut body, framing) = self.target.inflow(framing);
        let coding = BodyCoding::of(framing, self.request.head.version());
        self.record.ends_with_connection = coding == BodyCoding::UntilClose;
        // Decided as late as this, because the daemon may have begun to shut down since the request
        // came. One that is still coming may never be read to its end (RFC 9112 section 9.6).
        let keep_alive = self.request.head.keeps_alive()
            && coding != BodyCoding::UntilClose
            && !self.progress.is_uploading()
            && self.stay.goes_on(self.request.attributes(), self.at);
        let decided = ToClient {
            framing,
            coding,
            keep_alive,
            http3: self.record.http3_port(),
        };
        let (start, whole) = (head.len(), buffer.len());
        let found = body.decode(&mut buffer[start..]);
        let found = found.map_err(ProxyError::ResponseBody)?;
        let extra = start + found.consumed < whole;
        let end = found.done.then(|| body.trailers());
        self.answer(head, &buffer, decided, found.content, end)
            .await?;
        // A stream goes with its request.
        let kept = matches!(self.target, BodyReader::Http1(_)) && head.keeps_alive();
        let reuse =
            (kept && framing != Framing::UntilClose && !extra).then(|| reuse(head, &buffer));
        let clean = self.body(&mut body, coding, &mut buffer).await?;
        buffers::give(buffer);
        Ok(Downloaded::Response {
            keep_alive,
            reuse: reuse.filter(|_| clean),
        })
    }

    /// Sends the head with the first `content` bytes of the body, which stand behind it, and the end
    /// of the body (its trailers) if that is known already.
    async fn answer(
        &mut self,
        head: &ResponseHead,
        buffer: &[u8],
        decided: ToClient,
        content: usize,
        end: Option<&[u8]>,
    ) -> Result<(), ProxyError> {
        let mut out = buffers::take();
        let changes = self.request.entrance.listener.headers.response.as_ref();
        let stay = self.record.stay.as_ref();
        let stay = stay.map_or_else(Vec::new, |stay| stay.cookies(self.request, head, buffer));
        let cookies = Cookies {
            stay: &stay,
            passport: &self.request.passport.cookies,
        };
        to_client(
            &mut out,
            self.request.head,
            head,
            buffer,
            (decided, cookies),
            changes,
        );
        self.record.answered(head.status(), self.at);
        self.progress.answered.store(true, Ordering::Relaxed);
        self.patience.may_leave = false;
        let content = &buffer[head.len()..head.len() + content];
        self.start(&mut out, decided.coding, content, end).await?;
        buffers::give(out);
        Ok(())
    }

    /// Passes the rest of the body on. Returns whether the target sent nothing beyond it.
    async fn body(
        &mut self,
        body: &mut Inflow,
        coding: BodyCoding,
        buffer: &mut Vec<u8>,
    ) -> Result<bool, ProxyError> {
        let mut clean = true;
        let mut ended = body.is_done();
        while !ended {
            let limit = self.request.response_timeout;
            let read = async {
                let read = pin!(self.target.read(body, buffer));
                or_gone(&mut self.client, read).await
            };
            let found = self.patience.wait(limit, never, pin!(read)).await??;
            let found = found.map_err(|broken| match broken {
                Broken::Closed => ProxyError::ResponseBody(BodyError::Truncated),
                Broken::Malformed(error) => ProxyError::ResponseBody(error),
            })?;
            ended = found.done;
            clean = found.consumed == buffer.len();
            let end = ended.then(|| body.trailers());
            self.send(coding, &buffer[..found.content], end).await?;
        }
        Ok(clean)
    }

    /// Writes to the client, which may be as slow as it likes but not stop for the idle timeout.
    async fn start(
        &mut self,
        head: &mut Vec<u8>,
        coding: BodyCoding,
        content: &[u8],
        end: Option<&[u8]>,
    ) -> Result<(), ProxyError> {
        let idle = self.request.attributes().idle_timeout;
        self.record.sent_heads += head.len() as u64;
        let sent = &self.record.sent;
        let sending = self.client.start(head, coding, content, end, sent);
        let outcome = self.patience.deliver(idle, sent, pin!(sending)).await?;
        outcome.map_err(|_| ProxyError::ClientClosed)
    }

    /// The same for what follows the head.
    async fn send(
        &mut self,
        coding: BodyCoding,
        content: &[u8],
        end: Option<&[u8]>,
    ) -> Result<(), ProxyError> {
        let idle = self.request.attributes().idle_timeout;
        let sent = &self.record.sent;
        let sending = self.client.send(coding, content, end, sent);
        let outcome = self.patience.deliver(idle, sent, pin!(sending)).await?;
        outcome.map_err(|_| ProxyError::ClientClosed)
    }
}

/// Waits for the target while the client stays.
async fn or_gone<T>(
    client: &mut BodyWriter<'_>,
    mut target: Pin<&mut impl Future<Output = T>>,
) -> Result<T, ProxyError> {
    tokio::select! {
        biased;
        output = &mut target => Ok(output),
        () = client.gone() => Err(ProxyError::ClientClosed),
    }
}

/// Reads `Keep-Alive: timeout=5, max=100`, which Apache, Node and others send.
fn reuse(head: &ResponseHead, bytes: &[u8]) -> Reuse {
    let mut reuse = Reuse::default();
    let value = head.value(bytes, FieldName::KeepAlive).unwrap_or_default();
    for parameter in value.split(|byte| *byte == b',') {
        let Ok(text) = str::from_utf8(parameter.trim_ascii()) else {
            continue;
        };
        match text
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim().parse()))
        {
            Some((key, Ok(seconds))) if key.eq_ignore_ascii_case("timeout") => {
                reuse.timeout = Some(seconds);
            }
            Some((key, Ok(requests))) if key.eq_ignore_ascii_case("max") => {
                reuse.max = Some(requests);
            }
            _ => {}
        }
    }
    reuse
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    #[test]
    fn keep_alive_says_how_long_and_how_often() {
        let said = |field: &str| {
            let head = format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n");
            let parsed = ResponseHead::parse(head.as_bytes(), head.len()).unwrap();
            let Reuse { timeout, max } = reuse(&parsed, head.as_bytes());
            (timeout, max)
        };
        assert_eq!(said("Keep-Alive: timeout=5, max=100"), (Some(5), Some(100)));
        assert_eq!(said("keep-alive: Max=3,TIMEOUT = 7"), (Some(7), Some(3)));
        assert_eq!(said("Keep-Alive: timeout=soon"), (None, None));
        assert_eq!(said("Server: x"), (None, None));
    }
}
