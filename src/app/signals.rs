//! What the signals mean: SIGTERM and SIGINT end, SIGHUP reloads, SIGUSR1 reopens the logs,
//! SIGUSR2 starts a new process that takes over.

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
    upgrade: Signal,
}

/// Why the daemon is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A signal says so.
    Asked,
    /// Another process has taken over.
    Succeeded,
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
            upgrade: signal(SignalKind::user_defined2())?,
        })
    }

    /// Obeys the other signals until SIGTERM or SIGINT comes, or another process has taken over.
    pub async fn until_end(&mut self, running: &Running) -> End {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return End::Asked,
                _ = self.interrupt.recv() => return End::Asked,
                () = running.lineage.succeeded() => return End::Succeeded,
                _ = self.upgrade.recv() => {
                    let upgrade = running.upgrade.clone();
                    // What becomes of it is logged.
                    tokio::spawn(async move { upgrade.upgrade().await });
                }
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

    /// Lets connections end after another process has taken over. The service manager may send SIGTERM
    /// to all processes of a service: the first one is in time, a second one ends the wait.
    pub async fn retire(&mut self, running: Running) -> Option<Ended> {
        let retiring = running.retire();
        let mut retiring = std::pin::pin!(retiring);
        for last in [false, true] {
            tokio::select! {
                ended = &mut retiring => return Some(ended),
                () = self.end() => match last {
                    false => info!("connections are ending already; a second signal cuts them"),
                    true => warn!("a second signal: ending at once"),
                }
            }
        }
        None
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
