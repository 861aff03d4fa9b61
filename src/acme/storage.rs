//! What is kept on disk: accounts, certificates with their keys, what became of orders, challenges.
//!
//! ```text
//! STATE/acme/challenges/                             what authorities may ask now, for all processes
//! STATE/acme/acme-v02.api.letsencrypt.org-3f2a91c4/
//!   account.json                                     the account and its key
//!   shop.example.com-9c0d11e2.pem                    a certificate's key, then its chain
//!   shop.example.com-9c0d11e2.json                   the last attempt, the failures in a row
//!   shop.example.com-9c0d11e2.lock                   held by the process that orders
//! ```
//!
//! All files are their owner's alone, written whole or not at all; a key and its chain are one file,
//! so that they always fit. Processes that share the folder order one after the other, and whoever
//! comes second finds the certificate there. Everything here blocks.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use instant_acme::AccountCredentials;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Attempt;
use super::attempt::seconds;
use super::schedule::Window;
use crate::disk::{self, Readers};

/// Something on disk is not as it should be.
#[derive(Debug, Error)]
pub(super) enum StorageError {
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} cannot be understood ({reason}); delete it for a new one", path.display())]
    Malformed { path: PathBuf, reason: String },
}

/// The folder of one account.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// An account that the authority knows.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredAccount {
    pub(super) credentials: AccountCredentials,
    /// What it was last told to write to.
    pub(super) contact: Vec<String>,
}

/// What became of a certificate's orders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct History {
    pub(super) last: Option<Attempt>,
    /// The attempts that have failed in a row.
    pub(super) failures: u32,
    /// When the authority would like the certificate to be renewed.
    pub(super) suggested: Option<Suggestion>,
}

/// When the authority would like a certificate to be renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Suggestion {
    /// The serial number of the certificate that it is about.
    pub(super) serial: String,
    #[serde(with = "seconds")]
    start: SystemTime,
    #[serde(with = "seconds")]
    end: SystemTime,
}

impl Suggestion {
    pub(super) fn new(serial: String, window: Window) -> Self {
        Self {
            serial,
            start: window.start,
            end: window.end,
        }
    }

    pub(super) fn window(&self) -> Window {
        Window {
            start: self.start,
            end: self.end,
        }
    }
}

/// Held while its certificate is ordered, or its account made. Dropping it lets others.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file is what unlocks")] File);

impl Folder {
    /// The folder of that name below the state directory; made if it is not there.
    pub(super) fn open(state: &Path, name: &str) -> Result<Self, StorageError> {
        let folder = root(state).join(name);
        for path in [root(state), folder.clone()] {
            disk::private_folder(&path).map_err(failed("make the folder", &path))?;
        }
        Ok(Self(folder))
    }

    pub(super) fn account(&self) -> Result<Option<StoredAccount>, StorageError> {
        read_json(&self.0.join("account.json"))
    }

    pub(super) fn keep_account(&self, account: &StoredAccount) -> Result<(), StorageError> {
        write_json(&self.0.join("account.json"), account)
    }

    /// Sets an account aside that the authority does not know any more.
    pub(super) fn retire_account(&self) -> Result<(), StorageError> {
        let path = self.0.join("account.json");
        let aside = self.0.join("account.json.unknown");
        fs::rename(&path, aside).map_err(failed("rename", &path))
    }

    /// The key and the chain, as PEM.
    pub(super) fn certificate(&self, stem: &str) -> Result<Option<String>, StorageError> {
        read(&self.file(stem, "pem"))
    }

    /// All keys and chains.
    pub(super) fn certificates(&self) -> Result<Vec<String>, StorageError> {
        let unreadable = |source| failed("read", &self.0)(source);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|ending| ending == "pem") {
                found.extend(read(&path)?);
            }
        }
        Ok(found)
    }

    pub(super) fn keep_certificate(&self, stem: &str, pem: &str) -> Result<(), StorageError> {
        let path = self.file(stem, "pem");
        disk::replace(&path, pem.as_bytes(), Readers::Owner).map_err(failed("write", &path))
    }

    pub(super) fn history(&self, stem: &str) -> Result<History, StorageError> {
        Ok(read_json(&self.file(stem, "json"))?.unwrap_or_default())
    }

    pub(super) fn keep_history(&self, stem: &str, history: &History) -> Result<(), StorageError> {
        write_json(&self.file(stem, "json"), history)
    }

    /// The lock of a certificate, or of `account`. `None` while another process has it.
    pub(super) fn lock(&self, stem: &str) -> Result<Option<Lock>, StorageError> {
        let path = self.file(stem, "lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(failed("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(failed("lock", &path)(source)),
        }
    }

    /// Where a certificate's key and chain lie.
    pub(super) fn file(&self, stem: &str, ending: &str) -> PathBuf {
        self.0.join(format!("{stem}.{ending}"))
    }
}

/// What all accounts share.
pub(super) fn root(state: &Path) -> PathBuf {
    state.join("acme")
}

fn read(path: &Path) -> Result<Option<String>, StorageError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StorageError> {
    let Some(text) = read(path)? else {
        return Ok(None);
    };
    let value = serde_json::from_str(&text);
    value.map(Some).map_err(|error| StorageError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StorageError> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other);
    let text = text.map_err(failed("write", path))?;
    disk::replace(path, text.as_bytes(), Readers::Owner).map_err(failed("write", path))
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StorageError + use<> {
    let path = path.to_owned();
    move |source| StorageError::File { what, path, source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::acme::{Failure, Reason};

    fn time(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn history() -> History {
        let window = Window {
            start: time(1_800_000_000),
            end: time(1_800_086_400),
        };
        History {
            last: Some(Attempt {
                at: time(1_790_000_000),
                failure: Some(Failure {
                    reason: Reason::RateLimited,
                    detail: "too many".to_owned(),
                    retry_after: Some(time(1_790_003_600)),
                }),
            }),
            failures: 3,
            suggested: Some(Suggestion::new("0a:1b".to_owned(), window)),
        }
    }

    #[test]
    fn what_is_kept_is_found_again_and_is_the_owners_alone() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::open(state.path(), "ca.test-01234567").unwrap();
        assert_eq!(folder.certificate("shop").unwrap(), None);
        assert_eq!(folder.history("shop").unwrap(), History::default());
        folder.keep_certificate("shop", "PEM").unwrap();
        folder.keep_history("shop", &history()).unwrap();
        let again = Folder::open(state.path(), "ca.test-01234567").unwrap();
        assert_eq!(again.certificate("shop").unwrap().unwrap(), "PEM");
        assert_eq!(again.history("shop").unwrap(), history());
        for (path, mode) in [
            (root(state.path()), 0o700),
            (folder.0.clone(), 0o700),
            (folder.file("shop", "pem"), 0o600),
            (folder.file("shop", "json"), 0o600),
        ] {
            let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }
    }

    #[test]
    fn an_account_is_kept_with_its_key_and_can_be_set_aside() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::open(state.path(), "ca.test-01234567").unwrap();
        assert!(folder.account().unwrap().is_none());
        let (_, key) = instant_acme::Key::generate_pkcs8().unwrap();
        use base64::Engine;
        let encoded =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key.secret_pkcs8_der());
        let credentials = serde_json::json!({
            "id": "https://ca.test/account/1",
            "key_pkcs8": encoded,
            "directory": "https://ca.test/dir",
        });
        let account = StoredAccount {
            credentials: serde_json::from_value(credentials).unwrap(),
            contact: vec!["mailto:ops@example.com".to_owned()],
        };
        folder.keep_account(&account).unwrap();
        let found = folder.account().unwrap().unwrap();
        assert_eq!(found.contact, account.contact);
        assert_eq!(found.credentials.private_key(), &key);
        folder.retire_account().unwrap();
        assert!(folder.account().unwrap().is_none());
    }

    #[test]
    fn one_process_at_a_time_holds_a_lock() {
        let state = tempfile::tempdir().unwrap();
        let one = Folder::open(state.path(), "ca.test-01234567").unwrap();
        let other = Folder::open(state.path(), "ca.test-01234567").unwrap();
        let held = one.lock("shop").unwrap();
        assert!(held.is_some());
        assert!(other.lock("shop").unwrap().is_none());
        assert!(other.lock("account").unwrap().is_some());
        drop(held);
        assert!(other.lock("shop").unwrap().is_some());
    }

    #[test]
    fn a_file_that_makes_no_sense_is_named_with_what_to_do() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::open(state.path(), "ca.test-01234567").unwrap();
        fs::write(folder.0.join("account.json"), "{").unwrap();
        let error = folder.account().err().unwrap().to_string();
        assert!(
            error.contains("account.json") && error.contains("delete it"),
            "{error}"
        );
        let error = Folder::open(&folder.0.join("account.json"), "x").unwrap_err();
        assert!(
            error.to_string().contains("cannot make the folder"),
            "{error}"
        );
    }
}
