//! What the signals mean: SIGTERM and SIGINT end, SIGHUP reloads, SIGUSR1 reopens the logs.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::reload::Cause;

use super::{Ended, Running};

/// The signals that the daemon listens to, from when this is made. Make it before the daemon is
/// started: SIGHUP would else end the process in the meantime.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    reopen: Signal,
}

impl Signals {
    /// Begins to listen. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
        })
    }

    /// Obeys SIGHUP and SIGUSR1 until SIGTERM or SIGINT comes.
    pub async fn until_end(&mut self, running: &Running) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    let reload = running.reload.clone();
                    // The reloader logs what becomes of it. A reload must not hold up a SIGTERM.
                    tokio::spawn(async move { reload.reload(Cause::Signal).await });
                }
                _ = self.reopen.recv() => {
                    info!("reopening the access log and the connection log");
                    running.access_log.reopen();
                    running.connection_log.reopen();
                }
            }
        }
    }

    /// Shuts down in order; a second SIGTERM or SIGINT ends the wait. `None` means that it did.
    pub async fn shutdown(&mut self, running: Running) -> Option<Ended> {
        tokio::select! {
            ended = running.shutdown() => Some(ended),
            () = self.end() => {
                warn!("a second signal: ending at once");
                None
            }
        }
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
