//! When a certificate is ordered: pure arithmetic.
//!
//! Renewed after two thirds of its life, or within the window that the authority suggests (RFC 9773);
//! later ones follow failures at growing intervals. Chance is a number that belongs to the
//! certificate, so that every process that shares it, and each after its restart, finds the same
//! time.

use std::time::{Duration, SystemTime};

use super::{Attempt, Reason};

/// What a life is divided by for the spread of renewals: many certificates that were ordered
/// together are not renewed together.
const SPREAD: u32 = 20;

/// Waits after the first failure, if the authority has heard of the attempt. Let's Encrypt allows
/// five failed validations of a name in an hour: five are tried in the first one, and fewer later.
const FIRST_RETRY: Duration = Duration::from_secs(60);
const RETRY_FACTOR: u32 = 3;
const LONGEST_RETRY: Duration = Duration::from_secs(12 * 60 * 60);

/// Waits after the first failure, if the authority was not reached: nobody counts these.
const FIRST_CALL: Duration = Duration::from_secs(5);
const CALL_FACTOR: u32 = 2;
const LONGEST_CALL: Duration = Duration::from_secs(15 * 60);

/// Who was told that it asks too often, and not until when, waits for so long at least.
const RATE_LIMITED: Duration = Duration::from_secs(60 * 60);

/// A certificate is not ordered again sooner than after this, or a quarter of its life: an authority
/// whose clock is far from ours would be asked without end.
const SHORTEST_REPEAT: Duration = Duration::from_secs(6 * 60 * 60);

/// From when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: SystemTime,
    pub(super) end: SystemTime,
}

impl Window {
    fn length(&self) -> Duration {
        self.end.duration_since(self.start).unwrap_or_default()
    }
}

/// What decides when the next order is made.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    /// The life of the certificate that is there.
    pub(super) life: Option<Window>,
    /// When the authority would like it to be renewed.
    pub(super) suggested: Option<Window>,
    /// The attempts that have failed in a row.
    pub(super) failures: u32,
    /// The last attempt.
    pub(super) last: Option<&'a Attempt>,
    /// A number of the certificate's own, from 0 to 1.
    pub(super) chance: f64,
}

impl Facts<'_> {
    /// When the next order is due. May have passed: it is due now then.
    pub(super) fn due(&self) -> SystemTime {
        let wanted = self.wanted();
        let earliest = self.last.map(|last| self.earliest(last));
        earliest.map_or(wanted, |earliest| wanted.max(earliest))
    }

    /// When another certificate is wanted.
    fn wanted(&self) -> SystemTime {
        let Some(life) = self.life else {
            return SystemTime::UNIX_EPOCH;
        };
        // A window that ends after the certificate does would leave nothing to show.
        match self.suggested.filter(|window| window.end < life.end) {
            Some(window) => window.start + window.length().mul_f64(self.chance),
            None => {
                let late = (life.length() / SPREAD).mul_f64(self.chance);
                life.start + life.length() / 3 * 2 + late
            }
        }
    }

    /// Not before this, after the last attempt.
    fn earliest(&self, last: &Attempt) -> SystemTime {
        let Some(failure) = &last.failure else {
            let life = self.life.map(|life| life.length()).unwrap_or_default();
            return last.at + (life / 4).min(SHORTEST_REPEAT);
        };
        let (first, factor, longest) = match failure.reason {
            Reason::Unreachable => (FIRST_CALL, CALL_FACTOR, LONGEST_CALL),
            _ => (FIRST_RETRY, RETRY_FACTOR, LONGEST_RETRY),
        };
        let power = factor.saturating_pow(self.failures.saturating_sub(1));
        let mut wait = first.saturating_mul(power).min(longest);
        if failure.reason == Reason::RateLimited {
            wait = wait.max(RATE_LIMITED);
        }
        wait += (wait / 4).mul_f64(self.chance);
        let asked = failure.retry_after.unwrap_or(SystemTime::UNIX_EPOCH);
        (last.at + wait).max(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Failure;
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const MINUTE: Duration = Duration::from_secs(60);

    fn start() -> SystemTime {
        SystemTime::UNIX_EPOCH + 20_000 * DAY
    }

    fn life(days: u32) -> Option<Window> {
        Some(Window {
            start: start(),
            end: start() + days * DAY,
        })
    }

    fn valid(chance: f64) -> Facts<'static> {
        Facts {
            life: life(90),
            suggested: None,
            failures: 0,
            last: None,
            chance,
        }
    }

    fn failed(reason: Reason) -> Attempt {
        Attempt {
            at: start(),
            failure: Some(Failure {
                reason,
                detail: String::new(),
                retry_after: None,
            }),
        }
    }

    /// Waits after one failure, two, and so on, at their shortest.
    fn waits(reason: Reason, count: u32) -> Vec<Duration> {
        let attempt = failed(reason);
        let wait = |failures| {
            let facts = Facts {
                life: None,
                failures,
                last: Some(&attempt),
                ..valid(0.0)
            };
            facts.due().duration_since(start()).unwrap_or_default()
        };
        (1..=count).map(wait).collect()
    }

    #[test]
    fn a_certificate_that_is_not_there_is_due_at_once() {
        let facts = Facts {
            life: None,
            ..valid(0.7)
        };
        assert!(facts.due() < start());
    }

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life_spread_over_a_twentieth() {
        assert_eq!(valid(0.0).due(), start() + 60 * DAY);
        assert_eq!(valid(1.0).due(), start() + 64 * DAY + DAY / 2);
    }

    #[test]
    fn the_window_that_the_authority_suggests_is_followed() {
        let window = Window {
            start: start() + 10 * DAY,
            end: start() + 12 * DAY,
        };
        let facts = |suggested, chance| Facts {
            suggested: Some(suggested),
            ..valid(chance)
        };
        assert_eq!(facts(window, 0.5).due(), start() + 11 * DAY);
        let nonsense = Window {
            end: start() + 91 * DAY,
            ..window
        };
        assert_eq!(facts(nonsense, 0.0).due(), start() + 60 * DAY);
    }

    #[test]
    fn failures_that_the_authority_counts_are_at_most_five_in_the_first_hour() {
        let mut at = Duration::ZERO;
        let mut in_first_hour = 1;
        for wait in waits(Reason::Challenge, 8) {
            at += wait;
            in_first_hour += u32::from(at < 60 * MINUTE);
        }
        assert_eq!(in_first_hour, 5);
        assert_eq!(waits(Reason::Challenge, 12)[11], LONGEST_RETRY);
    }

    #[test]
    fn who_was_not_reached_is_called_again_soon_and_then_every_quarter_of_an_hour() {
        let waits = waits(Reason::Unreachable, 10);
        assert_eq!(waits[0], Duration::from_secs(5));
        assert_eq!(waits[9], 15 * MINUTE);
    }

    #[test]
    fn a_rate_limit_is_respected() {
        assert_eq!(waits(Reason::RateLimited, 1), [60 * MINUTE]);
        let mut attempt = failed(Reason::RateLimited);
        let until = start() + 7 * DAY;
        if let Some(failure) = &mut attempt.failure {
            failure.retry_after = Some(until);
        }
        let facts = Facts {
            life: None,
            failures: 1,
            last: Some(&attempt),
            ..valid(1.0)
        };
        assert_eq!(facts.due(), until);
    }

    #[test]
    fn a_failed_renewal_is_tried_again_while_the_old_certificate_lives() {
        let attempt = Attempt {
            at: start() + 60 * DAY,
            ..failed(Reason::Challenge)
        };
        let facts = Facts {
            failures: 1,
            last: Some(&attempt),
            ..valid(0.0)
        };
        assert_eq!(facts.due(), start() + 60 * DAY + MINUTE);
    }

    #[test]
    fn a_success_is_followed_by_the_next_renewal_only() {
        let attempt = Attempt {
            at: start(),
            failure: None,
        };
        let facts = Facts {
            last: Some(&attempt),
            ..valid(0.0)
        };
        assert_eq!(facts.due(), start() + 60 * DAY);
    }

    #[test]
    fn an_authority_whose_certificates_are_old_when_they_arrive_is_not_asked_without_end() {
        let attempt = Attempt {
            at: start() + 200 * DAY,
            failure: None,
        };
        let facts = Facts {
            last: Some(&attempt),
            ..valid(0.0)
        };
        assert_eq!(facts.due(), attempt.at + SHORTEST_REPEAT);
    }
}
