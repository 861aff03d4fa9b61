//! A trust store's place: named in the configuration, read from files, replaced when they change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::files::{Seen, look};
use super::trust_store::{TrustStore, TrustStoreError};

/// The most authorities of a trust store (ALB's quota).
const AUTHORITIES: usize = 25;
/// The most certificates that its lists revoke (ALB's quota).
const ENTRIES: usize = 500_000;

/// Where a trust store comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustStoreFiles {
    /// PEM: the authorities.
    pub ca_certificates: PathBuf,
    /// PEM or DER: what they have revoked.
    pub revocation_lists: Vec<PathBuf>,
    /// Whether ALB's quotas hold.
    pub has_quotas: bool,
}

/// What can be said of the files without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustStoreLook(Vec<Option<Seen>>);

/// One of the files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", path.display())]
pub struct TrustStoreFileError {
    /// The file.
    pub path: PathBuf,
    /// Which of the revocation lists it is; none for the authorities.
    pub list: Option<usize>,
    /// What is wrong with it.
    pub cause: TrustStoreError,
}

impl TrustStoreFiles {
    /// Reads them. Blocks: they may lie on a network.
    ///
    /// # Errors
    ///
    /// The first that cannot be used.
    pub fn load(&self) -> Result<TrustStore, TrustStoreFileError> {
        let path = &self.ca_certificates;
        let of = |list: Option<usize>| {
            let lists = &self.revocation_lists;
            let path = list.and_then(|index| lists.get(index)).unwrap_or(path);
            move |cause| TrustStoreFileError {
                path: path.clone(),
                list,
                cause,
            }
        };
        let store = read(path).and_then(|bundle| TrustStore::from_pem(&bundle));
        let mut store = store.map_err(of(None))?;
        if self.has_quotas && store.authorities() > AUTHORITIES {
            return Err(of(None)(TrustStoreError::TooManyAuthorities(AUTHORITIES)));
        }
        for (index, path) in self.revocation_lists.iter().enumerate() {
            let revoked = read(path).and_then(|list| store.revoke(&list));
            revoked.map_err(of(Some(index)))?;
            if self.has_quotas && store.revocations().1 > ENTRIES {
                return Err(of(Some(index))(TrustStoreError::TooManyEntries(ENTRIES)));
            }
        }
        Ok(store)
    }

    /// Looks at them, to find out whether they change. Blocks.
    pub fn look(&self) -> TrustStoreLook {
        let lists = self.revocation_lists.iter();
        let all = std::iter::once(&self.ca_certificates).chain(lists);
        TrustStoreLook(all.map(|path| look(path)).collect())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TrustStoreError> {
    fs::read(path).map_err(TrustStoreError::Read)
}

/// A place for a trust store. Listeners share it.
#[derive(Debug)]
pub struct TrustStoreSlot {
    name: Arc<str>,
    files: TrustStoreFiles,
    look: TrustStoreLook,
    current: ArcSwap<TrustStore>,
}

impl TrustStoreSlot {
    /// A place with what the files hold now. Blocks.
    ///
    /// # Errors
    ///
    /// One of them cannot be used.
    pub fn load(name: Arc<str>, files: TrustStoreFiles) -> Result<Self, TrustStoreFileError> {
        let look = files.look();
        let store = files.load()?;
        Ok(Self {
            name,
            files,
            look,
            current: ArcSwap::from_pointee(store),
        })
    }

    /// What the files looked like before they were first read.
    pub fn first_look(&self) -> &TrustStoreLook {
        &self.look
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it comes from.
    pub fn files(&self) -> &TrustStoreFiles {
        &self.files
    }

    /// The trust store in use.
    pub fn current(&self) -> Arc<TrustStore> {
        self.current.load_full()
    }

    /// Puts another one in the place of the one before: handshakes from now on see it.
    pub fn fill(&self, store: TrustStore) {
        self.current.store(Arc::new(store));
    }
}
