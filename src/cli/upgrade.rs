//! `elbow upgrade`.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use serde::Deserialize;

use super::Failure;
use super::remote;
use super::say::say;

/// A new process has a minute to get ready, and a little for the rest.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the admin API answers, as far as it is printed.
#[derive(Debug, Deserialize)]
struct Upgraded {
    pid: u32,
    version: String,
    predecessor: u32,
}

#[derive(Debug, Deserialize)]
struct Failed {
    error: String,
    #[serde(default)]
    bad_configuration: bool,
}

/// Has the daemon replaced by a new process, and prints what became of it.
pub(super) fn upgrade(admin: SocketAddr) -> Result<(), Failure> {
    let answer = remote::ask_patiently(admin, Method::POST, "/upgrade", PATIENCE)?;
    if !answer.status.is_success() {
        let failed: Failed = remote::parse(admin, &answer)?;
        let goes_on = "The running process goes on as before.";
        return Err(match failed.bad_configuration {
            true => Failure::Refused(format!("{}\n\n{goes_on}", failed.error)),
            false => Failure::Declined(format!("not upgraded: {}\n\n{goes_on}", failed.error)),
        });
    }
    let Upgraded {
        pid,
        version,
        predecessor,
    } = remote::parse(admin, &answer)?;
    Ok(say(format_args!(
        "Elbow {version}, process {pid}, has taken over. Process {predecessor} lets its connections finish.\n"
    ))?)
}
