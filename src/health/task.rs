//! The life of one target's checks: probe at once, report, wait for the next time, and so on.
//!
//! The probe is an argument, so the order of things can be tested without sockets and in no time.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::report::Report;
use super::schedule::Schedule;
use crate::target::{HealthReason, Outcome, ProbeRecord, Target, TargetHealth, TargetState};
use crate::target_group::HealthCheck;
use crate::tls::Connector;

/// What a task is to probe, and how. A reload may change it while the task goes on.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) target: Arc<Target>,
    pub(super) check: Arc<HealthCheck>,
    /// Whom a probe over TLS believes; none believes any certificate.
    pub(super) connector: Option<Arc<Connector>>,
    pub(super) report: Report,
}

/// Checks a target until nobody assigns it any more. One probe is over before the next begins.
pub(super) async fn run<P, F>(
    mut assignments: watch::Receiver<Assignment>,
    schedule: Schedule,
    probe: P,
) where
    P: Fn(Assignment) -> F,
    F: Future<Output = ProbeRecord>,
{
    loop {
        let assignment = assignments.borrow_and_update().clone();
        let assigned = if takes_probes(&assignment.target.state) {
            check(&assignment, &probe).await;
            until_due(&mut assignments, schedule).await
        } else {
            tokio::select! {
                () = assignment.target.state.renewed() => true,
                changed = assignments.changed() => changed.is_ok(),
            }
        };
        if !assigned {
            return;
        }
    }
}

/// Whether probes decide the target's health now. A draining target shows `draining` to the end of
/// its delay whatever a probe would find.
fn takes_probes(state: &TargetState) -> bool {
    match state.health() {
        TargetHealth::Initial | TargetHealth::Healthy | TargetHealth::Unhealthy => true,
        TargetHealth::Unused | TargetHealth::Draining | TargetHealth::Unavailable => false,
    }
}

/// Waits for the next time on the schedule, or until the target starts as a new one, which is
/// probed at once. Returns whether the target is still assigned.
async fn until_due(assignments: &mut watch::Receiver<Assignment>, schedule: Schedule) -> bool {
    loop {
        let assignment = assignments.borrow_and_update().clone();
        let due = schedule.after(Instant::now(), assignment.check.interval);
        let state = &assignment.target.state;
        tokio::select! {
            biased;
            () = sleep_until(due) => return true,
            () = state.renewed() => if state.is_new() {
                return true;
            },
            changed = assignments.changed() => if changed.is_err() {
                return false;
            },
        }
    }
}

async fn check<P, F>(assignment: &Assignment, probe: &P)
where
    P: Fn(Assignment) -> F,
    F: Future<Output = ProbeRecord>,
{
    let Assignment {
        target,
        check,
        report,
        ..
    } = assignment;
    target.state.checking();
    let resolved = target.state.resolved();
    let (at, start) = (SystemTime::now(), Instant::now());
    let record = match caught(async { probe(assignment.clone()).await }).await {
        Ok(record) => record,
        Err(panic) => panicked(at, start.elapsed(), &*panic),
    };
    if let Some(before) = resolved.filter(|_| resolved != target.state.resolved()) {
        report.moved(target, before);
    }
    // What was found of a target that was deregistered meanwhile tells nothing of it any more.
    if takes_probes(&target.state) {
        report.finding(target, record, &check.thresholds);
    }
}

/// Polls a future to its end or to its panic: one probe gone wrong must not end all that follow.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        // After a panic the future is not polled again, so nothing half done in it is seen.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

fn panicked(at: SystemTime, latency: Duration, panic: &(dyn Any + Send)) -> ProbeRecord {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    ProbeRecord {
        at,
        address: None,
        outcome: Outcome::Fail(HealthReason::InternalError),
        status: None,
        latency,
        detail: format!("the probe panicked: {message}"),
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test may fail loudly")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use parking_lot::Mutex;
    use tokio::time::sleep;

    use super::*;
    use crate::health::sample;
    use crate::target::Thresholds;

    const INTERVAL: Duration = Duration::from_secs(30);

    /// The times, in seconds since the start, at which a task began its probes.
    #[derive(Clone, Default)]
    struct Times(Arc<Mutex<Vec<Instant>>>);

    impl Times {
        fn note(&self) -> usize {
            let mut times = self.0.lock();
            times.push(Instant::now());
            times.len()
        }

        fn since(&self, start: Instant) -> Vec<Duration> {
            self.0.lock().iter().map(|at| *at - start).collect()
        }
    }

    fn assigned() -> (watch::Sender<Assignment>, watch::Receiver<Assignment>) {
        watch::channel(sample::assignment(HealthCheck::default()))
    }

    fn schedule() -> Schedule {
        Schedule::new(Instant::now(), &"wp-a")
    }

    /// Runs a task whose probes take as long, and find what, `probe` says of the first, second, ...
    async fn run_for<F>(
        limit: Duration,
        assignments: watch::Receiver<Assignment>,
        probe: F,
    ) -> Vec<Duration>
    where
        F: Fn(usize) -> (Duration, Outcome),
    {
        let start = Instant::now();
        let times = Times::default();
        let task = run(assignments, schedule(), |_| {
            let (takes, outcome) = probe(times.note());
            async move {
                sleep(takes).await;
                sample::record(outcome)
            }
        });
        assert!(tokio::time::timeout(limit, task).await.is_err(), "it ended");
        times.since(start)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_probe_is_sent_at_once_and_the_second_within_the_interval() {
        let (_assign, assignments) = assigned();
        let times = run_for(INTERVAL, assignments, |_| {
            (Duration::from_millis(3), Outcome::Pass)
        })
        .await;
        assert_eq!(times.len(), 2);
        assert_eq!(times[0], Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn how_long_an_answer_takes_does_not_move_the_next_probe() {
        let (_assign, assignments) = assigned();
        let times = run_for(20 * INTERVAL, assignments, |probe| {
            let takes = Duration::from_millis(377 * (probe as u64 % 13));
            (takes, Outcome::Pass)
        })
        .await;
        assert_eq!(times.len(), 21);
        for (position, pair) in times.windows(2).enumerate().skip(1) {
            // The clock of tokio's timers ticks in milliseconds.
            let apart = pair[1] - pair[0];
            let off = apart.abs_diff(INTERVAL);
            assert!(off <= Duration::from_millis(1), "{position}: {apart:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_is_over_before_the_next_begins() {
        let (_assign, assignments) = assigned();
        let takes = INTERVAL * 5 / 2;
        let times = run_for(20 * INTERVAL, assignments, |_| (takes, Outcome::Pass)).await;
        assert!(times.len() > 4, "{times:?}");
        for pair in times.windows(2) {
            assert!(pair[1] - pair[0] >= takes, "{times:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_draining_target_is_not_probed_and_is_probed_at_once_when_registered_again() {
        let (assign, assignments) = assigned();
        let state = Arc::clone(&assign.borrow().target.state);
        let start = Instant::now();
        let (drained, registered) = (start + INTERVAL, start + 20 * INTERVAL);
        let operator = async {
            sleep_until(drained).await;
            state.drain(Instant::now(), Duration::from_secs(300));
            sleep_until(registered).await;
            state.register();
            std::future::pending::<()>().await;
        };
        let limit = 20 * INTERVAL + Duration::from_millis(1);
        let times = tokio::select! {
            times = run_for(limit, assignments, |_| (Duration::ZERO, Outcome::Pass)) => times,
            () = operator => panic!("it never ends"),
        };
        assert_eq!(times.len(), 3, "{times:?}");
        assert!(times[1] < INTERVAL);
        assert_eq!(times[2], registered - start);
        assert_eq!(state.health(), TargetHealth::Healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_found_of_a_target_after_its_deregistration_is_not_counted() {
        let (assign, assignments) = assigned();
        let state = Arc::clone(&assign.borrow().target.state);
        run_for(INTERVAL, assignments, |_| {
            state.drain(Instant::now(), Duration::from_secs(300));
            (Duration::from_secs(1), Outcome::Pass)
        })
        .await;
        assert!(state.probes().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_cut_off_is_no_failure() {
        let (assign, assignments) = assigned();
        let state = Arc::clone(&assign.borrow().target.state);
        let hangs = |_| (Duration::from_secs(3), Outcome::Fail(HealthReason::Timeout));
        let times = run_for(Duration::from_secs(1), assignments, hangs).await;
        assert_eq!(times.len(), 1);
        assert!(state.probes().is_empty());
        assert_eq!(state.health(), TargetHealth::Initial);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_panics_is_an_internal_error_and_the_next_ones_go_on() {
        let (assign, assignments) = assigned();
        let state = Arc::clone(&assign.borrow().target.state);
        run_for(2 * INTERVAL, assignments, |probe| match probe {
            1 => panic!("out of luck"),
            _ => (Duration::ZERO, Outcome::Pass),
        })
        .await;
        let probes = state.probes();
        assert_eq!(
            probes[0].outcome,
            Outcome::Fail(HealthReason::InternalError)
        );
        assert_eq!(probes[0].detail, "the probe panicked: out of luck");
        assert_eq!(state.health(), TargetHealth::Healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_threshold_counts_from_where_the_old_one_was() {
        let (assign, assignments) = assigned();
        let state = Arc::clone(&assign.borrow().target.state);
        let unhealthy_after = |failures| {
            assign.send_modify(|assignment| {
                let mut check = HealthCheck::clone(&assignment.check);
                check.thresholds = Thresholds {
                    healthy: 5,
                    unhealthy: failures,
                };
                assignment.check = Arc::new(check);
            });
        };
        unhealthy_after(10);
        let probes = AtomicU32::new(0);
        run_for(4 * INTERVAL, assignments, |probe| {
            probes.store(u32::try_from(probe).unwrap_or(0), Ordering::Relaxed);
            match probe {
                1 => return (Duration::ZERO, Outcome::Pass),
                // Two failures so far: with the third it is out.
                3 => unhealthy_after(3),
                _ => {}
            }
            assert!(probe > 4 || state.health() == TargetHealth::Healthy || probe == 1);
            (Duration::ZERO, Outcome::Fail(HealthReason::Timeout))
        })
        .await;
        assert_eq!(probes.into_inner(), 5);
        assert_eq!(state.health(), TargetHealth::Unhealthy);
        assert_eq!(state.probes().len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_interval_needs_no_restart_and_sends_no_probe_by_itself() {
        let (assign, assignments) = assigned();
        let start = Instant::now();
        let operator = async {
            sleep_until(start + 10 * INTERVAL).await;
            assign.send_modify(|assignment| {
                let mut check = HealthCheck::clone(&assignment.check);
                check.interval = Duration::from_secs(5);
                assignment.check = Arc::new(check);
            });
            std::future::pending::<()>().await;
        };
        let times = tokio::select! {
            times = run_for(11 * INTERVAL, assignments, |_| (Duration::ZERO, Outcome::Pass)) => times,
            () = operator => panic!("it never ends"),
        };
        let (before, after): (Vec<_>, Vec<_>) =
            times.into_iter().partition(|at| *at < 10 * INTERVAL);
        assert_eq!((before.len(), after.len()), (11, 6), "{after:?}");
        assert!(after[0] > 10 * INTERVAL, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_ends_when_nobody_assigns_its_target_any_more() {
        let (assign, assignments) = assigned();
        let task = run(assignments, schedule(), async |_| {
            sample::record(Outcome::Pass)
        });
        drop(assign);
        let ended = tokio::time::timeout(INTERVAL, task).await;
        assert!(ended.is_ok());
    }
}
