//! Paths whose responses may take longer, or must not take as long, as those of others.

use std::time::Duration;

use super::Settings;
use crate::routing::{PathPattern, normalized};

/// How long targets may take for the paths that fit.
#[derive(Clone, Debug)]
pub struct ResponseTimeout {
    /// Which paths.
    pub paths: PathPattern,
    /// To begin the response, and to go on with it.
    pub timeout: Duration,
}

impl Settings {
    /// How long a target may take to answer a request for this path; none means as long as the load
    /// balancer's idle timeout. The path is looked at in its normal form, as rules look at it.
    pub fn response_timeout_of(&self, path: &str) -> Option<Duration> {
        if self.response_timeouts.is_empty() {
            return self.response_timeout;
        }
        let path = normalized(path);
        let found = self
            .response_timeouts
            .iter()
            .find(|it| it.paths.fits(&path));
        found.map(|it| it.timeout).or(self.response_timeout)
    }
}
