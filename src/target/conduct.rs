//! How a target has treated requests of late, and what has been decided about it.
//!
//! Counts fade: at each look what was counted before weighs [`FADE`] as much, and never more than it
//! would if requests had always come as they do now. A target that gets little because it failed is
//! judged by that little. How the counts of several targets are judged is the group's matter.

/// What is left of a count at the next look.
const FADE: f64 = 0.7;

/// What a steady flow of one request a look has left behind.
const STEADY: f64 = FADE / (1.0 - FADE);

/// Fewer new requests are no flow: what was counted before is all that is known.
const FLOW: f64 = 5.0;

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
        let flow = new(finished, self.last_finished);
        let left = match flow >= FLOW && self.finished > 0.0 {
            true => FADE.min(flow * STEADY / self.finished),
            false => FADE,
        };
        self.finished = self.finished * left + flow;
        self.failed = self.failed * left + new(failed, self.last_failed);
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

    #[test]
    fn a_target_that_gets_little_is_judged_by_that_little() {
        let mut conduct = Conduct::default();
        conduct.look(2000, 2000);
        let mut finished = 2000;
        let mut looks = 0;
        while conduct.failure_rate() >= 0.025 {
            finished += 20;
            conduct.look(finished, 2000);
            looks += 1;
        }
        // As many as if it had always got twenty.
        assert_eq!(looks, 11);
        // A pause is no flow.
        let before = conduct.failed;
        conduct.look(finished + 1, 2000);
        assert_eq!(conduct.failed, before * FADE);
    }
}
