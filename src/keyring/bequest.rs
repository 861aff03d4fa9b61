//! A key on its way from one process to the next.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::key::{Key, Secret};

/// A key that is nowhere but in memory.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeyBequest {
    /// From when it seals, in seconds since 1970.
    from: u64,
    secret: String,
}

impl KeyBequest {
    pub(super) fn of(key: &Key) -> Self {
        Self {
            from: key.from,
            secret: key.secret.encode(),
        }
    }

    pub(super) fn key(&self) -> Option<Key> {
        Some(Key::new(self.from, Secret::decode(&self.secret)?))
    }
}

impl fmt::Debug for KeyBequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBequest(from {})", self.from)
    }
}
