//! Keys in a file: for its owner only, written whole or not at all, by one node at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::KeyringError;
use super::key::{Key, Secret};
use super::schedule::Keys;

/// The file and what stands beside it.
pub(super) struct KeyFile {
    directory: PathBuf,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    /// In seconds since 1970.
    from: u64,
    secret: String,
}

impl KeyFile {
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            path: directory.join("cookie-keys.json"),
        }
    }

    /// The keys of the file, with a new one written to it if one is due. A lock keeps nodes that
    /// share the file from adding one each.
    pub(super) fn refresh(&self, now: u64, period: u64, lead: u64) -> Result<Keys, KeyringError> {
        if let Some(keys) = self.read()?
            && keys.due(now, period, lead).is_none()
        {
            return Ok(keys);
        }
        let failed = |source| self.failed(source);
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory);
        made.map_err(failed)?;
        let lock = self.directory.join("cookie-keys.lock");
        let lock = owner_only()
            .create(true)
            .truncate(false)
            .open(lock)
            .map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut keys = self.read()?.unwrap_or_default();
        if let Some(from) = keys.due(now, period, lead) {
            keys.retire(now);
            keys.push(Key::new(from, Secret::random()?));
            self.write(&keys).map_err(failed)?;
        }
        Ok(keys)
    }

    fn read(&self) -> Result<Option<Keys>, KeyringError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let mode = fs::metadata(&self.path).map_err(|error| self.failed(error))?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(self.malformed("others than its owner may read it; chmod 600".to_owned()));
        }
        let unreadable = |reason: String| {
            let help = "delete the file for new keys: clients are then balanced anew";
            self.malformed(format!("{reason}; {help}"))
        };
        let document: Document =
            serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if document.version != 1 {
            return Err(unreadable(format!(
                "version {} is unknown",
                document.version
            )));
        }
        let keys = document.keys.into_iter().map(|stored| {
            let secret = Secret::decode(&stored.secret)?;
            Some(Key::new(stored.from, secret))
        });
        let keys: Option<Vec<Key>> = keys.collect();
        let keys = keys.ok_or_else(|| unreadable("a key is malformed".to_owned()))?;
        Ok(Some(Keys::new(keys)))
    }

    /// Another file takes the place of the one before: a reader sees all of it or nothing.
    fn write(&self, keys: &Keys) -> io::Result<()> {
        let stored = |key: &Key| StoredKey {
            from: key.from,
            secret: key.secret.encode(),
        };
        let document = Document {
            version: 1,
            keys: keys.iter().map(stored).collect(),
        };
        let text = serde_json::to_string_pretty(&document).map_err(io::Error::other)?;
        let new = self.directory.join("cookie-keys.new");
        let mut file = owner_only().create(true).truncate(true).open(&new)?;
        // One that was left behind may have had other permissions.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        File::open(&self.directory)?.sync_all()
    }

    fn failed(&self, source: io::Error) -> KeyringError {
        KeyringError::File {
            path: self.path.clone(),
            source,
        }
    }

    fn malformed(&self, reason: String) -> KeyringError {
        KeyringError::Malformed {
            path: self.path.clone(),
            reason,
        }
    }
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}
