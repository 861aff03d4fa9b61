//! What follows from a probe: the target's state hears of it, the metrics count it, and a change of
//! health is one line in the log that says why.

use std::sync::Arc;

use crate::metrics::{ProbeMetrics, ProbeOutcome};
use crate::target::{
    HealthReason, Outcome, ProbeRecord, Target, TargetState, Thresholds, Transition,
};

/// Where the findings about the targets of one group go.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) group: Arc<str>,
    pub(super) metrics: Arc<ProbeMetrics>,
}

impl Report {
    /// Takes in one finding that counts for the target's health.
    pub(super) fn finding(&self, target: &Target, record: ProbeRecord, thresholds: &Thresholds) {
        self.metrics.observe(label(&record.outcome), record.latency);
        let told = record.clone();
        if let Some(transition) = target.state.observe(record, thresholds) {
            self.transition(target, &told, transition);
        }
    }

    /// Says that the target's name stands for another address than before.
    pub(super) fn moved(&self, target: &Target, from: std::net::SocketAddr) {
        tracing::info!(
            group = %self.group,
            target = %target.key,
            %from,
            to = target.state.resolved().map(tracing::field::display),
            "target has another address"
        );
    }

    fn transition(&self, target: &Target, record: &ProbeRecord, transition: Transition) {
        let group = &*self.group;
        let Transition { from, to } = transition;
        let address = record.address.map(tracing::field::display);
        let probes = in_a_row(&target.state, &record.outcome);
        match &record.outcome {
            Outcome::Pass => {
                self.metrics.turned_healthy.inc();
                tracing::info!(
                    group, target = %target.key, address, %from, %to,
                    "target is {to}: {probes} in a row"
                );
            }
            Outcome::Fail(reason) => {
                self.metrics.turned_unhealthy.inc();
                tracing::warn!(
                    group, target = %target.key, address, %from, %to,
                    reason = reason.code(), detail = record.detail,
                    "target is {to}: {}, {probes} in a row", record.detail
                );
            }
        }
    }
}

fn label(outcome: &Outcome) -> ProbeOutcome {
    match outcome {
        Outcome::Pass => ProbeOutcome::Pass,
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
