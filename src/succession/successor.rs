//! The side of the new process.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::AsyncReadExt;
use tracing::{info, warn};

use super::message::{Estate, Message, Talk, unexpected};
use super::{Lineage, Origin, SuccessionError, blocking, connect};
use crate::reload::Legacy;

/// How long the process before may take for a step of its own.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that is to take over, with all that the one before has passed on.
#[derive(Debug)]
pub struct Successor {
    talk: Arc<Talk>,
    lineage: Lineage,
    /// The admin address of the process before, until somebody wants it.
    admin: Option<(SocketAddr, TcpListener)>,
    legacy: Option<Legacy>,
}

impl Successor {
    /// Takes what is passed on from the process at `place`: a socket, or `-` for the standard input.
    /// None if no process listens at the socket. Blocks.
    ///
    /// # Errors
    ///
    /// It does not pass anything on, or not in a way that can be understood.
    pub fn meet(place: &Path) -> Result<Option<Self>, SuccessionError> {
        let stream = match place.to_str() {
            Some("-") => Some(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?)),
            _ => connect(place)?,
        };
        stream.map(Self::introduce).transpose()
    }

    /// The same by a channel that is there.
    ///
    /// # Errors
    ///
    /// As for [`Successor::meet`].
    pub fn introduce(stream: UnixStream) -> Result<Self, SuccessionError> {
        let talk = Talk(stream);
        talk.say(&Message::hello(), &[])?;
        let (message, sockets) = talk.hear(PATIENCE, "ready to pass its sockets on")?;
        let Message::Estate(estate) = message else {
            return Err(unexpected(&message));
        };
        let Estate {
            version,
            pid,
            number,
            sockets: records,
            admin,
            knowledge,
        } = *estate;
        let at = SystemTime::now();
        let mut sockets = VecDeque::from(sockets);
        let listener = sockets.pop_back().map(TcpListener::from);
        Ok(Self {
            talk: Arc::new(talk),
            lineage: Lineage::after(number + 1, Origin { pid, version, at }),
            admin: listener.map(|listener| (admin, listener)),
            legacy: Some(Legacy {
                records,
                sockets: sockets.into(),
                knowledge,
            }),
        })
    }

    /// Whom this process takes over from.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// What the reloader inherits. There is nothing the second time.
    pub fn legacy(&mut self) -> Option<Legacy> {
        self.legacy.take()
    }

    /// The socket of the admin address, if that is `address` still.
    pub fn admin(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let (_, listener) = self.admin.take_if(|(bound, _)| *bound == address)?;
        Some(listener)
    }

    /// Says that all is ready but accepting; returns when it is time to.
    ///
    /// # Errors
    ///
    /// The process before goes on.
    pub async fn prepared(&self) -> Result<(), SuccessionError> {
        match self.tell_and_hear(Message::Prepared).await? {
            Message::Proceed => Ok(()),
            message => Err(unexpected(&message)),
        }
    }

    /// Says that this process accepts; returns when the one before does not any more.
    pub async fn serving(&self) {
        match self.tell_and_hear(Message::Serving).await {
            Ok(Message::Yours) => {}
            // It was told to, and does: nobody else would.
            Ok(message) => warn!(error = %unexpected(&message), "no word that it is alone"),
            Err(error) => warn!(%error, "the process before gives no word"),
        }
    }

    /// Says why this process gives up.
    pub async fn failed(&self, reason: String, bad_configuration: bool) {
        let message = Message::Failed {
            reason,
            bad_configuration,
        };
        let talk = Arc::clone(&self.talk);
        // If it has gone nobody is there to be told.
        let _ = blocking(move || talk.say(&message, &[])).await;
    }

    async fn tell_and_hear(&self, message: Message) -> Result<Message, SuccessionError> {
        let talk = Arc::clone(&self.talk);
        let exchange = move || {
            talk.say(&message, &[])?;
            talk.hear(PATIENCE, "ready to be followed")
        };
        let (message, _) = blocking(exchange).await??;
        Ok(message)
    }

    /// Notes when the process before ends. Ends then.
    pub async fn outlive(self) {
        let waits = async {
            let stream = self.talk.0.try_clone()?;
            stream.set_nonblocking(true)?;
            let mut stream = tokio::net::UnixStream::from_std(stream)?;
            // It says nothing more: the end of the stream is its own.
            let mut nothing = [0; 64];
            while stream.read(&mut nothing).await? > 0 {}
            io::Result::Ok(())
        };
        // A channel that breaks has ended, too.
        let _ = waits.await;
        self.lineage.note_end_of_predecessor();
        let origin = self.lineage.origin.as_ref();
        info!(
            pid = origin.map(|it| it.pid),
            "the process before has ended"
        );
    }
}
