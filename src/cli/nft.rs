//! `elbow nft`: the rules of a packet filter that hold what the targets' security groups say.

use std::net::SocketAddr;
use std::path::Path;

use http::Method;
use prometheus::Registry;
use tokio::time::Instant;

use super::Failure;
use super::remote;
use super::say::say;
use crate::config;
use crate::metrics::Metrics;
use crate::nft::ruleset;
use crate::snapshot::Snapshot;
use crate::tls::Terminators;

/// By a file, which knows the targets that it names by their addresses.
pub(super) fn by_file(file: &Path) -> Result<(), Failure> {
    let (valid, _) = config::check(file)
        .into_result()
        .map_err(|problems| Failure::Refused(problems.to_string()))?;
    let metrics =
        Metrics::new(&Registry::new()).map_err(|error| Failure::Other(error.to_string()))?;
    let (tls, last) = (Terminators::default(), Snapshot::default());
    let snapshot = Snapshot::compile(&valid, &tls, &last, &metrics, Instant::now());
    Ok(say(ruleset(&snapshot))?)
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
