//! The last probes of a target, so that "why is it out?" is answered by looking.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::Outcome;

/// One probe and what it found.
#[derive(Clone, Debug)]
pub struct ProbeRecord {
    /// When it was sent.
    pub at: SystemTime,
    /// The address that was probed, if the target's name could be resolved.
    pub address: Option<SocketAddr>,
    /// Pass, or fail and why.
    pub outcome: Outcome,
    /// The status that the target answered with, if it did.
    pub status: Option<u16>,
    /// From sending to the verdict.
    pub latency: Duration,
    /// What went wrong in words, for example the connect error; empty on a pass.
    pub detail: String,
}

/// The newest [`ProbeRing::CAPACITY`] probes, oldest first.
#[derive(Debug, Default)]
pub struct ProbeRing(VecDeque<ProbeRecord>);

impl ProbeRing {
    /// How many probes are kept.
    pub const CAPACITY: usize = 32;

    /// Keeps one more, and forgets the oldest when full.
    pub fn push(&mut self, record: ProbeRecord) {
        if self.0.len() == Self::CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(record);
    }

    /// The kept probes, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &ProbeRecord> {
        self.0.iter()
    }
}
