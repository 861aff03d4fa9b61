//! The daemon's own log: what it says, in which form, and how much of it.
//!
//! Look at [`start`]. The access log is not here: it is traffic, not telemetry
//! ([`crate::access_log`]).

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The environment variable that says what is logged, for example `debug` or
/// `info,elbow::health=debug`.
pub const VARIABLE: &str = "ELBOW_LOG";

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogForm {
    /// For people: time, level, message, fields.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// The log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The variable cannot be understood.
    #[error("{VARIABLE} is not a filter such as \"debug\" or \"info,elbow::health=debug\"")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in the process logs already.
    #[error("the log has been started already")]
    Started,
}

/// What libraries warn of at every frame of a client's that displeases them, unless [`VARIABLE`] says
/// otherwise: a client could fill the log. What is worth a line is told by `proxy::http2` itself.
const MUTED: &str = "h2=error";

/// Starts logging to standard error, at `info` unless [`VARIABLE`] says otherwise.
///
/// # Errors
///
/// A filter that cannot be understood; a log that was started before.
pub fn start(form: LogForm) -> Result<(), TelemetryError> {
    let filter = filter(std::env::var(VARIABLE).ok().as_deref())?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match form {
        LogForm::Text => log
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
        LogForm::Json => log.json().flatten_event(true).try_init(),
    }
    .map_err(|_| TelemetryError::Started)
}

/// A filter, or else `info`.
fn filter(text: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let text = text.filter(|text| !text.is_empty()).unwrap_or("info");
    Ok(filter.parse(format!("{MUTED},{text}"))?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn without_the_variable_the_level_is_info() {
        assert_eq!(filter(None).unwrap().to_string(), "h2=error,info");
    }

    #[test]
    fn clients_cannot_make_a_library_fill_the_log_unless_it_is_to() {
        assert_eq!(filter(Some("debug")).unwrap().to_string(), "h2=error,debug");
        assert_eq!(
            filter(Some("info,h2=debug")).unwrap().to_string(),
            "h2=debug,info"
        );
    }

    #[test]
    fn one_room_may_say_more_than_the_others() {
        let filter = filter(Some("info,elbow::health=debug")).unwrap();
        assert_eq!(filter.max_level_hint(), Some(LevelFilter::DEBUG));
    }

    #[test]
    fn a_level_that_does_not_exist_is_an_error() {
        assert!(filter(Some("elbow=loud")).is_err());
    }
}
