//! The file that the inventory is kept in.

use std::io;
use std::path::{Path, PathBuf};

use super::Inventory;
use crate::disk::{self, Readers};

/// Why it could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The file cannot be read.
    #[error("cannot read what was made through the AWS API, {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not what Elbow has written.
    #[error(
        "{} is not an inventory as Elbow writes it: put a copy in its place, or move it away, and with it all \
         that was made through the AWS API",
        path.display()
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Another process has written the file since.
    #[error(
        "{} was changed by another process meanwhile, whose change would be lost: reload Elbow's configuration, \
         which takes that over, and try again",
        .0.display()
    )]
    Changed(PathBuf),
    /// The file cannot be written.
    #[error("cannot keep what is made through the AWS API in {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl Inventory {
    /// Where it is kept.
    pub fn path(state_directory: &Path) -> PathBuf {
        state_directory.join("inventory.json")
    }

    /// Reads it; it is empty where there is none. Blocks.
    ///
    /// # Errors
    ///
    /// [`InventoryError::Read`], [`InventoryError::Form`].
    pub fn read(state_directory: &Path) -> Result<Self, InventoryError> {
        let path = Self::path(state_directory);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(InventoryError::Read { path, source }),
        };
        serde_json::from_slice(&text).map_err(|source| InventoryError::Form { path, source })
    }

    /// Keeps it in the place of `before`. Blocks. Two processes that do so in the same instant are not told apart.
    ///
    /// # Errors
    ///
    /// [`InventoryError::Changed`] if something else is kept by now; whatever else keeps it from being read or
    /// written. What was kept is as it was.
    pub fn replace(&self, before: &Self, state_directory: &Path) -> Result<(), InventoryError> {
        let kept = Self::read(state_directory)?;
        // Both are of types that can be written: their keys are strings.
        if serde_json::to_value(&kept).ok() != serde_json::to_value(before).ok() {
            return Err(InventoryError::Changed(Self::path(state_directory)));
        }
        self.write(state_directory)
    }

    /// Keeps it, for its owner's eyes only: an identity provider's secret may be in it.
    fn write(&self, state_directory: &Path) -> Result<(), InventoryError> {
        let path = Self::path(state_directory);
        let write = || {
            disk::private_folder(state_directory)?;
            let text = serde_json::to_vec_pretty(self)?;
            disk::replace(&path, &text, Readers::Owner)
        };
        write().map_err(|source| InventoryError::Write { path, source })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
mod tests {
    use super::super::{Id, Made, MadeListener, Notes};
    use super::*;
    use crate::config::parse;

    /// Everything that a document can say.
    const FULL: &str = include_str!("../../../config/full.toml");

    #[test]
    fn what_is_kept_is_read_again_to_the_letter() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert_eq!(Inventory::read(&state).unwrap().load_balancers.len(), 0);
        let full = parse(FULL, "full").unwrap();
        let made = |listener: &crate::config::document::Listener| MadeListener {
            load_balancer: "web".to_owned(),
            certificates: vec!["site".to_owned()],
            listener: Made {
                id: Id::random(),
                notes: Notes::default(),
                document: listener.clone(),
            },
        };
        let listeners = full.load_balancer.iter().flat_map(|it| &it.listener);
        let inventory = Inventory {
            listeners: listeners.map(made).collect(),
            load_balancers: full
                .load_balancer
                .iter()
                .map(|it| Made {
                    id: Id::of_load_balancer(&it.name),
                    notes: Notes {
                        created: 7,
                        attributes: [("waf.fail_open.enabled".to_owned(), "true".to_owned())]
                            .into(),
                        ..Notes::default()
                    },
                    document: it.clone(),
                })
                .collect(),
            target_groups: full
                .target_group
                .iter()
                .map(|it| Made {
                    id: Id::of_target_group(&it.name),
                    notes: Notes::default(),
                    document: it.clone(),
                })
                .collect(),
            ..Inventory::default()
        };
        assert!(!inventory.listeners.is_empty() && !inventory.target_groups.is_empty());
        inventory.write(&state).unwrap();
        let read = Inventory::read(&state).unwrap();
        let json = |it: &Inventory| serde_json::to_value(it).unwrap();
        assert_eq!(json(&read), json(&inventory));
    }

    #[test]
    fn what_another_process_has_kept_meanwhile_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let tagged = |tag: &str| Inventory {
            tags: [(Id::given(tag), [].into())].into(),
            ..Inventory::default()
        };
        let before = Inventory::default();
        tagged("a").replace(&before, folder.path()).unwrap();
        let error = tagged("b").replace(&before, folder.path()).unwrap_err();
        assert!(matches!(error, InventoryError::Changed(_)), "{error}");
        assert!(
            Inventory::read(folder.path())
                .unwrap()
                .tags
                .contains_key(&Id::given("a"))
        );
        tagged("b").replace(&tagged("a"), folder.path()).unwrap();
    }

    #[test]
    fn a_file_that_is_damaged_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = Inventory::path(folder.path());
        std::fs::write(&path, "{ \"load_balancers\": 1").unwrap();
        let error = Inventory::read(folder.path()).unwrap_err();
        assert!(matches!(error, InventoryError::Form { .. }), "{error}");
        assert!(error.to_string().contains("inventory.json"), "{error}");
        assert!(path.exists());
    }
}
