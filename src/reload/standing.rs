//! The configuration in force as a document, for whoever describes or changes it.

use crate::config::{Config, Inventory};

/// The configuration in force as a document.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// What the file says, what was made through the AWS API, and what providers contribute.
    pub config: Config,
    /// What was made through the AWS API.
    pub inventory: Inventory,
}
