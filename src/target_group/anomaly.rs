//! Anomaly detection and mitigation: a target that fails more often than the others gets less.
//!
//! AWS does not publish its formula; this is ours. It is evaluated for groups of HTTP targets every
//! 5 seconds ([`PERIOD`]). A request fails a target when the target answers it 5xx, or cannot be
//! connected to, or ends the exchange. Counts fade by 0.7 at each evaluation: half of what counts is of
//! the last ten seconds, and a target that failed all requests is normal again within a minute of
//! its recovery.
//!
//! With at least three healthy targets, a target is **anomalous** when all of these hold:
//!
//! * it has finished with 20 requests and failed 5 of them (faded counts);
//! * its failure rate `p` exceeds the rate `q` of all others together by 0.05 and is at least `2q`;
//! * its **score**, `(p - q) / sqrt(r (1 - r) (1/n + 1/m))`, is 3 or more, where `n` requests are
//!   its own, `m` the others', and `r` is the rate of all, smoothed by one failure and two requests:
//!   the difference is no chance.
//!
//! It is **normal** again when `p - q` is below 0.025, or its score below 1.5, or it has finished
//! with so few requests (5) that nothing is known of it. If more than `(targets - 1) / 2` would be
//! anomalous, the fault lies with the whole group, and none is.
//!
//! **Mitigation** (with `weighted_random` and `anomaly_mitigation`; automatic target weights): each
//! evaluation halves the part of its weight that an anomalous target takes, down to 5 %, and gives
//! a normal one 5 % back, up to all. Some requests always reach it, so its recovery is seen.

use std::time::Duration;

use crate::target::{Conduct, Target, TargetHealth};

/// From one evaluation to the next.
pub const PERIOD: Duration = Duration::from_secs(5);

/// Fewer healthy targets have no "others" to be compared with.
pub(super) const FEWEST_TARGETS: usize = 3;

const ENOUGH_FINISHED: f64 = 20.0;
const ENOUGH_FAILED: f64 = 5.0;
const TOO_FEW_FINISHED: f64 = 5.0;
const EXCESS: f64 = 0.05;
const RATIO: f64 = 2.0;
const SCORE: f64 = 3.0;
/// Half of what makes a target anomalous keeps it so.
const HYSTERESIS: f64 = 0.5;

/// The least part of its weight that a target takes, in hundredths, and what it gets back at a time.
const LEAST_PART: u32 = 5;
const RECOVERY: u32 = 5;
const WHOLE: u32 = 100;

/// What was found of one target (ALB: AnomalyDetection).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anomaly {
    /// How it has treated requests of late.
    pub conduct: Conduct,
    /// What it takes of its weight, in hundredths.
    pub part: u32,
}

impl Anomaly {
    /// Of a target of a group that has enough others to compare it with; none of one that is not healthy.
    pub fn of(target: &Target) -> Option<Self> {
        let state = &target.state;
        (state.health() == TargetHealth::Healthy).then(|| Self {
            conduct: state.conduct(),
            part: state.part(),
        })
    }

    /// ALB's word for what was found.
    pub const fn result(&self) -> &'static str {
        match self.conduct.anomalous {
            true => "anomalous",
            false => "normal",
        }
    }

    /// ALB's word for whether something is done about it.
    pub const fn mitigation_in_effect(&self) -> &'static str {
        match self.part < WHOLE {
            true => "yes",
            false => "no",
        }
    }
}

/// Judges the healthy targets of a group: notes score and verdict in each.
pub(super) fn judge(targets: &mut [Conduct]) {
    let (finished, failed) = targets
        .iter()
        .fold((0.0, 0.0), |(finished, failed), target| {
            (finished + target.finished, failed + target.failed)
        });
    let verdicts = targets.iter_mut().map(|target| {
        let others = (finished - target.finished, failed - target.failed);
        let (excess, ratio) = compare(target, others);
        target.score = score(target, others, excess);
        is_anomalous(target, others, excess, ratio)
    });
    let verdicts: Vec<bool> = verdicts.collect();
    let anomalous = verdicts.iter().filter(|anomalous| **anomalous).count();
    let enough_others = targets.len() >= FEWEST_TARGETS && anomalous <= (targets.len() - 1) / 2;
    for (target, anomalous) in targets.iter_mut().zip(verdicts) {
        target.anomalous = anomalous && enough_others;
    }
}

/// By how much the target fails more often than the others, and how many times as often.
fn compare(target: &Conduct, (finished, failed): (f64, f64)) -> (f64, f64) {
    let rate = target.failure_rate();
    let others = if finished > 0.0 {
        failed / finished
    } else {
        0.0
    };
    (rate - others, rate / others.max(f64::MIN_POSITIVE))
}

fn score(target: &Conduct, (finished, failed): (f64, f64), excess: f64) -> f64 {
    if target.finished <= 0.0 || finished <= 0.0 {
        return 0.0;
    }
    let rate = (target.failed + failed + 1.0) / (target.finished + finished + 2.0);
    let rate = rate.min(1.0);
    let variance = rate * (1.0 - rate) * (1.0 / target.finished + 1.0 / finished);
    match variance > 0.0 {
        true => (excess / variance.sqrt()).max(0.0),
        false => 0.0,
    }
}

fn is_anomalous(target: &Conduct, (finished, _): (f64, f64), excess: f64, ratio: f64) -> bool {
    match target.anomalous {
        true => {
            target.finished >= TOO_FEW_FINISHED
                && excess >= EXCESS * HYSTERESIS
                && target.score >= SCORE * HYSTERESIS
        }
        false => {
            target.finished >= ENOUGH_FINISHED
                && target.failed >= ENOUGH_FAILED
                && finished >= ENOUGH_FINISHED
                && excess >= EXCESS
                && ratio >= RATIO
                && target.score >= SCORE
        }
    }
}

/// The part of its weight that a target takes next, in hundredths.
pub(super) fn next_part(part: u32, anomalous: bool) -> u32 {
    match anomalous {
        true => (part / 2).max(LEAST_PART),
        false => (part + RECOVERY).min(WHOLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conduct(finished: f64, failed: f64) -> Conduct {
        let mut conduct = Conduct::default();
        conduct.look(finished as u64, failed as u64);
        conduct
    }

    /// Which of the targets are anomalous, by requests and failures.
    fn anomalous(targets: &[(u32, u32)]) -> Vec<usize> {
        let targets = targets.iter();
        let mut targets: Vec<_> = targets
            .map(|(finished, failed)| conduct(f64::from(*finished), f64::from(*failed)))
            .collect();
        judge(&mut targets);
        let found = targets.iter().enumerate();
        found
            .filter(|(_, it)| it.anomalous)
            .map(|(place, _)| place)
            .collect()
    }

    #[test]
    fn a_target_that_fails_more_often_than_the_others_is_anomalous() {
        assert_eq!(anomalous(&[(100, 0), (100, 30), (100, 1)]), [1]);
        assert_eq!(
            anomalous(&[(1000, 10), (1000, 12), (1000, 90), (1000, 9)]),
            [2]
        );
    }

    #[test]
    fn a_few_requests_prove_nothing() {
        assert_eq!(anomalous(&[(19, 19), (500, 0), (500, 0)]), [0; 0]);
        assert_eq!(anomalous(&[(40, 4), (500, 0), (500, 0)]), [0; 0]);
        assert_eq!(
            anomalous(&[(40, 40), (5, 0), (5, 0)]),
            [0; 0],
            "nor do few of the others"
        );
    }

    #[test]
    fn a_difference_that_may_be_chance_is_none() {
        assert_eq!(anomalous(&[(50, 8), (50, 4), (50, 4)]), [0; 0]);
        assert_eq!(anomalous(&[(5000, 300), (5000, 280), (5000, 290)]), [0; 0]);
    }

    #[test]
    fn a_rate_that_is_not_twice_that_of_the_others_is_normal() {
        assert_eq!(
            anomalous(&[(10_000, 3000), (10_000, 2000), (10_000, 2000)]),
            [0; 0]
        );
    }

    #[test]
    fn when_the_whole_group_fails_nobody_is_anomalous() {
        assert_eq!(anomalous(&[(100, 100), (100, 100), (100, 100)]), [0; 0]);
        assert_eq!(anomalous(&[(100, 100), (100, 100), (100, 0)]), [0; 0]);
        assert_eq!(
            anomalous(&[(100, 100), (100, 100), (100, 0), (100, 0)]),
            [0; 0]
        );
        let five = [(100, 100), (100, 100), (100, 0), (100, 0), (100, 0)];
        assert_eq!(anomalous(&five), [0, 1]);
    }

    #[test]
    fn two_targets_cannot_be_compared() {
        assert_eq!(anomalous(&[(100, 100), (100, 0)]), [0; 0]);
        assert_eq!(anomalous(&[]), [0; 0]);
    }

    #[test]
    fn a_target_without_requests_has_no_score() {
        let mut targets = [conduct(0.0, 0.0), conduct(0.0, 0.0), conduct(0.0, 0.0)];
        judge(&mut targets);
        assert!(
            targets
                .iter()
                .all(|target| target.score == 0.0 && !target.anomalous)
        );
    }

    #[test]
    fn what_is_found_holds_until_half_of_it_is_gone() {
        let others = [conduct(500.0, 0.0), conduct(500.0, 0.0)];
        let judged = |finished: f64, failed: f64| {
            let mut targets = [conduct(finished, failed), others[0], others[1]];
            targets[0].anomalous = true;
            judge(&mut targets);
            targets[0].anomalous
        };
        assert!(judged(100.0, 4.0), "this would not make it anomalous");
        assert!(!judged(100.0, 2.0));
        assert!(judged(10.0, 10.0));
        assert!(!judged(4.0, 4.0), "nothing is known of it any more");
    }

    #[test]
    fn mitigation_halves_and_gives_back_in_small_steps() {
        let mut part = 100;
        let mut parts = Vec::new();
        for _ in 0..6 {
            part = next_part(part, true);
            parts.push(part);
        }
        assert_eq!(parts, [50, 25, 12, 6, 5, 5]);
        for _ in 0..18 {
            part = next_part(part, false);
        }
        assert_eq!(part, 95);
        assert_eq!((next_part(95, false), next_part(100, false)), (100, 100));
    }
}
