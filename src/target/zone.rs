//! An availability zone: a name, compared and never parsed.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// An availability zone, for example `ap-northeast-1a`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Zone(Arc<str>);

impl Zone {
    /// The name as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Zone {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl Borrow<str> for Zone {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.0)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
