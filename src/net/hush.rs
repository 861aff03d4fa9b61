//! Keeps a storm of refusals, or of failures, from becoming a storm of log lines.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The log hears of what goes wrong at one place at most this often.
const EVERY: Duration = Duration::from_secs(10);

/// Says when to speak, and of how many.
#[derive(Debug, Default)]
pub struct Hush(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    told: Option<Instant>,
    count: u64,
}

impl Hush {
    /// Counts one more; what has been counted since the last time, if it is time to speak again.
    pub fn speak(&self, now: Instant) -> Option<u64> {
        let mut untold = self.0.lock();
        untold.count += 1;
        let quiet = untold
            .told
            .is_some_and(|told| now.saturating_duration_since(told) < EVERY);
        if quiet {
            return None;
        }
        untold.told = Some(now);
        Some(std::mem::take(&mut untold.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_rest_by_their_number() {
        let (hush, start) = (Hush::default(), Instant::now());
        assert_eq!(hush.speak(start), Some(1));
        assert_eq!(hush.speak(start + Duration::from_secs(1)), None);
        assert_eq!(hush.speak(start + Duration::from_secs(9)), None);
        assert_eq!(hush.speak(start + Duration::from_secs(10)), Some(3));
        assert_eq!(hush.speak(start + Duration::from_secs(30)), Some(1));
    }
}
