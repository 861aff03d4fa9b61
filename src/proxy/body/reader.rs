//! The direction from which a body comes.

use super::{Broken, Inflow};
use crate::http1::{Decoded, Framing, HeadError, HeadLimits, HeadScanner, ResponseHead};
use crate::net::Reader;
use crate::net::buffers;
use crate::proxy::http2::{Inbound, NoHead};
use crate::proxy::http3;

/// Where a body comes from.
#[derive(Debug)]
pub(in crate::proxy) enum BodyReader<'a> {
    /// A connection that carries one message after the other.
    Http1(Reader<'a>),
    /// A stream of HTTP/2.
    Http2(&'a mut Inbound),
    /// A stream of HTTP/3: a client's.
    Http3(&'a mut http3::Inbound),
}

/// Why the head of a response did not come.
#[derive(Debug)]
pub(in crate::proxy) enum HeadCut {
    /// Its connection or its stream ended.
    Closed,
    /// The target says that it has not begun with the request.
    Unprocessed,
    /// It was refused.
    Refused(HeadError),
}

impl BodyReader<'_> {
    /// Reads the next head of a target's response into `buffer`, of `most` bytes at most; whatever
    /// comes with it stays behind it.
    ///
    /// # Errors
    ///
    /// The target closed before, or sent what is no head.
    pub(in crate::proxy) async fn head(
        &mut self,
        buffer: &mut Vec<u8>,
        most: usize,
    ) -> Result<ResponseHead, HeadCut> {
        match self {
            Self::Http1(reader) => head_http1(reader, buffer, most).await,
            Self::Http2(inbound) => {
                inbound
                    .head(buffer)
                    .await
                    .map_err(|no_head| match no_head {
                        NoHead::Closed => HeadCut::Closed,
                        NoHead::Unprocessed => HeadCut::Unprocessed,
                    })?;
                if buffer.len() > most {
                    return Err(HeadCut::Refused(HeadError::FieldsTooLarge));
                }
                ResponseHead::parse(buffer, buffer.len()).map_err(HeadCut::Refused)
            }
            // No target is asked in HTTP/3.
            Self::Http3(_) => Err(HeadCut::Closed),
        }
    }

    /// The body of the response whose head has come, and its framing, which a stream may know
    /// better than the head does.
    pub(in crate::proxy) fn inflow(&self, framing: Framing) -> (Inflow, Framing) {
        match self {
            Self::Http1(_) => (Inflow::framed(framing), framing),
            Self::Http2(inbound) => {
                let ended = inbound.is_ended() || framing.is_empty();
                let framing = match framing {
                    Framing::UntilClose if ended => Framing::Length(0),
                    framing => framing,
                };
                (Inflow::stream(ended), framing)
            }
            Self::Http3(_) => (Inflow::stream(false), framing),
        }
    }

    /// Waits for more of the body, and leaves its content at the start of `buffer`, in the place
    /// of what was there. Until something comes, an empty buffer stays without memory.
    ///
    /// # Errors
    ///
    /// The body is cut short, or does not follow its framing.
    pub(in crate::proxy) async fn read(
        &mut self,
        body: &mut Inflow,
        buffer: &mut Vec<u8>,
    ) -> Result<Decoded, Broken> {
        buffer.clear();
        match self {
            Self::Http1(reader) => {
                let read = read_http1(reader, buffer).await;
                match read {
                    Ok(1..) => body.decode(buffer).map_err(Broken::Malformed),
                    Ok(0) if body.lasts_to_close() => Ok(Decoded {
                        done: true,
                        ..Decoded::default()
                    }),
                    Ok(0) | Err(_) => Err(Broken::Closed),
                }
            }
            Self::Http2(inbound) => {
                if let Some(trailers) = inbound.read(buffer).await.ok_or(Broken::Closed)? {
                    body.end(trailers);
                }
                body.decode(buffer).map_err(Broken::Malformed)
            }
            Self::Http3(inbound) => {
                if let Some(trailers) = inbound.read(buffer).await.ok_or(Broken::Closed)? {
                    body.end(trailers);
                }
                body.decode(buffer).map_err(Broken::Malformed)
            }
        }
    }

    /// What follows an agreed upgrade: bytes to the end of the connection, or of the stream.
    pub(in crate::proxy) fn tunnelled(&self) -> Inflow {
        match self {
            Self::Http1(_) => Inflow::framed(Framing::UntilClose),
            Self::Http2(_) | Self::Http3(_) => Inflow::stream(false),
        }
    }

    /// Waits until the peer sends something that nobody asked for, or ends. On a stream that is
    /// noticed by whoever writes to it, so this waits forever there. Returns whether something came.
    pub(in crate::proxy) async fn watch(&mut self, buffer: &mut Vec<u8>) -> bool {
        match self {
            Self::Http1(reader) => {
                reader.ready().await.is_ok() && matches!(reader.read(buffer).await, Ok(1..))
            }
            Self::Http2(_) | Self::Http3(_) => std::future::pending().await,
        }
    }
}

async fn head_http1(
    reader: &mut Reader<'_>,
    buffer: &mut Vec<u8>,
    most: usize,
) -> Result<ResponseHead, HeadCut> {
    let mut scanner = HeadScanner::response(HeadLimits {
        start_line: most,
        field: most,
        fields: most,
    });
    loop {
        let end = scanner.scan(buffer).map_err(HeadCut::Refused)?;
        if let Some(mut end) = end {
            if let Some(rewritten) = scanner.with_crlf(&buffer[..end]) {
                buffer.splice(..end, rewritten.iter().copied());
                end = rewritten.len();
            }
            return ResponseHead::parse(buffer, end).map_err(HeadCut::Refused);
        }
        reader.ready().await.map_err(|_| HeadCut::Closed)?;
        if buffer.capacity() == 0 {
            *buffer = buffers::take();
        }
        match reader.try_read(buffer).await {
            Ok(Some(1..)) => {}
            Ok(Some(0)) | Err(_) => return Err(HeadCut::Closed),
            // A connection just made; while the target thinks, no buffer waits with it.
            Ok(None) if buffer.is_empty() => buffers::give(std::mem::take(buffer)),
            Ok(None) => {}
        }
    }
}

async fn read_http1(reader: &mut Reader<'_>, buffer: &mut Vec<u8>) -> std::io::Result<usize> {
    if buffer.capacity() == 0 {
        reader.ready().await?;
        *buffer = buffers::take();
    }
    reader.read(buffer).await
}
