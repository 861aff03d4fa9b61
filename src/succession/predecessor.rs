//! The side of the process that is taken over from.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::process::{self, Child};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{error, info};

use super::handle::Request;
use super::message::{Estate, Message, Talk, unexpected};
use super::{Lineage, Program, SuccessionError, Upgrades, blocking, service_manager};
use crate::metrics::UpgradeMetrics;
use crate::reload::{Bequest, ReloadHandle};

/// How long a new process may take to say that it is there.
const COMES: Duration = Duration::from_secs(20);
/// How long it may take for all but accepting: its configuration may lie on a network, its providers
/// have five seconds.
const PREPARES: Duration = Duration::from_secs(60);
/// How long from then on.
const SERVES: Duration = Duration::from_secs(20);

/// How long this process may take to accept no more.
const LEAVES: Duration = Duration::from_secs(5);

/// What starts and introduces a new process when it is asked to.
#[derive(Debug)]
pub struct Predecessor {
    /// Asks it.
    pub upgrades: Upgrades,
    /// What is passed on by the reloader.
    pub reload: ReloadHandle,
    /// The admin address as configured, and its socket.
    pub admin: (SocketAddr, TcpListener),
    /// How the program is started again; none if it cannot be.
    pub program: Option<Program>,
    /// Notes what became of it.
    pub lineage: Lineage,
    /// Counts failures.
    pub metrics: UpgradeMetrics,
}

/// Another process has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: String,
}

impl Predecessor {
    /// Answers requests until one of them has succeeded, and then stays, for as long as the daemon
    /// lives: its end of the channel tells the successor so.
    pub async fn run(mut self) {
        while let Some(request) = self.upgrades.0.recv().await {
            let (started, answer) = match request {
                Request::Start(answer) => (self.start(), Some(answer)),
                Request::Came(stream) => (Ok((None, stream)), None),
            };
            let outcome = match started {
                Ok((child, stream)) => self.introduce(child, stream).await,
                Err(error) => Err(error),
            };
            let (outcome, held) = match outcome {
                Ok((upgraded, held)) => {
                    let Upgraded { pid, version } = &upgraded;
                    info!(pid, version, "another process has taken over");
                    (Ok(upgraded), Some(held))
                }
                Err(error) => {
                    error!(%error, "no other process has taken over; this one goes on");
                    self.lineage.note_failure(error.to_string());
                    self.metrics.failures.inc();
                    (Err(Arc::new(error)), None)
                }
            };
            if let Some(answer) = answer {
                // Nobody needs to wait for it.
                let _ = answer.send(outcome);
            }
            if held.is_some() {
                self.upgrades.0.close();
                return std::future::pending().await;
            }
        }
    }

    fn start(&self) -> Result<(Option<Child>, UnixStream), SuccessionError> {
        let program = self.program.as_ref().ok_or(SuccessionError::Unable(
            "only a daemon that `elbow run` has started can be taken over from",
        ))?;
        let (child, stream) = program.start()?;
        info!(pid = child.id(), "a new process has been started");
        Ok((Some(child), stream))
    }

    /// Passes everything on. Returns what must be kept until this process ends.
    async fn introduce(
        &self,
        child: Option<Child>,
        stream: UnixStream,
    ) -> Result<(Upgraded, Talk), SuccessionError> {
        let outcome = self.converse(Talk(stream)).await;
        let Err(error) = outcome else {
            return outcome;
        };
        let Some(child) = child else {
            return Err(error);
        };
        // It has closed the channel already, or is not to go on.
        let status = blocking(move || end(child)).await?;
        Err(match error {
            SuccessionError::Ended(_) => SuccessionError::Ended(status),
            error => error,
        })
    }

    async fn converse(&self, talk: Talk) -> Result<(Upgraded, Talk), SuccessionError> {
        let (talk, upgraded) = blocking(move || {
            let (message, _) = talk.hear(COMES, "there")?;
            let Message::Hello { pid, version, .. } = message else {
                return Err(unexpected(&message));
            };
            Ok((talk, Upgraded { pid, version }))
        })
        .await??;
        // Held until the end: meanwhile nothing is reloaded.
        let (pause, paused) = oneshot::channel();
        let bequest = self.reload.bequeath(paused).await;
        let Bequest {
            mut sockets,
            knowledge,
        } = match bequest {
            Some(bequest) => bequest?,
            None => return Err(SuccessionError::Leaving),
        };
        let (address, admin) = &self.admin;
        let mut passed = std::mem::take(&mut sockets.sockets);
        passed.push(admin.try_clone()?.into());
        let estate = Estate {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: process::id(),
            number: self.lineage.number,
            sockets: std::mem::take(&mut sockets.records),
            admin: *address,
            knowledge,
        };
        let talk = blocking(move || {
            talk.say(&Message::Estate(Box::new(estate)), &passed)?;
            match talk.hear(PREPARES, "prepared")? {
                (Message::Prepared, _) => Ok::<_, SuccessionError>(talk),
                (message, _) => Err(unexpected(&message)),
            }
        })
        .await??;
        let left = sockets.leave()?;
        let served = blocking(move || {
            talk.say(&Message::Proceed, &[])?;
            match talk.hear(SERVES, "serving")? {
                (Message::Serving, _) => Ok::<_, SuccessionError>(talk),
                (message, _) => Err(unexpected(&message)),
            }
        });
        let talk = served.await.and_then(|served| served);
        let talk = talk.inspect_err(|_| left.resume())?;
        service_manager::main_process(upgraded.pid);
        self.lineage.note_success();
        drop(pause);
        // Whoever asked is to meet the new process from then on. Not in time only if this one is told
        // to end at the same moment.
        let _ = tokio::time::timeout(LEAVES, self.lineage.left()).await;
        // It serves already; that it does not hear this is no failure.
        let talk = blocking(move || {
            let _ = talk.say(&Message::Yours, &[]);
            talk
        });
        Ok((upgraded, talk.await?))
    }
}

/// Ends a process that is not to take over; says how it ended.
fn end(mut child: Child) -> String {
    // A little time for one that has failed and is about to say so.
    for _ in 0..20 {
        match child.try_wait() {
            Ok(Some(status)) => return status.to_string(),
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => return error.to_string(),
        }
    }
    let _ = child.kill();
    child.wait().map_or_else(
        |error| error.to_string(),
        |_| "it was killed, for it did not end by itself".to_owned(),
    )
}
