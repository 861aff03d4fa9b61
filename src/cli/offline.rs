//! What a configuration file would come to in a daemon, for commands that need none.

use std::path::Path;

use prometheus::Registry;
use tokio::time::Instant;

use super::Failure;
use crate::config;
use crate::metrics::Metrics;
use crate::snapshot::Snapshot;
use crate::tls::Terminators;

/// Compiles a file. Nothing listens and nothing is probed.
pub(super) fn compiled(file: &Path, now: Instant) -> Result<Snapshot, Failure> {
    let (valid, _) = config::check(file)
        .into_result()
        .map_err(|problems| Failure::Refused(problems.to_string()))?;
    let metrics =
        Metrics::new(&Registry::new()).map_err(|error| Failure::Other(error.to_string()))?;
    let (tls, last) = (Terminators::default(), Snapshot::default());
    Ok(Snapshot::compile(&valid, &tls, &last, &metrics, now))
}
