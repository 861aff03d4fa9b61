//! Notices that a file has changed: that of the configuration, and those that it names.
//!
//! By looking every half second, not by the kernel's notifications: those do not cross network file
//! systems and container mounts, and lose a file that an editor replaces or whose directory
//! Kubernetes swaps by a symbolic link. A look costs one system call while nothing changes.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::{Cause, ReloadHandle};
use crate::snapshot::Shared;

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Asks for a reload each time the file has changed and has then stayed the same for one more look,
/// so that a half-written file is not read. Never ends by itself; whether the content is another one
/// than the last, and what is wrong with it, is the reloader's to say.
pub async fn watch(path: PathBuf, reload: ReloadHandle) {
    let mut watch = Watch::<Look>::default();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let look = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || look(&path)).await
        };
        match look {
            Ok(Ok(seen)) => {
                if watch.has_settled(seen) {
                    // The reloader logs what became of it.
                    let _ = reload.reload(Cause::FileChange).await;
                }
            }
            Ok(Err(error)) => {
                if watch.lost() {
                    warn!(
                        path = %path.display(),
                        %error,
                        "the configuration file cannot be read; the configuration in force stays \
                         until it is there again",
                    );
                }
            }
            Err(_) => return,
        }
    }
}

/// Has `look_at` look, again and again, at the files of whatever is `in_force`, with what it has seen so
/// far. Never ends by itself.
pub(super) async fn watch_all<S, W>(
    shared: &Shared,
    in_force: impl Fn(&Shared) -> Vec<S>,
    look_at: fn(&[S], &mut W),
) where
    S: Send + 'static,
    W: Default + Send + 'static,
{
    let mut watches = W::default();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let slots = in_force(shared);
        if slots.is_empty() {
            watches = W::default();
            continue;
        }
        // A file system that hangs must hang nothing else.
        let round = move || {
            look_at(&slots, &mut watches);
            watches
        };
        match tokio::task::spawn_blocking(round).await {
            Ok(looked) => watches = looked,
            Err(_) => return,
        }
    }
}

/// What can be said of a file without reading it. Any writing changes a time or the size, any
/// replacing the device or the inode, and giving it to other readers its status's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    modified: Option<SystemTime>,
    /// When its status changed, in seconds and nanoseconds.
    status: (i64, i64),
    size: u64,
}

#[cfg(unix)]
fn look(path: &Path) -> io::Result<Look> {
    use std::os::unix::fs::MetadataExt;

    let metadata = fs::metadata(path)?; // Follows symbolic links.
    Ok(Look {
        device: metadata.dev(),
        inode: metadata.ino(),
        modified: metadata.modified().ok(),
        status: (metadata.ctime(), metadata.ctime_nsec()),
        size: metadata.size(),
    })
}

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Watch<L> {
    /// The file that the reloader was told of.
    told: Option<L>,
    last: Option<L>,
    lost: bool,
}

impl<L> Default for Watch<L> {
    fn default() -> Self {
        Self {
            told: None,
            last: None,
            lost: false,
        }
    }
}

impl<L: PartialEq + Clone> Watch<L> {
    /// The watch over a file that was read when it looked so.
    pub(super) fn since(read: L) -> Self {
        Self {
            told: Some(read.clone()),
            last: Some(read),
            lost: false,
        }
    }

    /// Takes in what was seen; says whether the file is another one, and has settled. The first one
    /// always is, unless it is known what was read: it may have changed since. So is one that was only touched:
    /// the reloader knows which content it has read last, by whomever it was asked.
    pub(super) fn has_settled(&mut self, seen: L) -> bool {
        self.lost = false;
        let settled = self.last.as_ref() == Some(&seen);
        let news = settled && self.told.as_ref() != Some(&seen);
        if news {
            self.told = Some(seen.clone());
        }
        self.last = Some(seen);
        news
    }

    /// Takes in that there is no file; says whether that is news.
    fn lost(&mut self) -> bool {
        self.last = None;
        !std::mem::replace(&mut self.lost, true)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use tempfile::TempDir;

    use super::*;

    struct File {
        directory: TempDir,
        watch: Watch<Look>,
    }

    impl File {
        fn with(text: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("elbow.toml"), text).unwrap();
            let mut file = Self {
                directory,
                watch: Watch::default(),
            };
            file.look();
            file.look();
            file
        }

        fn path(&self) -> PathBuf {
            self.directory.path().join("elbow.toml")
        }

        /// One look; whether it would have asked for a reload.
        fn look(&mut self) -> bool {
            match look(&self.path()) {
                Ok(seen) => self.watch.has_settled(seen),
                Err(_) => {
                    self.watch.lost();
                    false
                }
            }
        }
    }

    #[test]
    fn a_change_is_taken_when_it_has_stayed_for_one_more_look() {
        let mut file = File::with("one");
        assert!(!file.look());
        fs::write(file.path(), "two and more").unwrap();
        assert!(!file.look());
        assert!(file.look());
        assert!(!file.look());
    }

    #[test]
    fn a_file_that_is_still_being_written_is_left_alone() {
        let mut file = File::with("one");
        for text in ["t", "tw", "two"] {
            fs::write(file.path(), text).unwrap();
            assert!(!file.look(), "{text}");
        }
        assert!(file.look());
    }

    #[test]
    fn an_editor_that_renames_a_new_file_over_the_old_one_is_noticed() {
        let mut file = File::with("one");
        let beside = file.directory.path().join("elbow.toml~");
        fs::write(&beside, "two").unwrap();
        fs::rename(&beside, file.path()).unwrap();
        assert!(!file.look());
        assert!(file.look());
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_swapped_by_a_symbolic_link_is_noticed() {
        use std::os::unix::fs::symlink;

        // As Kubernetes mounts a ConfigMap: elbow.toml -> ..data/elbow.toml, ..data -> a version.
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (version, text) in [("v1", "one"), ("v2", "two")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("elbow.toml"), text).unwrap();
        }
        symlink("v1", at("..data")).unwrap();
        symlink("..data/elbow.toml", at("elbow.toml")).unwrap();
        let mut file = File {
            watch: Watch::default(),
            directory,
        };
        file.look();
        file.look();
        symlink("v2", file.directory.path().join("..data_tmp")).unwrap();
        fs::rename(
            file.directory.path().join("..data_tmp"),
            file.directory.path().join("..data"),
        )
        .unwrap();
        assert!(!file.look());
        assert!(file.look());
    }

    #[test]
    fn a_file_that_was_only_touched_is_left_to_the_reloader() {
        let mut file = File::with("one");
        let later = SystemTime::now() + Duration::from_secs(60);
        let handle = fs::File::options().write(true).open(file.path()).unwrap();
        handle.set_modified(later).unwrap();
        assert!(!file.look());
        assert!(file.look());
        assert!(!file.look());
    }

    #[test]
    fn a_file_that_goes_and_comes_back_changed_is_noticed() {
        let mut file = File::with("one");
        fs::remove_file(file.path()).unwrap();
        assert!(!file.look());
        fs::write(file.path(), "two").unwrap();
        assert!(!file.look());
        assert!(file.look());
    }
}
