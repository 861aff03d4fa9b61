//! The one writer of snapshots: from a changed file, a signal or a call to a configuration in force.
//!
//! Look at [`Reloader::apply`], the life of a reload in eight steps, and at [`ReloadHandle`], by
//! which everybody else asks for one. Start-up is the same function with an empty last snapshot.
//! What providers besides the file contribute joins each configuration that is taken over.
//! What a configuration may say is [`crate::config`]'s question; what it means to a request,
//! [`crate::snapshot`]'s.

mod apart;
mod bequest;
mod certificates;
mod difference;
mod fixed;
mod handle;
mod reloader;
mod source;
mod standing;
mod tls;
mod trust_stores;
mod watch;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::access_log::AccessLogError;
use crate::acme::AcmeError;
use crate::config::{InventoryError, Problems};
use crate::keyring::KeyringError;
use crate::server::ServerError;

pub use bequest::{Bequest, Knowledge, Legacy};
pub use certificates::watch_certificates;
pub use difference::{Changes, Difference};
pub use fixed::Fixed;
pub use handle::{Queue, Refusal, ReloadHandle};
pub use reloader::{InForce, Reloader, Rooms};
pub use source::Source;
pub use standing::Standing;
pub use tls::TlsState;
pub use trust_stores::watch_trust_stores;
pub use watch::watch;

/// Who asked for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The process starts.
    Start,
    /// The configuration file has changed.
    FileChange,
    /// SIGHUP.
    Signal,
    /// The admin API.
    Api,
    /// A provider has found other targets than before.
    Discovery,
    /// Something was made, changed or deleted through the AWS API.
    AwsApi,
}

impl Cause {
    /// A word for logs and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::FileChange => "file change",
            Self::Signal => "SIGHUP",
            Self::Api => "API",
            Self::Discovery => "discovery",
            Self::AwsApi => "AWS API",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A configuration was taken over.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// The snapshot's generation.
    pub generation: u64,
    /// What is different from the configuration before.
    pub difference: Difference,
    /// What the operator should know although nothing is wrong, for example that a setting takes
    /// effect only at the next start.
    pub warnings: Vec<String>,
}

/// A configuration was refused; nothing has changed.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The text is not a valid configuration. Displays all problems, one below the other.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// An address cannot be bound.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The key log cannot be opened.
    #[error("cannot open the key log {}", path.display())]
    KeyLog {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The TLS of a listener cannot be set up.
    #[error("the TLS of load balancer {load_balancer:?}, port {port}, cannot be set up")]
    Tls {
        /// The load balancer.
        load_balancer: Arc<str>,
        /// The listener's port.
        port: u16,
        /// What rustls says.
        source: rustls::Error,
    },
    /// Certificates could not be ordered.
    #[error("no certificates can be ordered by ACME")]
    Acme(#[from] AcmeError),
    /// The access log cannot be opened.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    /// The keys of cookies are not to be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// What was made through the AWS API is not to be had, or cannot be kept.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The process is shutting down.
    #[error("the configuration is not reloaded any more: the process is shutting down")]
    ShuttingDown,
}
