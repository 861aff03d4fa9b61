//! What the two processes say to each other.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::{io, process};

use serde::{Deserialize, Serialize};

use super::SuccessionError;
use crate::net::passing;
use crate::reload::Knowledge;
use crate::server::SocketRecord;

/// Changes when an older version could not understand any more what is said.
const LANGUAGE: u32 = 1;

/// One thing said.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub(super) enum Message {
    /// The successor is there.
    Hello {
        language: u32,
        version: String,
        pid: u32,
    },
    /// All that is passed on; the sockets come with it: those of the server, then the admin address'.
    Estate(Box<Estate>),
    /// The successor is not wanted.
    Refused { reason: String },
    /// All is ready but accepting.
    Prepared,
    /// Accept.
    Proceed,
    /// It accepts.
    Serving,
    /// The predecessor accepts no more.
    Yours,
    /// The successor gives up.
    Failed {
        reason: String,
        bad_configuration: bool,
    },
}

/// All that is passed on, but for the sockets themselves.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Estate {
    pub(super) version: String,
    pub(super) pid: u32,
    /// How many processes there were, this one included.
    pub(super) number: u64,
    pub(super) sockets: Vec<SocketRecord>,
    pub(super) admin: SocketAddr,
    #[serde(flatten)]
    pub(super) knowledge: Knowledge,
}

/// One end of the channel. Everything here blocks, but not for longer than it is told.
#[derive(Debug)]
pub(super) struct Talk(pub(super) UnixStream);

/// How long the other end may take to read.
const READS: Duration = Duration::from_secs(10);

impl Message {
    pub(super) fn hello() -> Self {
        Self::Hello {
            language: LANGUAGE,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: process::id(),
        }
    }
}

impl Talk {
    pub(super) fn say(&self, message: &Message, sockets: &[OwnedFd]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        let sockets: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
        self.0.set_write_timeout(Some(READS))?;
        passing::send(&self.0, &text, &sockets)
    }

    /// What the other end says next; `step` is what it should have come to.
    pub(super) fn hear(
        &self,
        within: Duration,
        step: &'static str,
    ) -> Result<(Message, Vec<OwnedFd>), SuccessionError> {
        self.0.set_read_timeout(Some(within))?;
        let frame = match passing::receive(&self.0) {
            Ok(frame) => frame,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(SuccessionError::Slow(step));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => return Err(error.into()),
        };
        let Some((text, sockets)) = frame else {
            return Err(SuccessionError::Ended("the channel is closed".to_owned()));
        };
        let message = serde_json::from_slice(&text)
            .map_err(|error| SuccessionError::Language(error.to_string()))?;
        match message {
            Message::Failed {
                reason,
                bad_configuration,
            } => Err(SuccessionError::Failed {
                reason,
                bad_configuration,
            }),
            Message::Refused { reason } => Err(SuccessionError::Refused(reason)),
            Message::Hello { language, .. } if language != LANGUAGE => {
                let reason = format!("number {language}, not {LANGUAGE}");
                Err(SuccessionError::Language(reason))
            }
            message => Ok((message, sockets)),
        }
    }
}

/// What was said does not belong here.
pub(super) fn unexpected(message: &Message) -> SuccessionError {
    let text = serde_json::to_string(message).unwrap_or_default();
    let start: String = text.chars().take(40).collect();
    SuccessionError::Language(format!("{start} is not what comes next"))
}
