//! The keys of cookies: where they come from, how often they change.

use super::range;
use super::report::Report;
use crate::config::document::Config;
use crate::config::path::Path;
use crate::keyring::{Settings, Source};

/// Checks the state directory and the keys that are kept there or come from a secret.
pub(super) fn validate(config: &Config, report: &mut Report<'_>) -> Settings {
    let path = Path::Root.key("cookie_keys");
    let keys = &config.cookie_keys;
    range::duration(
        report,
        &path.key("rotation"),
        keys.rotation,
        &range::KEY_ROTATION,
    );
    let is_empty = |file: &std::path::PathBuf| file.as_os_str().is_empty();
    if keys.secret_file.as_ref().is_some_and(is_empty) {
        let help = "write a file, or leave it out for keys in the state directory";
        report.refuse(path.key("secret_file"), "the path is empty", help);
    }
    if config.state_directory.as_ref().is_some_and(is_empty) {
        let help = "write a directory, or leave it out to keep nothing";
        report.refuse(Path::Root.key("state_directory"), "the path is empty", help);
    }
    let source = match (&keys.secret_file, &config.state_directory) {
        (Some(file), _) => Source::Secret(file.clone()),
        (None, Some(directory)) => Source::Directory(directory.clone()),
        (None, None) => Source::Memory,
    };
    Settings {
        source,
        rotation: keys.rotation.0,
    }
}
