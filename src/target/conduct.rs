//! How a target has treated requests of late, and what has been decided about it.
//!
//! Counts fade: at each look what was counted before weighs [`FADE`] as much. How the counts of
//! several targets are judged is the group's matter.

/// What is left of a count at the next look.
const FADE: f64 = 0.7;

/// The requests that a target has finished with of late.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conduct {
    /// All of them, faded.
    pub finished: f64,
    /// Those that it failed: it answered 5xx, or could not be spoken to.
    pub failed: f64,
    /// Whether it was found to fail more often than the others.
    pub anomalous: bool,
    /// How far from the others it is: see `target_group`.
    pub score: f64,
    last_finished: u64,
    last_failed: u64,
}

impl Conduct {
    /// Takes in what has been counted since the target was registered.
    pub fn look(&mut self, finished: u64, failed: u64) {
        let new = |count: u64, last: u64| count.saturating_sub(last) as f64;
        self.finished = self.finished * FADE + new(finished, self.last_finished);
        self.failed = self.failed * FADE + new(failed, self.last_failed);
        self.last_finished = finished;
        self.last_failed = failed;
    }

    /// Forgets what was found, but not how far it has counted.
    pub fn forget(&mut self) {
        *self = Self {
            last_finished: self.last_finished,
            last_failed: self.last_failed,
            ..Self::default()
        };
    }

    /// The part of the requests that failed, 0-1.
    pub fn failure_rate(&self) -> f64 {
        match self.finished > 0.0 {
            true => (self.failed / self.finished).min(1.0),
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_fades_and_what_is_new_counts_whole() {
        let mut conduct = Conduct::default();
        conduct.look(100, 10);
        assert_eq!((conduct.finished, conduct.failed), (100.0, 10.0));
        conduct.look(150, 10);
        assert_eq!((conduct.finished, conduct.failed), (120.0, 7.0));
        conduct.forget();
        conduct.look(160, 12);
        assert_eq!((conduct.finished, conduct.failed), (10.0, 2.0));
        assert_eq!(conduct.failure_rate(), 0.2);
    }
}
