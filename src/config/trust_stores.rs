//! The trust stores that a configuration names, read: step 3 of a reload.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::problem::Problem;
use super::valid::{ValidConfig, ValidTrustStore};
use crate::tls::{TrustStoreFileError, TrustStoreSlot};

/// The trust stores of a configuration, by name.
#[derive(Clone, Debug, Default)]
pub struct LoadedTrustStores(BTreeMap<Arc<str>, Arc<TrustStoreSlot>>);

impl LoadedTrustStores {
    /// That of this name.
    pub fn slot(&self, name: &str) -> Option<&Arc<TrustStoreSlot>> {
        self.0.get(name)
    }
}

/// Reads all that `valid` names. Blocks: the files may lie on a network. The problems have a path, and
/// no location yet; if there is one, there is a trust store less.
pub(super) fn load(valid: &ValidConfig) -> (LoadedTrustStores, Vec<Problem>) {
    let mut loaded = LoadedTrustStores::default();
    let mut problems = Vec::new();
    for wanted in &valid.trust_stores {
        let name = Arc::clone(&wanted.name);
        match TrustStoreSlot::load(Arc::clone(&name), wanted.files.clone()) {
            Ok(slot) => {
                loaded.0.insert(name, Arc::new(slot));
            }
            Err(error) => problems.push(refused(wanted, &error)),
        }
    }
    (loaded, problems)
}

fn refused(wanted: &ValidTrustStore, error: &TrustStoreFileError) -> Problem {
    let path = match error.list {
        None => format!("{}.ca_certificates", wanted.path),
        Some(index) => format!("{}.revocation_lists[{index}]", wanted.path),
    };
    Problem::error(path, error.to_string())
}
