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
use tracing::{error, warn};

use super::UpgradeHandle;

/// The socket, while this process listens. Dropping it removes the file, if it is still its own.
#[derive(Debug)]
pub struct UpgradeSocket {
    path: PathBuf,
    /// Where it waits until it takes its place.
    aside: PathBuf,
    listener: UnixListener,
    file: u64,
}

impl UpgradeSocket {
    /// Listens beside `path`: whoever listens there goes on, until [`Self::serve`] is called. Call it within
    /// a tokio runtime.
    ///
    /// # Errors
    ///
    /// What the system says, or that there is a folder.
    pub fn bind(path: &Path) -> io::Result<Self> {
        // No file can be put in place of one.
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}", std::process::id()));
        let aside = PathBuf::from(aside);
        // Left behind by a process of that number that was killed.
        let _ = fs::remove_file(&aside);
        let listener = UnixListener::bind(&aside)?;
        let made = fs::set_permissions(&aside, Permissions::from_mode(0o600))
            .and_then(|()| Ok(fs::metadata(&aside)?.ino()));
        let file = made.inspect_err(|_| {
            let _ = fs::remove_file(&aside);
        })?;
        Ok(Self {
            path: path.to_owned(),
            aside,
            listener,
            file,
        })
    }

    /// Takes its place, and hands on whoever comes, for as long as the daemon lives.
    pub async fn serve(self, upgrades: UpgradeHandle) {
        if let Err(error) = fs::rename(&self.aside, &self.path) {
            let path = self.path.display();
            error!(%path, %error, "nobody can take over by the upgrade socket: it cannot be put in its place");
            return;
        }
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
        for path in [&self.path, &self.aside] {
            if fs::metadata(path).is_ok_and(|it| it.ino() == self.file) {
                let _ = fs::remove_file(path);
            }
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

    async fn serving(path: &Path) -> tokio::task::JoinHandle<()> {
        let socket = UpgradeSocket::bind(path).unwrap();
        let file = socket.file;
        let task = tokio::spawn(socket.serve(UpgradeHandle::new().0));
        while !fs::metadata(path).is_ok_and(|it| it.ino() == file) {
            tokio::task::yield_now().await;
        }
        task
    }

    async fn end(task: tokio::task::JoinHandle<()>) {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    #[tokio::test]
    async fn the_file_is_its_owners_alone_and_goes_with_the_last_who_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upgrade.sock");
        assert!(connect(&path).unwrap().is_none());
        let before = serving(&path).await;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let after = serving(&path).await;
        end(before).await;
        assert!(connect(&path).unwrap().is_some());
        end(after).await;
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn who_listens_goes_on_until_another_serves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upgrade.sock");
        let _before = serving(&path).await;
        let mine = fs::metadata(&path).unwrap().ino();
        drop(UpgradeSocket::bind(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().ino(), mine);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_folder_in_its_place_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = UpgradeSocket::bind(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }

    #[tokio::test]
    async fn a_file_that_was_left_behind_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upgrade.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(connect(&path).unwrap().is_none());
        let task = serving(&path).await;
        assert!(connect(&path).unwrap().is_some());
        end(task).await;
    }
}
