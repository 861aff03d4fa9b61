//! The socket where a process that was started by hand, or by another supervisor, asks to take over.
//!
//! It is the owner's alone, by its mode and by who is at the other end: both sides look. The file
//! belongs to whoever listens now; a process that was taken over from leaves it alone.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use tokio::net::UnixListener;
use tracing::warn;

use super::UpgradeHandle;

/// The socket, while this process listens. Dropping it removes the file, if it is still its own.
#[derive(Debug)]
pub struct UpgradeSocket {
    path: PathBuf,
    listener: UnixListener,
    file: u64,
}

impl UpgradeSocket {
    /// Listens at `path`, in place of whoever did before. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let mut new = path.as_os_str().to_owned();
        new.push(format!(".{}", std::process::id()));
        let new = PathBuf::from(new);
        // Left behind by a process of that number that was killed.
        let _ = fs::remove_file(&new);
        let listener = UnixListener::bind(&new)?;
        let placed = fs::set_permissions(&new, Permissions::from_mode(0o600))
            .and_then(|()| Ok(fs::metadata(&new)?.ino()))
            .and_then(|file| fs::rename(&new, path).map(|()| file));
        let file = placed.inspect_err(|_| {
            let _ = fs::remove_file(&new);
        })?;
        Ok(Self {
            path: path.to_owned(),
            listener,
            file,
        })
    }

    /// Hands on whoever comes, for as long as the daemon lives.
    pub async fn serve(self, upgrades: UpgradeHandle) {
        loop {
            let came = self.listener.accept().await;
            let Ok(stream) = came.and_then(|(stream, _)| stream.into_std()) else {
                // Too many open files, say: it may be better soon.
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                continue;
            };
            match is_trusted(&stream) {
                Ok(()) => upgrades.came(stream).await,
                Err(error) => warn!(%error, "somebody who may not wanted to take over"),
            }
        }
    }
}

impl Drop for UpgradeSocket {
    fn drop(&mut self) {
        if fs::metadata(&self.path).is_ok_and(|it| it.ino() == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Connects to the process that listens at `path`; none if no process does.
///
/// # Errors
///
/// The system's answer, or that whoever listens is somebody else's process.
pub fn connect(path: &Path) -> io::Result<Option<UnixStream>> {
    match UnixStream::connect(path) {
        Ok(stream) => {
            is_trusted(&stream)?;
            Ok(Some(stream))
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether the process at the other end is of this one's user, or root's.
fn is_trusted(stream: &UnixStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let peer = socket_peercred(stream)?;
    match peer.uid.is_root() || peer.uid == geteuid() {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "the process at the other end is of user {}, not of {} or root",
                peer.uid.as_raw(),
                geteuid().as_raw()
            ),
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_file_is_its_owners_alone_and_goes_with_the_last_who_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upgrade.sock");
        assert!(connect(&path).unwrap().is_none());
        let before = UpgradeSocket::bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let after = UpgradeSocket::bind(&path).unwrap();
        drop(before);
        assert!(connect(&path).unwrap().is_some());
        drop(after);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_was_left_behind_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upgrade.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(connect(&path).unwrap().is_none());
        let _socket = UpgradeSocket::bind(&path).unwrap();
        assert!(connect(&path).unwrap().is_some());
    }
}
