//! How a certificate is: what the admin address and the metrics show.

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::{Attempt, Wanted};
use crate::tls::Certificate;

/// How a certificate is.
#[derive(Clone, Debug)]
pub struct Status {
    /// What logs and metrics call it.
    pub name: Arc<str>,
    /// What it is for, in the order of the configuration.
    pub names: Vec<String>,
    /// The authority, by its name in the configuration.
    pub authority: Arc<str>,
    /// The URL of the authority's directory.
    pub directory: Arc<str>,
    /// What clients are shown; none is a placeholder that nobody trusts.
    pub shown: Option<Shown>,
    /// Whether it is being ordered now.
    pub ordering: bool,
    /// When it will be ordered next, unless something happens before.
    pub next_order: Option<SystemTime>,
    /// The attempts that have failed in a row.
    pub failures: u32,
    /// The last attempt, by whichever process that shares the state directory.
    pub last: Option<Attempt>,
}

/// A certificate that clients are shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its serial number, as `0a:1b:...`.
    pub serial: String,
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
}

impl From<&Certificate> for Shown {
    fn from(certificate: &Certificate) -> Self {
        Self {
            serial: certificate.serial().to_owned(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
        }
    }
}

impl Status {
    pub(super) fn new(wanted: &Wanted) -> Self {
        Self {
            name: Arc::clone(&wanted.name),
            names: wanted.names.iter().map(ToString::to_string).collect(),
            authority: Arc::clone(&wanted.authority.name),
            directory: Arc::clone(&wanted.authority.directory),
            shown: None,
            ordering: false,
            next_order: None,
            failures: 0,
            last: None,
        }
    }
}

/// Shared by who keeps a certificate and who shows how it is.
pub(super) type SharedStatus = Arc<Mutex<Status>>;
