//! Files that are there whole or not at all, and secrets that only their owner can read.
//!
//! Look at [`replace`] and [`create`]. A file is written under another name in the same folder,
//! brought to the disk, and then renamed, so that no reader and no crash ever meets half of one.
//! What is in a file is its writer's business.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone: mode 0600.
    Owner,
    /// Everybody, less what the umask takes away: mode 0644.
    All,
}

/// Writes a file, in the place of one that may be there. Blocks.
///
/// # Errors
///
/// What the system says; a file that was there is as it was.
pub fn replace(path: &Path, contents: &[u8], readers: Readers) -> io::Result<()> {
    let (folder, file) = written(path, contents, readers)?;
    file.persist(path).map_err(|error| error.error)?;
    settle(&folder)
}

/// Writes a file where there is none. Blocks.
///
/// # Errors
///
/// `AlreadyExists` when there is one; whatever else the system says.
pub fn create(path: &Path, contents: &[u8], readers: Readers) -> io::Result<()> {
    let (folder, file) = written(path, contents, readers)?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    settle(&folder)
}

/// Makes a folder that only its owner can look into, and those above it, unless it is there.
///
/// # Errors
///
/// What the system says.
pub fn private_folder(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

fn written(path: &Path, contents: &[u8], readers: Readers) -> io::Result<(PathBuf, NamedTempFile)> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::All => 0o644,
    };
    let mut file = Builder::new()
        .prefix(".elbow-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    Ok((folder.to_owned(), file))
}

/// The new name is on the disk only when the folder is.
fn settle(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_secret_is_its_owners_alone_also_when_it_replaces_an_open_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        replace(&path, b"new", Readers::Owner).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn create_leaves_a_file_that_is_there_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("certificate");
        create(&path, b"first", Readers::All).unwrap();
        let error = create(&path, b"second", Readers::All).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn nothing_is_left_of_a_file_that_could_not_be_put_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        replace(&taken, b"contents", Readers::All).unwrap_err();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_private_folder_may_be_there_already() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/acme");
        private_folder(&path).unwrap();
        private_folder(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        let file = path.join("file");
        fs::write(&file, "").unwrap();
        assert!(private_folder(&file).is_err());
    }
}
