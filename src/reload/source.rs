//! Where the configuration comes from.

use std::fs;
use std::path::PathBuf;

use super::ReloadError;

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file; read anew at each reload.
    File(PathBuf),
    /// A text, for example the one that is built in.
    Text {
        /// What to call it in messages.
        name: String,
        /// The document.
        text: String,
    },
}

impl Source {
    /// What to call it in messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text { name, .. } => name.clone(),
        }
    }

    /// The text of the document at this time. Blocks: the file may lie on a network.
    ///
    /// # Errors
    ///
    /// [`ReloadError::Read`].
    pub fn read(&self) -> Result<String, ReloadError> {
        match self {
            Self::Text { text, .. } => Ok(text.clone()),
            Self::File(path) => fs::read_to_string(path).map_err(|source| ReloadError::Read {
                path: path.clone(),
                source,
            }),
        }
    }
}
