//! `elbow reload`.

use std::net::SocketAddr;

use http::Method;
use serde::Deserialize;

use super::Failure;
use super::remote;
use super::say::say;

/// What the admin API answers, as far as it is printed.
#[derive(Debug, Deserialize)]
struct Taken {
    generation: u64,
    summary: String,
    warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Refused {
    error: String,
}

/// Has the daemon read its configuration again, and prints what became of it.
pub(super) fn reload(admin: SocketAddr) -> Result<(), Failure> {
    let answer = remote::ask(admin, Method::POST, "/reload")?;
    if !answer.status.is_success() {
        let refused: Refused = remote::parse(admin, &answer)?;
        return Err(Failure::Refused(format!(
            "{}\n\nRefused: the configuration before stays in force.",
            refused.error
        )));
    }
    let taken: Taken = remote::parse(admin, &answer)?;
    for warning in &taken.warnings {
        eprintln!("{warning}");
    }
    Ok(say(format_args!(
        "Configuration {} is in force: {}.\n",
        taken.generation, taken.summary
    ))?)
}
