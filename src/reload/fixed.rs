//! Settings that a reload cannot change, and what is said when somebody tries.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::ValidConfig;

/// Settings that only a start can change: what the process was started with. An upgrade is a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The admin address.
    pub admin: SocketAddr,
    /// The number of workers; none is one for each processor.
    pub workers: Option<usize>,
    /// Where another process asks to take over.
    pub upgrade_socket: Option<PathBuf>,
}

impl Fixed {
    /// What a configuration says of them.
    pub fn of(valid: &ValidConfig) -> Self {
        Self {
            admin: valid.admin,
            workers: valid.workers,
            upgrade_socket: valid.upgrade.socket.clone(),
        }
    }

    /// Which settings of `next` take no effect before the next start.
    pub(super) fn warnings(&self, next: &ValidConfig) -> Vec<String> {
        let next = Self::of(next);
        let workers = |fixed: &Self| {
            let number = fixed.workers.map(|number| number.to_string());
            number.unwrap_or_else(|| "one for each processor".to_owned())
        };
        let socket = |fixed: &Self| {
            let path = fixed.upgrade_socket.as_deref().map(Path::display);
            path.map_or_else(|| "absent".to_owned(), |path| path.to_string())
        };
        let settings = [
            (
                "admin.address",
                self.admin.to_string(),
                next.admin.to_string(),
            ),
            ("workers", workers(self), workers(&next)),
            ("upgrade.socket", socket(self), socket(&next)),
        ];
        let changed = settings.into_iter().filter(|(_, stays, new)| stays != new);
        let words = changed.map(|(name, stays, new)| {
            format!("{name} stays {stays}: a change to {new} takes effect at the next start")
        });
        words.collect()
    }
}
