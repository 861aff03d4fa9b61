//! What `elbow status` says in a Classic load balancer's words: who waits, and how instances do.

use std::fmt;

use serde::Deserialize;

/// Who waits at a node because all targets are full.
#[derive(Debug, Deserialize)]
pub(super) struct Waiting {
    zone: Option<String>,
    length: usize,
    peak: usize,
    spillovers: u64,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            Some(zone) => write!(f, "Node {zone}")?,
            None => f.write_str("Surge queue")?,
        }
        let Self {
            length,
            peak,
            spillovers,
            ..
        } = self;
        write!(
            f,
            ": {length} waiting because all targets are full, {peak} at most of late; \
             {spillovers} spilled over"
        )
    }
}

/// What `DescribeInstanceHealth` says of an instance.
#[derive(Debug, Deserialize)]
pub(super) struct InstanceHealth {
    /// `InService`, `OutOfService` or `Unknown`.
    pub(super) state: String,
    reason_code: String,
    description: String,
}

impl InstanceHealth {
    /// `ELB: Instance registration is still in progress.`
    pub(super) fn reason(&self) -> String {
        match (&*self.reason_code, &*self.description) {
            ("N/A", "N/A") => String::new(),
            ("N/A", words) => words.to_owned(),
            (code, words) => format!("{code}: {words}"),
        }
    }
}
