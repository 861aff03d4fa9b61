//! A new process takes over from this one: all listening sockets, and what is known, without a
//! connection refused or a request failed. `elbow upgrade` is what an operator sees of it.
//!
//! ```text
//! predecessor                                        successor
//! `elbow upgrade`, SIGUSR2: starts the program
//!   anew, a channel as its standard input
//! or one started by hand comes to the socket
//!   of `[upgrade] socket`                            <- Hello        its version
//! Estate ->      sockets (SCM_RIGHTS), live state,
//!                keys; no reload from now on
//!                                                    reads its configuration, finds its targets,
//!                                                    binds what is new
//!                                                    <- Prepared, or Failed and why
//! leaves QUIC's packets; Proceed ->
//!                                                    accepts
//!                                                    <- Serving
//! tells the service manager; accepts no more
//! Yours ->
//! each connection ends with its next answer          ready
//! ends, at the latest after `[upgrade] deadline`
//! ```
//!
//! Until `Serving` has come the predecessor accepts as ever: whatever becomes of the successor, a wrong
//! configuration, a crash, or nothing in time, nobody else notices. Both accept for a moment then, from the
//! same sockets, so a client waits in one queue and meets whoever is first.
//!
//! Look at [`Predecessor`], [`Successor`] and [`UpgradeHandle`], by which everybody else asks for one;
//! [`Lineage`] is what is shown of it. What is passed on is each owner's to say: [`crate::server::Bequest`],
//! [`crate::snapshot::LiveBequest`], the keys of [`crate::keyring`] and of [`crate::tls`]. Counters are not.

mod handle;
mod lineage;
mod message;
mod predecessor;
mod program;
pub mod service_manager;
mod socket;
mod successor;

use std::io;

use thiserror::Error;

pub use handle::{UpgradeHandle, Upgrades};
pub use lineage::{Lineage, Origin};
pub use predecessor::{Predecessor, Upgraded};
pub use program::Program;
pub use socket::{UpgradeSocket, connect};
pub use successor::Successor;

/// Why no new process has taken over. The one before goes on as if nothing had been.
#[derive(Debug, Error)]
pub enum SuccessionError {
    /// This daemon cannot start itself anew.
    #[error("{0}")]
    Unable(&'static str),
    /// The program cannot be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// What was to be started.
        program: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The new process has said why it gives up.
    #[error("{reason}")]
    Failed {
        /// In its words.
        reason: String,
        /// Whether its configuration is wrong.
        bad_configuration: bool,
    },
    /// The new process has ended without a word.
    #[error("the new process ended before it was ready ({0}); its log may say why")]
    Ended(String),
    /// The new process did not do the next step in time.
    #[error("the new process was not {0} in time")]
    Slow(&'static str),
    /// The other process said something else than it should.
    #[error("the other process speaks another language: {0}")]
    Language(String),
    /// The process before does not want to be followed.
    #[error("the running process goes on: {0}")]
    Refused(String),
    /// The channel between the two, or a socket, is broken.
    #[error("the sockets could not be passed on: {0}")]
    Io(#[from] io::Error),
    /// The daemon is about to end, or another process has taken over already.
    #[error("this process serves no more: it ends, or another one has taken over")]
    Leaving,
}

/// Does what blocks apart, so that health checks and the admin side go on.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SuccessionError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| SuccessionError::Io(io::Error::other(error)))
}
