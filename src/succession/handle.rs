//! Asking for a new process, from anywhere.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{SuccessionError, Upgraded};

/// What became of an upgrade.
pub(super) type Outcome = Result<Upgraded, Arc<SuccessionError>>;

/// Asks the [`Predecessor`](super::Predecessor). Clones ask the same one.
#[derive(Clone, Debug)]
pub struct UpgradeHandle(mpsc::Sender<Request>);

/// The predecessor's end of it.
#[derive(Debug)]
pub struct Upgrades(pub(super) mpsc::Receiver<Request>);

/// What is asked.
#[derive(Debug)]
pub(super) enum Request {
    /// Start the program anew.
    Start(oneshot::Sender<Outcome>),
    /// A process that was started by somebody else has come.
    Came(UnixStream),
}

impl UpgradeHandle {
    /// A handle, and the queue of the predecessor that will answer it.
    pub fn new() -> (Self, Upgrades) {
        // One after the other; a few may wait.
        let (sender, receiver) = mpsc::channel(4);
        (Self(sender), Upgrades(receiver))
    }

    /// Starts the program anew, and has it take over; returns when it has, or has failed.
    ///
    /// # Errors
    ///
    /// Why it has failed. This process goes on.
    pub async fn upgrade(&self) -> Result<Upgraded, Arc<SuccessionError>> {
        let (answer, outcome) = oneshot::channel();
        let gone = || Arc::new(SuccessionError::Leaving);
        let sent = self.0.send(Request::Start(answer)).await;
        sent.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }

    /// Has a process take over that has come by itself. What becomes of it is logged.
    pub async fn came(&self, stream: UnixStream) {
        // Closing the channel tells it that nobody answers.
        let _ = self.0.send(Request::Came(stream)).await;
    }
}
