//! How long to wait before trying again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);

/// Twice as long after each failure, up to a limit, and never for all at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// Waits.
    pub(super) async fn pause(&mut self) {
        let pause = self.length(fastrand::f64());
        tokio::time::sleep(pause).await;
    }

    /// Begins anew: what failed works.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// The next pause: from half of the limit to all of it, as `random` (0 to 1) says.
    fn length(&mut self, random: f64) -> Duration {
        let limit = self.next;
        self.next = (limit * 2).min(LONGEST);
        limit.mul_f64(0.5 + random / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_the_limit_and_begins_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..8).map(|_| backoff.length(1.0).as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
        assert_eq!(backoff.length(0.0).as_millis(), 7500);
        backoff.reset();
        assert_eq!(backoff.length(1.0), FIRST);
    }
}
