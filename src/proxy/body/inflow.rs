//! What is known of a body that comes in.

use crate::http1::{BodyDecoder, BodyError, Decoded, Framing};

/// A body that comes in: framed by HTTP/1.1, or by the stream that carries it.
#[derive(Debug)]
pub(in crate::proxy) enum Inflow {
    /// The framing has to be taken off the bytes.
    Framed(BodyDecoder),
    /// The stream says where the body ends.
    Stream {
        ended: bool,
        /// Lines with their line ends.
        trailers: Vec<u8>,
    },
}

/// Why a body does not go on.
#[derive(Debug)]
pub(in crate::proxy) enum Broken {
    /// Its connection or its stream ended before it did.
    Closed,
    /// It does not follow its framing.
    Malformed(BodyError),
}

impl Inflow {
    /// Framed so by HTTP/1.1.
    pub(in crate::proxy) fn framed(framing: Framing) -> Self {
        Self::Framed(BodyDecoder::new(framing))
    }

    /// On a stream; `ended` if it has no body at all.
    pub(in crate::proxy) fn stream(ended: bool) -> Self {
        Self::Stream {
            ended,
            trailers: Vec::new(),
        }
    }

    /// Whether the body has come to its end.
    pub(in crate::proxy) fn is_done(&self) -> bool {
        match self {
            Self::Framed(decoder) => decoder.is_done(),
            Self::Stream { ended, .. } => *ended,
        }
    }

    /// Its trailers: lines with their line ends. Empty until it is done.
    pub(in crate::proxy) fn trailers(&self) -> &[u8] {
        match self {
            Self::Framed(decoder) => decoder.trailers(),
            Self::Stream { trailers, .. } => trailers,
        }
    }

    /// Takes the framing off bytes that were read already, in place.
    ///
    /// # Errors
    ///
    /// They do not follow it.
    pub(in crate::proxy) fn decode(&mut self, raw: &mut [u8]) -> Result<Decoded, BodyError> {
        match self {
            Self::Framed(decoder) => decoder.decode(raw),
            Self::Stream { ended, .. } => Ok(Decoded {
                content: raw.len(),
                consumed: raw.len(),
                done: *ended,
            }),
        }
    }

    /// Whether only the end of the connection ends the body.
    pub(super) fn lasts_to_close(&self) -> bool {
        matches!(self, Self::Framed(decoder) if decoder.lasts_to_close())
    }

    /// Notes that the stream has ended.
    pub(super) fn end(&mut self, lines: Vec<u8>) {
        if let Self::Stream { ended, trailers } = self {
            *ended = true;
            *trailers = lines;
        }
    }
}
