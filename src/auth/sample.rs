//! What the tests of this module share.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::SystemTime;

use crate::keyring::{Keyring, Settings};

/// Keys out of nowhere.
pub(super) fn keyring() -> Keyring {
    Keyring::new(Keyring::prepare(Settings::default(), SystemTime::now()).unwrap())
}
