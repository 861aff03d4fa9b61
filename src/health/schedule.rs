//! When a target is probed: pure arithmetic on a fixed grid.
//!
//! A target's times are `origin + phase + k * interval`. The phase is a hash of its identity, so
//! the targets of a large group are spread over the interval, and a target keeps its times through
//! a reload. How long a probe took moves nothing.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio::time::Instant;

/// One target's place on the grid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    origin: Instant,
    hash: u64,
}

impl Schedule {
    /// The place of what `identity` names. The same identity has the same place each time.
    pub(super) fn new(origin: Instant, identity: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        identity.hash(&mut hasher);
        let hash = hasher.finish();
        Self { origin, hash }
    }

    /// The first time on the grid after `now`. Times that have passed are passed over, not made up
    /// for.
    pub(super) fn after(&self, now: Instant, interval: Duration) -> Instant {
        let interval = nanos(interval).max(1_000_000);
        let phase = (u128::from(interval) * u128::from(self.hash)) >> u64::BITS;
        let phase = u64::try_from(phase).unwrap_or(0);
        let elapsed = nanos(now.saturating_duration_since(self.origin));
        let rounds = match elapsed.checked_sub(phase) {
            Some(since_first) => since_first / interval + 1,
            None => 0,
        };
        self.origin + Duration::from_nanos(phase + rounds * interval)
    }
}

/// Saturates after 584 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    #[test]
    fn from_one_time_to_the_next_it_is_one_interval() {
        let now = Instant::now();
        let schedule = Schedule::new(now, &"wp-a");
        let first = schedule.after(now, INTERVAL);
        assert!(first > now && first <= now + INTERVAL);
        assert_eq!(schedule.after(first, INTERVAL), first + INTERVAL);
        let late = first + Duration::from_secs(29);
        assert_eq!(schedule.after(late, INTERVAL), first + INTERVAL);
    }

    #[test]
    fn times_that_have_passed_are_passed_over() {
        let now = Instant::now();
        let schedule = Schedule::new(now, &"wp-a");
        let first = schedule.after(now, INTERVAL);
        let after = schedule.after(first + 7 * INTERVAL + Duration::from_secs(1), INTERVAL);
        assert_eq!(after, first + 8 * INTERVAL);
    }

    #[test]
    fn the_targets_of_a_group_are_spread_over_the_interval() {
        let now = Instant::now();
        let mut tenths = [0_u32; 10];
        for id in 0..1_000 {
            let at = Schedule::new(now, &("wordpress", id)).after(now, INTERVAL);
            let tenth = (at - now).as_nanos() * 10 / (INTERVAL.as_nanos() + 1);
            tenths[usize::try_from(tenth).unwrap_or(0)] += 1;
        }
        let spread = tenths.iter().all(|count| (60..=140).contains(count));
        assert!(spread, "of 1,000 targets in each tenth: {tenths:?}");
    }

    #[test]
    fn a_target_has_the_same_phase_each_time() {
        let now = Instant::now();
        let a = Schedule::new(now, &("wordpress", "wp-a")).after(now, INTERVAL);
        let again = Schedule::new(now, &("wordpress", "wp-a")).after(now, INTERVAL);
        let b = Schedule::new(now, &("wordpress", "wp-b")).after(now, INTERVAL);
        assert_eq!(a, again);
        assert_ne!(a, b);
    }
}
