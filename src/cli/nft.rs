//! `elbow nft`: the rules of a packet filter that hold what the targets' security groups say.

use std::net::SocketAddr;
use std::path::Path;

use http::Method;
use tokio::time::Instant;

use super::Failure;
use super::offline::compiled;
use super::remote;
use super::say::say;
use crate::nft::ruleset;

/// By a file, which knows the targets that it names by their addresses.
pub(super) fn by_file(file: &Path) -> Result<(), Failure> {
    Ok(say(ruleset(&compiled(file, Instant::now())?))?)
}

/// By what a daemon has in force, with the targets that it has found and the addresses of this moment.
pub(super) fn by_daemon(admin: SocketAddr) -> Result<(), Failure> {
    let answer = remote::ask(admin, Method::GET, "/nft")?;
    let text = String::from_utf8_lossy(&answer.body);
    match answer.status.is_success() {
        true => Ok(say(text)?),
        false => Err(Failure::Other(text.into_owned())),
    }
}
