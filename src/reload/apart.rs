//! Files that a reload reads and writes, each on a thread apart: a file system that hangs must hang nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use super::ReloadError;
use crate::access_log::{self, AccessLog, Destination, Format, Subject};
use crate::config::{
    self, AccessLogSettings, Inventory, LoadedCertificates, LoadedTrustStores, LogFormat, Problems,
    ValidConfig,
};

/// Reads what was made through the AWS API.
pub(super) async fn read_inventory(state: Option<PathBuf>) -> Result<Inventory, ReloadError> {
    let Some(state) = state else {
        return Ok(Inventory::default());
    };
    match tokio::task::spawn_blocking(move || Inventory::read(&state)).await {
        Ok(read) => Ok(read?),
        Err(_) => Err(ReloadError::ShuttingDown),
    }
}

/// Keeps it, if what was kept is still what it was `before`.
pub(super) async fn keep(
    valid: &ValidConfig,
    before: &Inventory,
    inventory: &Inventory,
) -> Result<(), ReloadError> {
    let Some(state) = valid.state_directory.clone() else {
        return Ok(()); // Nobody makes anything then.
    };
    let (before, inventory) = (before.clone(), inventory.clone());
    match tokio::task::spawn_blocking(move || inventory.replace(&before, &state)).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(ReloadError::ShuttingDown),
    }
}

/// Opens another log if the settings are other ones than `before`.
pub(super) async fn prepare_log(
    subject: Subject,
    before: Option<&AccessLogSettings>,
    wanted: &AccessLogSettings,
) -> Result<Option<access_log::Prepared>, ReloadError> {
    if before == Some(wanted) {
        return Ok(None);
    }
    let settings = access_log::Settings {
        subject,
        destination: Destination::from_path(wanted.path.clone()),
        format: match wanted.format {
            LogFormat::Alb => Format::Alb,
            LogFormat::Json => Format::Json,
        },
    };
    // To open a pipe waits for its reader.
    match tokio::task::spawn_blocking(|| AccessLog::prepare(settings)).await {
        Ok(prepared) => Ok(Some(prepared?)),
        Err(_) => Err(ReloadError::ShuttingDown),
    }
}

/// Reads the trust stores.
pub(super) async fn read_trust_stores(
    valid: &Arc<ValidConfig>,
    text: &str,
    name: &str,
) -> Result<LoadedTrustStores, ReloadError> {
    if valid.trust_stores.is_empty() {
        return Ok(LoadedTrustStores::default());
    }
    let (valid, text, name) = (Arc::clone(valid), text.to_owned(), name.to_owned());
    let read = move || config::load_trust_stores(&valid, &text, &name);
    match tokio::task::spawn_blocking(read).await {
        Ok(loaded) => Ok(loaded?),
        Err(_) => Err(ReloadError::ShuttingDown),
    }
}

/// Reads the certificates.
pub(super) async fn read_certificates(
    valid: &Arc<ValidConfig>,
    (known, anew): (LoadedCertificates, bool),
    text: &str,
    name: &str,
) -> Result<(LoadedCertificates, Problems), ReloadError> {
    let (valid, text, name) = (Arc::clone(valid), text.to_owned(), name.to_owned());
    let read = move || config::load_certificates(&valid, &known, anew, &text, &name);
    match tokio::task::spawn_blocking(read).await {
        Ok(loaded) => Ok(loaded?),
        Err(_) => Err(ReloadError::ShuttingDown),
    }
}
