//! `elbow fail-back` and `elbow activate`.

use std::net::SocketAddr;

use http::Method;
use serde::Deserialize;

use super::Failure;
use super::remote;
use super::say::say;

/// What the admin API answers, as far as it is printed.
#[derive(Debug, Deserialize)]
struct Switched {
    active_targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Refused {
    error: String,
    help: String,
}

/// Has the best healthy targets of an active/standby group take its traffic again.
pub(super) fn fail_back(admin: SocketAddr, group: &str) -> Result<(), Failure> {
    switch(admin, group, &format!("/target-groups/{group}/fail-back"))
}

/// Has one target, and those with its priority, take the group's traffic.
pub(super) fn activate(admin: SocketAddr, group: &str, target: &str) -> Result<(), Failure> {
    let path = format!("/target-groups/{group}/targets/{target}/activate");
    switch(admin, group, &path)
}

fn switch(admin: SocketAddr, group: &str, path: &str) -> Result<(), Failure> {
    let answer = remote::ask(admin, Method::POST, path)?;
    if !answer.status.is_success() {
        let Refused { error, help } = remote::parse(admin, &answer)?;
        return Err(Failure::Declined(format!("{error} ({help})")));
    }
    let switched: Switched = remote::parse(admin, &answer)?;
    let active = switched.active_targets.join(", ");
    Ok(say(format_args!(
        "{active} of target group {group} is active now.\n"
    ))?)
}
