//! Paths of files that are to be read.

use std::path::PathBuf;

use super::report::Report;
use crate::config::path::Path;

/// Checks that a path that is written is not empty. The file is not looked at.
pub(super) fn validate(file: Option<&PathBuf>, path: &Path<'_>, report: &mut Report<'_>) {
    if file.is_some_and(|file| file.as_os_str().is_empty()) {
        report.refuse(path, "the path is empty", "write the path of a file");
    }
}
