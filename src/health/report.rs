//! What follows from a probe: the target's state hears of it, the metrics count it, and a change of
//! health is one line in the log that says why.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::metrics::{ProbeMetrics, ProbeOutcome};
use crate::snapshot::Group;
use crate::target::{
    HealthReason, Outcome, ProbeRecord, Target, TargetHealth, TargetState, Thresholds, Transition,
};

/// Where the findings about the targets of one group go.
#[derive(Clone, Debug)]
pub(super) struct Report {
    /// The group's name.
    pub(super) name: Arc<str>,
    pub(super) group: Arc<Group>,
}

impl Report {
    pub(super) fn metrics(&self) -> &ProbeMetrics {
        self.group.metrics.probes()
    }

    /// Takes in one finding that counts for the target's health.
    pub(super) fn finding(&self, target: &Target, record: ProbeRecord, thresholds: &Thresholds) {
        self.metrics()
            .observe(label(&record.outcome), record.latency);
        let told = record.clone();
        let now = Instant::now();
        if let Some(transition) = self.group.observe(target, record, thresholds, now) {
            self.transition(target, &told, transition);
        }
    }

    /// Says that the target's name stands for another address than before.
    pub(super) fn moved(&self, target: &Target, from: SocketAddr) {
        tracing::info!(
            group = %self.name,
            target = %target.key,
            %from,
            to = target.state.resolved().map(tracing::field::display),
            "target has another address"
        );
    }

    fn transition(&self, target: &Target, record: &ProbeRecord, transition: Transition) {
        let group = &*self.name;
        let Transition { from, to } = transition;
        let address = record.address.map(tracing::field::display);
        let probes = match (from, &record.outcome) {
            // What passed before the target began anew does not count.
            (TargetHealth::Initial, Outcome::Pass) => "1 probe".to_owned(),
            _ => in_a_row(&target.state, &record.outcome),
        };
        match &record.outcome {
            Outcome::Pass => {
                self.metrics().turned_healthy.inc();
                tracing::info!(
                    group, target = %target.key, address, %from, %to,
                    "target is {to}: {probes} in a row"
                );
            }
            failed @ (Outcome::Fail(_) | Outcome::Maintenance) => {
                self.metrics().turned_unhealthy.inc();
                tracing::warn!(
                    group, target = %target.key, address, %from, %to,
                    reason = reason(failed), detail = record.detail,
                    "target is {to}: {}, {probes} in a row", record.detail
                );
            }
        }
    }
}

/// ALB's code for what a probe found. Maintenance that counts is a status like another one.
fn reason(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Fail(reason) => reason.code(),
        Outcome::Pass | Outcome::Maintenance => HealthReason::ResponseCodeMismatch(503).code(),
    }
}

fn label(outcome: &Outcome) -> ProbeOutcome {
    match outcome {
        Outcome::Pass => ProbeOutcome::Pass,
        Outcome::Maintenance => ProbeOutcome::Maintenance,
        Outcome::Fail(HealthReason::ResponseCodeMismatch(_)) => ProbeOutcome::ResponseCodeMismatch,
        Outcome::Fail(HealthReason::Timeout) => ProbeOutcome::Timeout,
        Outcome::Fail(HealthReason::FailedHealthChecks) => ProbeOutcome::Failed,
        Outcome::Fail(_) => ProbeOutcome::InternalError,
    }
}

/// How many of the latest probes passed, or failed, like this one; as far back as they are kept.
fn in_a_row(state: &TargetState, outcome: &Outcome) -> String {
    let passed = |outcome: &Outcome| *outcome == Outcome::Pass;
    let probes = state.probes();
    let alike = probes
        .iter()
        .rev()
        .take_while(|probe| passed(&probe.outcome) == passed(outcome));
    match alike.count() {
        1 => "1 probe".to_owned(),
        count => format!("{count} probes"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::io;

    use parking_lot::Mutex;

    use super::*;
    use crate::health::sample;
    use crate::target_group::HealthCheck;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn refused() -> ProbeRecord {
        let mut record = sample::record(Outcome::Fail(HealthReason::FailedHealthChecks));
        record.detail = "connection refused".to_owned();
        record.address = Some(SocketAddr::from(([127, 0, 0, 1], 80)));
        record
    }

    #[test]
    fn a_change_of_health_is_one_line_that_says_why_and_is_counted() {
        let check = HealthCheck::default();
        let assignment = sample::assignment(check.clone());
        let report = &assignment.report;
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(log, || {
            let pass = sample::record(Outcome::Pass);
            for record in [pass.clone(), pass, refused(), refused(), refused()] {
                report.finding(&assignment.target, record, &check.thresholds);
            }
        });
        let log = String::from_utf8(lines.0.lock().clone()).unwrap();
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log}");
        assert!(lines[0].contains("target is healthy: 1 probe in a row"));
        for words in [
            "WARN",
            "target is unhealthy: connection refused, 2 probes in a row",
            "group=\"wordpress\"",
            "target=wp-a:80",
            "address=127.0.0.1:80",
            "from=healthy",
            "to=unhealthy",
            "reason=\"Target.FailedHealthChecks\"",
        ] {
            assert!(lines[1].contains(words), "{words} in {}", lines[1]);
        }
        assert_eq!(report.metrics().turned_healthy.get(), 1);
        assert_eq!(report.metrics().turned_unhealthy.get(), 1);
    }
}
