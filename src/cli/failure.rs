//! What went wrong with a command, and the exit code for it.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

use crate::app::StartError;
use crate::causes::in_full;
use crate::demo::DemoError;
use crate::local_ca::LocalCaError;
use crate::succession::SuccessionError;
use crate::telemetry::TelemetryError;

use super::remote::RemoteError;

/// `EX_USAGE` of sysexits.h, which other proxies use for a bad configuration, too.
const BAD_CONFIGURATION: u8 = 64;

/// Why a command did not do what it should.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Succession(#[from] SuccessionError),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    LocalCa(#[from] LocalCaError),
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A running daemon, or a check, has refused a configuration; the text says why.
    #[error("{0}")]
    Refused(String),
    /// A question that has no answer, or an order that is not obeyed.
    #[error("{0}")]
    Other(String),
    #[error("{} is there already; --overwrite replaces it, --renew makes it valid again", path.display())]
    Taken { path: PathBuf },
    /// A running daemon has declined to do it.
    #[error("{0}")]
    Declined(String),
    /// A second signal came before the shutdown was over.
    #[error("ended before requests in flight had finished")]
    Forced,
}

impl Failure {
    /// Says it on standard error.
    pub(super) fn report(&self) -> ExitCode {
        eprintln!("{}", self.text());
        ExitCode::from(self.exit_code())
    }

    fn text(&self) -> String {
        match self {
            // A refusal is rendered as a compiler would; it says "error" itself.
            Self::Refused(text) => text.clone(),
            Self::Start(error) if error.is_bad_configuration() => in_full(error),
            other => format!("elbow: {}", in_full(other)),
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) => BAD_CONFIGURATION,
            Self::Start(error) if error.is_bad_configuration() => BAD_CONFIGURATION,
            _ => 1,
        }
    }
}
