//! The daemon as one value: what is started in which order, and how it ends.
//!
//! Look at [`App::start`] and [`Running`]. `main` and the tests call the same; the tests with
//! port 0. Signals are apart ([`signals`]): a test has its own ideas about them.
//!
//! Start-up: the configuration is read and checked before anything exists; then the admin address
//! is bound, then workers start with nothing to listen on, then the first configuration is applied
//! by the same function as every later one, then the daemon is ready. Shutdown, the other way round:
//! not ready, no more reloads, listeners close and requests in flight finish until the deadline,
//! probes end, the access log is written out, and the admin address, which has shown all this, goes
//! last. A process that takes over from another one ([`crate::succession`]) accepts nothing before all
//! else is ready, and is ready when the other one accepts nothing any more.

mod admin_side;
mod control;
mod running;
pub mod signals;
mod start;

use axum::Router;

use crate::health::Resolver;
use crate::net::Activation;
use crate::reload::Source;
use crate::succession::{Program, Successor};

pub use running::{Ended, Running};
pub use start::StartError;

/// What a daemon is started with.
#[derive(Debug)]
pub struct Options {
    /// Where the configuration comes from. A file is watched for changes.
    pub source: Source,
    /// Pages of the admin address besides its own.
    pub routes: Router,
    /// Finds targets that are registered by name.
    pub resolver: Resolver,
    /// How the program is started again for an upgrade; none if it cannot be.
    pub program: Option<Program>,
    /// Set when this process is to take over from another one.
    pub successor: Option<Successor>,
    /// Sockets that whoever started this process has opened.
    pub activation: Activation,
}

impl Options {
    /// A daemon with the configuration of `source`.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            routes: Router::new(),
            resolver: Resolver::system(),
            program: None,
            successor: None,
            activation: Activation::default(),
        }
    }
}

/// The daemon.
#[derive(Debug)]
pub struct App;

impl App {
    /// Starts a daemon; returns when it listens.
    ///
    /// # Errors
    ///
    /// What kept it from starting; nothing of it is left then.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        start::start(options).await
    }
}
